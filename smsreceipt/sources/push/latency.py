"""How long answers took, to the millisecond: for the summary, the metrics and the warning."""

from __future__ import annotations

from collections.abc import Sequence

LIMIT = 0.7  #: seconds after which the provider takes a push for lost
_TOP = 2_000  # milliseconds; what took longer counts as this


class AnswerTimes:
    """A histogram with a bucket a millisecond. Costs a list item per answer, whatever is asked of it later."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0  #: seconds
        self.longest = 0.0  #: seconds
        self._buckets = [0] * (_TOP + 1)
        self._before = [0] * (_TOP + 1)  # as it was when the last minute began

    def note(self, seconds: float) -> None:
        """One answer took so long."""
        self.count += 1
        self.total += seconds
        if seconds > self.longest:
            self.longest = seconds
        self._buckets[min(int(seconds * 1000), _TOP)] += 1

    def percentile(self, share: float) -> float:
        """Seconds within which this share of all answers was given, to the millisecond above; 0 without answers."""
        return _percentile(self._buckets, share)

    def lap(self, share: float) -> float:
        """The percentile of what was noted since the last lap."""
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
