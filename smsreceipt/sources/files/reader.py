"""Saved payloads as deliveries, a piece at a time, in memory that does not grow with the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec

from smsreceipt.errors import SmsReceiptError
from smsreceipt.model import Delivery, Instant, Kind, Reached, Source
from smsreceipt.sources.files.open import Named, Opened
from smsreceipt.sources.files.split import Cut, Cutter

_WORD = re.compile(r"[A-Za-z0-9]+")
_BEHIND = 64  # bytes before a place that must be the same when reading is taken up there


@dataclass(frozen=True, slots=True)
class Piece:
    """What was read in one go: the deliveries of about a thousand receipts."""

    deliveries: tuple[Delivery, ...]  #: the last one carries how far the file is read with them
    offsets: Callable[[], list[int]]  #: where each frame begins, counted through all deliveries; it searches
    frames: int


def kind_told(named: Named, kinds: Callable[[str], Kind | None]) -> Kind | None:
    """The message type that a file's name or a folder's tells, the nearest to the file first.

    None where none of them does, or where one tells of two. *kinds* says which word is a message type.
    """
    for part in reversed(named.parts):
        if found := {kind for word in _WORD.findall(part) if (kind := kinds(word))}:
            return found.pop() if len(found) == 1 else None
    return None


class Replay:
    """One file, or standard input, on its way into the store."""

    def __init__(
        self,
        opened: Opened,
        *,
        kind: Kind | None,
        fallback: Kind | None = None,
        now: Callable[[], Instant],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """*kind* is what the user said, *fallback* what the name tells; what a record tells stands between them."""
        self._opened, self._kind, self._fallback = opened, kind, fallback
        self._now, self._stopped = now, stopped
        self._behind = b""  # the last bytes before the place that is read
        self.identity = f"{opened.identity}:{kind or fallback or ''}" if opened.identity else ""

    @property
    def name(self) -> str:
        """As its deliveries tell their origin."""
        return self._opened.name

    @property
    def read(self) -> int:
        """How many bytes of the file are read, packed as they are."""
        return self._opened.read

    def fits(self, reached: Reached) -> bool:
        """Whether reading can be taken up there: what stands before that place is what stood there then."""
        begin = max(0, reached.offset - _BEHIND)
        behind = b""
        for block in self._opened.blocks(begin, self._stopped):
            behind += block
            if len(behind) >= reached.offset - begin:
                break
        self._behind = behind[: reached.offset - begin]
        return _mark(self._behind) == reached.mark

    def pieces(self, start: int = 0) -> Iterator[Piece]:
        """Read from *start* on, which is 0 or a place that fits; the last piece says that the file is done.

        Raises FileDamaged and UsageError after the last piece that could be read.
        """
        if not start:
            self._behind = b""
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
            last = self._nothing_more(start)
        yield from filter(None, (held, last))

    def _piece(self, cut: Cut, *, done: bool = False, noted: bool = True) -> Piece | None:
        """A piece of what was cut; None of nothing."""
        length = cut.end - cut.start
        self._behind = (self._behind + cut.text[max(0, length - _BEHIND) : length])[-_BEHIND:]
        if not cut.runs:
            return None
        at, origin = self._now(), self._opened.name
        made = [
            Delivery(tuple(run.frames), self._kind_of(run.kind), Source.REPLAY, origin, at, biz_id=run.biz_id)
            for run in cut.runs
        ]
        if self.identity and noted:
            made[-1] = replace(made[-1], reached=Reached(self.identity, cut.end, _mark(self._behind), done))
        return Piece(tuple(made), cut.offsets, sum(len(run.frames) for run in cut.runs))

    def _nothing_more(self, start: int) -> Piece:
        """A piece of nothing, that says so: the note of where an earlier run stopped can go."""
        reached = Reached(self.identity, start, "", done=True)
        made = Delivery((), None, Source.REPLAY, self._opened.name, self._now(), reached=reached)
        return Piece((made,), list, 0)

    def _kind_of(self, told: str | None) -> Kind | None:
        return self._kind or (Kind(told) if told else None) or self._fallback


def _done(piece: Piece) -> Piece:
    """The same as the last of its file."""
    *before, last = piece.deliveries
    if last.reached is None:
        return piece
    last = replace(last, reached=msgspec.structs.replace(last.reached, done=True))
    return replace(piece, deliveries=(*before, last))


def _mark(behind: bytes) -> str:
    return sha256(behind).hexdigest()
