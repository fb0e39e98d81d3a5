"""Days compared by their sums alone, in billed parts: how many receipts are lacking, and when none came. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from smsreceipt.model import Instant, Outcome, number_of
from smsreceipt.reconcile.calendar import start_of
from smsreceipt.sources.query.client import DayTotals
from smsreceipt.store import DayParts

_SLOT_MS = 600_000
_AROUND = 3  # slots on either side that tell what was to be expected
_EXPECTED = 10  # messages: fewer that did not come prove nothing
_FINAL = (Outcome.DELIVERED, Outcome.FAILED, Outcome.EXPIRED)


@dataclass(frozen=True, slots=True)
class DayGap:
    """One Beijing day by the provider's books and by ours."""

    day: int
    sent: int  #: by the provider, as are the next three
    succeeded: int
    failed: int
    no_response: int  #: the carrier has not told the provider either
    delivered: int  #: by our receipts
    not_delivered: int  #: failed or expired
    undecided: int  #: pending or unknown
    silent: tuple[tuple[Instant, Instant], ...]  #: no receipt of what was sent in between, though around it there are

    @property
    def gap(self) -> int:
        """Parts whose end the provider knows and we do not; below 0: we know of more than it counts."""
        return self.succeeded + self.failed - self.delivered - self.not_delivered


def gaps(first: int, last: int, theirs: Iterable[DayTotals], ours: Iterable[DayParts]) -> list[DayGap]:
    """A row for each day from *first* to *last*; of a day, *theirs* may tell in several rows (mainland and abroad)."""
    said: dict[int, list[DayTotals]] = defaultdict(list)
    for total in theirs:
        said[number_of(total.day)].append(total)
    had = {parts.day: parts for parts in ours}
    return [_gap(day, said[day], had.get(day)) for day in range(first, last + 1)]


def _gap(day: int, said: Sequence[DayTotals], had: DayParts | None) -> DayGap:
    parts = had.parts if had else {}
    final = {outcome: parts.get(outcome, 0) for outcome in _FINAL}
    return DayGap(
        day,
        sum(total.sent for total in said),
        sum(total.succeeded for total in said),
        sum(total.failed for total in said),
        sum(total.no_response for total in said),
        delivered=final[Outcome.DELIVERED],
        not_delivered=final[Outcome.FAILED] + final[Outcome.EXPIRED],
        undecided=sum(parts.values()) - sum(final.values()),
        silent=tuple(_silences(day, had.slots)) if had else (),
    )


def _silences(day: int, slots: Sequence[int]) -> Iterator[tuple[Instant, Instant]]:
    """Stretches of a day without a receipt that the traffic around them makes unlikely."""
    at = 0
    for empty, group in groupby(slots, lambda count: count == 0):
        length = len(list(group))
        before, after = slots[max(at - _AROUND, 0) : at], slots[at + length : at + length + _AROUND]
        if empty and before and after:
            usual = min(sum(before) / len(before), sum(after) / len(after))
            if usual * length >= _EXPECTED:
                start = start_of(day)
                yield Instant(start + at * _SLOT_MS), Instant(start + (at + length) * _SLOT_MS)
        at += length
