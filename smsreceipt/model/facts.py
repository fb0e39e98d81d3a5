"""What figures are made of, beside receipts: places of number ranges, and what bodies of calls and replies tell."""

from __future__ import annotations

from typing import Protocol

import msgspec

UNKNOWN = "unknown"  #: a carrier, a province or a side that is not known


class Place(Protocol):
    """Whom a number range was given to, and where."""

    @property
    def version(self) -> str:
        """A text that changes whenever an answer may have changed. The greater one is that of the better table."""

    def __call__(self, phone: str) -> tuple[str, str]:
        """Carrier and province of a number of the mainland, of which the first 7 digits are enough, as short keys.

        Each is UNKNOWN where it is not known; so are both for "", which stands for every other number.
        """


class Nowhere:
    """A Place that knows no number."""

    version = ""

    def __call__(self, phone: str) -> tuple[str, str]:  # noqa: ARG002
        """Twice UNKNOWN."""
        return UNKNOWN, UNKNOWN


class CallFacts(msgspec.Struct, frozen=True):
    """What the report of the end of a call tells beside its receipt."""

    pool: str
    call_type: str  #: 0 and 1 are calls, 4 is a blocked call; 2, 3 and 5 are an SMS
    side: str  #: who ended it: platform, caller, callee or UNKNOWN
    talk_seconds: int | None  #: None: not connected
    ring_seconds: int | None  #: None: it did not ring, or its times are not known
    recorded: bool  #: it names a recording


class ReplyFacts(msgspec.Struct, frozen=True):
    """What a reply tells beside its receipt."""

    word: str  #: its text in the form in which words are compared; "" where it is longer than a word
    sign: str
