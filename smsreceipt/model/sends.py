"""What was sent: rows of the ledger, and what the provider answered about them."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from smsreceipt.model.times import Instant


class Send(msgspec.Struct, frozen=True):
    """One message that was sent to one number: a row of the ledger. The text itself is never kept."""

    phone: str  #: normalised
    biz_id: str
    day: int  #: Beijing day since 1970-01-01
    sent_at: Instant | None  #: None: only the day is known
    out_id: str
    template_code: str
    sign_name: str
    parts: int | None  #: billed parts; None: not known


class Answer(StrEnum):
    """What the provider said when it was last asked about a send."""

    ANSWERED = "answered"  #: its receipt, which is a statement now
    WAITING = "waiting"  #: it still waits for the carrier itself
    NO_RECORD = "no_record"  #: it knows of no such send


class Asked(msgspec.Struct, frozen=True):
    """A note that the provider was asked about one send; committed together with what it answered."""

    biz_id: str
    phone: str
    at: Instant
    answer: Answer


def billed_parts(characters: int) -> int:
    """How many messages a text of so many characters is billed as, its signature with brackets included."""
    return 1 if characters <= 70 else -(-characters // 67)
