"""The file: who may read it, where it may be, what is refused untouched, and what happens when it is taken away."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path

import apsw
import pytest

from smsreceipt.errors import StoreDamaged, StoreLocked, StoreUnavailable
from smsreceipt.model import Kind
from smsreceipt.store import Query
from smsreceipt.store.sqlite import files, migrations
from smsreceipt.store.sqlite.call_tallies import TRIGGERS as OF_CALLS
from smsreceipt.store.sqlite.files import _filesystem, _refuse_unsafe, free_bytes
from smsreceipt.store.sqlite.migrations import APPLICATION_ID, SCHEMA, sql
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store
from smsreceipt.store.sqlite.tally_changes import TRIGGERS
from tests.store.statements import decoded, report


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "receipts.db"


def keep(store: SqliteStore, *ids: str) -> None:
    store.keep([decoded(*(report(each) for each in ids))])


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_the_owner_reads_the_files_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        path = tmp_path / "a" / "b" / "receipts.db"
        with closing(open_store(path)) as store:
            keep(store, "1")
            assert {each.name: oct(mode(each)) for each in path.parent.iterdir()} == {
                f"receipts.db{suffix}": oct(0o600) for suffix in ("", "-wal", "-shm")
            }
        assert [mode(folder) for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]
        path.chmod(0o644)
        with closing(open_store(path)) as store:
            keep(store, "2")
            assert {mode(each) for each in path.parent.iterdir()} == {0o600}


def test_a_closed_store_is_one_file(path: Path) -> None:
    with closing(open_store(path)) as store:
        keep(store, "1")
    assert [each.name for each in path.parent.iterdir()] == ["receipts.db"]
    with closing(open_reader(path)) as reader:
        assert [each.receipt.biz_id for each in reader.list(Query())] == ["1"]


def test_a_symlink_in_a_directory_that_anybody_may_write_to_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    target = tmp_path / "target.db"
    (shared / "receipts.db").symlink_to(target)
    with pytest.raises(StoreUnavailable, match="anybody may write"):
        open_store(shared / "receipts.db")
    assert not target.exists()
    open_store(shared / "own.db").close()  # the sticky bit protects a file of one's own
    shared.chmod(0o777)
    with pytest.raises(StoreUnavailable, match="anybody may write"):
        open_store(shared / "other.db")


def test_network_file_systems_are_refused(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    for kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"):
        monkeypatch.setattr(files, "_filesystem", lambda _folder, kind=kind: kind)
        with pytest.raises(StoreUnavailable, match=f"network file system \\({kind}\\)"):
            _refuse_unsafe(path)
    for kind in ("ext4", "xfs", "btrfs", "tmpfs", "apfs", "overlay", ""):
        monkeypatch.setattr(files, "_filesystem", lambda _folder, kind=kind: kind)
        _refuse_unsafe(path)
    assert not path.exists()


def test_the_file_system_is_that_of_the_innermost_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = "/dev/vda / ext4 rw 0 0\nserver:/x /mnt nfs4 rw 0 0\ntmpfs /mnt/in tmpfs rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda *_: mounts)
    found = [_filesystem(Path(folder)) for folder in ("/", "/var/x", "/mnt", "/mnt/a", "/mnt/in/a", "/mntother")]
    assert found == ["ext4", "ext4", "nfs4", "nfs4", "tmpfs", "ext4"]


def schema(connection: apsw.Connection) -> list[tuple[object, ...]]:
    """Every table, index and trigger; the space between the words of its text does not count."""
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    return [(*names, re.sub(r"\s*([,()])\s*|\s+", r"\1 ", str(text))) for *names, text in found]


def pragma(connection: apsw.Connection, name: str) -> object:
    return connection.pragma(name)


ADD_COLUMN = """
ALTER TABLE statement ADD COLUMN {} INTEGER NOT NULL DEFAULT -2;
CREATE TRIGGER unread_{} AFTER UPDATE OF digest ON statement WHEN new.{} = old.{}
BEGIN UPDATE statement SET {} = -2 WHERE seq = new.seq; END;
"""


def test_a_fresh_store_has_the_schema_of_all_migrations(path: Path) -> None:
    with closing(open_store(path)) as store:
        by_hand = apsw.Connection(":memory:")
        for step in (1, 2, 3, 4, 5, 7, 8, 9, 10):
            by_hand.execute(sql(f"{step:04}.sql"))
        for column in ("billed_parts", "talk_seconds"):
            by_hand.execute(ADD_COLUMN.replace("{}", column))
        for column in ("numbers", "unread"):
            by_hand.execute(ADD_COLUMN.replace("{}", column).replace("INTEGER", "TEXT").replace("-2", "'-2'"))
        for _, trigger in (*TRIGGERS, *OF_CALLS):
            by_hand.execute(trigger)
        assert schema(store._db) == schema(by_hand)
        assert pragma(store._db, "user_version") == SCHEMA
        assert pragma(store._db, "application_id") == APPLICATION_ID
        assert (path.parent / "none").exists() is False


def test_the_settings_are_those_that_survive_a_power_cut(path: Path) -> None:
    with closing(open_store(path)) as store:
        found = {name: pragma(store._db, name) for name in ("journal_mode", "synchronous", "secure_delete")}
        assert found == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
        assert [pragma(store._db, name) for name in ("foreign_keys", "trusted_schema", "mmap_size")] == [1, 0, 0]
        tables = store._db.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict").fetchall()
        assert [name for (name,) in tables if not str(name).startswith("sqlite_")] == []


@pytest.mark.parametrize("cut", range(6))
def test_a_migration_that_is_cut_off_half_way_is_done_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    class PowerCut(BaseException):
        pass

    whole = sql("0001.sql")
    statements = whole.split(";\n")
    half = ";\n".join(statements[: cut * 2]) + ";\n" if cut else ""

    def cut_off(_name: str) -> str:
        monkeypatch.undo()
        connection.execute("BEGIN IMMEDIATE; " + half) if cut else None
        raise PowerCut

    files.prepare_file(path)
    connection = apsw.Connection(str(path))
    with pytest.raises(PowerCut):
        cut_off("0001.sql")
    connection.close(True)
    with closing(open_reader(path)) as reader:
        assert list(reader.list(Query())) == []
    with closing(open_store(path)) as store:
        keep(store, "1")
        assert store.facts().schema == SCHEMA


def test_a_failing_migration_leaves_nothing_and_hides_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "sql", lambda _: "CREATE TABLE half (a); CREATE TABLE half (a)")
    with pytest.raises(StoreDamaged, match="already exists"):
        open_store(path)
    monkeypatch.undo()
    open_store(path).close()


def test_many_may_make_the_same_store_at_once(path: Path) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(6)

    def begin(n: int) -> None:
        try:
            barrier.wait(10)
            with closing(open_store(path)) as store:
                keep(store, str(n))
        except BaseException as exc:  # noqa: BLE001 - looked at below
            failures.append(exc)

    threads = [threading.Thread(target=begin, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with closing(open_reader(path)) as reader:
        assert reader.count(Query(), 10) == 6


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in sorted(folder.iterdir())}


def foreign(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("CREATE TABLE theirs (a); INSERT INTO theirs VALUES ('their data')")


def foreign_wal(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE theirs (a); INSERT INTO theirs VALUES ('their data')")
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close(True)


def newer(path: Path) -> None:
    open_store(path).close()
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("user_version", SCHEMA + 1)


def text(path: Path) -> None:
    path.write_bytes(b"phone,time\n13800008000,now\n" * 1000)


def cut_off(path: Path) -> None:
    with closing(open_store(path)) as store:
        keep(store, *map(str, range(200)))
    with path.open("r+b") as file:
        file.truncate(5000)


@pytest.mark.parametrize(
    ("make", "opener"),
    list(product([foreign, foreign_wal, newer, text, cut_off], [open_store, open_reader])),
    ids=lambda value: value.__name__,
)
def test_what_is_not_ours_or_not_sound_is_7_and_left_as_it_was(path: Path, make: object, opener: object) -> None:
    path.parent.mkdir(mode=0o700)
    make(path)  # type: ignore[operator]
    before = contents(path.parent)

    def read() -> None:
        with closing(opener(path)) as store:  # type: ignore[operator]
            list(store.list(Query(history=True)))
            store.facts()

    with pytest.raises(StoreDamaged) as caught:
        read()
    assert caught.value.exit_code == 7
    after = contents(path.parent)
    assert after["receipts.db"] == before["receipts.db"]
    fresh = {name for name in after if name not in before and not name.endswith("-shm")}
    assert b"".join(after[name] for name in fresh) == b""
    assert all(after[name] == text for name, text in before.items() if not name.endswith("-shm"))


def test_damage_after_an_unclean_end_is_found_before_anything_is_written(path: Path) -> None:
    with closing(open_store(path)) as store:
        keep(store, *map(str, range(500)))
        store._db.execute("INSERT INTO run (queue, pid, born, hidden_until) VALUES ('q', 1, 'long ago', 0)")
        (root,) = store._db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'statement_day'").fetchall()
    with path.open("r+b") as file:
        file.seek((int(str(root[0])) - 1) * 4096)
        file.write(b"\xff" * 200)
    before = path.read_bytes()
    with pytest.raises(StoreDamaged):
        open_store(path)
    assert path.read_bytes() == before


def test_a_locked_store_is_store_locked_after_the_lock_wait_and_nothing_happened(path: Path) -> None:
    with closing(open_store(path, lock_wait=0.02)) as store, closing(open_store(path)) as other:
        other._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked) as caught:
            keep(store, "1")
        assert caught.value.exit_code == 6
        other._db.execute("ROLLBACK")
        keep(store, "1")
        assert store.count(Query(), 10) == 1


def test_a_reader_is_never_in_a_writers_way(path: Path) -> None:
    with closing(open_store(path)) as store:
        keep(store, "1", "2")
        with closing(open_reader(path)) as reader:
            found = reader.list(Query())
            next(found)
            keep(store, "3")
            assert len(list(found)) == 1
            assert reader.count(Query(), 10) == 3


def test_a_reader_cannot_write(path: Path) -> None:
    open_store(path).close()
    with closing(open_reader(path)) as reader, pytest.raises(StoreUnavailable):
        keep(reader, "1")


def test_a_directory_where_the_file_should_be_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        open_store(tmp_path)


def test_a_file_in_the_way_of_the_directory_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        open_store(tmp_path / "file" / "receipts.db")


def test_a_store_that_does_not_exist_yet_is_empty_and_stays_absent(path: Path) -> None:
    with closing(open_reader(path)) as reader:
        facts = reader.facts()
        assert (facts.exists, facts.size, facts.location, list(reader.list(Query()))) == (False, 0, str(path), [])
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()
    with closing(open_reader(path)) as reader:
        assert list(reader.rejects()) == []


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_is_taken_away_while_in_use_is_noticed(path: Path, suffix: str, *, replaced: bool) -> None:
    store = open_store(path)
    keep(store, "1")
    gone = Path(f"{path}{suffix}")
    gone.rename(gone.with_name("elsewhere"))
    if replaced:
        gone.write_bytes(b"")
    with pytest.raises(StoreDamaged, match="replaced or deleted") as caught:
        keep(store, "2")
    assert caught.value.exit_code == 7
    store.close()


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_the_same_behind_a_symlink(path: Path, tmp_path: Path, suffix: str) -> None:
    open_store(path).close()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with closing(open_store(link)) as store:
        keep(store, "1")
        assert {mode(each) for each in path.parent.iterdir()} == {0o600}
        assert store.facts().size > path.stat().st_size
        Path(f"{path}{suffix}").rename(tmp_path / "elsewhere")
        with pytest.raises(StoreDamaged, match="replaced or deleted"):
            keep(store, "2")


def test_a_symlink_into_a_directory_that_anybody_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "shared" / "receipts.db")
    with pytest.raises(StoreUnavailable, match="anybody may write"):
        open_store(link)


def test_a_restored_backup_has_the_journal_of_every_store(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    with closing(open_store(path)) as store:
        keep(store, "1")
        store._db.execute("VACUUM INTO ?", (str(backup),))
    with closing(open_store(backup)) as store:
        assert pragma(store._db, "journal_mode") == "wal"
        keep(store, "2")
        assert store.count(Query(), 10) == 2


class BadDisk(apsw.VFS):
    """The system's own file access, whose flushes fail from some moment on."""

    def __init__(self) -> None:
        self.broken = False
        super().__init__("bad-disk", "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's
        disk = self

        class File(apsw.VFSFile):
            def xSync(self, flags: int) -> None:  # noqa: N802
                if disk.broken:
                    raise apsw.IOError
                super().xSync(flags)

        return File("", name, flags)


def test_after_a_flush_that_failed_nothing_is_written_back(path: Path) -> None:
    disk = BadDisk()
    store = open_store(path, vfs="bad-disk")
    keep(store, "1")
    before = path.read_bytes()
    disk.broken = True
    with pytest.raises(StoreUnavailable, match="disk failed") as caught:
        keep(store, "2")
    assert caught.value.exit_code == 6
    disk.broken = False  # what the disk says now proves nothing about what it said before
    store.close()
    assert path.read_bytes() == before
    with closing(open_store(path)) as again:  # "2" may be there whole: it is known only that nobody acked it
        assert "1" in [each.receipt.biz_id for each in again.list(Query())]


def test_a_commit_cut_off_by_kill_is_undone_and_the_run_is_known_as_unclean(path: Path) -> None:
    child = os.fork()
    if child == 0:  # a process of its own, that dies in the middle
        store = open_store(path)
        store.acquire_lease("q")
        keep(store, "1")
        store._db.execute("BEGIN IMMEDIATE")
        store._db.execute("UPDATE counter SET last_seq = 99")
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    with closing(open_store(path)) as store:
        assert [each.seq for each in store.list(Query())] == [1]
        assert store.facts().last_seq == 1
        run, other = store.acquire_lease("q"), store.acquire_lease("another")
        assert (run.after_unclean, other.after_unclean) == (True, False)
        store.release_lease(run, settled=False)
        run = store.acquire_lease("q")
        assert run.after_unclean  # nobody has waited for what it had in hand
        store.release_lease(run, settled=True)
        assert not store.acquire_lease("q").after_unclean


def test_free_space_is_known_before_the_directory_exists(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b" / "c.db") > 0


def btrees_of(store: SqliteStore) -> list[str]:
    """Every b-tree that holds an entry for the newest statement."""
    found = ["statement"]
    for name, text in store._db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"):
        on = str(text).partition(" ON ")[2]
        if on.startswith("statement "):
            condition = on.partition(" WHERE ")[2] or "1"
            newest = f"SELECT {condition} FROM statement ORDER BY seq DESC LIMIT 1"  # noqa: S608 - from our own schema
            (held,) = store._db.execute(newest).fetchall()
            found += [str(name)] if held[0] else []
    return found


@pytest.mark.parametrize("kind", ["SmsReport", "SecretReport"])
def test_a_common_insert_touches_five_btrees_at_most(path: Path, kind: str) -> None:
    from tests.store.statements import call

    with closing(open_store(path)) as store:
        store.keep([decoded(report() if kind == Kind("SmsReport") else call())])
        touched = btrees_of(store)
        assert {"statement", "statement_key", "statement_day", "statement_out_id"} <= set(touched)
        assert len(touched) <= 5


PLANS = {
    "phones": ("13800008000", "(?:statement_)?phone"),
    "biz_ids": ("900^0", "statement_key"),
    "call_ids": ("call-1", "statement_key"),
    "out_ids": ("order-1", "statement_out_id"),
    "codes": ("MOBILE_IN_BLACK", "statement_code"),
    "outcomes": ("failed", "statement_outcome"),
    "conflicts": (True, "statement_conflict"),
}


@pytest.mark.parametrize("name", sorted(PLANS))
@pytest.mark.parametrize("history", [True, False])
def test_each_filter_uses_its_index_and_never_reads_the_table_through(path: Path, name: str, *, history: bool) -> None:
    value, index = PLANS[name]
    asked = True if name == "conflicts" else [value]
    statements: list[tuple[str, object]] = []

    def trace(_cursor: object, text: str, values: object) -> bool:
        statements.append((text, values))
        return True

    with closing(open_store(path)) as store:
        keep(store, *map(str, range(50)))
        store._db.exec_trace = trace
        for more in ({}, {"limit": 10, "newest": True}, {"since": 1, "until": 2}, {"kinds": ["SmsReport"]}):
            list(store.list(Query(history=history, **{name: asked, **more})))  # type: ignore[arg-type]
        store._db.exec_trace = None
        seen = [(text, values) for text, values in statements if " FROM statement " in text]
        plans = [
            str(row[3])
            for text, values in seen
            for row in store._db.execute("EXPLAIN QUERY PLAN " + text, values)  # type: ignore[arg-type]
        ]
    assert any(re.search(rf"SEARCH \w+ USING .*\b{index}\b|SEARCH {index} USING", plan) for plan in plans), plans
    # The tables of kinds, roads and counters hold a few rows each.
    assert [plan for plan in plans if plan.startswith(("SCAN statement", "SCAN phone"))] == [], plans
