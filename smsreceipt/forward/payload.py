"""Make the push that the provider would have sent from an answer of QuerySendDetails or QueryMessage."""

from __future__ import annotations

from datetime import datetime

import msgspec

from smsreceipt.matching import GLOBE_REPORT
from smsreceipt.model import BEIJING, Instant, Outcome, Receipt


def as_pushed(receipt: Receipt) -> bytes | None:
    """The body of an SmsReport or GlobeSmsReport with its documented fields; None for a send without a final outcome.

    *receipt* was made from an answer of QuerySendDetails (see of_send) or QueryMessage, whose fields no receiver of
    pushes knows. The answer does not hold the carrier's message, so err_msg is empty.
    """
    if receipt.outcome not in {Outcome.DELIVERED, Outcome.FAILED}:
        return None
    if receipt.kind == GLOBE_REPORT:
        return msgspec.json.encode(
            {
                "to": receipt.phone,
                "status": "1" if receipt.outcome is Outcome.DELIVERED else "2",
                "message_id": receipt.biz_id,
                "send_date": _written(receipt.sent_at),
                "receive_date": _written(receipt.reported_at),
                "error_code": receipt.code,
                "error_description": "",
            }
        )
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
