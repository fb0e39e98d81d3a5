"""The body of a push. By the documentation some receipts have other fields over HTTP than in a queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from zlib import crc32

from smsreceipt.sandbox.wire.receipts import compact_json

#: Message types that are offered or documented for queues only.
QUEUES_ONLY = frozenset({"SecretExceptionPhoneReport", "GlobeSmsReport", "MnsCardVender", "MnsCardTemplate"})
#: Message types that are pushed one receipt at a time.
SINGLE = frozenset({"SignSmsReport", "TemplateSmsReport"})

Fields = Mapping[str, object]


def body_of(kind: str, receipts: Sequence[Fields]) -> bytes:
    """The body of one push: a JSON array in UTF-8."""
    shape = _SHAPES.get(kind, dict)
    return compact_json([shape(fields) for fields in receipts])


def _renamed(**names: str) -> Callable[[Fields], dict[str, object]]:
    """A conversion that renames fields; two underscores in an old name stand for a hyphen."""
    table = {old.replace("__", "-"): new for old, new in names.items()}
    return lambda fields: {table.get(name, name): value for name, value in fields.items()}


def _call(fields: Fields, *, quoted: bool) -> dict[str, object]:
    """The report of a call: HTTP adds an id, the partner and the city."""
    serial = crc32(f"{fields.get('pool_key')} {fields.get('call_id')}".encode())
    more = {"id": str(serial) if quoted else serial, "partner_key": fields.get("pool_key"), "city": "杭州"}
    return {**more, **fields}


_SHAPES: dict[str, Callable[[Fields], dict[str, object]]] = {
    "SignSmsReport": _renamed(order_id="orderId"),
    "TemplateSmsReport": _renamed(order_id="orderId"),
    "SecretStartReport": lambda fields: _call(fields, quoted=True),
    "SecretReport": lambda fields: _call(fields, quoted=False),
    "SecretRecording": _renamed(subs_id="sub_id"),
    "SecretSmsIntercept": _renamed(sms__intercept__type="sms_intercept_type"),
}
