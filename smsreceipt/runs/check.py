"""Checks whether the store is whole."""

from __future__ import annotations

from smsreceipt.decode import of_send, reread
from smsreceipt.decode.saved import decode_saved
from smsreceipt.matching import SEND_DETAIL, SMS_REPORT
from smsreceipt.model import Delivery, Instant, Kind, Receipt, Source


def read_again(kind: Kind, body: bytes, biz_id: str) -> Receipt | None:
    """What today's tables read in the body of a stored receipt, whose BizId is given; None where they refuse it."""
    found = reread(kind, body)
    if found is None:
        about = biz_id if kind == SMS_REPORT else ""
        saved = decode_saved(Delivery((body,), kind, Source.REPLAY, "", Instant(0), biz_id=about)).receipts
        found = saved[0] if len(saved) == 1 else None
    if found is not None and found.kind == SEND_DETAIL != kind:
        return of_send(found, biz_id)
    return found
