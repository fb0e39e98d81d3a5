"""Receipts and sends as programs see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from smsreceipt import model
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.ledger import BadRow, entries
from smsreceipt.model import BEIJING, Instant, StoredReceipt, date_of, is_utf8


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One statement of the provider, as the store holds it. What it does not say is None.

    Times are aware; sent_at and reported_at are Beijing time, received_at is UTC.
    """

    seq: int  #: grows with every new statement, and is never used again
    kind: str  #: the message type, such as SmsReport
    identity: tuple[str, ...]  #: what it is about, within its kind
    outcome: str | None  #: delivered, failed, expired, pending, unknown, connected and others
    phone: str | None
    biz_id: str | None
    out_id: str | None
    call_id: str | None
    code: str | None
    sent_at: datetime | None
    reported_at: datetime | None
    received_at: datetime
    source: str  #: mns, push, replay or query
    origin: str  #: the queue, path, file or action
    times_seen: int
    test: bool  #: the console's test push
    unread: tuple[str, ...]  #: fields that could not be read
    parts: int | None  #: billed parts of an SMS
    talk_seconds: int | None  #: of a connected call
    template_code: str | None
    sign_name: str | None
    body: bytes = field(repr=False)  #: what the provider sent, a JSON object

    @property
    def fields(self) -> dict[str, Any]:
        """The body as a dictionary, read at each call."""
        found: dict[str, Any] = msgspec.json.decode(self.body)
        return found

    @classmethod
    def _of(cls, stored: StoredReceipt) -> Receipt:
        receipt = stored.receipt
        assert stored.seq is not None  # noqa: S101 - it was read from the store
        return cls(
            seq=stored.seq,
            kind=str(receipt.kind),
            identity=tuple(receipt.identity),
            outcome=None if receipt.outcome is None else str(receipt.outcome),
            phone=receipt.phone or None,
            biz_id=receipt.biz_id or None,
            out_id=receipt.out_id or None,
            call_id=receipt.call_id or None,
            code=receipt.code or None,
            sent_at=_beijing(receipt.sent_at),
            reported_at=_beijing(receipt.reported_at),
            received_at=datetime.fromtimestamp(stored.received_at / 1000, UTC),
            source=str(stored.source),
            origin=stored.origin,
            times_seen=stored.times_seen,
            test=receipt.test,
            unread=tuple(receipt.unread),
            parts=receipt.parts,
            talk_seconds=receipt.talk_seconds,
            template_code=stored.template_code or None,
            sign_name=stored.sign_name or None,
            body=receipt.body,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One message that was sent to one number. The text of the message is never kept."""

    phone: str
    biz_id: str
    sent_at: datetime | date  #: a time without a zone is Beijing time; a date where only the day is known
    out_id: str | None = None
    template_code: str | None = None
    sign_name: str | None = None
    parts: int | None = None  #: billed parts

    @classmethod
    def _of(cls, send: model.Send) -> Send:
        return cls(
            phone=send.phone,
            biz_id=send.biz_id,
            sent_at=_beijing(send.sent_at) or date_of(send.day),
            out_id=send.out_id or None,
            template_code=send.template_code or None,
            sign_name=send.sign_name or None,
            parts=send.parts,
        )

    def _line(self) -> bytes:
        """The line of a list of sends, which holds all of it."""
        return line_of(self)


@dataclass(frozen=True, slots=True)
class Found:
    """Everything about one message or call."""

    receipts: tuple[Receipt, ...]  #: in time order
    sends: tuple[Send, ...]

    def __bool__(self) -> bool:
        return bool(self.receipts or self.sends)


def receipt_of(stored: StoredReceipt) -> Receipt:
    """The value that programs see."""
    return Receipt._of(stored)


def send_of(send: model.Send) -> Send:
    """The value that programs see."""
    return Send._of(send)


def line_of(send: Send) -> bytes:
    """The line of a list of sends that says the same."""
    at = send.sent_at
    if not isinstance(at, date):
        raise _no_send(_("the time is neither a datetime nor a date"))
    if isinstance(at, datetime):
        at = (at.replace(tzinfo=BEIJING) if at.tzinfo is None else at.astimezone(BEIJING)).replace(microsecond=0)
    row: Mapping[str, object] = {
        "phone_number": _text(send.phone),
        "biz_id": _text(send.biz_id),
        "sent_at": at.isoformat(),
        "out_id": _text(send.out_id),
        "template_code": _text(send.template_code),
        "sign_name": _text(send.sign_name),
        **({} if send.parts is None else {"parts": send.parts}),
    }
    return msgspec.json.encode(row) + b"\n"


def _text(value: object) -> str:
    """A field of a send. Raises UsageError for what no file or database can hold as a text."""
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise _no_send(_("a field is no text"))
    text = str(value)
    if not is_utf8(text):
        raise _no_send(_("a field is not UTF-8"))
    return text


def _no_send(reason: str) -> UsageError:
    return UsageError(_("a send cannot be kept: {reason}", reason=reason))


def stored_sends(lines: bytes) -> list[model.Send]:
    """The sends of lines that line_of made. Raises UsageError for one that cannot be one."""
    from io import BytesIO

    found: list[model.Send] = []
    for each in entries(BytesIO(lines)):
        if isinstance(each, model.Send):
            found.append(each)
        else:
            why = each.reason if isinstance(each, BadRow) else _("it is no send")
            raise _no_send(why)
    return found


def instant(at: datetime | date | None) -> Instant | None:
    """Milliseconds since 1970; a date is its first moment, and what has no zone is Beijing time."""
    if at is None:
        return None
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day)
    aware = at.replace(tzinfo=BEIJING) if at.tzinfo is None else at
    return Instant(round(aware.timestamp() * 1000))


def _beijing(at: Instant | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, BEIJING)
