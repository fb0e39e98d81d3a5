"""What every engine makes of the sums of a day's receipts, and of the receipts of unfinished calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from smsreceipt.model import DAY_MS, Instant, Kind, Outcome, Source
from smsreceipt.store.values import CallGap, DayParts, Growth, OriginFacts, StoreFacts

SLOT = 600_000  #: milliseconds of a slot of DayParts
ENOUGH = 1_000  #: statements from which on the size of a store tells what one takes
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


def first_since(
    last_seq: int, at: Instant, probe: Callable[[int], Iterable[tuple[int, int]]], *, first_seq: int = 1
) -> int:
    """The seq of the first statement that was received at *at* or later; last_seq + 1 where there is none.

    *probe* gives seq and time of the first statement from a seq on. A later seq is taken to be received later, which
    holds but for commits that ran at once.
    """
    low, high = first_seq, last_seq + 1
    while low < high:
        middle = (low + high) // 2
        found = next(iter(probe(middle)), None)
        if found is None or found[1] >= at:
            high = middle
        else:
            low = found[0] + 1
    return low


def origins_of(found: Iterable[tuple[str, str, int | None]]) -> tuple[OriginFacts, ...]:
    """The ways by which receipts came, from source, origin and the time of the last one."""
    return tuple(
        OriginFacts(Source(source), origin, None if at is None else Instant(at)) for source, origin, at in found
    )


def growth(facts: StoreFacts, first_seq: int, at: Instant, now: Instant, free: int | None) -> Growth:
    """How fast the store grows, by its statements from *first_seq* on, which were received since *at*."""
    statements = facts.statements
    began = max(at, min((kind.first_received_at for kind in facts.kinds), default=at))
    days = max(now - began, DAY_MS) / DAY_MS
    # seqs have gaps where transactions were undone or brought known statements
    came = (facts.last_seq + 1 - first_seq) * statements / max(facts.last_seq, 1)
    return Growth(
        receipts_per_day=round(came / days) if statements else None,
        bytes_per_receipt=round(facts.size / statements) if statements >= ENOUGH else None,
        free=free,
    )


def gaps_of(events: Iterable[tuple[Sequence[str], str, int]]) -> Iterator[CallGap]:
    """The gaps of identities with kinds and times, those of one identity one after the other in time."""
    for (pool_key, call_id), group in groupby(events, key=lambda event: tuple(event[0])):
        told = list(group)
        names = {name for _, name, _ in told}
        kinds = tuple(Kind(kind) for kind in BEFORE_END if kind in names)
        yield CallGap(pool_key, call_id, kinds, Instant(told[0][-1]))
