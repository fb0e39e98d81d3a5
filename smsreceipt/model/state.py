"""Which statement about an identity is its state, and when statements contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

from smsreceipt.model.receipts import SETTLED, Outcome
from smsreceipt.model.times import Instant


@dataclass(frozen=True, slots=True)
class Claim:
    """What one statement puts forward when the state of an identity is decided."""

    outcome: Outcome | None
    code: str
    signed: bool  #: at least one signed source said it
    reported_at: Instant | None
    detail: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing that follows should change it."""
        return self.outcome in SETTLED

    def rank(self) -> tuple[bool, bool, int, tuple[int, ...], tuple[int, ...]]:
        """The winner of a set of claims is its maximum by this: a total order, so arrival order cannot matter.

        Settled beats open; among settled, signed beats only-unsigned; then the newest report; then the smallest
        (outcome, code, detail).
        """
        settled = self.settled
        reported = -1 if self.reported_at is None else self.reported_at
        return (
            settled,
            settled and self.signed,
            reported,
            _descending(self.outcome or ""),
            _descending(f"{self.code}\0{self.detail}"),
        )


def _descending(text: str) -> tuple[int, ...]:
    """A key under which the smallest text is the greatest, a prefix included."""
    return (*(-ord(char) for char in text), 1)


def contradictory(outcomes: set[Outcome | None]) -> bool:
    """Whether settled outcomes about one identity differ: a conflict the user should see."""
    return len(outcomes & SETTLED) > 1
