"""What the provider would have pushed about a send, of what it answered when it was asked about it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from smsreceipt.model import BEIJING, Instant, Outcome, Receipt


def as_pushed(receipt: Receipt) -> bytes | None:
    """The body of an SmsReport in its documented fields; None where nothing would have been pushed yet.

    *receipt* says it in the words of an answer (see of_send), which no receiver of pushes understands. The answer does
    not tell the carrier's message.
    """
    if receipt.outcome not in {Outcome.DELIVERED, Outcome.FAILED}:
        return None
    fields = {
        "phone_number": receipt.phone,
        "success": receipt.outcome is Outcome.DELIVERED,
        "biz_id": receipt.biz_id,
        "out_id": receipt.out_id,
        "send_time": _written(receipt.sent_at),
        "report_time": _written(receipt.reported_at),
        "err_code": receipt.code,
        "err_msg": "",
        "sms_size": str(receipt.parts or 1),
    }
    return msgspec.json.encode(fields)


def _written(at: Instant | None) -> str:
    return "" if at is None else f"{datetime.fromtimestamp(at / 1000, BEIJING):%Y-%m-%d %H:%M:%S}"
