"""What stored bodies tell once they are read again, whatever the engine."""

from __future__ import annotations

from msgspec import structs

from smsreceipt.matching import SEND_DETAIL
from smsreceipt.model import Receipt, StoredReceipt
from smsreceipt.store.promise import Reread


def answered_template(reread: Reread, receipt: Receipt) -> str:
    """The template's code in the answer of a query that the receipt shows; "" where it shows none."""
    detail = receipt if receipt.kind == SEND_DETAIL else reread(receipt.kind, receipt.body)
    return detail.identity[2] if detail and detail.kind == SEND_DETAIL else ""


def with_body(reread: Reread, stored: StoredReceipt, body: bytes, digest: bytes) -> StoredReceipt:
    """A statement as another one of its bodies tells it."""
    receipt = stored.receipt
    told = reread(receipt.kind, body) or receipt
    same = {"kind": receipt.kind, "identity": receipt.identity, "biz_id": receipt.biz_id}  # a query's has no BizId
    return structs.replace(stored, receipt=structs.replace(told, **same, body=body, digest=digest))
