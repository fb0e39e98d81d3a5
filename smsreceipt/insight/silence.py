"""From where on it is strange that nothing comes. Findings, alarms and outages measure it alike."""

from __future__ import annotations

import math

from smsreceipt.insight.question import Thresholds

UNLIKELY = 1e-6  #: how improbable it must be by chance that so few came


def is_silent(arrived: int, usual: float, limits: Thresholds) -> bool:
    """Whether *arrived* messages are strangely few where *usual* many come in as long a time, by Poisson's law."""
    if usual < limits.silent_messages:
        return False
    return arrived == 0 or _at_most(arrived, usual) < UNLIKELY


def _at_most(count: int, mean: float) -> float:
    """The probability of at most so many, where *mean* are expected."""
    if count >= mean:
        return 1.0
    return sum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(count + 1))
