"""Entering what was sent into the ledger, from the lists that senders keep."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.ingest import LockRetry
from smsreceipt.ledger import BadRow, Entry, Form, entries
from smsreceipt.model import Send
from smsreceipt.store import Imported

_AT_ONCE = 20_000  #: sends entered in one commit
_TOLD = 20  #: bad rows told one by one


def run(app: App, file: str, form: Form) -> None:
    """Enter the sends of *file* (-: standard input) and print the summary; bad rows are told and left out.

    What was committed stays, whatever stops it; entering the same list again changes nothing.
    """
    with _opened(app, file) as stream:
        size = 0 if file == "-" else Path(file).stat().st_size
        _Import(app, form, lambda: (stream.tell(), size) if size else None).run(stream)


def _opened(app: App, file: str) -> AbstractContextManager[BinaryIO]:
    if file != "-":
        try:
            return Path(file).open("rb")
        except OSError as exc:
            raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
    if app.stdin is None:
        raise UsageError("standard input is closed: there is nothing for - to read")
    return nullcontext(app.stdin)


class _Import:
    """One list on its way into the ledger, and its counters."""

    def __init__(self, app: App, form: Form, read: Callable[[], tuple[int, int] | None]) -> None:
        """*read* tells how many bytes of how many are read, where that is known."""
        self._app, self._form, self._read = app, form, read
        self._progress = app.progress()
        self._began = time.monotonic()
        self._rows = self._bad = self._declined = 0
        self._done = Imported()
        self._reasons: Counter[str] = Counter()

    def run(self, stream: BinaryIO) -> None:
        """Enter it, tell what was bad, sum up; what was committed stays, whatever stops it."""
        lock_retry = LockRetry(self._say)
        sends = self._good(entries(stream, self._form))
        try:
            with self._app.open_store(readonly=False) as store, self._progress:
                while batch := list(islice(sends, _AT_ONCE)):
                    self._done += lock_retry.call(partial(store.add_sends, batch))
                    self._draw()
        except BaseException:
            if self._rows:  # else it was no list at all, and the error says all there is to say
                self._sum_up()
            raise
        self._sum_up()

    def _good(self, found: Iterable[Entry]) -> Iterator[Send]:
        """The sends; on the way, everything else is counted and told."""
        for entry in found:
            self._rows += 1
            if isinstance(entry, Send):
                yield entry
            elif isinstance(entry, BadRow):
                self._bad += 1
                self._reasons[entry.reason] += 1
                if self._bad <= _TOLD:
                    self._say(f"line {entry.line}: {entry.reason}")
            else:
                self._declined += 1

    def _say(self, text: str) -> None:
        self._progress.clear()
        self._app.say(text)

    def _draw(self) -> None:
        self._progress.update(
            received=self._rows,
            new=self._done.new,
            duplicate=self._done.known + self._done.completed,
            rejected=self._bad + self._declined,
            rate=self._rows / max(time.monotonic() - self._began, 0.001),
            read=self._read(),
        )

    def _sum_up(self) -> None:
        done, seconds = self._done, time.monotonic() - self._began
        if self._bad:
            self._app.attention()
        if self._bad > _TOLD:
            self._say(f"{self._bad - _TOLD:,} more bad rows; in all:")
            for reason, count in self._reasons.most_common():
                self._say(f"  {count:,} × {reason}")
        if done.contradicting:
            self._say(f"{done.contradicting:,} rows say otherwise than the ledger, which keeps what it knew first")
        self._app.summary(
            {
                "rows": done.new + done.known + done.completed + self._bad + self._declined,
                "new": done.new,
                "known": done.known,
                "completed": done.completed,
                "bad": self._bad,
                "refused": self._declined,
                "seconds": f"{seconds:.1f}",
                "rate": round(self._rows / max(seconds, 0.001)),
            }.items()
        )
