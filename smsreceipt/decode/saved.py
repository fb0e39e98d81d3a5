"""Decode what applications kept of a receipt: an envelope around it, or the object that a program made of it.

Queues and pushes are never read so: there, only what the provider sends is a receipt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields as fields_of
from dataclasses import is_dataclass, replace
from html import unescape

import msgspec

from smsreceipt.decode import decode, receipt_in, without_nul
from smsreceipt.decode.dialect import Dialect, Reader
from smsreceipt.decode.frames import OBJECT, elements, no_receipt, unwrap
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import QUOTE, Fields, members, parse
from smsreceipt.decode.table import DIALECTS
from smsreceipt.matching import SEND_DETAIL
from smsreceipt.model import Decoded, Delivery, Kind, Reason, Receipt, Reject

_LEVELS = 10  # of envelopes in each other
#: Where an answer of QuerySendDetails has its rows, by folded names.
_ROWS = ("smssenddetaildtos", "smssenddetaildto")
#: Where envelopes have what they carry: messages of the queue as its clients show them, HTTP events and answers.
_CARRIERS = (
    *("messagebody", "messages", "message", "messagebodytext"),
    *("body", "rawbody", "requestbody", "payload", "data", "request", "event"),
)
_MESSAGE_BODY = re.compile(rb"<MessageBody\b[^>]*>\s*(?:<!\[CDATA\[)?([^<>]*?)(?:\]\]>)?\s*</MessageBody>")
#: Parts of a row of the table that hold no names of fields.
_NO_NAMES = frozenset({"name", "kind", "test", "meanings", "delivering", "doubtful", "of", "otherwise"})

_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_raw_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode

_Refusals = list[tuple[bytes, Reason]]


def decode_saved(delivery: Delivery) -> Decoded:
    """As decode; a frame that holds no receipt as it is, is opened as an envelope, and its names are folded.

    The body of a receipt is its own object as it was saved, without the envelope. Where an envelope holds no receipt,
    the whole frame stays the reject. Never raises.
    """
    decoded = _of_record(delivery) if delivery.biz_id else decode(delivery)
    if not decoded.rejects:
        return decoded
    receipts, rejects = [*decoded.receipts], []
    for kind, reject in decoded.rejects:
        opened, refused = ([], []) if reject.reason is Reason.MD5 else _opened(reject.body, kind, _LEVELS)
        receipts += opened
        rejects += [(kind, Reject(*each, reject.frame)) for each in refused] if opened else [(kind, reject)]
    return replace(decoded, receipts=tuple(receipts), rejects=tuple(rejects))


def is_native(body: bytes, kind: Kind | None, biz_id: str) -> bool:
    """Whether the body of a record is the receipt itself, not the row of a query that stands for it."""
    try:
        return receipt_in(body, kind).biz_id == biz_id
    except Refused:
        return any(receipt.biz_id == biz_id for receipt in _folded(body, kind))


def _of_record(delivery: Delivery) -> Decoded:
    """Decode the bodies of records that name a BizId: each is a receipt itself, or a row about the send of that id."""
    receipts: list[Receipt] = []
    rejects: list[tuple[Kind | None, Reject]] = []
    for index, frame in enumerate(delivery.frames):
        biz_id = "" if is_native(frame, delivery.kind, delivery.biz_id) else delivery.biz_id
        one = decode(replace(delivery, frames=(frame,), biz_id=biz_id))
        receipts += one.receipts
        rejects += [(kind, Reject(reject.body, reject.reason, index)) for kind, reject in one.rejects]
    return Decoded(delivery, tuple(receipts), tuple(rejects))


def _opened(text: bytes, kind: Kind | None, levels: int) -> tuple[list[Receipt], _Refusals]:
    """The receipts in an envelope, and what in it is none."""
    receipts: list[Receipt] = []
    refused: _Refusals = []
    for body in _bodies(unwrap(text), levels):
        try:
            found = [receipt_in(body, kind)]
        except Refused as exc:
            found, inner = _inside(body, kind, levels - 1)
            refused += inner if found else [(body, exc.reason)]
        receipts += found
    return receipts, refused


def _bodies(text: bytes, levels: int) -> Iterator[bytes]:
    """The objects in a text: JSON, JSON inside of a JSON string, or the XML of the queue."""
    if text[:1] == b"<":
        for found in _MESSAGE_BODY.finditer(text):
            inner = unescape(found[1].decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            yield from _bodies(unwrap(inner), levels - 1)
    elif text[:1] == QUOTE and levels:
        try:
            value = parse(text)
        except Refused:
            return
        if isinstance(value, str):
            yield from _bodies(unwrap(value.encode("utf-8")), levels - 1)
    else:
        found_elements = elements(text)
        if not isinstance(found_elements, Reason):
            yield from found_elements


def _inside(body: bytes, kind: Kind | None, levels: int) -> tuple[list[Receipt], _Refusals]:
    """The receipts that an object stands for, or carries."""
    if body[:1] == QUOTE:
        return _opened(body, kind, levels) if levels > 0 else ([], [])
    if body[:1] != OBJECT:
        return [], []
    if receipts := _folded(body, kind):
        return receipts, []
    for carried, read_as in _carried(body, kind) if levels > 0 else ():
        receipts, refused = _opened(carried, read_as, levels)
        if receipts:
            return receipts, refused
    return [], []


def _carried(body: bytes, kind: Kind | None) -> Iterator[tuple[bytes, Kind | None]]:
    """What an object has in the places where envelopes carry something, and the message type to read it as."""
    try:
        names = {_fold(name): name for name in members(body)}
        raw = _raw_members(body)
    except (Refused, ValueError, RecursionError):
        return
    for place in (*_ROWS, *_CARRIERS):
        if place in names:
            yield bytes(raw[names[place]]), SEND_DETAIL if place in _ROWS else kind


def _folded(body: bytes, kind: Kind | None) -> list[Receipt]:
    """The receipt in an object whose names differ from the provider's by case and "_" alone; else none."""
    try:
        if no_receipt(body):
            return []
        fields = without_nul(members(body))
    except Refused:
        return []
    for row, vocabulary, fits, reader in _TABLE:
        if kind not in (None, row) and row != SEND_DETAIL:
            continue
        renamed = _renamed(fields, vocabulary)
        if not fits(renamed):
            continue
        try:
            return [reader(renamed, body)]
        except Refused:
            continue
    return []


def _renamed(fields: Fields, vocabulary: Mapping[str, str]) -> Fields:
    """The fields under the provider's names. A field that is there twice so keeps its own names."""
    renamed: dict[str, object] = {}
    for name, value in fields.items():
        known = vocabulary.get(_fold(name), name)
        renamed[name if known in fields or known in renamed else known] = value
    return renamed


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def _names(part: object) -> Iterator[str]:
    """All names of fields in a part of a row."""
    if isinstance(part, str):
        yield from filter(None, part.split("|"))
    elif isinstance(part, tuple | frozenset):
        for each in part:
            yield from _names(each)
    elif isinstance(part, Mapping):
        yield from _names(tuple(part.values()))
    elif is_dataclass(part):
        for field in fields_of(part):
            if field.name not in _NO_NAMES:
                yield from _names(getattr(part, field.name))


def _vocabulary(row: Dialect) -> Mapping[str, str]:
    """The names of a row by their folded spelling; the first of several counts."""
    return {_fold(name): name for name in reversed([*_names(row)])}


_TABLE: tuple[tuple[Kind, Mapping[str, str], Callable[[Fields], bool], Reader], ...] = tuple(
    (row.kind, _vocabulary(row), row.matcher(), row.reader()) for row in DIALECTS
)
