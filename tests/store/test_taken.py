"""A store whose file or journal somebody cuts, overwrites or removes; triggers of others; read-only media."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import apsw
import pytest

from smsreceipt.errors import StoreDamaged, StoreUnavailable
from smsreceipt.model import Send, Source
from smsreceipt.store import Query, SendQuery
from smsreceipt.store.sqlite import connect, files
from smsreceipt.store.sqlite.migrations import TABLES, triggers
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store
from tests.store.statements import decoded, report

SEND = Send("13800008000", "1^0", 20_780, None, "", "", "", None)
OURS = triggers()[0][0]  # the name of a trigger that every store has


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "receipts.db"


def keep(store: SqliteStore, *ids: str) -> None:
    store.keep([decoded(*(report(each) for each in ids))])


def cut(path: Path) -> None:
    os.truncate(path, 0)


def cut_to_a_page(path: Path) -> None:
    os.truncate(path, 4096)


def fill(path: Path) -> None:
    """Other bytes, as many as before and some more."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"x" * (size + 10_000))


def another_database(path: Path) -> None:
    other = path.with_name("other.db")
    with closing(apsw.Connection(str(other))) as db:
        db.execute("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(1000000))")
    with path.open("r+b") as file:
        file.write(other.read_bytes())


def cut_the_last_byte(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def cut_in_the_middle(path: Path) -> None:
    """Beyond the head, and beyond the frames that the next commit adds: the file is as long as before after it."""
    os.truncate(path, 32 + (path.stat().st_size - 32) // 2)


def clear_the_end(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4120)
        file.write(bytes(4120))


def another_journal(path: Path) -> None:
    """That of another store, with as many bytes."""
    size = path.stat().st_size
    with closing(open_store(path.with_name("other.db"))) as other:
        for n in range(100):
            keep(other, f"{n}^0")
        content = path.with_name("other.db-wal").read_bytes()
    assert len(content) >= size
    with path.open("r+b") as file:
        file.write(content)


def an_older_copy(path: Path) -> None:
    """What a careless restore does: `cp backup.db receipts.db`."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(path.with_name("backup.db").read_bytes())
        file.truncate(size)


HARMS = [(harm, suffix) for harm in (cut, fill, another_database, Path.unlink) for suffix in ("", "-wal")]


FILE_HARMS = [(cut_to_a_page, ""), (cut_the_last_byte, ""), (an_older_copy, ""), (Path.unlink, "-shm")]


@pytest.mark.parametrize(("harm", "suffix"), [*HARMS, *FILE_HARMS])
def test_harm_to_a_file_in_use_is_noticed_at_the_next_commit(
    path: Path, harm: Callable[[Path], None], suffix: str
) -> None:
    with closing(open_store(path)) as store:
        shutil.copy(path, path.with_name("backup.db"))
        for n in range(50):
            keep(store, f"{n}^0")
        store.consolidate()
        keep(store, "last^0")
        harm(path.with_name(path.name + suffix))
        with pytest.raises(StoreDamaged, match=r"replaced or deleted while in use, or overwritten|damaged"):
            keep(store, "after^0")


@pytest.mark.parametrize("harm", [cut_to_a_page, cut_the_last_byte, cut_in_the_middle, clear_the_end, another_journal])
def test_harm_to_a_part_of_the_journal_is_noticed_before_the_next_commit_hides_it(
    path: Path, harm: Callable[[Path], None]
) -> None:
    with closing(open_store(path)) as store:
        for n in range(50):
            keep(store, f"{n}^0")
        harm(path.with_name(path.name + "-wal"))
        with pytest.raises(StoreDamaged, match="replaced or deleted while in use, or overwritten"):
            keep(store, "after^0")


def right_after_a_commit(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen between the next commit and the look at the files that follows it."""
    look = store._files.hold_the_commit

    def late() -> bool:
        happens()
        return look()

    monkeypatch.setattr(store._files, "hold_the_commit", late)


def test_a_journal_that_another_process_empties_right_after_a_commit_is_no_harm(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = path.with_name(path.name + "-wal")
    with closing(open_store(path)) as store, closing(open_store(path)) as other:
        right_after_a_commit(store, monkeypatch, lambda: other.removals().reclaim(rewrite=False))
        for n in range(5):
            keep(store, f"{n}^0")
            assert journal.stat().st_size == 0
        right_after_a_commit(store, monkeypatch, lambda: keep(other, "other^0"))
        keep(store, "last^0")
        assert len(list(store.list(Query()))) == 7


def test_a_journal_that_is_cut_right_after_a_commit_is_harm(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(path)) as store:
        keep(store, "1^0")
        right_after_a_commit(store, monkeypatch, lambda: cut(path.with_name(path.name + "-wal")))
        with pytest.raises(StoreDamaged, match="replaced or deleted while in use, or overwritten"):
            keep(store, "2^0")


def test_a_transaction_that_changes_nothing_is_no_harm(path: Path) -> None:
    with closing(open_store(path)) as store:
        store.add_sends([SEND])
    with closing(open_store(path)) as store:  # counts the send as known: no page of the file changes
        assert store.add_sends([SEND]).known == 1
        assert store.forget_sends(SendQuery(phones=["13900009999"])) == 0
        keep(store, "1^0")


def test_a_write_by_another_process_and_its_checkpoints_are_no_harm(path: Path) -> None:
    with closing(open_store(path)) as store, closing(open_store(path)) as other:
        for n in range(30):
            keep(store, f"{n}^0")
            keep(other, f"other-{n}^0")
            if n % 7 == 0:
                other.consolidate()
        other.close()
        keep(store, "end^0")
    with closing(open_reader(path)) as reader:
        assert len(list(reader.list(Query()))) == 61


@pytest.mark.parametrize(
    "mode", [apsw.SQLITE_CHECKPOINT_PASSIVE, apsw.SQLITE_CHECKPOINT_RESTART, apsw.SQLITE_CHECKPOINT_TRUNCATE]
)
def test_what_other_programs_may_do_is_no_harm(path: Path, mode: int) -> None:
    with closing(open_store(path)) as store, closing(apsw.Connection(str(path))) as shell:
        for n in range(200):
            keep(store, f"{n}^0", *(f"{n}-{m}^0" for m in range(20)))
        shell.execute("CREATE TABLE mine AS SELECT * FROM statement")
        store.consolidate()
        keep(store, "between^0")
        full = path.stat().st_size
        shell.execute("DROP TABLE mine; VACUUM")
        shell.wal_checkpoint(mode=mode)
        assert path.stat().st_size < full
        keep(store, "after^0")
        shell.wal_checkpoint(mode=mode)
        keep(store, "again^0")
    with closing(open_reader(path)) as reader:
        assert len(list(reader.list(Query()))) == 200 * 21 + 3


@pytest.mark.parametrize("opened", [open_store, open_reader])
@pytest.mark.parametrize(
    ("harm", "told"), [(cut, "is empty, but its journal"), (Path.unlink, "is gone, but its journal")]
)
def test_a_journal_that_outlived_its_store_is_kept(
    path: Path, opened: Callable[[Path], SqliteStore], harm: Callable[[Path], None], told: str
) -> None:
    left = path.with_name("left.db")
    with closing(open_store(path)) as store:
        keep(store, "1^0")
        for suffix in ("", "-wal"):
            shutil.copy(path.with_name(path.name + suffix), left.with_name(left.name + suffix))
    whole, journal = left.read_bytes(), left.with_name(left.name + "-wal")
    before = journal.read_bytes()
    harm(left)
    with pytest.raises(StoreDamaged, match=told):
        opened(left)
    assert journal.read_bytes() == before
    left.write_bytes(whole)
    with closing(opened(left)) as again:
        assert [each.receipt.biz_id for each in again.list(Query())] == ["1^0"]


def test_a_copy_of_the_file_alone_is_whole_once_it_was_consolidated(path: Path) -> None:
    with closing(open_store(path)) as store:
        keep(store, "1^0")
        store.consolidate()
        copy = path.with_name("copy.db")
        shutil.copy(path, copy)
        with closing(open_reader(copy)) as reader:
            assert [each.receipt.biz_id for each in reader.list(Query())] == ["1^0"]


def test_a_new_store_is_whole_before_its_first_receipt(path: Path) -> None:
    with closing(open_store(path)):
        copy = path.with_name("copy.db")
        shutil.copy(path, copy)
        with closing(open_reader(copy)) as reader:
            assert list(reader.list(Query())) == []
            assert reader.facts().exists


@pytest.mark.parametrize("opened", [open_store, open_reader])
def test_a_file_without_tables_is_no_empty_store(path: Path, opened: Callable[[Path], SqliteStore]) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.pragma("journal_mode", "wal")
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    assert path.stat().st_size > 0
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="has no tables"):
        opened(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("opened", [open_store, open_reader])
@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("CREATE TRIGGER gone AFTER INSERT ON statement BEGIN DELETE FROM statement; END", "trigger .*: gone"),
        ("CREATE TEMP TABLE x (y); CREATE VIEW seen AS SELECT 1", "view .*: seen"),
        (
            f"DROP TRIGGER {OURS}; CREATE TRIGGER {OURS} AFTER INSERT ON reject BEGIN SELECT 1; END",
            f"trigger .*: {OURS}",
        ),
        ("CREATE UNIQUE INDEX once ON statement (phone)", "unique index .*: once"),
        ("CREATE TABLE notes (x, seq REFERENCES Statement ON DELETE CASCADE)", "foreign key .*: notes, of statement"),
        ("CREATE TABLE notes (x, FOREIGN KEY (x) references 'send' (phone))", "foreign key .*: notes, of send"),
    ],
)
def test_triggers_views_and_keys_that_are_not_ours_are_refused(
    path: Path, opened: Callable[[Path], SqliteStore], made: str, told: str
) -> None:
    with closing(open_store(path)) as store:
        keep(store, "1^0")
    with closing(apsw.Connection(str(path))) as db:
        db.execute(made)
    with pytest.raises(StoreDamaged, match=told) as refused:
        opened(path)
    assert "DROP" in refused.value.hint


def test_the_names_of_our_tables_are_known(path: Path) -> None:
    with closing(open_store(path)) as store:
        found = store._db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        assert {name for (name,) in found} == TABLES


def test_a_table_of_the_users_own_is_no_harm(path: Path) -> None:
    with closing(open_store(path)) as store:
        keep(store, "1^0")
    with closing(apsw.Connection(str(path))) as db:
        db.execute("CREATE TABLE notes (text UNIQUE); CREATE UNIQUE INDEX one ON notes (text)")
        db.execute("CREATE TABLE more (note REFERENCES notes (text))")
        db.execute("CREATE INDEX mine ON statement (received_at)")
    with closing(open_store(path)) as store:
        keep(store, "2^0")


def test_a_soundly_closed_store_is_read_where_nothing_can_be_written(path: Path) -> None:
    folder = path.parent / "media"
    folder.mkdir()
    inside = folder / "receipts.db"
    with closing(open_store(inside)) as store:
        keep(store, "1^0")
    with read_only(folder):
        with closing(open_reader(inside)) as reader:
            assert [each.receipt.biz_id for each in reader.list(Query(sources=[Source.MNS, *Source]))] == ["1^0"]
        link = path.parent / "link.db"
        link.symlink_to(inside)
        with closing(open_reader(link)) as reader:
            assert reader.facts().last_seq == 1
        for each in (inside, folder / "new.db"):
            with pytest.raises(StoreUnavailable, match=r"Read-only file system$") as refused:
                open_store(each)  # rights are not the cause: nobody is told who owns it
            assert "--store" in refused.value.hint
            assert "again" not in refused.value.hint


def test_one_that_was_not_closed_soundly_is_refused_there(path: Path) -> None:
    folder = path.parent / "media"
    folder.mkdir()
    inside = folder / "receipts.db"
    store = open_store(path)
    keep(store, "1^0")
    for suffix in ("", "-wal"):
        shutil.copy(path.with_name(path.name + suffix), inside.with_name(inside.name + suffix))
    store.close()
    with read_only(folder), pytest.raises(StoreUnavailable, match="not closed soundly") as refused:
        open_reader(inside)
    assert "-wal" in refused.value.hint


class read_only:  # noqa: N801 - a context manager
    """A read-only mount of a folder over itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def __enter__(self) -> None:
        if subprocess.run(["mount", "--bind", self._folder, self._folder], check=False, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
        subprocess.run(["mount", "-o", "remount,ro,bind", self._folder], check=True)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            subprocess.run(["umount", self._folder], check=True)


@pytest.mark.parametrize(
    "name", ["my mount", "a\ttab", "line\nend", "back\\slash", "数据 盘", "\u2028", os.fsdecode(b"\xff")]
)
def test_mount_points_with_any_name_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    escaped = "".join(f"\\{ord(each):03o}" if each in " \t\n\\" else each for each in str(folder))
    listed = f"/dev/vda / ext4 rw 0 0\nossfs {escaped} fuse.ossfs rw 0 0\n"
    read = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, *a, **k: listed if str(self) == "/proc/self/mounts" else read(self, *a, **k)
    )
    assert files._filesystem(folder) == "fuse.ossfs"


@pytest.mark.parametrize(
    "kind",
    [
        "fuse.ossfs",
        "fuse.gcsfuse",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.juicefs",
        "virtiofs",
        "9p",
        "nfs4",
        "cifs",
        "smb3",
        "alifuse.aliyun-alinas-efc",
        "fuse.sshfs",
        "fuse",
    ],
)
def test_shared_file_systems_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(files, "_filesystem", lambda _folder: kind)
    with pytest.raises(StoreUnavailable, match=f"network file system \\({kind}\\)"):
        open_store(path)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "fuseblk", "zfs", "apfs", ""])
def test_local_file_systems_are_not(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(files, "_filesystem", lambda _folder: kind)
    with closing(open_store(path)) as store:
        keep(store, "1^0")


def test_a_check_ends_in_time_and_says_that_it_saw_a_part(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock takes as long as a quarter of what the check may take."""
    with closing(open_store(path)) as store:
        keep(store, *(f"{n}^0" for n in range(3_000)))
        assert store.check()
        clock = count(0, connect.LOOK_SECONDS / 4)
        monkeypatch.setattr(time, "monotonic", lambda: next(clock))
        assert not store.check()
        assert next(clock) == pytest.approx(connect.LOOK_SECONDS * 6 / 4)
        assert connect.LOOK_SECONDS < connect.START_SECONDS


def test_the_journal_stays_small_where_commits_never_pause(path: Path) -> None:
    """SQLite writes it into the file after 4,000 pages, and begins it anew, also while others read now and then."""
    journal = path.with_name(path.name + "-wal")
    longest = 0
    with closing(open_store(path)) as store:
        for each in range(60):
            bodies = (report(f"{each}-{n}^0", content=os.urandom(30_000).hex()) for n in range(16))
            store.keep([decoded(*bodies)])
            longest = max(longest, journal.stat().st_size)
            if each % 10 == 0:
                with closing(open_reader(path)) as reader:
                    assert len(list(reader.list(Query(limit=1)))) == 1
    assert path.stat().st_size > 50_000_000
    assert longest < 24_000_000
