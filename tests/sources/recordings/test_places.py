"""Names of files, locks, and publication without overwriting."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.model import Instant, Recording
from smsreceipt.sources.recordings.places import Busy, Part, stem

NOON = Instant(1_795_757_600_000)


def recording(pool_key: str = "FC1", call_id: str = "call-1", *, ring: bool = False) -> Recording:
    return Recording(pool_key, call_id, ring, NOON, timed=True)


def test_the_name_is_pool_and_call() -> None:
    assert stem(recording("FC100", "4f3a")) == "FC100-4f3a"
    assert stem(recording(ring=True)) == "FC1-call-1-ring"


hostile = st.text(st.sampled_from("aZ9-_./\\\0~ \u202e录\ud800:*?\n"), max_size=8) | st.just("a" * 5000)


@given(hostile, hostile)
def test_no_id_leaves_the_folder_or_becomes_a_hidden_file(pool_key: str, call_id: str) -> None:
    name = stem(recording(pool_key, call_id))
    assert name.isascii()
    assert "/" not in name
    assert name[0] not in ".-~"
    assert len(name) <= 170
    assert set(name) <= set(ascii_letters + digits + "-_")


def test_different_calls_have_different_names() -> None:
    pairs = [
        ("A-B", "C"),
        ("A", "B-C"),
        ("A", "B/C"),
        ("A", "B\\C"),
        ("", "x"),
        ("x", ""),
        ("a" * 65, "b"),
        ("a" * 66, "b"),
    ]
    assert len({stem(recording(*pair)) for pair in pairs}) == len(pairs)


def part(folder: Path, content: bytes = b"", md5: str = "") -> Part:
    made = Part(folder / "2026-11-20", "FC1-call-1")
    if content:
        made.begin(md5)
        made.append(content)
    return made


def published(folder: Path, content: bytes) -> tuple[Path, bool]:
    made = part(folder, content)
    try:
        return made.publish()
    finally:
        made.close()


def test_files_and_folders_are_the_owners_alone(tmp_path: Path) -> None:
    path, _ = published(tmp_path, b"sound")
    assert path == tmp_path / "2026-11-20" / "FC1-call-1.mp3"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path, beside = published(tmp_path, b"first")
    assert (published(tmp_path, b"first"), beside) == ((path, False), False)
    other = (path.with_name("FC1-call-1.2.mp3"), True)
    assert published(tmp_path, b"second") == other
    assert published(tmp_path, b"second") == other
    assert (path.read_bytes(), other[0].read_bytes()) == (b"first", b"second")
    for number in range(3, 10):
        published(tmp_path, b"%d" % number)
    with pytest.raises(FileExistsError):
        published(tmp_path, b"one too many")


@pytest.mark.parametrize("name", ["FC1-call-1.mp3", ".FC1-call-1.part"])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, name: str) -> None:
    folder, outside = tmp_path / "2026-11-20", tmp_path / "outside"
    folder.mkdir()
    outside.write_bytes(b"precious")
    (folder / name).symlink_to(outside)
    if name.startswith("."):
        with pytest.raises(OSError, match="symbolic"):
            part(tmp_path)
    else:
        assert published(tmp_path, b"sound")[1]
    assert outside.read_bytes() == b"precious"


def test_where_there_are_no_hard_links_the_file_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links")

    monkeypatch.setattr(os, "link", refuse)
    path, _ = published(tmp_path, b"first")
    assert published(tmp_path, b"second") == (path.with_name("FC1-call-1.2.mp3"), True)
    assert path.read_bytes() == b"first"


def test_what_was_received_is_gone_on_with_only_if_its_digest_is_known(tmp_path: Path) -> None:
    for md5, kept in (("0" * 32, 4), ("", 0)):
        part(tmp_path, b"half", md5).close()
        again = part(tmp_path)
        assert (again.size, again.expected) == (kept, md5 if kept else "")
        again.begin("")
        again.close()
    assert list((tmp_path / "2026-11-20").iterdir()) == []


@pytest.mark.parametrize("noted", [b"", b"xyz", b"0" * 31, b"0" * 33, b"\xff" * 32, b"G" * 32])
def test_a_damaged_note_costs_what_was_received_and_nothing_else(tmp_path: Path, noted: bytes) -> None:
    part(tmp_path, b"half", "0" * 32).close()
    (tmp_path / "2026-11-20" / ".FC1-call-1.part.md5").write_bytes(noted)
    again = part(tmp_path)
    assert again.size == 0
    again.close()


def test_a_second_fetcher_is_told_that_it_is_busy(tmp_path: Path) -> None:
    mine = part(tmp_path, b"half")
    with pytest.raises(Busy):
        part(tmp_path)
    mine.close()
    part(tmp_path).close()


def test_a_part_that_another_process_has_just_published_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = part(tmp_path, b"sound")
    locked = fcntl.flock

    def finish(file: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", locked)
        first.publish()  # between the second one's open and its lock
        first.close()
        locked(file, how)

    monkeypatch.setattr(fcntl, "flock", finish)
    second = part(tmp_path)
    assert second.size == 0
    second.append(b"sound")
    assert second.publish() == (tmp_path / "2026-11-20" / "FC1-call-1.mp3", False)
    second.close()
