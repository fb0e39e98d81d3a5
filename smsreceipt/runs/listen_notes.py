"""What `listen` notes in the store, so that `watch` and `outages` can tell when pushes could not be received.

It notes when it starts and stops, and while it answers 503, once a minute at most. Nothing waits for these notes; what
cannot be noted while the store cannot be written is noted as soon as it can be.
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
_AGAIN = 2.0  # seconds after which a note that could not be written is tried again
_OVER = 120_000  # milliseconds without a refusal after which another spell begins


def read_events(store: Store) -> list[tuple[Instant, Event]]:
    """What was noted, in order of time; where a listener stopped and one started in the same moment, the stop first."""
    found = [
        (Instant(int(name.partition(" ")[0])), msgspec.json.decode(text, type=Event))
        for name, text in store.notes(TOPIC).items()
    ]
    return sorted(found, key=lambda each: (each[0], each[1].event != "stopped"))


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
        self._refused = self._before = self._noted = 0  # pushes: of all time, before this spell, in notes
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
            self._write(store, begin, Event("refused", self._listener, last, self._refused - self._before))
        self._write(store, self._now(), Event("stopped", self._listener))

    def refusals(self, total: int) -> None:
        """Take note of how many pushes were answered 503 so far; called often, and writes in a thread of its own."""
        if total != self._refused:
            now = self._now()
            if self._spell is None or (now - self._spell[1] > _OVER and self._noted == self._refused):
                self._spell, self._before = (now, now), self._refused
            self._spell, self._refused = (self._spell[0], now), total
        if self._spell is None or self._noted == self._refused or self._clock() < self._next:
            return
        if self._writing is None or not self._writing.is_alive():
            event = Event("refused", self._listener, self._spell[1], total - self._before)
            self._writing = threading.Thread(target=self._note, args=(self._spell[0], event, total), daemon=True)
            self._writing.start()

    def _note(self, begin: Instant, event: Event, total: int) -> None:
        """Note the refusals of a spell, up to this *total* of all time."""
        wait = _AGAIN
        with contextlib.suppress(SmsReceiptError), self._open_store() as store:
            if self._write(store, begin, event):
                self._noted, wait = total, _EVERY
        self._next = self._clock() + wait

    def _write(self, store: Store, at: Instant, event: Event, more: Mapping[str, None] | None = None) -> bool:
        """Whether it could be written."""
        name = f"{at} {event.event} {self._listener}"
        try:
            store.write_notes(TOPIC, {**(more or {}), name: msgspec.json.encode(event).decode()})
        except SmsReceiptError:
            return False
        return True
