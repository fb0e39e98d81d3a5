"""Receipts that are handed on together, and what a receiver makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from smsreceipt.model import StoredReceipt


@dataclass(frozen=True, slots=True)
class Batch:
    """Statements in ascending seq, at least one."""

    cursor: str  #: the id of the cursor, which no other cursor and no other store has
    receipts: Sequence[StoredReceipt]

    @property
    def last(self) -> int:
        """The seq of the last one."""
        return _seq(self.receipts[-1])

    @property
    def key(self) -> str:
        """The same for the same statements of the same store."""
        return f"{self.cursor}-{_seq(self.receipts[0])}-{self.last}"

    def halves(self) -> tuple[Batch, Batch]:
        """The first and the second half; there are two statements at least."""
        middle = len(self.receipts) // 2
        return Batch(self.cursor, self.receipts[:middle]), Batch(self.cursor, self.receipts[middle:])


def _seq(stored: StoredReceipt) -> int:
    assert stored.seq is not None  # noqa: S101 - it was read from the store
    return stored.seq


class Refused(Exception):
    """The receiver refuses the batch for what is in it: the same again would be refused again."""

    def __init__(self, reason: str, answer: str = "") -> None:
        """*reason*: see reasons. *answer*: what the receiver said, which may quote people's data."""
        super().__init__(reason)
        self.answer = answer


class NotTaken(Exception):
    """The receiver did not confirm the batch, and may another time. It may have it all the same."""

    def __init__(self, reason: str, *, pause: float = 0.0) -> None:
        """*pause*: seconds that it wants to be left alone."""
        super().__init__(reason)
        self.pause = pause


class Receiver(Protocol):
    """What statements are handed on to."""

    @property
    def name(self) -> str:
        """What messages call it; without secrets. In English, if it is words."""

    @property
    def one_kind(self) -> bool:
        """Whether all statements of a batch must be of one message type."""

    def hand_on(self, batch: Batch) -> None:
        """Return once the receiver has confirmed the whole batch. Raises Refused and NotTaken."""

    def close(self) -> None:
        """Release connections; idempotent."""
