"""Sums of messages and the figures that are made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from smsreceipt.insight.stats import Latency
from smsreceipt.model import Outcome
from smsreceipt.store.counts import NEGATIVE

FINAL = (Outcome.DELIVERED, Outcome.FAILED, Outcome.EXPIRED)
NOT_DELIVERED = (Outcome.FAILED, Outcome.EXPIRED, Outcome.UNKNOWN)
SOON = 10  #: seconds


def ratio(part: int, whole: int) -> float | None:
    """A share with six digits; None of nothing."""
    return round(part / whole, 6) if whole else None


def quantile(histogram: Mapping[int, int], percent: int) -> int | None:
    """The nearest rank: the value of which at least so many percent are at most as large; None of nothing."""
    need = max(1, -(-sum(histogram.values()) * percent // 100))
    for value, count in sorted(histogram.items()):
        need -= count
        if need <= 0:
            return value
    return None


def mean(histogram: Mapping[int, int], digits: int = 2) -> float | None:
    """The mean of a histogram; None of nothing."""
    count = sum(histogram.values())
    return round(sum(value * each for value, each in histogram.items()) / count, digits) if count else None


@dataclass(slots=True)
class Sums:
    """Messages by outcome, the latencies of the delivered ones, and their billed parts."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    negative: int = 0  #: delivered ones whose times contradict each other

    def add(self, outcome: str, seconds: int | None, count: int, parts: int) -> None:
        """Add so many messages."""
        self.outcomes[outcome] += count
        self.parts[outcome] += parts
        if seconds == NEGATIVE:
            self.negative += count
        elif seconds is not None:
            self.seconds[seconds] += count

    @property
    def reports(self) -> int:
        """All messages."""
        return sum(self.outcomes.values())

    @property
    def final(self) -> int:
        """Those that have a final receipt."""
        return sum(self.outcomes[outcome] for outcome in FINAL)

    @property
    def delivered(self) -> int:
        """Those that were delivered."""
        return self.outcomes[Outcome.DELIVERED]

    @property
    def ended_parts(self) -> int:
        """The billed parts of those."""
        return sum(self.parts[outcome] for outcome in FINAL)

    @property
    def rate(self) -> float | None:
        """delivery_rate."""
        return ratio(self.delivered, self.final)

    @property
    def latency(self) -> Latency:
        """How long the delivered ones took."""
        if not self.seconds:
            return Latency()
        soon = sum(count for seconds, count in self.seconds.items() if seconds <= SOON)
        p50, p90, p95, p99 = (quantile(self.seconds, percent) for percent in (50, 90, 95, 99))
        within = ratio(soon, sum(self.seconds.values()))
        return Latency(p50, p90, p95, p99, max(self.seconds), mean(self.seconds), within)
