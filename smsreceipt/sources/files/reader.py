"""Read saved payloads as deliveries, piece by piece: the memory needed does not grow with the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec

from smsreceipt.errors import SmsReceiptError
from smsreceipt.model import Delivery, Instant, Kind, Reached, Source
from smsreceipt.sources.files.open import FoundFile, InputFile
from smsreceipt.sources.files.split import Cut, Cutter

_WORD = re.compile(r"[A-Za-z0-9]+")
_BEFORE = 64  # bytes before an offset that must be unchanged to resume there


@dataclass(frozen=True, slots=True)
class Piece:
    """About a thousand receipts that were read together."""

    deliveries: tuple[Delivery, ...]  #: the last one carries how far the file has been read
    offsets: Callable[[], list[int]]  #: the byte offset of each frame of all deliveries; slow, since it searches
    frames: int
    text: bytes  #: the bytes from which they were cut


def kind_in_path(named: FoundFile, kinds: Callable[[str], Kind | None]) -> Kind | None:
    """The message type named by the file or, of its folders, by the nearest; None if there is none, or two in one name.

    *kinds* returns the message type that a word is, or None.
    """
    for part in reversed(named.parts):
        if found := {kind for word in _WORD.findall(part) if (kind := kinds(word))}:
            return found.pop() if len(found) == 1 else None
    return None


class PayloadReader:
    """Reads one file, or standard input."""

    def __init__(
        self,
        opened: InputFile,
        *,
        kind: Kind | None,
        fallback: Kind | None = None,
        now: Callable[[], Instant],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """A delivery has the kind *kind* (the user's), else that of its record, else *fallback* (of the path)."""
        self._opened, self._kind, self._fallback = opened, kind, fallback
        self._now, self._stopped = now, stopped
        self._before = b""  # the bytes before the current offset
        self.identity = f"{opened.identity}:{kind or fallback or ''}" if opened.identity else ""

    @property
    def name(self) -> str:
        """The origin of its deliveries."""
        return self._opened.name

    @property
    def read(self) -> int:
        """How many bytes of the file have been read, before unpacking."""
        return self._opened.read

    def fits(self, reached: Reached) -> bool:
        """Whether reading can resume at *reached*: the bytes before that offset have not changed."""
        begin = max(0, reached.offset - _BEFORE)
        before = b""
        for block in self._opened.blocks(begin, self._stopped):
            before += block
            if len(before) >= reached.offset - begin:
                break
        self._before = before[: reached.offset - begin]
        return _mark(self._before) == reached.mark

    def pieces(self, start: int = 0) -> Iterator[Piece]:
        """Read from *start* on, which is 0 or an offset that fits; the last piece says that the file is done.

        Raises FileDamaged and UsageError after the last piece that could be read.
        """
        if not start:
            self._before = b""
        cutter = Cutter(start)
        held: Piece | None = None
        try:
            for block in self._opened.blocks(start, self._stopped):
                piece = self._piece(cutter.feed(block))
                if piece is None:
                    continue
                if held is not None:
                    yield held
                held = piece
                if self._opened.waits:
                    yield held
                    held = None
        except SmsReceiptError:
            yield from filter(None, (held, self._piece(cutter.finish(), noted=False)))
            raise
        if self._stopped():
            yield from filter(None, (held,))
            return
        last = self._piece(cutter.finish(), done=True)
        if last is None and held is not None:
            last, held = _done(held), None
        elif last is None and start:
            last = self._end_of_file(start)
        yield from filter(None, (held, last))

    def _piece(self, cut: Cut, *, done: bool = False, noted: bool = True) -> Piece | None:
        """The payloads of a cut as a piece; None if there are none."""
        length = cut.end - cut.start
        self._before = (self._before + cut.text[max(0, length - _BEFORE) : length])[-_BEFORE:]
        if not cut.runs:
            return None
        at, origin = self._now(), self._opened.name
        made = [
            Delivery(tuple(run.frames), self._kind_of(run.kind), Source.REPLAY, origin, at, biz_id=run.biz_id)
            for run in cut.runs
        ]
        if self.identity and noted:
            made[-1] = replace(made[-1], reached=Reached(self.identity, cut.end, _mark(self._before), done))
        return Piece(tuple(made), cut.offsets, sum(len(run.frames) for run in cut.runs), cut.text)

    def _end_of_file(self, start: int) -> Piece:
        """An empty piece that says that the file is done: the note of an earlier run can be deleted."""
        reached = Reached(self.identity, start, "", done=True)
        made = Delivery((), None, Source.REPLAY, self._opened.name, self._now(), reached=reached)
        return Piece((made,), list, 0, b"")

    def _kind_of(self, recorded: str | None) -> Kind | None:
        return self._kind or (Kind(recorded) if recorded else None) or self._fallback


def _done(piece: Piece) -> Piece:
    """The same piece, as the last of its file."""
    *before, last = piece.deliveries
    if last.reached is None:
        return piece
    last = replace(last, reached=msgspec.structs.replace(last.reached, done=True))
    return replace(piece, deliveries=(*before, last))


def _mark(before: bytes) -> str:
    return sha256(before).hexdigest()
