"""Compare days by their sums, in billed parts: how many receipts are missing, and when none came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from smsreceipt.model import Instant, Outcome, number_of, start_of_day
from smsreceipt.sources.query.totals import DayTotals
from smsreceipt.store import DayParts

_SLOT_MS = 600_000
_AROUND = 3  # slots on either side from which the expected traffic is estimated
_EXPECTED = 10  # messages; a shorter silence may be chance
_FINAL = (Outcome.DELIVERED, Outcome.FAILED, Outcome.EXPIRED)


@dataclass(frozen=True, slots=True)
class DayGap:
    """One Beijing day: the totals of the provider, and those of the receipts in the store."""

    day: int
    sent: int  #: by the provider, like the next three
    succeeded: int
    failed: int
    no_response: int  #: the carrier has not answered the provider yet
    delivered: int  #: by the receipts
    not_delivered: int  #: failed or expired
    undecided: int  #: pending or unknown
    silent: tuple[tuple[Instant, Instant], ...]  #: times between which no message with a receipt was sent

    @property
    def gap(self) -> int:
        """Parts that ended by the provider and have no receipt; negative if the receipts have more than it counts."""
        return self.succeeded + self.failed - self.delivered - self.not_delivered


def gaps(first: int, last: int, totals: Iterable[DayTotals], received: Iterable[DayParts]) -> list[DayGap]:
    """A row for each day from *first* to *last*. *totals* may have several rows for a day: mainland and abroad."""
    by_day: dict[int, list[DayTotals]] = defaultdict(list)
    for total in totals:
        by_day[number_of(total.day)].append(total)
    parts = {each.day: each for each in received}
    return [_gap(day, by_day[day], parts.get(day)) for day in range(first, last + 1)]


def _gap(day: int, totals: Sequence[DayTotals], received: DayParts | None) -> DayGap:
    parts = received.parts if received else {}
    final = {outcome: parts.get(outcome, 0) for outcome in _FINAL}
    return DayGap(
        day,
        sum(total.sent for total in totals),
        sum(total.succeeded for total in totals),
        sum(total.failed for total in totals),
        sum(total.no_response for total in totals),
        delivered=final[Outcome.DELIVERED],
        not_delivered=final[Outcome.FAILED] + final[Outcome.EXPIRED],
        undecided=sum(parts.values()) - sum(final.values()),
        silent=tuple(_silences(day, received.slots)) if received else (),
    )


def _silences(day: int, slots: Sequence[int]) -> Iterator[tuple[Instant, Instant]]:
    """Intervals of a day without a receipt, where the traffic around them makes that unlikely."""
    at = 0
    for empty, group in groupby(slots, lambda count: count == 0):
        length = len(list(group))
        before, after = slots[max(at - _AROUND, 0) : at], slots[at + length : at + length + _AROUND]
        if empty and before and after:
            usual = min(sum(before) / len(before), sum(after) / len(after))
            if usual * length >= _EXPECTED:
                start = start_of_day(day)
                yield Instant(start + at * _SLOT_MS), Instant(start + (at + length) * _SLOT_MS)
        at += length
