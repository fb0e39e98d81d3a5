"""What `listen` notes in the store, so that `outages` can tell later when pushes could not be received.

It notes when it starts and stops, and while it answers 503, once a minute at most. Nothing waits for these notes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import msgspec

from smsreceipt.errors import SmsReceiptError
from smsreceipt.insight.outages import Event
from smsreceipt.model import DAY_MS, Instant
from smsreceipt.store import Store

TOPIC = "listen"
_KEPT = 90 * DAY_MS
_EVERY = 60.0  # seconds between two notes of refusals
_OVER = 120_000  # milliseconds without a refusal after which another spell begins


def read_events(store: Store) -> dict[Instant, Event]:
    """What was noted, by time."""
    return {
        Instant(int(name.partition(" ")[0])): msgspec.json.decode(text, type=Event)
        for name, text in store.notes(TOPIC).items()
    }


class ListenNotes:
    """The notes of one listener."""

    def __init__(
        self,
        listener: str,
        now: Callable[[], Instant],
        open_store: Callable[[], AbstractContextManager[Store]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*open_store*: a store of its own for notes that are written while the listener uses its own."""
        self._listener, self._now, self._open_store, self._clock = listener, now, open_store, clock
        self._refused = self._noted = 0
        self._spell: tuple[Instant, Instant] | None = None
        self._next = 0.0
        self._writing: threading.Thread | None = None

    def started(self, store: Store) -> None:
        """Note that pushes are received from now on; delete what is old."""
        now = self._now()
        old = {name: None for name in store.notes(TOPIC) if int(name.partition(" ")[0]) < now - _KEPT}
        self._write(store, now, Event("started", self._listener), old)

    def stopped(self, store: Store) -> None:
        """Note that no push is received from now on."""
        if self._writing is not None:
            self._writing.join(1.0)
        if self._spell is not None:
            begin, last = self._spell
            self._write(store, begin, Event("refused", self._listener, last, self._refused - self._noted))
        self._write(store, self._now(), Event("stopped", self._listener))

    def refusals(self, total: int) -> None:
        """Take note of how many pushes were answered 503 so far; called often, and writes in a thread of its own."""
        if total == self._refused:
            return
        now = self._now()
        if self._spell is None or now - self._spell[1] > _OVER:
            self._spell, self._noted = (now, now), self._refused
        self._spell, self._refused = (self._spell[0], now), total
        if self._clock() >= self._next and (self._writing is None or not self._writing.is_alive()):
            self._next = self._clock() + _EVERY
            self._writing = threading.Thread(
                target=self._note_refusals, args=(*self._spell, total - self._noted), daemon=True
            )
            self._writing.start()

    def _note_refusals(self, begin: Instant, last: Instant, count: int) -> None:
        with contextlib.suppress(SmsReceiptError), self._open_store() as store:
            self._write(store, begin, Event("refused", self._listener, last, count))

    def _write(self, store: Store, at: Instant, event: Event, more: Mapping[str, None] | None = None) -> None:
        with contextlib.suppress(SmsReceiptError):
            name = f"{at} {event.event} {self._listener}"
            store.write_notes(TOPIC, {**(more or {}), name: msgspec.json.encode(event).decode()})
