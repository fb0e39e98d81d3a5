"""Decode deliveries into receipts and rejects, by a table with one row for each dialect; no I/O, no exceptions.

The provider's names for things end here. An element that cannot be read becomes a reject with a reason, never an
exception or a log line, and its neighbours are decoded as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from msgspec import structs

from smsreceipt.decode.dialect import Reader
from smsreceipt.decode.frames import MAX_BYTES, OBJECT, elements, no_receipt, unwrap
from smsreceipt.decode.plain import PlainReader, plain_reader
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import Fields, any_members, canonical, flat_members
from smsreceipt.decode.table import DIALECTS
from smsreceipt.matching import SEND_DETAIL, SMS_REPORT
from smsreceipt.model import Decoded, Delivery, Kind, Reason, Receipt, Reject, Source, normalise_phone, visible

__all__ = [
    "KINDS",
    "QUEUED_KINDS",
    "decode",
    "kind_of",
    "kind_of_queue",
    "known_kind",
    "normalise_phone",
    "of_send",
    "reread",
    "short_kind",
]

_Matcher = Callable[[Fields], bool]

_QUEUED = Source.MNS
_QUEUE = re.compile(r"Alicom-Queue-\d+-([A-Za-z0-9]+)(?:-.+)?", re.ASCII)
_MATCHERS: tuple[tuple[Kind, _Matcher], ...] = tuple((row.kind, row.matcher(untold=True)) for row in DIALECTS)
_READERS: dict[Kind, list[tuple[_Matcher, Reader]]] = {}
for _row in DIALECTS:
    _READERS.setdefault(_row.kind, []).append((_row.matcher(), _row.reader()))
#: By kind, of its first row. None is the kind of a delivery that names none: the first row of all is tried then.
_PLAIN: dict[Kind | None, PlainReader | None] = {row.kind: plain_reader(row) for row in reversed(DIALECTS)}
_PLAIN[None] = plain_reader(DIALECTS[0])

#: Every kind that the provider's documentation names. Any other is accepted too, and read generically.
KINDS: tuple[Kind, ...] = tuple(_READERS)
#: Those that have queues of their own: ChatAppStatus comes by those of SMS, SendDetail is an answer to a query.
QUEUED_KINDS = tuple(kind for kind in KINDS if kind not in {SEND_DETAIL, "ChatAppStatus"})


def decode(delivery: Delivery) -> Decoded:
    """Return every receipt in *delivery*, and a reject for every element that holds none.

    Never raises, whatever the bytes are. A receipt's body is its JSON object as received, without transport encoding;
    so is a reject's where it can be cut out of its frame, else the frame's.
    """
    receipts: list[Receipt] = []
    rejects: list[tuple[Kind | None, Reject]] = []
    kind, biz_id, damaged = delivery.kind, delivery.biz_id, delivery.damaged
    read_as = SEND_DETAIL if biz_id else kind  # the rows of an answer about one send
    plain = _PLAIN.get(read_as) or _not_plain
    for index, frame in enumerate(delivery.frames):
        if frame[:1] == OBJECT and index not in damaged and (receipt := plain(frame)):
            receipts.append(receipt)
            continue
        text = unwrap(frame)
        one = text[:1] == OBJECT and index not in damaged and len(frame) <= MAX_BYTES
        if one and text is not frame and (receipt := plain(text)):
            receipts.append(receipt)
            continue
        bodies = (text,) if one else _bodies(delivery, index, text)
        if isinstance(bodies, Reason):
            rejects.append((kind, Reject(frame if bodies is Reason.MD5 else text, bodies, index)))
            continue
        for body in bodies:
            try:
                receipts.append((not one and plain(body)) or receipt_in(body, read_as))
            except Refused as refused:
                rejects.append((kind, Reject(body or text, refused.reason, index)))
    if biz_id:
        receipts = [of_send(receipt, biz_id) for receipt in receipts]
    return Decoded(delivery, tuple(receipts), tuple(rejects))


def of_send(detail: Receipt, biz_id: str) -> Receipt:
    """The SmsReport that the row *detail* of QuerySendDetails stands for, once its send is known by its BizId."""
    return structs.replace(detail, kind=SMS_REPORT, identity=(biz_id, detail.phone), biz_id=biz_id)


def reread(kind: Kind, body: bytes) -> Receipt | None:
    """What today's tables read in the body of a stored receipt of this kind; None where they refuse it.

    Its identity may differ from the stored one: an SmsReport may show the answer of a query, which has no BizId.
    """
    for read_as in (kind, SEND_DETAIL) if kind == SMS_REPORT else (kind,):
        try:
            return (_PLAIN.get(read_as) or _not_plain)(body) or receipt_in(body, read_as)
        except Refused:
            continue
    return None


def kind_of(fields: Mapping[str, object]) -> Kind | None:
    """The message type that has these field names; None where no dialect has them.

    DypnsSmsVerifyReport has the fields of SmsReport, and is never returned.
    """
    return next((kind for kind, fits in _MATCHERS if fits(fields)), None)


def kind_of_queue(name: str) -> Kind | None:
    """The message type in a queue's default name, also an unknown one; None for any other name."""
    found = _QUEUE.fullmatch(name)
    return Kind(found[1]) if found else None


