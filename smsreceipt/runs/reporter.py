"""What a receiving run says: new statements on standard output, a live line on the terminal, and what failed.

Printing has a thread of its own: a reader that pauses must hold up neither commits nor deletes. What it has not taken
yet is bounded by holding back the receiving.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, StoreUnavailable
from smsreceipt.exits import gravest
from smsreceipt.model import StoredReceipt, Tally
from smsreceipt.output.printer import ReceiptPrinter
from smsreceipt.store import Kept, opening

_BACKLOG = 20_000  # statements kept and not yet printed, beyond which nothing more is received
_LAST = 2.0  # seconds that a reader gets for the rest after a stop


def refuse_full_disk(store: str, least: int) -> None:
    """Raise StoreUnavailable when fewer than *least* bytes are free for the store at this location."""
    free = opening.free_bytes(store)
    if free is not None and free < least:
        raise StoreUnavailable(
            f"only {free // 1024} KiB are free for the store {store}, less than --min-free",
            hint="Nothing was received. Free space on that disk and run the same command again.",
        )


def tell_failures(app: App, failures: Sequence[BaseException]) -> None:
    """A line each, the hint of the worst, and the exit codes. A bug of ours is raised."""
    last = gravest(failures)
    if last is not None and not isinstance(last, SmsReceiptError):
        raise last
    for exc in failures:
        if isinstance(exc, SmsReceiptError):
            app.error(exc)
            app.attention(exc.exit_code)
    if last is not None and last.hint:
        app.say(f"hint: {last.hint}")


def point_to_rejects(app: App, tally: Tally) -> None:
    """Tell where what could not be read is to be found, and end with the code for it, if any of it is new."""
    if tally.fresh_rejects:
        app.say(f"what could not be read is kept ({tally.fresh_rejects} new): smsreceipt rejects list")
        app.attention()


def _leads_nowhere(stream: BinaryIO | None) -> bool:
    """Whether it is /dev/null."""
    try:
        return stream is not None and os.path.samestat(os.fstat(stream.fileno()), Path(os.devnull).stat())
    except (OSError, ValueError):  # it has no descriptor
        return False


class Reporter:
    """Takes what was kept from the committer's thread; prints it from its own."""

    def __init__(self, app: App, *, read: Callable[[], tuple[int, int]] | None = None) -> None:
        """*read* tells how many bytes of how many are read, for runs that know."""
        self._app = app
        self._read = read
        self._printer = ReceiptPrinter(app, app.report)
        self._discarded = _leads_nowhere(app.stdout)
        self._progress = app.progress()
        self._began = time.monotonic()
        self._tally = Tally()
        self._news: deque[Sequence[StoredReceipt]] = deque()
        self._backlog = 0
        self._bell = threading.Condition()
        self._terminal = threading.RLock()
        self._printing = False  # on the terminal where the live line is: the two must not run into each other
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Since it all began."""
        return time.monotonic() - self._began

    def room(self) -> bool:
        """Whether the reader keeps up."""
        return self._backlog < _BACKLOG

    def kept(self, kept: Kept) -> None:
        """After a commit and its acks. Returns at once."""
        with self._bell:
            self._tally += kept.tally
            if kept.new and self._heard():
                self._news.append(kept.new)
                self._backlog += len(kept.new)
                self._bell.notify()
        self._draw()

    def _heard(self) -> bool:
        """Whether anybody could read what is printed: making JSON for /dev/null is a tenth of a run's work."""
        return self._app.stdout is not None and not self._discarded

    def say(self, text: str, verbosity: int = 0) -> None:
        """One line on standard error, whatever is live there. From any thread."""
        with self._terminal:
            self._progress.clear()
            self._app.say(text, verbosity=verbosity)

    def close(self, stopped: Callable[[], bool]) -> bool:
        """Print what is left, then stop. False: there was a stop, and the reader does not take the rest."""
        with self._bell:
            self._closing = True
            self._bell.notify()
        deadline = None
        while self._thread.is_alive() and (deadline is None or time.monotonic() < deadline):
            self._thread.join(0.1)
            if deadline is None and stopped():
                deadline = time.monotonic() + _LAST
        with self._terminal:
            self._progress.clear()
        if not self._thread.is_alive():
            return True
        unseen = f"smsreceipt list --history --after {self._printer.last_seq}"
        self._app.say(f"about {self._backlog} statements are stored that were not shown: {unseen}")
        return False

    def _run(self) -> None:
        while (news := self._next()) is not None:
            with self._terminal:
                self._progress.clear()
                self._printing = self._app.stdout_is_tty
            self._printer.print(news)  # without the lock: a reader that pauses would hold up everybody
            self._printing = False
            with self._bell:  # the committer's thread counts up meanwhile
                self._backlog -= len(news)

    def _next(self) -> Sequence[StoredReceipt] | None:
        with self._bell:
            while not self._news and not self._closing:
                self._bell.wait()
            return self._news.popleft() if self._news else None

    def _draw(self) -> None:
        tally = self._tally
        with self._terminal:
            if self._printing:
                return
            self._progress.update(
                received=tally.received,
                new=tally.new,
                duplicate=tally.duplicate,
                rejected=tally.rejected,
                rate=tally.received / max(self.seconds, 0.001),
                read=self._read() if self._read else None,
            )
