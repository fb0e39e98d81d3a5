"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from smsreceipt.model import Kind, Receipt

#: Reads the body of a stored receipt again, whose BizId is given; None where today's tables refuse it.
ReadAgain = Callable[[Kind, bytes, str], Receipt | None]


class Finding(StrEnum):
    """What is wrong."""

    ENGINE = "engine"  #: the engine's own check fails: the files of the store are damaged
    BODY = "body"  #: a body is not what was received: its digest says so
    DUPLICATE = "duplicate"  #: a statement is there twice
    READS_DIFFERENTLY = "reads_differently"  #: this version reads a body differently than the one that stored it
    DIGEST = "digest"  #: a digest is not that of its body, which is sound
    DAY = "day"  #: the Beijing day is not that of the times
    KEY = "key"  #: a digest by which a row is found is not that of its fields
    STATE = "state"  #: the statement that is marked as the state is not the winner, or not one is
    CONFLICT = "conflict"  #: other statements contradict each other than those that are marked
    PHONE = "phone"  #: the index of phone numbers
    ATTRIBUTION = "attribution"  #: an answer of a query is attributed to another send than matching says
    SETTLED = "settled"  #: a send is marked to have a final receipt, and has none
    SENDS = "sends"  #: the number of sends
    COUNTER = "counter"  #: the counters of a kind
    TALLY = "tally"  #: messages, calls and replies counted in advance
    ORPHAN = "orphan"  #: a row belongs to nothing


#: What no command can derive again: a part of the log itself is damaged.
DAMAGE = frozenset({Finding.ENGINE, Finding.BODY, Finding.DUPLICATE})
#: What is no part of the log, and is made again by repair().
DERIVED = frozenset(Finding) - DAMAGE - {Finding.READS_DIFFERENTLY}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: what is stored, and what is expected."""

    finding: Finding
    seq: int | None = None
    kind: str = ""
    identity: tuple[str, ...] = ()
    stored: Any = None
    expected: Any = None
    unit: Any = None  #: what the engine derives again

    @property
    def fixable(self) -> bool:
        """Whether repair() can make it right."""
        return self.finding in DERIVED and self.unit is not None
