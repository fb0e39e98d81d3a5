"""The figures of the present day that metrics show, read from the store once a minute at most."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from smsreceipt.app import App
from smsreceipt.errors import StoreUnavailable
from smsreceipt.insight.answer import readers_of
from smsreceipt.model import beijing_day
from smsreceipt.model.facts import Nowhere
from smsreceipt.store.counts import By, Count, CountQuery, Subject

_FRESH = 60_000  #: milliseconds for which figures serve


class Today:
    """The messages of the present Beijing day by kind, outcome and latency."""

    BY = (By.KIND, By.OUTCOME, By.SECONDS)

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()  # metrics may be asked for by several at once
        self._read_at: int | None = None
        self._counts: Sequence[Count] = ()

    def counts(self) -> Sequence[Count]:
        """The counts, a minute old at most; those of before where the store cannot be read."""
        with self._lock:
            now = self._app.now()
            if self._read_at is None or not 0 <= now - self._read_at < _FRESH:
                self._read_at = now
                self._read()
            return self._counts

    def _read(self) -> None:
        day = beijing_day(self._app.now())
        query = CountQuery(subject=Subject.MESSAGES, first_day=day, last_day=day, by=self.BY)
        try:
            with self._app.open_store(readonly=True) as store:
                self._counts = store.counts(query, readers_of(Nowhere()))
        except StoreUnavailable as exc:
            self._app.say(str(exc), verbosity=1)
