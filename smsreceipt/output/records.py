"""What users read: receipts and rejects as JSON lines and CSV rows, masked where asked, harmless where shown.

Phone numbers and texts are masked by the names of their fields and wherever something looks like a mainland number.
Text from outside can hold control codes, bidirectional overrides and formulas; none of that leaves here as it came.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from smsreceipt.model import (
    DAY_MS,
    Instant,
    Kind,
    Outcome,
    Send,
    Source,
    StoredReceipt,
    StoredReject,
    iso_beijing,
    iso_utc,
)
from smsreceipt.store import StoredSend

#: Characters that act on a terminal, hide, or reorder what is read: C0, DEL, C1, separators, bidirectional controls,
#: zero-width and filler characters, lone surrogates, tags.
_ACTIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
#: The bytes with which their UTF-8 begins; most Chinese text holds none of them.
_SUSPECT = bytes([*range(0x20), 0x7F, 0xC2, 0xCD, 0xD8, 0xE1, 0xE2, 0xE3, 0xED, 0xEF, 0xF3])
_SUSPICIOUS = re.compile(b"[" + re.escape(_SUSPECT.replace(b"\n", b"")) + b"]")  # in several lines
_BLANKS = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', re.DOTALL)
_MAINLAND = re.compile(r"(?<!\d)((?:\+|00)?(?:86)?[- ]?)(1[3-9]\d)(\d{4})(\d{4})(?!\d)")
#: What a spreadsheet takes for a formula; the full-width forms are normalised by some of them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

#: Names of fields, in lower case without _ and -, whose value is somebody's number.
_NUMBERS = re.compile(
    "to|mobile|tel|telephone|(?:phone|peer|secret|send|receive|display|called|calling|calleddisplay|calledshow|sms|dest)"
    "(?:no|num|number|numbers)|(?:phone)?no[abx]|phone[abx]?|phones|caller|callee|called|calling"
)
#: … and whose value is what somebody wrote, said, or can be listened to.
_TEXTS = re.compile(
    "(?:sms|template)?content|templateparam|text|message|sentences?|(?:ring)?recordurl|recordfile|downloadurl|dtmf"
)


def safe(text: str) -> str:
    """The text with every active character as a visible escape: fit for a terminal, a log line, a table's cell."""
    return text if text.isprintable() else _ACTIVE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def mask_phone(number: str) -> str:
    """138****8000: enough to recognise a number one knows, too little to call one that one does not."""
    masked, found = _MAINLAND.subn(r"\1\2****\4", number)
    if found:
        return masked
    if len(number) >= 11:
        return f"{number[:3]}****{number[-4:]}"
    return f"{number[:2]}****{number[-2:]}" if len(number) >= 7 else "****" if number else ""


def mask_text(text: str) -> str:
    """How long a text is, instead of the text."""
    return f"<{len(text)} characters>"


def mask_numbers(text: str, phone: str = "") -> str:
    """The text with whatever looks like a mainland number masked in it, and *phone* too, whatever it looks like."""
    masked = _MAINLAND.sub(r"\1\2****\4", text)
    return masked.replace(phone, mask_phone(phone)) if len(phone) >= 5 else masked


