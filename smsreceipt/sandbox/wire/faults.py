"""Whether something goes wrong this time."""

from __future__ import annotations

import random
from collections.abc import Mapping


class Faults:
    """Dice for the faults that were asked for; the same seed and requests throw the same."""

    def __init__(self, shares: Mapping[str, float], seed: int | None) -> None:
        self._shares = {name: share for name, share in shares.items() if share > 0}
        self._dice = random.Random(seed)  # noqa: S311 - faults are to be repeated, not to be secret

    def hit(self, name: str) -> bool:
        """Throw for the fault *name*; a fault that was not asked for costs nothing and never hits."""
        share = self._shares.get(name)
        return share is not None and self._dice.random() < share

    def hold(self) -> float:
        """Seconds the provider sits on a throttled answer: 10 to 500 ms, mostly short."""
        return min(0.5, 0.01 + self._dice.expovariate(25))

    def below(self, most: int) -> int:
        """A number from 0 on, under *most*."""
        return self._dice.randrange(most)

    def gateway(self) -> bool:
        """Whether a server error comes from a gateway in front, which speaks no XML."""
        return self._dice.random() < 1 / 3
