"""Sends: the rows of the ledger, and the provider's answers about them."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from smsreceipt.model.phones import is_mainland
from smsreceipt.model.times import Instant, start_of_day


def may_be_message_id(biz_id: str) -> bool:
    """Whether an id may be a MessageId, which is digits alone. A BizId mostly ends with ^ and a number."""
    return biz_id.isascii() and biz_id.isdigit()


class Send(msgspec.Struct, frozen=True):
    """One message that was sent to one number: a row of the ledger. The text of the message is never kept."""

    phone: str  #: normalised
    biz_id: str
    day: int  #: Beijing day since 1970-01-01
    sent_at: Instant | None  #: None: only the day is known
    out_id: str
    template_code: str
    sign_name: str
    parts: int | None  #: billed parts; None: not known

    @property
    def sent_from(self) -> Instant:
        """sent_at, or the first instant of the Beijing day where only the day is known."""
        return start_of_day(self.day) if self.sent_at is None else self.sent_at

    @property
    def by_message_id(self) -> bool:
        """Whether it is an international message with a MessageId."""
        return may_be_message_id(self.biz_id) and not is_mainland(self.phone)


class Answer(StrEnum):
    """The provider's last answer about a send."""

    ANSWERED = "answered"  #: a receipt, which was stored as a statement
    WAITING = "waiting"  #: the provider itself waits for the carrier
    NO_RECORD = "no_record"  #: the provider has no record of such a send
    PRUNED = "pruned"  #: its final receipt was stored, and then deleted as too old to be kept


class Asked(msgspec.Struct, frozen=True):
    """A record that the provider was asked about one send; committed in one transaction with the answer."""

    biz_id: str
    phone: str
    at: Instant
    answer: Answer


def billed_parts(characters: int) -> int:
    """The billed parts of a text with so many characters, its signature and the signature's brackets included."""
    return 1 if characters <= 70 else -(-characters // 67)
