"""Ends of axes whose quarters are round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_STEPS = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10)
_FEW = (4, 8, 12, 16, 20, 24, 32, 40)


def top(most: float) -> float:
    """The end of an axis from 0 that has room for *most*: 1, 1.2, 1.6, 2, 2.4 … times a power of ten."""
    if most <= 0:
        return 1
    power: float = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in _STEPS if step * power >= most * (1 - 1e-9))


def top_of_count(most: int) -> int:
    """The same for a number of things: its quarters are whole."""
    power: int = 10 ** (len(str(most)) - 1)
    ends = [*_FEW, *(round(step * power) for step in _STEPS)]
    return next(end for end in ends if end >= most)


def floor_of_rates(rates: Iterable[float]) -> float:
    """The begin of an axis of rates that ends at 1: 0.9, or the multiple of 0.05 below the lowest rate."""
    return min(0.9, math.floor(min(rates, default=1) * 20 + 1e-9) / 20)


def quarters(end: float) -> Sequence[float]:
    """0, three values between, and the end."""
    return [end * quarter / 4 for quarter in range(5)]
