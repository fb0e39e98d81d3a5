"""Make the push that the provider would have sent from a row of QuerySendDetails."""

from __future__ import annotations

from datetime import datetime

import msgspec

from smsreceipt.model import BEIJING, Instant, Outcome, Receipt


def as_pushed(receipt: Receipt) -> bytes | None:
    """The body of an SmsReport with its documented fields; None for a send without a final outcome.

    *receipt* was made from a row of QuerySendDetails (see of_send), whose fields no receiver of pushes knows. The row
    does not hold the carrier's message, so err_msg is empty.
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
