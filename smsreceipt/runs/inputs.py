"""The inputs of a replay: files or standard input, read one after the other."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from msgspec import structs

from smsreceipt.app import App
from smsreceipt.decode import KINDS
from smsreceipt.decode.saved import decode_saved
from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.language import _
from smsreceipt.model import Decoded, Kind, Reached
from smsreceipt.runs.kinds import warn_of_unknown_kinds
from smsreceipt.runs.sends_list import is_csv_of_receipts, is_list_of_sends
from smsreceipt.sources.files.open import FoundFile, InputFile, find
from smsreceipt.sources.files.reader import PayloadReader, Piece, kind_in_path

_STDIN = "-"
_EXPORT = "smsreceipt export receipts --output receipts.ndjson"


class Inputs:
    """The files that the words name, or standard input for "-"."""

    def __init__(self, app: App, words: Sequence[str], kind: Kind | None) -> None:
        """*kind*: the message type of all payloads; None: it is determined for each.

        Raises UsageError for a file that is not there.
        """
        self._app = app
        self._kind = kind
        if kind:
            warn_of_unknown_kinds(app, [kind])
        self._kinds = {known.casefold(): known for known in KINDS}
        if _STDIN in words and app.stdin is None:
            raise UsageError(_("standard input is closed"))
        self._named = [found for word in words for found in self._find(word)]
        if not self._named:
            app.say(_("no files there"))
        self._whole = sum(each.size() for each in self._named if each) if None not in self._named else 0
        self._before = 0
        self._now: PayloadReader | None = None
        self.halt = threading.Event()  #: reading ends soon after it is set
        self.failures: list[BaseException] = []  #: of single files; a failure does not keep the others from being read

    def _find(self, word: str) -> Sequence[FoundFile | None]:
        """The files of a word; None: standard input."""
        return [None] if word == _STDIN else find([word], self._app.say)

    def read(self) -> tuple[int, int]:
        """The bytes read so far, and their total; the total is 0 where it is not known."""
        return self._before + (self._now.read if self._now else 0), self._whole

    def pieces(self, unfinished: dict[str, Reached] | None = None) -> Iterator[Piece]:
        """The pieces of one input after the other; *unfinished* holds the checkpoints of interrupted runs, by file."""
        for named in self._named:
            if self.halt.is_set():
                return
            try:
                with self._open(named) as replay:
                    start = self._start(replay, unfinished or {})
                    for piece in replay.pieces(start):
                        if not start and is_list_of_sends(piece):
                            raise UsageError(
                                _("{file} is a list of sends, and has no receipt", file=replay.name),
                                hint=_(
                                    "Import it: {command}",
                                    command=f"smsreceipt sends import {shlex.quote(replay.name)}",
                                ),
                            )
                        if not start and is_csv_of_receipts(piece):
                            raise UsageError(
                                _("{file} has receipts as CSV, which cannot be read back", file=replay.name),
                                hint=_("Export them as JSON: {command}", command=_EXPORT),
                            )
                        start = 1  # only the first piece of a file tells what it is
                        yield piece
            except SmsReceiptError as exc:
                self.failures.append(exc)

    @contextmanager
    def _open(self, named: FoundFile | None) -> Iterator[PayloadReader]:
        if named is None:
            assert self._app.stdin is not None  # noqa: S101 - checked by __init__
            opened, fallback = InputFile(self._app.stdin, _STDIN, waits=True), None
        else:
            opened, fallback = InputFile.of(named), kind_in_path(named, lambda word: self._kinds.get(word.casefold()))
        try:
            self._now = PayloadReader(
                opened, kind=self._kind, fallback=fallback, now=self._app.now, stopped=self.halt.is_set
            )
            yield self._now
        finally:
            self._before, self._now = self._before + opened.read, None
            opened.close()

    def _start(self, replay: PayloadReader, unfinished: dict[str, Reached]) -> int:
        reached = unfinished.get(replay.identity)
        if reached is None or not replay.fits(reached):
            return 0
        self._app.say(
            _(
                "{file}: taken up at byte {offset:,}, where an earlier run was cut off",
                file=replay.name,
                offset=reached.offset,
            )
        )
        return reached.offset


def decode_piece(piece: Piece) -> list[Decoded]:
    """What a piece holds. The origin of a reject is its place in the file: FILE:OFFSET."""
    decoded = [decode_saved(delivery) for delivery in piece.deliveries]
    if not any(item.rejects for item in decoded):
        return decoded
    offsets = iter(piece.offsets())
    return [_placed(item, [*islice(offsets, len(item.delivery.frames))]) for item in decoded]


def _placed(item: Decoded, offsets: Sequence[int]) -> Decoded:
    name = item.delivery.origin
    rejects = tuple(
        (kind, structs.replace(reject, origin=f"{name}:{offsets[reject.frame]}")) for kind, reject in item.rejects
    )
    return replace(item, rejects=rejects)
