"""How a receipt is encoded in a push and in a queue; what the console sends to test a callback URL."""

from __future__ import annotations

import base64
import json


def compact_json(value: object) -> bytes:
    """*value* as compact JSON in UTF-8; lone surrogates are encoded too."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def queue_body(receipt: object) -> bytes:
    """A receipt as the text of a queue message: compact JSON in base64."""
    return base64.b64encode(compact_json(receipt))


_LONG_AGO = "2017-08-30 00:00:00"
_TESTS: dict[str, dict[str, object]] = {
    "SmsReport": {
        "phone_number": "18612345678",
        "send_time": _LONG_AGO,
        "report_time": _LONG_AGO,
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": "932702304080415357^0",
        "out_id": "1184585343",
    },
    "SmsUp": {
        "phone_number": "18612345678",
        "content": "内容",
        "send_time": "",
        "dest_code": "1234",
        "sequence_id": "1234567890",
        "sign_name": "【阿里云】",
    },
}
TEST_KINDS = tuple(_TESTS)  #: message types for which the console has a test push


def console_receipt(kind: str, now: str) -> dict[str, object]:
    """The data of the console's test push, the same for every account; *now* is the time of a reply."""
    fields = _TESTS[kind]
    return {**fields, "send_time": fields["send_time"] or now}
