"""Seed data: messages in queues, past sends that the provider can be queried about, and lists of sends to import."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

BEIJING = timezone(timedelta(hours=8))
UID = "1000000001"
#: Every message type that has a queue of its own.
KINDS = (
    "SmsReport", "SmsUp", "SignSmsReport", "TemplateSmsReport", "SecretStartReport", "SecretReport",
    "SecretSmsIntercept", "SecretRecording", "DypnsSmsVerifyReport", "GlobeSmsReport", "SecretRingReport",
    "SecretPickUpReport", "SecretAsrReport", "SecretExceptionPhoneReport", "NumberManagementReport",
    "SmartLogisticsReport", "VoiceReport", "VoiceCallReport", "VoiceRecordReport", "MnsCardVender", "MnsCardTemplate",
)  # fmt: skip


def queue(kind: str) -> str:
    """The default queue of a message type."""
    return f"Alicom-Queue-{UID}-{kind}"


def lines(rows: Iterable[object]) -> str:
    """One JSON value a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def report(n: int, **fields: Any) -> dict[str, Any]:
    """The SmsReport of the send number *n*."""
    return {
        "phone_number": phone(n),
        "send_time": "2026-11-20 15:49:55",
        "report_time": "2026-11-20 15:49:58",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": biz_id(n),
        "out_id": f"order-{1000 + n}",
        **fields,
    }


def phone(n: int) -> str:
    """The phone number of the send number *n*."""
    return f"138000000{n:02}"


def biz_id(n: int) -> str:
    """The BizId of the send number *n*."""
    return f"9006197469364984{n:02}^0"


FAILED = {"success": False, "err_code": "MOBILE_IN_BLACK", "err_msg": "手机号在黑名单"}
UNDECIDED = {"success": False, "err_code": "REQUEST_SUCCESS", "err_msg": "请求成功未收到运营商回执"}
CALL = {
    "pool_key": "FC100000012345678",
    "sub_id": 1000000000000001,
    "call_id": "call-1",
    "phone_no": "13900001111",
    "secret_no": "17000000001",
    "peer_no": "13700002222",
    "call_type": 0,
    "call_time": "2026-11-20 10:00:00",
}
ENDED = CALL | {
    "start_time": "2026-11-20 10:00:12",
    "release_time": "2026-11-20 10:03:17",
    "release_dir": 1,
    "release_cause": 16,
}
REPLY = {
    "phone_number": phone(1),
    "content": "=1+1 [red]好的\u202e\x1b[31m",  # a formula, markup, control characters
    "dest_code": "1234",
    "send_time": "2026-11-20 16:01:00",
    "sequence_id": 568585703,
    "sign_name": "【示例商城】",
}

SPOKEN = {
    "callId": "call-1",
    "poolKey": CALL["pool_key"],
    "partnerKey": CALL["pool_key"],
    "secretNo": CALL["secret_no"],
    "bizDuration": 4200,
    "statusCode": "21050000",
    "sentences": [{"channelId": 0, "beginTime": 320, "endTime": 2900, "text": "您好，您的车到了。"}],
}

#: (key of the sandbox's load format, queue or kind, body)
MESSAGES: tuple[tuple[str, str, object], ...] = (
    ("kind", "SmsReport", report(1, sms_size="2")),
    ("kind", "SmsReport", report(1, sms_size="2")),  # a redelivery
    ("kind", "SmsReport", report(2)),
    ("kind", "SmsReport", report(2, **FAILED, report_time="2026-11-20 15:50:30")),  # a conflict
    ("kind", "SmsReport", report(3, **UNDECIDED, report_time="2026-11-20 15:49:56")),
    ("kind", "SmsReport", report(3)),
    ("kind", "SmsReport", report(4, **UNDECIDED, out_id="13800000004,+85291234567")),
    ("kind", "SmsUp", REPLY),
    ("kind", "SecretStartReport", CALL),
    ("kind", "SecretRingReport", CALL | {"ring_time": "2026-11-20 10:00:04"}),
    ("kind", "SecretPickUpReport", CALL | {"start_time": "2026-11-20 10:00:12"}),
    ("kind", "SecretReport", ENDED),
    (
        "kind",
        "SecretReport",
        ENDED | {"record_url": "https://example.com/record.mp3"},
    ),  # a second body of the same statement
    ("kind", "SecretStartReport", CALL | {"call_id": "call-2", "call_time": "2026-11-20 11:00:00"}),  # never ends
    ("kind", "SecretRecording", {key: CALL[key] for key in ("pool_key", "sub_id", "call_id", "call_time")}),
    ("kind", "SecretAsrReport", SPOKEN),
    ("kind", "SecretExceptionPhoneReport", {"partnerKey": "FC1", "secretNo": "17000000001", "noStatus": "1"}),
    ("kind", "VoiceRecordReport", {"call_id": "voice-1", "record_file": "1.mp3"}),
    ("kind", "DypnsSmsVerifyReport", report(6, out_id="")),
    ("queue", "my-calls", ENDED | {"call_id": "call-3", "release_cause": 18, "release_time": "2026-11-20 10:00:12"}),
    ("queue", "parcels", {"parcel": "YT1", "at": "2026-11-20 08:00:00", "phone": phone(5)}),
)


