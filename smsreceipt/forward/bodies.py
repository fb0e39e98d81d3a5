"""What is handed on of each statement: the receipt object, or the body as the provider pushes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from smsreceipt.decode.saved import is_native
from smsreceipt.forward.payload import as_pushed
from smsreceipt.matching import GLOBE_REPORT, SEND_DETAIL
from smsreceipt.model import Source, StoredReceipt
from smsreceipt.output.mask import mask_value
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.records import json_line, json_lines

Bodies = Callable[[Sequence[StoredReceipt]], bytes]  #: makes JSON lines of statements


def bodies(*, as_provider: bool, mask: bool) -> Bodies:
    """The function that makes the JSON lines: receipt objects, or *as_provider*; phones and texts masked, or not."""
    return partial(_pushes if as_provider else _objects, mask)


def array(lines: bytes) -> bytes:
    """The JSON array of JSON lines."""
    return b"[" + lines.removesuffix(b"\n").replace(b"\n", b",") + b"]"


def _objects(mask: bool, receipts: Sequence[StoredReceipt]) -> bytes:
    return json_lines([RECEIPTS.record(RECEIPTS.masked(each) if mask else each) for each in receipts])


def _pushes(mask: bool, receipts: Sequence[StoredReceipt]) -> bytes:
    found = [body for each in receipts if (body := pushed(each)) is not None]
    if mask:
        return json_lines([mask_value(msgspec.json.decode(body)) for body in found])
    return b"".join(json_line(msgspec.Raw(body)) for body in found)


def pushed(stored: StoredReceipt) -> bytes | None:
    """The body as the provider pushes it; None for an answer of the provider of which no push can be made."""
    receipt = stored.receipt
    if receipt.kind == SEND_DETAIL:
        return None
    if stored.source is not Source.QUERY and is_native(receipt.body, receipt.kind, receipt.biz_id):
        return receipt.body
    if receipt.kind == GLOBE_REPORT or not is_native(receipt.body, receipt.kind, receipt.biz_id):
        return as_pushed(receipt)
    return receipt.body
