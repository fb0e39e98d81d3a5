"""Imports sends into the ledger from the lists that senders keep."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from smsreceipt.app import App
from smsreceipt.ingest import LockRetry
from smsreceipt.ledger import BadRow, Entry, Form, Skipped, entries
from smsreceipt.model import Send
from smsreceipt.store import Imported

_AT_ONCE = 20_000  #: sends in one commit
_BAD_ROWS = 20  #: bad rows with a message each; the others are counted by reason


def run(app: App, file: str, form: Form) -> None:
    """Import the sends of *file* (-: standard input) and print the summary. Bad rows are reported and left out.

    Exit code 3 if there are bad rows. Raises UsageError if the file cannot be read or is no list of sends. After a
    crash, what was committed is in the ledger; to import the same list again changes nothing.
    """
    with app.open_input(file) as stream:
        size = 0 if file == "-" else Path(file).stat().st_size
        _Import(app, form, lambda: (stream.tell(), size) if size else None).run(stream)


class _Import:
    """The import of one list, and its counters."""

    def __init__(self, app: App, form: Form, read: Callable[[], tuple[int, int] | None]) -> None:
        """*read* returns the bytes read so far and their total, or None where they are not known."""
        self._app, self._form, self._read = app, form, read
        self._progress = app.progress()
        self._began = time.monotonic()
        self._rows = self._bad = self._declined = self._skipped = 0
        self._done = Imported()
        self._reasons: Counter[str] = Counter()

    def run(self, stream: BinaryIO) -> None:
        """Import the list and print the summary, also after a failure."""
        lock_retry = LockRetry(self._app.say)
        sends = self._good(entries(stream, self._form))
        try:
            with self._app.open_store(readonly=False) as store, self._progress:
                while batch := list(islice(sends, _AT_ONCE)):
                    self._done += lock_retry.call(partial(store.add_sends, batch))
                    self._show_progress()
        except BaseException:
            if self._rows:  # without any row it was no list of sends, and the error says so
                self._sum_up()
            raise
        self._sum_up()

    def _good(self, found: Iterable[Entry]) -> Iterator[Send]:
        """The valid sends; counts and reports the other rows."""
        for entry in found:
            self._rows += 1
            if isinstance(entry, Send):
                yield entry
            elif isinstance(entry, Skipped):
                self._skipped += 1
                self._rows -= 1
            elif isinstance(entry, BadRow):
                self._bad += 1
                self._reasons[entry.reason] += 1
                if self._bad <= _BAD_ROWS:
                    self._app.say(f"line {entry.line}: {entry.reason}")
            else:
                self._declined += 1

    def _show_progress(self) -> None:
        self._progress.update(
            received=self._rows,
            new=self._done.new,
            duplicate=self._done.known + self._done.completed,
            rejected=self._bad + self._declined,
            rate=self._rows / max(time.monotonic() - self._began, 0.001),
            read=self._read(),
        )

    def _sum_up(self) -> None:
        app, done, seconds = self._app, self._done, time.monotonic() - self._began
        if self._bad:
            app.end_with()
        if self._bad > _BAD_ROWS:
            app.say(f"{self._bad - _BAD_ROWS:,} more bad rows; in all:")
            for reason, count in self._reasons.most_common():
                app.say(f"  {count:,} × {reason}")
        if done.contradicting:
            app.say(f"{done.contradicting:,} rows say otherwise than the ledger, which keeps what it knew first")
        app.summary(
            {
                "rows": done.new + done.known + done.completed + self._bad + self._declined,
                "new": done.new,
                "known": done.known,
                "completed": done.completed,
                "bad": self._bad,
                "refused": self._declined,
                "seconds": f"{seconds:.1f}",
                "rate": round(self._rows / max(seconds, 0.001)),
            }
        )
