"""Prints the new statements of a receiving run and shows its progress.

Printing has a thread of its own, so that a slow reader of standard output delays neither commits nor acknowledgements.
Its backlog is bounded: while it is full, nothing more is received.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from smsreceipt.app import App
from smsreceipt.language import _
from smsreceipt.model import Outcome, StoredReceipt, Tally
from smsreceipt.output.columns import View
from smsreceipt.output.counts import ended, split
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.printer import Printer
from smsreceipt.store import Kept

_BACKLOG = 20_000  # statements that are stored and not yet printed, beyond which nothing more is received
_TICK = 0.5  # seconds between two drawings of a live line while nothing comes
_LAST = 2.0  # seconds that the reader of standard output has for the backlog after a stop


class Reporter:
    """Takes committed statements from the committer's thread and prints them in its own."""

    def __init__(
        self,
        app: App,
        *,
        read: Callable[[], tuple[int, int]] | None = None,
        view: View[StoredReceipt] | None = RECEIPTS,
        awaited: tuple[str, str] = ("", ""),
    ) -> None:
        """*awaited*: what the run waits for when nothing comes, in English and Chinese.

        *read* returns the bytes read so far and their total, if the run knows them.

        *view*: the columns that are printed; None: statements are counted and not printed.
        """
        self._app = app
        self._read = read
        self._printer = Printer(app, view or RECEIPTS, write=app.report, live=True)
        self._prints = view is not None and not _is_null_device(app.stdout)
        self._splits = app.stderr_is_tty and app.verbosity >= 0  # a person is told what became of the messages
        self._outcomes: Counter[Outcome | None] = Counter()
        self._last_seq: int | None = 0
        self._line = app.live_line
        self._progress = app.progress()
        self._progress.awaited = awaited
        self._began = time.monotonic()
        self._tally = Tally()
        self._unprinted: deque[Sequence[StoredReceipt]] = deque()
        self._backlog = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def room(self) -> bool:
        """Whether the backlog is not full."""
        return self._backlog < _BACKLOG

    def kept(self, kept: Kept) -> None:
        """Count a commit and queue its new statements for printing; returns at once."""
        with self._changed:
            self._tally += kept.tally
            if self._splits:
                self._outcomes.update(each.receipt.outcome for each in kept.new)
            if kept.new and self._has_reader():
                self._unprinted.append(kept.new)
                self._backlog += len(kept.new)
                self._changed.notify()
        self._show_progress()

    def _has_reader(self) -> bool:
        """Whether standard output is read by anybody. JSON for /dev/null would be a tenth of a run's work."""
        return self._app.stdout is not None and self._prints

    def sentence(self, tally: Tally, deletes: tuple[int, int] | None) -> str:
        """The summary of the run in words, for a terminal; see output.counts.ended()."""
        return ended(tally, self._outcomes, self.seconds, deletes, chinese=self._app.chinese)

    def close(self, stopped: Callable[[], bool]) -> bool:
        """Print the backlog, then end the thread. Returns False if the reader did not take it in time after a stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        deadline = None
        while self._thread.is_alive() and (deadline is None or time.monotonic() < deadline):
            self._thread.join(0.1)
            if deadline is None and stopped():
                deadline = time.monotonic() + _LAST
        self._line.clear()
        if not self._thread.is_alive():
            return True
        self._app.say(
            _(
                "about {n} statements are stored that were not shown: {command}",
                n=self._backlog,
                command=f"smsreceipt list --history --after {self._last_seq}",
            )
        )
        return False

    def _run(self) -> None:
        while (statements := self._next()) is not None:
            if not statements:
                self._show_progress()
                continue
            if self._app.stdout_is_tty:  # rows and the live line share a terminal
                self._line.suspend()
            else:
                self._line.clear()
            self._printer.print(statements)
            self._last_seq = statements[-1].seq
            self._line.resume()
            with self._changed:  # the committer's thread changes the number too
                self._backlog -= len(statements)

    def _next(self) -> Sequence[StoredReceipt] | None:
        """The next statements to print; none when the live line is to be drawn again; None at the end."""
        with self._changed:
            if not self._unprinted and not self._closing:
                self._changed.wait(_TICK if self._line.drawn else None)
            if self._unprinted:
                return self._unprinted.popleft()
            return None if self._closing else ()

    def _show_progress(self) -> None:
        if self._line.due:
            tally = self._tally
            counts = split(tally, self._outcomes, chinese=self._app.chinese)
            self._progress.update(tally.received, counts, read=self._read() if self._read else None)


def _is_null_device(stream: BinaryIO | None) -> bool:
    """Whether the stream is /dev/null."""
    try:
        return stream is not None and os.path.samestat(os.fstat(stream.fileno()), Path(os.devnull).stat())
    except (OSError, ValueError):  # it has no descriptor
        return False
