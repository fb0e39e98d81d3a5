"""What every engine makes of the sums of a day's receipts, and of the receipts of unfinished calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from smsreceipt.model import DAY_MS, Instant, Kind, Outcome
from smsreceipt.store.values import CallGap, DayParts

SLOT = 600_000  #: milliseconds of a slot of DayParts
#: In the order in which a call goes through them.
BEFORE_END = ("SecretStartReport", "SecretRingReport", "SecretPickUpReport", "SecretRecording")


def days_of(sums: Iterable[tuple[int, str, int | None, int, int]]) -> list[DayParts]:
    """Add up day, outcome, slot (None: not known), messages and their parts, which may come in several rows each."""
    messages: dict[int, Counter[Outcome]] = defaultdict(Counter)
    parts: dict[int, Counter[Outcome]] = defaultdict(Counter)
    slots: dict[int, Counter[int]] = defaultdict(Counter)
    for day, name, slot, count, total in sums:
        outcome = Outcome(name)
        messages[day][outcome] += count
        parts[day][outcome] += total
        if slot is not None:
            slots[day][slot] += count
    return [
        DayParts(day, dict(messages[day]), dict(parts[day]), tuple(slots[day][n] for n in range(DAY_MS // SLOT)))
        for day in sorted(messages)
    ]


def gaps_of(events: Iterable[tuple[Sequence[str], str, int]]) -> Iterator[CallGap]:
    """The gaps of identities with kinds and times, those of one identity one after the other in time."""
    for (pool_key, call_id), group in groupby(events, key=lambda event: tuple(event[0])):
        told = list(group)
        names = {name for _, name, _ in told}
        kinds = tuple(Kind(kind) for kind in BEFORE_END if kind in names)
        yield CallGap(pool_key, call_id, kinds, Instant(told[0][-1]))
