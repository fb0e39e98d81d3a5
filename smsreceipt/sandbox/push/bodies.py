"""What a receipt looks like over HTTP where that differs from the queues, by the provider's documentation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from zlib import crc32

#: Offered through queues only, or documented for queues only.
QUEUES_ONLY = frozenset({"SecretExceptionPhoneReport", "GlobeSmsReport", "MnsCardVender", "MnsCardTemplate"})
#: Arrays of exactly one element.
ALONE = frozenset({"SignSmsReport", "TemplateSmsReport"})

Fields = Mapping[str, object]


def body_of(kind: str, receipts: Sequence[Fields]) -> bytes:
    """The body of one push: a JSON array in UTF-8."""
    shape = _SHAPES.get(kind, dict)
    text = json.dumps([shape(fields) for fields in receipts], ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def renamed(**names: str) -> Callable[[Fields], dict[str, object]]:
    """A shape that differs by the names of fields only; hyphens are spelled with two underscores."""
    table = {old.replace("__", "-"): new for old, new in names.items()}
    return lambda fields: {table.get(name, name): value for name, value in fields.items()}


def call(fields: Fields, *, quoted: bool) -> dict[str, object]:
    """A call's report: HTTP adds an id of its own, the partner and the city."""
    serial = crc32(f"{fields.get('pool_key')} {fields.get('call_id')}".encode())
    more = {"id": str(serial) if quoted else serial, "partner_key": fields.get("pool_key"), "city": "杭州"}
    return {**more, **fields}


_SHAPES: dict[str, Callable[[Fields], dict[str, object]]] = {
    "SignSmsReport": renamed(order_id="orderId"),
    "TemplateSmsReport": renamed(order_id="orderId"),
    "SecretStartReport": lambda fields: call(fields, quoted=True),
    "SecretReport": lambda fields: call(fields, quoted=False),
    "SecretRecording": renamed(subs_id="sub_id"),
    "SecretSmsIntercept": renamed(sms__intercept__type="sms_intercept_type"),
}
