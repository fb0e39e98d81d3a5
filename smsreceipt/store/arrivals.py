"""Statements by the time of their arrival: a range of them is found by halving, because seqs grow with that time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from smsreceipt.model import Instant, Kind, Source

#: Processes commit at the same time, and clocks are set: a statement may stand so far from where its time says.
SLACK = 600_000  # milliseconds
MINUTE = 60_000  #: milliseconds


class Arrived(msgspec.Struct, frozen=True, array_like=True):
    """Some states of the same kind, outcome and latency that arrived in a period; test pushes are left out."""

    kind: Kind
    sent_at: Instant | None  #: the minute of it
    outcome: str  #: "" for what has none
    code: str
    seconds: int | None  #: from sent_at to reported_at of the delivered; counts.NEGATIVE where they contradict
    count: int

    @classmethod
    def of(cls, kind: str, minute: int, outcome: str, code: str, seconds: int, count: int) -> Arrived:
        """Of a row of an engine, in which -1 stands for what is not known."""
        sent_at = None if minute < 0 else Instant(minute * MINUTE)
        return cls(Kind(kind), sent_at, outcome, code, None if seconds == -1 else seconds, count)


class Came(msgspec.Struct, frozen=True, array_like=True):
    """Statements of one kind that came by one way first, in the same minute."""

    kind: Kind
    source: Source
    minute: int  #: since 1970
    count: int


def first_since(at: int, top: int, received: Callable[[int], int | None]) -> int:
    """About the first seq, up to *top*, whose statement arrived at *at* or later; top + 1 where there is none.

    *received* tells when the statement with that seq, or the next one, arrived; None where there is none.
    """
    low, high = 1, top + 1
    while low < high:
        middle = (low + high) // 2
        found = received(middle)
        if found is None or found >= at:
            high = middle
        else:
            low = middle + 1
    return low
