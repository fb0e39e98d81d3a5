"""A latency histogram with bins of a tenth of a millisecond and constant memory."""

from __future__ import annotations

_BINS = 10_000  # up to one second


class Latencies:
    """Counts durations."""

    def __init__(self) -> None:
        self._bins = [0] * (_BINS + 1)
        self._count = 0
        self._max = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._bins[min(int(seconds * 10_000), _BINS)] += 1
        self._count += 1
        self._max = max(self._max, seconds)

    def summary(self) -> dict[str, float]:
        """The 50th and 99th percentile and the maximum, in milliseconds; the percentiles end at one second."""
        return {"p50": self._quantile(0.5), "p99": self._quantile(0.99), "max": round(self._max * 1000, 1)}

    def _quantile(self, share: float) -> float:
        rank, seen = share * self._count, 0
        for tenths, count in enumerate(self._bins):
            seen += count
            if seen >= rank and seen:
                return tenths / 10
        return 0.0
