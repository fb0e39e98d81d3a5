"""A histogram of the answer times of pushes, in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

_TOP = 2_000  # milliseconds; longer times count as this


class AnswerTimes:
    """Answer times, in buckets of a millisecond."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0  #: seconds
        self.longest = 0.0  #: seconds
        self._buckets = [0] * (_TOP + 1)
        self._before = [0] * (_TOP + 1)  # a copy from the last lap

    def note(self, seconds: float) -> None:
        """Count one answer."""
        self.count += 1
        self.total += seconds
        if seconds > self.longest:
            self.longest = seconds
        self._buckets[min(int(seconds * 1000), _TOP)] += 1

    def percentile(self, share: float) -> float:
        """Seconds within which this *share* (0 to 1) of the answers was given, rounded up to milliseconds."""
        return _percentile(self._buckets, share)

    def lap(self, share: float) -> float:
        """The same percentile of the answers since the last lap, and begin a new lap."""
        now = [*self._buckets]
        since = [new - old for new, old in zip(now, self._before, strict=True)]
        self._before = now
        return _percentile(since, share)

    def cumulative(self, bounds: Sequence[float]) -> list[int]:
        """How many answers took no longer than each of *bounds*, in seconds."""
        return [sum(self._buckets[: round(bound * 1000)]) for bound in bounds]


def _percentile(buckets: Sequence[int], share: float) -> float:
    wanted = sum(buckets) * share
    seen = 0
    for milliseconds, count in enumerate(buckets):
        seen += count
        if count and seen >= wanted:
            return (milliseconds + 1) / 1000
    return 0.0
