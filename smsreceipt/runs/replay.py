"""Stores the receipts of saved payloads."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from functools import partial

from smsreceipt.app import App
from smsreceipt.ingest import Committer
from smsreceipt.model import Decoded
from smsreceipt.runs.inputs import Inputs, decode_piece
from smsreceipt.runs.receiving import Receiving, refuse_full_disk
from smsreceipt.runs.reporter import Reporter
from smsreceipt.sources.files.reader import Piece

_AHEAD = 8_000  # receipts decoded and not yet committed: two commits
#: Seconds for which a thread may keep the interpreter from others. SQLite stores some hundred receipts in 0.3 ms; with
#: Python's 5 ms, the thread that decodes would keep the one that stores from giving it the next.
_SWITCH = 50e-6


def run(app: App, inputs: Inputs, *, resume: bool, min_free: int) -> None:
    """Store the receipts of the inputs; print new statements and the summary.

    *resume*: go on where an earlier run was interrupted. *min_free*: refuse to start with fewer bytes free for the
    store. Sets the exit code of the worst failure. After a crash, the next run goes on from the last commit.
    """
    refuse_full_disk(app.store_location, min_free)
    sys.setswitchinterval(_SWITCH)
    with app.open_store(readonly=False) as store:
        unfinished = store.unfinished() if resume else {}
        receiving = Receiving[Decoded](app, lambda decoded: decoded, read=inputs.read)
        with receiving.signals(inputs.halt.set):
            committer = receiving.start(store, on_failure=inputs.halt.set)
            feeder = _Feeder(committer, receiving.reporter, inputs.halt)
            for piece in inputs.pieces(unfinished):
                feeder.put(piece)
            failures = receiving.close()
            receiving.end([*inputs.failures, *failures])


class _Feeder:
    """Decodes pieces of the input while the committer commits earlier ones, at most _AHEAD receipts ahead of it."""

    def __init__(self, committer: Committer[Decoded], reporter: Reporter, halt: threading.Event) -> None:
        self._committer, self._reporter, self._halt = committer, reporter, halt
        self._ahead = 0
        self._committed = threading.Condition()

    def put(self, piece: Piece) -> None:
        """Decode a piece; hand it to the committer as soon as there is room."""
        decoded = decode_piece(piece)
        last = decoded[-1]
        delivery = replace(last.delivery, ack=partial(self._acked, piece.frames))
        decoded[-1] = replace(last, delivery=delivery)
        with self._committed:
            while (self._ahead > _AHEAD or not self._reporter.room()) and not self._halt.is_set():
                self._committed.wait(0.1)
            self._ahead += piece.frames
        for each in decoded:
            self._committer.put(each)

    def _acked(self, frames: int) -> None:
        with self._committed:
            self._ahead -= frames
            self._committed.notify()
