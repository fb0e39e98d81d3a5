"""A store whose file or journal somebody cuts, overwrites or removes; triggers of others; read-only media."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import apsw
import pytest

from smsreceipt.errors import StoreDamaged, StoreUnavailable
from smsreceipt.model import Source
from smsreceipt.store import Query
from smsreceipt.store.sqlite import files
from smsreceipt.store.sqlite.migrations import triggers
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store
from tests.store.statements import decoded, report

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


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("harm", [cut, cut_to_a_page, fill, another_database, Path.unlink])
def test_harm_to_a_file_in_use_is_noticed_at_the_next_commit(
    path: Path, suffix: str, harm: Callable[[Path], None]
) -> None:
    with closing(open_store(path)) as store:
        for n in range(50):
            keep(store, f"{n}^0")
        store.consolidate()
        keep(store, "last^0")
        if (harm, suffix) == (cut_to_a_page, "-wal"):
            pytest.skip("a journal of one page and its head is what a checkpoint may leave")
        harm(path.with_name(path.name + suffix))
        with pytest.raises(StoreDamaged, match="replaced or deleted while in use, or overwritten|damaged"):
            for n in range(3):
                keep(store, f"after-{n}^0")


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
            f"DROP TRIGGER {OURS}; CREATE TRIGGER {OURS} AFTER INSERT ON statement BEGIN DELETE FROM statement; END",
            f"trigger .*: {OURS}",
        ),
    ],
)
def test_triggers_and_views_that_are_not_ours_are_refused(
    path: Path, opened: Callable[[Path], SqliteStore], made: str, told: str
) -> None:
    with closing(open_store(path)) as store:
        keep(store, "1^0")
    with closing(apsw.Connection(str(path))) as db:
        db.execute(made)
    with pytest.raises(StoreDamaged, match=told) as refused:
        opened(path)
    assert "DROP" in refused.value.hint


def test_a_table_of_the_users_own_is_no_harm(path: Path) -> None:
    with closing(open_store(path)) as store:
        keep(store, "1^0")
    with closing(apsw.Connection(str(path))) as db:
        db.execute("CREATE TABLE notes (text)")
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
        with pytest.raises(StoreUnavailable):
            open_store(inside)


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


def test_mount_points_with_blanks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my mount"
    folder.mkdir()
    escaped = str(folder).replace(" ", "\\040")
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
