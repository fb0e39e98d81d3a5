"""How far each cursor is behind what the store holds."""

from __future__ import annotations

from smsreceipt.forward import cursor
from smsreceipt.model import Instant
from smsreceipt.output.objects.status import Forwarding
from smsreceipt.store import Query, Store


def lags(store: Store, now: Instant) -> list[Forwarding]:
    """All cursors, by name. Costs a look at the notes and at one statement for each cursor."""
    notes = cursor.cursors(store)
    if not notes:
        return []
    facts, waiting = store.facts(), [each.name for each in cursor.parked(store)]
    running = cursor.held(facts)
    return [
        Forwarding(
            name=name,
            seq=note.seq,
            behind=max(facts.last_seq - note.seq, 0),
            seconds=_age(store, note.seq, now),
            parked=waiting.count(name),
            running=name in running,
        )
        for name, note in sorted(notes.items())
    ]


def _age(store: Store, seq: int, now: Instant) -> float:
    """Seconds since the oldest statement after *seq* was received; 0 where there is none."""
    oldest = list(store.list(Query(after=seq, history=True, limit=1)))
    return max((now - oldest[0].received_at) / 1000, 0.0) if oldest else 0.0
