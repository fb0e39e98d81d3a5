"""Shares of all phone numbers, so that several machines divide the work: each number is in exactly one of N shares."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple


def place_of(text: str) -> int:
    """The first 64 bits of the SHA-256 of a text, as a signed number: where stores file what is about a number."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big", signed=True)


class Share(NamedTuple):
    """The share *number* of *total*, counted from 1: a range of places."""

    number: int
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether every number is in it."""
        return self.total == 1

    @property
    def first_place(self) -> int:
        """The lowest place."""
        return ((self.number - 1 << 64) // self.total) - (1 << 63)

    @property
    def last_place(self) -> int:
        """The highest place."""
        return ((self.number << 64) // self.total) - (1 << 63) - 1

    def has(self, phone: str) -> bool:
        """Whether a number, in its normal form, is in it."""
        return self.is_whole or self.first_place <= place_of(phone) <= self.last_place


WHOLE = Share(1, 1)  #: every number
