"""The figures of the store and of the present day that metrics show, read once a minute at most."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from smsreceipt.app import App
from smsreceipt.errors import StoreUnavailable
from smsreceipt.insight.answer import readers_of
from smsreceipt.model import beijing_day
from smsreceipt.model.facts import Nowhere
from smsreceipt.store import StoreFacts, opening
from smsreceipt.store.counts import By, Count, CountQuery, Subject

_FRESH = 60_000  #: milliseconds for which figures serve


class Today:
    """The messages of the present Beijing day by kind, outcome and latency, and the state of the store."""

    BY = (By.KIND, By.OUTCOME, By.SECONDS)

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()  # metrics may be asked for by several at once
        self._read_at: int | None = None
        self._counts: Sequence[Count] = ()
        self._facts: StoreFacts | None = None
        self._open_days: int | None = None

    def counts(self) -> Sequence[Count]:
        """The counts, a minute old at most; those of before where the store cannot be read."""
        with self._lock:
            self._refresh()
            return self._counts

    def facts(self) -> StoreFacts | None:
        """The state of the store, a minute old at most; None where it has never been read."""
        with self._lock:
            self._refresh()
            return self._facts

    def open_days(self) -> int | None:
        """How many days ago the oldest send was that reconcile can still ask about; None where there is none."""
        with self._lock:
            self._refresh()
            return self._open_days

    def free(self) -> int | None:
        """Free bytes for the store now; None where the engine does not tell."""
        return opening.free_bytes(self._app.store_location)

    def _refresh(self) -> None:
        now = self._app.now()
        if self._read_at is None or not 0 <= now - self._read_at < _FRESH:
            self._read_at = now
            self._read()

    def _read(self) -> None:
        from smsreceipt.reconcile import Calendar  # not for the start of a run

        day = beijing_day(self._app.now())
        query = CountQuery(subject=Subject.MESSAGES, first_day=day, last_day=day, by=self.BY)
        try:
            with self._app.open_store(readonly=True) as store:
                self._counts = store.counts(query, readers_of(Nowhere()))
                self._facts = store.facts()
                oldest = store.oldest_open_day(Calendar(self._app.now()).oldest)
                self._open_days = None if oldest is None else day - oldest
        except StoreUnavailable as exc:
            self._app.say(str(exc), verbosity=1)
