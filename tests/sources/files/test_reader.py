"""Files that are replayed: packed, linked, changed, cut off; the kinds in their names; where reading resumes."""

from __future__ import annotations

import gzip
import io
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smsreceipt.decode import KINDS
from smsreceipt.errors import UsageError
from smsreceipt.model import Instant, Kind, Source
from smsreceipt.sources.files.open import BLOCK, FileDamaged, FoundFile, InputFile, find
from smsreceipt.sources.files.reader import PayloadReader, Piece, kind_in_path

LINES = [b'{"biz_id":"%d","success":true}' % n for n in range(30_000)]
TEXT = b"\n".join(LINES) + b"\n"
KNOWN = frozenset(LINES)
_open: list[InputFile] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Everything that a test opened is closed after it."""
    yield
    while _open:
        _open.pop().close()


def opened(path: Path) -> InputFile:
    _open.append(InputFile.of(FoundFile(path, path.parts)))
    return _open[-1]


def replay(path: Path, *, kind: Kind | None = None, stop_after: int = 1 << 60) -> tuple[PayloadReader, list[bool]]:
    """A replay, and a flag that grows when it is to stop."""
    stopped: list[bool] = []
    return PayloadReader(opened(path), kind=kind, now=lambda: Instant(1), stopped=lambda: bool(stopped)), stopped


def frames(pieces: list[Piece]) -> list[bytes]:
    return [frame for piece in pieces for delivery in piece.deliveries for frame in delivery.frames]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "saved.ndjson"
    path.write_bytes(TEXT)
    return path


def test_a_file_comes_in_pieces_and_the_last_one_says_so(saved: Path) -> None:
    pieces = list(replay(saved)[0].pieces())
    assert frames(pieces) == LINES
    assert len(pieces) > 3
    assert all(piece.frames < 10_000 for piece in pieces)
    reached = [delivery.reached for piece in pieces for delivery in piece.deliveries]
    assert [each.done for each in reached if each] == [*[False] * (len(pieces) - 1), True]
    assert reached[-1] is not None
    assert reached[-1].offset == len(TEXT)
    assert {(delivery.source, delivery.origin) for piece in pieces for delivery in piece.deliveries} == {
        (Source.REPLAY, str(saved))
    }


@pytest.mark.parametrize("packed", [False, True])
def test_it_is_taken_up_where_it_stopped_and_never_reads_anything_twice(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "saved"
    path.write_bytes(gzip.compress(TEXT) if packed else TEXT)
    first, stopped = replay(path)
    began = []
    for piece in first.pieces():
        began.append(piece)
        stopped.append(True)
    reached = began[-1].deliveries[-1].reached
    assert reached is not None
    assert not reached.done
    second, _ = replay(path)
    assert second.identity == reached.file
    assert second.fits(reached)
    assert frames(began) + frames(list(second.pieces(reached.offset))) == LINES


def test_what_was_changed_before_that_place_does_not_fit(saved: Path) -> None:
    reached = next(replay(saved)[0].pieces()).deliveries[-1].reached
    assert reached is not None
    with saved.open("r+b") as file:
        file.seek(reached.offset - 10)
        file.write(b"!")
    again, _ = replay(saved)
    assert again.identity == reached.file
    assert not again.fits(reached)
    assert not again.fits(type(reached)(reached.file, len(TEXT) * 2, reached.mark, done=False))


def test_another_file_or_another_kind_is_another_replay(saved: Path) -> None:
    copy = saved.with_name("copy")
    copy.write_bytes(TEXT)
    identities = {replay(saved)[0].identity, replay(copy)[0].identity, replay(saved, kind=Kind("X"))[0].identity}
    assert len(identities) == 3


def test_when_nothing_more_is_there_the_note_goes(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_bytes(LINES[0] + b"\n\n\n")
    (piece,) = replay(path)[0].pieces(len(LINES[0]))
    assert piece.frames == 0
    assert piece.deliveries[-1].reached is not None
    assert piece.deliveries[-1].reached.done


def test_packed_files_behind_each_other_are_one(tmp_path: Path) -> None:
    path = tmp_path / "saved.gz"
    path.write_bytes(gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]) + b"\0\0")
    assert frames(list(replay(path)[0].pieces())) == LINES


@pytest.mark.parametrize(
    ("damage", "says", "least"),
    [
        (lambda packed: packed[: len(packed) // 2], "ends too early", 1000),
        (lambda packed: packed[:-8] + bytes(8), "is packed wrongly", 20_000),
        (lambda packed: packed + b"trailing", "is packed wrongly", len(LINES)),
        (lambda _: gzip.compress(b" " * 20_000_000), "unpacks to more than receipts can", 0),
    ],
    ids=["cut", "broken", "trailing", "bomb"],
)
def test_a_file_that_is_packed_wrongly_gives_what_it_can(
    tmp_path: Path, damage: Callable[[bytes], bytes], says: str, least: int
) -> None:
    path = tmp_path / "saved.gz"
    path.write_bytes(damage(gzip.compress(TEXT)))
    found: list[Piece] = []
    with pytest.raises(FileDamaged, match=says):
        found.extend(replay(path)[0].pieces())
    whole = [frame for frame in frames(found) if frame in KNOWN]
    assert whole == LINES[: len(whole)]
    assert len(whole) >= least


@pytest.mark.parametrize(
    "content",
    [
        *("{}".encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")),
        *(
            ('{"err_msg":"用户接收成功","success":true}' * 99).encode(name)
            for name in ("utf-16-le", "utf-16-be", "utf-32-le")
        ),
        b"PK\x03\x04\x14\0\0\0\x08\0" + b"x" * 99,
        b"SmsReport.json".ljust(257, b"\0") + b"ustar\x0000",
    ],
)
def test_what_is_no_utf8_is_not_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "saved"
    path.write_bytes(content)
    with pytest.raises(FileDamaged, match="is no text"):
        list(replay(path)[0].pieces())


@pytest.mark.parametrize("damage", [b"\0", b"\0" * 512, b"x\0y\0z\0", b"PK\x03\x04", b"\0\0\0x", b"\xff\xfe"])
@pytest.mark.parametrize("place", [0, 1, 2000, 9000])
def test_damage_costs_its_line_and_no_file(tmp_path: Path, damage: bytes, place: int) -> None:
    lines = [b'{"n":%d}' % n for n in range(1000)]
    text = b"\n".join(lines)
    path = tmp_path / "saved"
    path.write_bytes(text[:place] + damage + text[place:])
    found = {frame for piece in replay(path)[0].pieces() for each in piece.deliveries for frame in each.frames}
    assert len(set(lines) - found) <= 2


def test_folders_are_read_sorted_and_links_and_pipes_left_out(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    left_out: list[str] = []
    found = find([str(tmp_path)], left_out.append)
    assert [each.path.relative_to(tmp_path).as_posix() for each in found] == ["a", "b/1", "b/2", "c"]
    assert sorted(left_out) == [f"{tmp_path / name} is no regular file: left out" for name in ("link", "pipe")]


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda path: path.symlink_to("elsewhere")])
def test_only_a_regular_file_is_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "named"
    make(path)
    if path.is_file():
        opened(path).close()
        return
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        find([str(path)], print)
    with pytest.raises(UsageError):
        opened(path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SmsReport/2026.json", "SmsReport"),
        ("SmsReport-2026-11-20.ndjson.gz", "SmsReport"),
        ("smsup.json", "SmsUp"),
        ("SmsReport/x/SMSUP.json", "SmsUp"),
        ("Alicom-Queue-1000000001-SecretReport", "SecretReport"),
        ("SmsReportOld.json", None),
        ("SmsReport-and-SmsUp.json", None),
        ("2026.json", None),
    ],
)
def test_the_name_nearest_to_the_file_tells_the_kind(name: str, kind: str | None) -> None:
    known = {each.casefold(): each for each in KINDS}
    path = Path(name)
    assert kind_in_path(FoundFile(path, path.parts), lambda word: known.get(word.casefold())) == kind


def test_standard_input_may_be_packed_and_comes_as_it_arrives() -> None:
    class Dribble(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(random.Random(self.tell()).randint(1, min(size or 1, 9000)))

    for text in (TEXT, gzip.compress(TEXT)):
        replayed = PayloadReader(InputFile(Dribble(text), "-", waits=True), kind=None, now=lambda: Instant(1))
        pieces = list(replayed.pieces())
        assert frames(pieces) == LINES
        assert all(delivery.reached is None for piece in pieces for delivery in piece.deliveries)


def test_a_name_that_is_no_utf8_can_be_printed_and_stored(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.json")
    path.write_bytes(b"{}")
    assert opened(path).name.encode().endswith(b"\\xff.json")


def test_memory_does_not_grow_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "line.json"
    path.write_bytes(b"[" + b",".join(LINES * 4) + b"]")
    longest = 0
    count = 0
    for piece in replay(path)[0].pieces():
        longest = max(longest, sum(map(len, frames([piece]))))
        count += piece.frames
    assert count == 4 * len(LINES)
    assert longest < 2 * BLOCK
