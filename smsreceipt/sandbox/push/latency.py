"""How long exchanges took: flat memory, a tenth of a millisecond fine."""

from __future__ import annotations

_BINS = 10_000  # up to a second


class Times:
    """Counts durations."""

    def __init__(self) -> None:
        self._bins = [0] * (_BINS + 1)
        self._count = 0
        self._max = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._bins[min(int(seconds * 10_000), _BINS)] += 1
        self._count += 1
        self._max = max(self._max, seconds)

    def shown(self) -> dict[str, float]:
        """p50, p99 and the longest, in milliseconds."""
        return {"p50": self._quantile(0.5), "p99": self._quantile(0.99), "max": round(self._max * 1000, 1)}

    def _quantile(self, share: float) -> float:
        rank, passed = share * self._count, 0
        for tenths, count in enumerate(self._bins):
            passed += count
            if passed >= rank and passed:
                return tenths / 10
        return 0.0
