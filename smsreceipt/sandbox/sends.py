"""Text messages as values: their outcomes, receipts and rows in queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from math import inf
from typing import ClassVar

import msgspec

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.clock import beijing

#: Outcomes of text messages: err_code, err_msg, and how many of a thousand messages have it.
OUTCOMES = (
    ("DELIVERED", "用户接收成功", 905),
    ("MOBILE_NOT_ON_SERVICE", "停机、空号、暂停服务、关机、不在服务区", 45),
    ("MOBILE_SEND_LIMIT", "单个号码日或月发送上限及频繁发送超限", 12),
    ("MOBILE_IN_BLACK", "手机号在黑名单", 12),
    ("CONTENT_KEYWORD", "运营商内容关键字拦截", 8),
    ("MOBLLE_TERMINAL_ERROR", "手机终端问题", 8),  # the provider spells it so
    ("REQUEST_SUCCESS", "请求成功未收到运营商回执", 5),
    ("UNKNOWN", "未知错误", 5),
)
_TEXTS = {code: text for code, text, _weight in OUTCOMES}


@dataclass(slots=True)
class Send:
    """One message to one number; times in seconds since 1970."""

    phone: str  #: digits as receipts show them
    biz_id: str
    out_id: str
    template_code: str
    sign_name: str
    content: str
    sent: float
    reported: float  #: when the carrier reports the outcome; infinite: never
    code: str
    queried_code: str  #: the code in QuerySendDetails, which can be the carrier's spelling, or empty

    kind: ClassVar[str] = "SmsReport"  #: the message type of its receipt

    @property
    def delivered(self) -> bool:
        """Whether the handset received it."""
        return self.code == "DELIVERED"

    @property
    def mainland(self) -> bool:
        """Whether the number is a mainland one."""
        return len(self.phone) == 11 and self.phone.startswith("1")

    @property
    def parts(self) -> int:
        """How many parts are billed: one for up to 70 characters, otherwise one for each 67 characters."""
        length = len(self.sign_name) + 2 + len(self.content)
        return 1 if length <= 70 else -(-length // 67)

    def receipt(self) -> dict[str, object]:
        """Its SmsReport. Without an OutId there is no out_id, as in real traffic."""
        fields: dict[str, object] = {
            "phone_number": self.phone,
            "send_time": beijing(self.sent),
            "report_time": beijing(self.reported),
            "success": self.delivered,
            "err_code": self.code,
            "err_msg": _TEXTS.get(self.code, self.code),
            "sms_size": str(self.parts),
            "biz_id": self.biz_id,
        }
        return {**fields, "out_id": self.out_id} if self.out_id else fields

    def waiting(self, now: float) -> bool:
        """Whether the outcome is unknown at *now*. After REQUEST_SUCCESS it stays unknown for ever."""
        return now < self.reported or self.code == "REQUEST_SUCCESS"

    def detail(self, now: float) -> dict[str, object]:
        """Its row in a QuerySendDetails response at *now*."""
        waiting = self.waiting(now)
        row: dict[str, object] = {
            "PhoneNum": self.phone,
            "SendStatus": 1 if waiting else 3 if self.delivered else 2,
            "ErrCode": "" if now < self.reported else self.queried_code,
            "TemplateCode": self.template_code,
            "Content": f"【{self.sign_name}】{self.content}",
            "SendDate": beijing(self.sent),
        }
        if not waiting:
            row["ReceiveDate"] = beijing(self.reported)
        return {**row, "OutId": self.out_id} if self.out_id else row


class Message(Send):
    """A message of SendMessageToGlobe; biz_id is its MessageId."""

    __slots__ = ()
    kind = "GlobeSmsReport"

    @property
    def mainland(self) -> bool:
        """The action sends to no number of the mainland."""
        return False

    @property
    def parts(self) -> int:
        """How many parts are billed: 160 or 153 characters each if all are ASCII, otherwise 70 or 67."""
        length, (whole, part) = len(self.content), (160, 153) if self.content.isascii() else (70, 67)
        return 1 if length <= whole else -(-length // part)

    def receipt(self) -> dict[str, object]:
        """Its GlobeSmsReport."""
        return {
            "to": self.phone,
            "status": "1" if self.delivered else "2",
            "message_id": self.biz_id,
            "send_date": beijing(self.sent),
            "receive_date": beijing(self.reported),
            "error_code": self.code,
            "error_description": _TEXTS.get(self.code, self.code),
        }

    def record(self, now: float) -> dict[str, object]:
        """The answer of QueryMessage at *now*."""
        waiting = self.waiting(now)
        fields: dict[str, object] = {
            "Status": "3" if waiting else "1" if self.delivered else "2",
            "To": self.phone,
            "MessageId": self.biz_id,
            "Message": self.content,
            "SendDate": _rfc2822(self.sent),
            "NumberDetail": number_detail(),
        }
        if not waiting:
            fields |= {
                "ErrorCode": self.code,
                "ErrorDescription": _TEXTS.get(self.code, self.code),
                "ReceiveDate": _rfc2822(self.reported),
            }
        return fields


def number_detail() -> dict[str, str]:
    """What the service tells of a number. The sandbox knows no countries, so it is the documentation's sample."""
    return {"Country": "Hongkong, China", "Region": "HongKong", "Carrier": "CMI"}


def _rfc2822(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), BEIJING))


class PastSend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A send of the past: queries find it, and no queue and no push gets a receipt of it."""

    phone: str  #: digits as receipts show them
    biz_id: str
    sent: float  #: seconds since 1970; SendDate
    reported: float | None = None  #: seconds since 1970; None: the carrier never reported
    code: str = "DELIVERED"  #: the outcome, once reported
    queried_code: str | None = None  #: the code in QuerySendDetails; None: the same as *code*
    out_id: str = ""
    template_code: str = "SMS_123456789"
    sign_name: str = "示例商城"
    content: str = "您有一条新的通知。"
    by_message_id: bool = False  #: sent by SendMessageToGlobe: biz_id is its MessageId, and QueryMessage finds it
    filed: str = ""  #: the Beijing day (yyyyMMdd) of queries; "": that of *sent*. Near midnight it can be another day.

    def send(self) -> Send:
        """The send as it is recorded."""
        made = Message if self.by_message_id else Send
        return made(
            self.phone,
            self.biz_id,
            self.out_id,
            self.template_code,
            self.sign_name,
            self.content,
            self.sent,
            inf if self.reported is None else self.reported,
            self.code,
            self.code if self.queried_code is None else self.queried_code,
        )
