"""A fast reader for nearly every message: a delivery report that holds documented fields only, all of them texts.

A typed parser reads such an object straight into its fields. For any other object it returns None, and the general
reader (dialect.py), which knows every spelling and every reason to refuse, is used. The fast reader never accepts an
object that the general one refuses, nor reads it differently: a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter

import msgspec

from smsreceipt.decode import times
from smsreceipt.decode.dialect import Dialect, Success
from smsreceipt.decode.frames import MAX_BYTES, OBJECT_END
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import BACKSLASH, QUOTE
from smsreceipt.model import Outcome, Receipt

PlainReader = Callable[[bytes], Receipt | None]

_MEASURED = "parts"  #: the one field of Receipt that a measure of a simple row may fill
_ABSENT = "_absent"  #: the column of a field that a dialect does not have


def plain_reader(row: Dialect) -> PlainReader | None:
    """Compile a simple row: a boolean decides the outcome, each column has one name, BizId and number identify it.

    None for any other row. The reader returns a receipt or None; it never raises.
    """
    specs = (row.phone, row.biz_id, row.out_id, row.call_id, row.code, row.sent_at, row.reported_at)
    if not isinstance(row.outcome, Success) or row.detail or any("|" in spec for spec in specs):
        return None
    if row.identity != (row.biz_id, row.phone) or not row.test.keys() <= set(row.identity):
        return None
    if any(name != _MEASURED or len(measure.fields) > 1 for name, measure in row.measures.items()):
        return None
    kind, instant, doubtful = row.kind, times.instant, row.outcome.doubtful
    delivered, failed, unknown = Outcome.DELIVERED, Outcome.FAILED, Outcome.UNKNOWN
    parse = msgspec.json.Decoder(_fields(row, row.outcome)).decode
    encode = msgspec.json.Encoder().encode
    measured, measure = _measure(row)
    columns = attrgetter(row.outcome.field, *(spec or _ABSENT for spec in specs), measured)
    test = tuple(row.test.get(part) for part in row.identity)

    def read(body: bytes) -> Receipt | None:
        if BACKSLASH in body or body[-1:] != OBJECT_END or len(body) > MAX_BYTES:  # a body ends with its object
            return None
        try:
            fields = parse(body)
            again = encode(fields)  # as long as before, but for blanks, repeated names, unknown ones, and empty texts
            if len(again) != len(body) and again.count(QUOTE) != body.count(QUOTE):
                return None
            success, phone, biz_id, out_id, call_id, code, sent, reported, size = columns(fields)
            sent_at, reported_at = instant(sent) if sent else None, instant(reported) if reported else None
            value = measure(size)
        except (ValueError, RecursionError, Refused):
            return None
        identity = (biz_id, phone)
        if len(phone) != 11 or not (phone.isascii() and phone.isdigit()) or "" in identity:
            return None
        if not success:
            outcome = unknown if code in doubtful else failed
        else:
            outcome = delivered
            if not code or code == "DELIVRD":
                code = "DELIVERED"
        return Receipt(
            kind,
            identity,
            outcome,
            code,
            sent_at,
            reported_at,
            phone,
            biz_id,
            out_id,
            call_id,
            "",
            identity == test,
            body,
            sha256(body).digest(),
            value,
        )

    return read


def _measure(row: Dialect) -> tuple[str, Callable[[str], int | None]]:
    """The field that the measure is worked out from, and how; few values occur, so that a cache saves the work."""
    measure = row.measures.get(_MEASURED)
    return (measure.fields[0], lru_cache(maxsize=64)(measure.of)) if measure else (_ABSENT, lambda _: None)


def _fields(row: Dialect, outcome: Success) -> type[msgspec.Struct]:
    """The object as a type: the fields that mark the dialect are required, all others optional."""
    names = {*row.identity, row.phone, row.biz_id, row.out_id, row.call_id, row.code, row.sent_at, row.reported_at}
    names.update(*(measure.fields for measure in row.measures.values()))
    texts = names.union(row.also) - {"", *row.marks}
    return msgspec.defstruct(
        "Plain",
        [(name, bool if name == outcome.field else str) for name in row.marks] + [(name, str, "") for name in texts],
        namespace={_ABSENT: ""},
        omit_defaults=True,
        gc=False,
    )
