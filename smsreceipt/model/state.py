"""Which statement about an identity is its state, and which statements contradict each other. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from smsreceipt.model.receipts import SETTLED, Outcome
from smsreceipt.model.times import Instant

Key = TypeVar("Key")


class Claim(msgspec.Struct, frozen=True):
    """The fields of one statement that decide which statement is the state of their identity."""

    outcome: Outcome | None
    code: str
    signed: bool  #: at least one delivery of it came from an authenticated source
    reported_at: Instant | None
    detail: str = ""
    leg: str = ""  #: of a call that rings several numbers: which one it is about; "" where that is not known

    @property
    def settled(self) -> bool:
        """Whether the outcome is final: no later statement should change it."""
        return self.outcome in SETTLED

    def rank(self) -> tuple[bool, bool, int, tuple[int, ...], tuple[int, ...]]:
        """The sort key of the rule; the greatest claim wins. A total order, so that arrival order does not matter.

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


def contradictory(outcomes: Iterable[tuple[Outcome | None, str]]) -> frozenset[str]:
    """The legs about which settled outcomes of one identity differ: a conflict that the user should see.

    Outcomes of different legs do not contradict each other: a group of numbers was rung one after the other. An
    outcome of no known leg counts for each.
    """
    by_leg: dict[str, set[Outcome | None]] = {}
    for outcome, leg in outcomes:
        if outcome in SETTLED:
            by_leg.setdefault(leg, set()).add(outcome)
    whole = by_leg.get("", set())
    differ = frozenset(leg for leg, found in by_leg.items() if len(found | whole) > 1)
    return differ | {""} if differ and whole else differ


def decide(claims: Mapping[Key, Claim]) -> tuple[Key, frozenset[Key]]:
    """Of all statements about one identity, by any key: the one that is its state, and those that are in conflict."""
    current = max(claims, key=lambda key: claims[key].rank())
    legs = contradictory((claim.outcome, claim.leg) for claim in claims.values())
    return current, frozenset(key for key, claim in claims.items() if claim.settled and claim.leg in legs)
