"""The columns of the table `statement`: how a receipt becomes a row of it, and a row a receipt.

A new field of Receipt needs a line in FIELDS and a column in the schema. The functions are compiled once from one
expression a column, because a loop over the columns takes longer for each receipt than anything else here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from smsreceipt.model import Outcome, Receipt, place_of

#: Where the phone is in the identities that hold it. All about one phone is at one place.
PHONE_AT = {
    "SmsReport": 1,
    "DypnsSmsVerifyReport": 1,
    "GlobeSmsReport": 1,
    "ChatAppStatus": 1,
    "SmsUp": 1,
    "SendDetail": 0,
}

#: Kinds whose identity is [biz_id, phone] whatever their bodies are.
OF_SENDS = frozenset({"SmsReport", "DypnsSmsVerifyReport", "GlobeSmsReport"})


class Field(NamedTuple):
    """One column that holds a field of Receipt; {} stands for the field or the column."""

    column: str
    bound: str
    read: str = "{}"
    field: str = ""  #: its name in Receipt, if it is not the column's
    shown: bool = True  #: its value comes with the body that the statement shows


_NUMBER = ("-1 if {0} is None else {0}", "None if {0} < 0 else {0}")
FIELDS = (
    Field("sent_at", *_NUMBER),
    Field("reported_at", *_NUMBER, shown=False),
    Field("billed_parts", *_NUMBER, "parts"),
    Field("talk_seconds", *_NUMBER),
    Field("test", "{}"),
    Field("outcome", "{} or ''", "outcomes[{0}] if {0} else None", shown=False),
    Field("code", "{}", shown=False),
    Field("phone", "{}"),
    Field("biz_id", "{}"),
    Field("out_id", "{}"),
    Field("call_id", "{}"),
    Field("detail", "{}", shown=False),
    Field("numbers", "{}"),
    Field("unread", "' '.join({0})", "tuple({0}.split())"),
    Field("digest", "{}"),
    Field("body", "{}"),
)
#: The columns of the table in its order, with their types.
TYPES = {
    "place": "int8", "seq": "int8", "sent_at": "int8", "reported_at": "int8", "received_at": "int8",
    "day": "int4", "kind": "int4", "road": "int4", "times_seen": "int4", "billed_parts": "int4", "talk_seconds": "int4",
    "signed": "bool", "current": "bool", "conflict": "bool", "test": "bool", "native": "bool",
    "ident": "uuid", "said": "uuid",
    "outcome": "text", "code": "text", "phone": "text", "biz_id": "text", "out_id": "text", "call_id": "text",
    "detail": "text", "id1": "text", "identity": "text", "numbers": "text", "unread": "text",
    "digest": "bytea", "body": "bytea",
}  # fmt: skip
SHOWN = ("day", "native", *(each.column for each in FIELDS if each.shown))  #: what changes with the shown body
#: What receipt_from() takes; `kind` must be joined.
SELECTED = ", ".join(["kind.name", "statement.identity", *(f"statement.{each.column}" for each in FIELDS)])

_FIXED = {"int8": (20, 8, "q"), "int4": (23, 4, "i"), "bool": (16, 1, "?"), "uuid": (2950, 16, "16s")}
_OIDS = {"text": 25, "bytea": 17}


def digest(text: str) -> bytes:
    """The first half of the SHA-256 of a text."""
    return sha256(text.encode()).digest()[:16]


phone_place = lru_cache(maxsize=10_000)(place_of)


def identity_place(kind: str, identity: tuple[str, ...]) -> int:
    """The place of an identity: a function of nothing else."""
    at = PHONE_AT.get(kind)
    return place_of("\0".join(sorted(identity)) if at is None else identity[at])


def ident_of(*identity: str) -> bytes:
    """The digest of an identity's parts, none of which has a NUL."""
    return digest("\0".join(identity))


def said_of(receipt: Receipt) -> bytes:
    """The digest of what a statement says about its identity."""
    return digest(f"{receipt.outcome or ''}\0{receipt.code}\0{receipt.reported_at}\0{receipt.detail}")


def _compiled(source: str, **names: Any) -> Any:
    return eval(source, names)  # noqa: S307 - made of the constants above


def _packer() -> Callable[..., bytes]:
    """A function of a receipt and the columns in OWN, that returns the row in PostgreSQL's binary form."""
    bound = {each.column: each.bound.format(f"receipt.{each.field or each.column}") for each in FIELDS}
    form, values, texts = ">i", [str(len(TYPES))], []
    for name, kind in TYPES.items():
        value = bound.get(name, name)
        if kind in _FIXED:
            oid, size, code = _FIXED[kind]
            form += "ii" + code
            values += [str(oid), str(size), value]
        else:
            data = f"({value}).encode()" if kind == "text" else value
            texts.append(f"head({_OIDS[kind]}, len(_{name} := {data})), _{name}")
    source = f"lambda receipt, {', '.join(OWN)}: b''.join((pack({form!r}, {', '.join(values)}), {', '.join(texts)}))"
    return _compiled(source, pack=struct.pack, head=struct.Struct(">ii").pack)  # type: ignore[no-any-return]


#: The columns that are no fields of the receipt.
OWN = tuple(name for name in TYPES if name not in {each.column for each in FIELDS})
packed_row = _packer()

_read = {
    "kind": "kind",
    "identity": "tuple(decode(identity)) if identity else (biz_id, phone)",
    **{each.field or each.column: each.read.format(each.column) for each in FIELDS},
}
_outcomes = {member.value: member for member in Outcome}
#: The receipt of the values that SELECTED names. Raises KeyError or ValueError for a value that is never written.
receipt_from: Callable[..., Receipt] = _compiled(
    f"lambda kind, identity, {', '.join(each.column for each in FIELDS)}:"
    f" Receipt({', '.join(_read[field] for field in Receipt.__struct_fields__)})",
    Receipt=Receipt,
    outcomes=_outcomes,
    decode=msgspec.json.decode,
)


def identity_columns(receipt: Receipt) -> tuple[str, str]:
    """The values of `id1` and `identity`: both "" where the kind's identity is [biz_id, phone]."""
    identity = receipt.identity
    if receipt.kind in OF_SENDS and identity == (receipt.biz_id, receipt.phone):
        return "", ""
    lead = receipt.call_id if receipt.call_id and receipt.call_id in identity[1:2] else identity[0]
    return lead, msgspec.json.encode(identity).decode()