def mask_value(value: Any, name: str = "", phone: str = "") -> Any:
    """A JSON value with every number and text of a person masked, by the field's *name* and by what it looks like."""
    plain = name.lower().replace("_", "").replace("-", "")
    if value is not None and _TEXTS.fullmatch(plain):
        return mask_text(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    if isinstance(value, dict):
        return {mask_numbers(key, phone): mask_value(item, key, phone) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_value(item, name, phone) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    masked = _mask_each(text) if _NUMBERS.fullmatch(plain) else mask_numbers(text, phone)
    return value if masked == text else masked


def _mask_each(numbers: str) -> str:
    """Several numbers may stand in one field, separated by commas."""
    return ",".join(mask_phone(number) for number in numbers.split(","))


class ReceiptRecord(msgspec.Struct):
    """The receipt object of the data contract: these keys, in this order, always there."""

    seq: int | None
    kind: Kind
    identity: tuple[str, ...]
    outcome: Outcome | None
    phone: str | None
    biz_id: str | None
    out_id: str | None
    call_id: str | None
    code: str | None
    sent_at: str | None
    reported_at: str | None
    received_at: str
    source: Source
    origin: str
    times_seen: int
    test: bool
    parts: int | None
    talk_seconds: int | None
    body: msgspec.Raw


class RejectRecord(msgspec.Struct):
    """The reject object of the data contract."""

    id: str
    kind: Kind | None
    source: Source
    origin: str
    reason: str
    received_at: str
    size: int
    times_seen: int


class SendRecord(msgspec.Struct):
    """The send object of the data contract: these keys, in this order, always there."""

    phone: str
    biz_id: str
    sent_at: str  #: a bare date where only the day is known
    out_id: str | None
    template_code: str | None
    sign_name: str | None
    parts: int | None
    state: str


SEND_KEYS = SendRecord.__struct_fields__
RECEIPT_KEYS = ReceiptRecord.__struct_fields__
REJECT_KEYS = RejectRecord.__struct_fields__

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_second = lru_cache(maxsize=8192)(lambda second: iso_beijing(Instant(second * 1000)))
_instant = lru_cache(maxsize=1024)(iso_utc)


def _record(stored: StoredReceipt, body: bytes) -> ReceiptRecord:
    receipt = stored.receipt
    sent, reported = receipt.sent_at, receipt.reported_at
    return ReceiptRecord(
        stored.seq,
        receipt.kind,
        receipt.identity,
        receipt.outcome,
        receipt.phone or None,
        receipt.biz_id or None,
        receipt.out_id or None,
        receipt.call_id or None,
        receipt.code or None,
        None if sent is None else _second(sent // 1000),
        None if reported is None else _second(reported // 1000),
        _instant(stored.received_at),
        stored.source,
        stored.origin,
        stored.times_seen,
        receipt.test,
        receipt.parts,
        receipt.talk_seconds,
        msgspec.Raw(body),
    )


def masked_receipt(stored: StoredReceipt) -> StoredReceipt:
    """The receipt with every number and text of a person masked: in its columns, its identity, and its body."""
    receipt, phone = stored.receipt, stored.receipt.phone
    masked = msgspec.structs.replace(
        receipt,
        identity=tuple(mask_numbers(part, phone) for part in receipt.identity),
        phone=mask_phone(phone),
        biz_id=mask_numbers(receipt.biz_id, phone),
        out_id=mask_numbers(receipt.out_id, phone),
        call_id=mask_numbers(receipt.call_id, phone),
        code=mask_numbers(receipt.code, phone),
        body=msgspec.json.encode(mask_value(msgspec.json.decode(receipt.body), "", phone)),
    )
    return msgspec.structs.replace(stored, receipt=masked, origin=mask_numbers(stored.origin, phone))


def receipt_line(stored: StoredReceipt, mask: bool) -> bytes:
    """One line of NDJSON, newline included: the receipt object, its body embedded as it was received."""
    shown = masked_receipt(stored) if mask else stored
    line = _encode(_record(shown, shown.receipt.body))
    # Nearly every line is harmless, and this is the cheapest way to know of most of them.
    if len(line.translate(None, _SUSPECT)) == len(line) or line.decode("utf-8", "replace").isprintable():
        return line + b"\n"
    return _harmless(_encode(_record(shown, compact(shown.receipt.body))))


def receipt_lines(receipts: Sequence[StoredReceipt], mask: bool) -> bytes:
    """A line of NDJSON for each. Many at once cost less, since nearly always all of them are harmless."""
    if not mask:
        lines = _encode_lines([_record(stored, stored.receipt.body) for stored in receipts])
        if not _SUSPICIOUS.search(lines) and lines.count(b"\n") == len(receipts):
            return lines
    return b"".join([receipt_line(stored, mask) for stored in receipts])


def reject_line(reject: StoredReject) -> bytes:
    """One line of NDJSON, newline included: the reject object."""
    return json_line(reject_record(reject))


def reject_record(reject: StoredReject) -> RejectRecord:
    """The reject object; it holds nothing of the content."""
    return RejectRecord(
        reject.id,
        reject.kind,
        reject.source,
        reject.origin,
        reject.reason,
        iso_utc(reject.received_at),
        reject.size,
        reject.times_seen,
    )


def masked_send(send: Send) -> Send:
    """The send with its number masked, wherever it stands."""
    return msgspec.structs.replace(
        send,
        phone=mask_phone(send.phone),
        biz_id=mask_numbers(send.biz_id, send.phone),
        out_id=mask_numbers(send.out_id, send.phone),
    )


def send_record(stored: StoredSend, mask: bool) -> SendRecord:
    """The send object."""
    send = masked_send(stored.send) if mask else stored.send
    sent = iso_beijing(Instant(send.day * DAY_MS))[:10] if send.sent_at is None else _second(send.sent_at // 1000)
    return SendRecord(
        send.phone,
        send.biz_id,
        sent,
        send.out_id or None,
        send.template_code or None,
        send.sign_name or None,
        send.parts,
        stored.state,
    )


def json_line(value: object) -> bytes:
    """Anything that JSON can say as one line, newline included, without active characters."""
    return _harmless(_encode(value))


def compact(body: bytes) -> bytes:
    """The JSON text without blanks between its tokens; every number and string spelled as before."""
    return _BLANKS.sub(lambda match: match[1] or b"", body)


def _harmless(line: bytes) -> bytes:
    """In valid JSON on one line, active characters can only stand in strings: there an escape means the same."""
    return _ACTIVE.sub(_json_escape, line.decode("utf-8", "surrogatepass")).encode() + b"\n"


def receipt_row(stored: StoredReceipt, mask: bool) -> list[object]:
    """The values of one CSV row, in the order of the JSON object's keys; identity and body as JSON text."""
    shown = masked_receipt(stored) if mask else stored
    record = _record(shown, compact(shown.receipt.body))
    return [getattr(record, key) for key in RECEIPT_KEYS]


def csv_lines(rows: Iterable[Iterable[object]], *, guard: bool = True) -> bytes:
    """CSV in UTF-8 with plain line ends. With *guard*, no field can start a formula in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_field(value, guard) for value in row] for row in rows)
    return text.getvalue().encode()


def _field(value: object, guard: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else _as_json(value)
    escaped = safe(text)
    return f"'{escaped}" if guard and text.startswith(_FORMULA) else escaped


def _as_json(value: object) -> str:
    return json_line(value)[:-1].decode()


_PREVIEWED = 2000  #: characters; whoever needs more wants the bytes themselves
_PIECES = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.){0,64}"\s*:)|(?P<string>"(?:[^"\\]|\\.)*(?:"|\Z))|(?P<mark>[][{},:]+)'
    r"|(?P<word>true|false|null)|(?P<number>-?\d+(?:\.\d+)?)|(?P<blank>\s+)|(?P<other>[^][{},:\"\s]+)",
    re.DOTALL,
)


def preview(body: bytes) -> str:
    """How the bytes begin, as text without active characters; bytes that are no UTF-8 as escapes."""
    cut = body[: _PREVIEWED * 4].decode("utf-8", "backslashreplace")[:_PREVIEWED]
    return safe(cut) + ("…" if len(body) > len(cut.encode("utf-8", "replace")) else "")


def outline(body: bytes) -> str:
    """The structure of bytes that could not be decoded, without their content.

    Names of fields, marks, short numbers and true, false, null stay; of every text only its length is told.
    """
    text = body[: _PREVIEWED * 4].decode("utf-8", "backslashreplace")
    shown = "".join(_outlined(match) for match in _PIECES.finditer(text))
    return safe(shown[:_PREVIEWED]) + ("…" if len(shown) > _PREVIEWED or len(body) > _PREVIEWED * 4 else "")


def _outlined(match: re.Match[str]) -> str:
    piece = match[0]
    match match.lastgroup:
        case "name":
            return mask_numbers(piece) if piece.isascii() else f'"<{len(piece) - 3} characters>":'
        case "string":
            end = '"' if len(piece) > 1 and piece.endswith('"') else ""
            return f'"<{len(piece) - 1 - len(end)} characters>{end}' if len(piece) > 2 else piece
        case "number":
            return piece if len(piece) < 5 else f"<{len(piece)} digits>"
        case "blank":
            return " "
        case "other":
            return f"<{len(piece)} characters>"
        case _:
            return piece