def messages() -> str:
    """MESSAGES in the form that the sandbox loads."""
    return lines({way: name, "body": body} for way, name, body in MESSAGES)


def _seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).timestamp()


def _past(n: int, sent: str, *, took: float | None = 3, code: str = "DELIVERED", **more: Any) -> dict[str, Any]:
    """A past send; *took* is the seconds until its report, None if there is none."""
    at = _seconds(sent)
    reported = None if took is None else at + took
    facts = {"phone": phone(n), "biz_id": biz_id(n), "sent": at, "reported": reported, "code": code}
    return {"send": facts | more}


def sends() -> str:
    """The provider's records of the sends below, in the form that the sandbox loads."""
    rows = [
        _past(10, "2026-11-20 09:00:00", out_id="order-1010"),
        _past(11, "2026-11-20 09:01:00", code="MOBILE_NOT_ON_SERVICE", out_id="order-1011"),
        _past(12, "2026-11-20 09:02:00", took=None),
        # the provider has no record of 13
        _past(14, "2026-11-20 09:04:00"),
        _past(14, "2026-11-20 09:05:00", biz_id=biz_id(15), code="MOBILE_IN_BLACK"),  # twice to one number
        _past(16, "2026-11-20 23:59:30", filed="20261121"),
        _past(17, "2026-10-25 09:00:00", content="很长的通知" * 30),
        _past(19, "2026-11-21 11:59:00", took=None),
        _past(20, "2026-11-20 10:00:00"),
        _past(99, "2026-11-20 12:00:00", queried_code="DELIVRD", template_code="SMS_99"),  # in none of the lists below
    ]
    return lines(rows)


#: Sends to import: a CSV with three bad rows, JSON lines, and a log of SendSms calls with a refused one.
SENT_CSV = f"""\
phone,biz_id,sent_at,out_id,template_code,sign_name,parts
{phone(10)},{biz_id(10)},2026-11-20 09:00:00,order-1010,SMS_1,示例商城,1
+86 138-0000-0011,{biz_id(11)},2026-11-20 09:01:00,order-1011,SMS_1,示例商城,2
{phone(12)},{biz_id(12)},2026-11-20 09:02:00,,,,
{phone(13)},{biz_id(13)},2026-11-20,,,,
{phone(14)},{biz_id(14)},2026-11-20 09:04:00,,,,
{phone(14)},{biz_id(15)},2026-11-20 09:05:00,,,,
{phone(16)},{biz_id(16)},2026-11-20 23:59:30,,,,
12,{biz_id(50)},2026-11-20 09:00:00,,,,
{phone(51)},,2026-11-20 09:00:00,,,,
{phone(52)},{biz_id(52)},soon,,,,
"""
SENT_JSON = lines(
    [
        {"mobile": phone(17), "Bid": biz_id(17), "created": "2026-10-25T09:00:00+08:00"},
        {
            "mobile": phone(18),
            "Bid": biz_id(18),
            "created": "2026-10-01 09:00:00",
        },  # beyond the 30 days that can be queried
    ]
)
SENT_LOG = lines(
    [
        {
            "time": "2026-11-21 11:59:00",
            "request": {"PhoneNumbers": phone(19), "OutId": "order-1019"},
            "response": {"Code": "OK", "BizId": biz_id(19)},
        },
        {
            "time": "2026-11-20 10:00:00",
            "request": {"PhoneNumbers": phone(20), "SignName": "示例商城", "TemplateCode": "SMS_1"},
            "response": {"Code": "OK", "BizId": biz_id(20)},
        },
        {
            "time": "2026-11-20 10:01:00",
            "request": {"PhoneNumbers": phone(53)},
            "response": {"Code": "isv.BUSINESS_LIMIT_CONTROL"},
        },
    ]
)
