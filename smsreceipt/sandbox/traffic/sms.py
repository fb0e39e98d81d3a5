"""Stories of the SMS service: reports, replies, reviews, in the spellings that its pages and captures show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime

from smsreceipt.sandbox.sms.sends import OUTCOMES
from smsreceipt.sandbox.traffic.faker import NAMES, REPLIES, SIGNATURES, Piece, Story, Teller, clock, later

__all__ = ["Story"]

_CODES = [(code, text) for code, text, _weight in OUTCOMES]
_WEIGHTS = [weight for _code, _text, weight in OUTCOMES]


def biz_id(teller: Teller) -> str:
    """A BizId that comes once."""
    return f"90061974{teller.serial():010d}^0"


def fields_of_report(teller: Teller, biz: str, out_id: str) -> dict[str, object]:
    """The flat object of a mainland report; out_id is left out when the send had none."""
    sent = teller.moment()
    code, text = teller.dice.choices(_CODES, _WEIGHTS)[0]
    delivered = code == "DELIVERED"
    fields: dict[str, object] = {
        "phone_number": teller.phone(),
        "send_time": clock(sent),
        "report_time": clock(later(sent, teller.dice.randrange(1, 9))),
        "success": delivered,
        "err_code": teller.some("DELIVERED", "DELIVERED", "DELIVERED", "DELIVRD") if delivered else code,
        "err_msg": text,
        "sms_size": str(teller.dice.choice((1, 1, 1, 2, 3))),
        "biz_id": biz,
    }
    return {**fields, "out_id": out_id} if out_id else fields


def report(teller: Teller) -> Iterator[Piece]:
    """One text, one report."""
    out_id = f"order-{teller.serial()}" if teller.chance(0.7) else ""
    yield Piece("SmsReport", fields_of_report(teller, biz_id(teller), out_id))


def campaign(teller: Teller) -> Iterator[Piece]:
    """Several numbers in one call: they share BizId and OutId."""
    biz, out_id = biz_id(teller), f"campaign-{teller.serial()}"
    phones = {
        str(fields["phone_number"]): fields for fields in (fields_of_report(teller, biz, out_id) for _ in range(5))
    }
    for fields in phones.values():
        yield Piece("SmsReport", fields)


def verification(teller: Teller) -> Iterator[Piece]:
    """A verification code: the fields of a report under a type of its own."""
    yield Piece("DypnsSmsVerifyReport", fields_of_report(teller, biz_id(teller), ""))


def abroad(teller: Teller) -> Iterator[Piece]:
    """From an international account to another country."""
    sent = teller.moment()
    status, code, text = teller.dice.choice(
        (("1", "DELIVERED", "success"), ("2", "UNDELIV", "failed"), ("6", "EXPIRED", "expired"))
    )
    body: dict[str, object] = {
        "To": f"852{teller.dice.randrange(10**7, 10**8)}",
        "Status": status,
        "MessageId": f"{teller.serial()}",
        "SmsSize": "1",
        "SendDate": format_datetime(sent),
        "ReceiveDate": format_datetime(later(sent, 7)),
        "ErrorCode": code,
        "ErrorDescription": text,
    }
    yield Piece("SmsReport", {**body, "TaskId": str(teller.serial())} if teller.chance(0.3) else body)


def from_abroad(teller: Teller) -> Iterator[Piece]:
    """From an international account to the mainland."""
    sent = teller.moment()
    status, code = teller.dice.choice((("1", "DELIVERED"), ("2", "MOBILE_NOT_ON_SERVICE")))
    yield Piece(
        "SmsReport",
        {
            "PhoneNumber": f"86{teller.phone()}",
            "SendStatus": status,
            "BizId": biz_id(teller),
            "ExternalId": f"ext-{teller.serial()}",
            "SendDate": format_datetime(sent),
            "ReceiveDate": format_datetime(later(sent, 4)),
            "ErrorCode": code,
            "ErrorMessage": code.lower(),
            "SmsQuantity": "1",
        },
    )


def globe(teller: Teller) -> Iterator[Piece]:
    """A type that the provider names without saying what is in it."""
    yield Piece(
        "GlobeSmsReport", {"messageId": str(teller.serial()), "to": "85291234567", "time": clock(teller.moment())}
    )


def reply(teller: Teller) -> Iterator[Piece]:
    """A phone user writes back."""
    sent = teller.moment()
    serial = teller.serial()
    body: dict[str, object] = {
        "phone_number": teller.phone(),
        "content": teller.some(*REPLIES),
        "send_time": teller.some(clock(sent), sent.strftime("%Y%m%d%H%M%S")),
        "dest_code": f"{teller.dice.randrange(1000, 9999)}",
        "sequence_id": teller.dice.choice((serial, float(serial), str(serial))),
    }
    sign = teller.some(*SIGNATURES)
    yield Piece("SmsUp", {**body, "sign_name": f"【{sign}】"} if teller.chance(0.5) else body)


def sign_review(teller: Teller) -> Iterator[Piece]:
    """A signature under review, then approved or not."""
    base: dict[str, object] = {
        "sign_name": f"{teller.some(*SIGNATURES)}{teller.serial()}",
        "sign_source": "企事业单位的全称或简称",
        "sign_scene": "验证码",
        "create_date": clock(teller.moment()),
        "remark": f"申请人：{teller.some(*NAMES)}",
    }
    yield from review(teller, "SignSmsReport", "sign_status", base)


def template_review(teller: Teller) -> Iterator[Piece]:
    """A template under review, then approved or not."""
    base: dict[str, object] = {
        "template_code": f"SMS_{teller.serial()}",
        "template_name": "登录确认",
        "template_content": "您的验证码是${code}，5分钟内有效。",
        "template_type": teller.some("验证码", "短信通知", "推广短信"),
        "create_date": clock(teller.moment()),
    }
    yield from review(teller, "TemplateSmsReport", "template_status", base)


def review(teller: Teller, kind: str, status: str, base: dict[str, object]) -> Iterator[Piece]:
    """Both steps of a review, with the order id in either spelling."""
    order = {teller.some("order_id", "orderId"): f"{teller.serial()}"}
    yield Piece(kind, {**base, **order, status: "approving"})
    if teller.chance(0.8):
        yield Piece(kind, {**base, **order, status: "approved"})
    else:
        yield Piece(kind, {**base, **order, status: "rejected", "reason": "内容与场景不符"})


def console_test(teller: Teller) -> Iterator[Piece]:
    """The console's "test push", whose data are the same for everybody."""
    then = clock(datetime(2017, 8, 30))
    yield Piece(
        "SmsReport",
        {
            "phone_number": "18612345678",
            "send_time": then,
            "report_time": then,
            "success": True,
            "err_code": "DELIVERED",
            "err_msg": "用户接收成功",
            "sms_size": "1",
            "biz_id": "932702304080415357^0",
            "out_id": "1184585343",
        },
    )
    yield Piece(
        "SmsUp",
        {
            "phone_number": "18612345678",
            "content": "内容",
            "send_time": clock(teller.moment()),
            "dest_code": "1234",
            "sequence_id": "1234567890",
            "sign_name": "【阿里云】",
        },
    )