def short_kind(kind: str) -> str:
    """The form that narrow tables have: Start for SecretStartReport. A name as short as SmsReport stays whole."""
    short = kind.removesuffix("Report") if len(kind) > len("SmsReport") else kind
    return short.removeprefix("Secret") or short


_SPELLINGS = {short_kind(kind).casefold(): kind for kind in KINDS} | {kind.casefold(): kind for kind in KINDS}


def known_kind(text: str) -> Kind:
    """The message type *text*: a known one in any case and as short_kind() has it, in its own spelling; else as it is.

    Blanks and invisible characters around it are dropped.
    """
    text = visible(text)
    return _SPELLINGS.get(text.casefold(), Kind(text))


def _bodies(delivery: Delivery, index: int, text: bytes) -> Sequence[bytes] | Reason:
    """The elements of one frame, unwrapped to *text*; or why the frame as a whole has none."""
    if index in delivery.damaged:
        return Reason.MD5
    if delivery.source is not _QUEUED:
        return elements(text)
    if len(delivery.frames[index]) > MAX_BYTES:
        return Reason.SIZE
    return elements(text) or Reason.EMPTY


def receipt_in(body: bytes, kind: Kind | None) -> Receipt:
    """The receipt that one object is, as a queue or a push sends it. Raises Refused with the reason."""
    exact = flat_members(body) if body[:1] == OBJECT and len(body) <= MAX_BYTES else None
    if exact is not None:
        fields: Fields = exact  # without an escape there is no NUL
    elif reason := no_receipt(body):
        raise Refused(reason)
    else:
        exact = any_members(body)
        fields = without_nul(exact)
    known = kind or kind_of(fields)
    if known is None:
        raise Refused(Reason.KIND_UNKNOWN)
    readers = _READERS.get(known)
    if readers is None:
        return _generic(known, exact, body)
    if len(readers) > 1:
        for fits, reader in readers:
            if fits(fields):
                return reader(fields, body)
    return readers[0][1](fields, body)  # where none fits, it raises Refused with the reason


def _not_plain(_: bytes) -> None:
    """The plain reader of a kind that has none."""


def without_nul(fields: Fields) -> Fields:
    """Escape U+0000 as JSON does: PostgreSQL's text type refuses it. The body keeps it."""
    return {name: value.replace("\0", "\\u0000") if type(value) is str else value for name, value in fields.items()}


def _generic(kind: Kind, fields: Fields, body: bytes) -> Receipt:
    """A receipt of a kind that no row describes: the digest of its canonical JSON identifies it."""
    identity = (sha256(canonical(fields).encode()).hexdigest(),)
    return Receipt(kind, identity, None, "", None, None, "", "", "", "", "", False, body, sha256(body).digest())
