"""Scenarios of the SMS service: reports, replies, reviews. Fields are spelled as documentation and captures show."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import format_datetime

from smsreceipt.sandbox.sends import OUTCOMES
from smsreceipt.sandbox.traffic.faker import NAMES, REPLIES, SIGNATURES, Faker, Receipt, later, wall_clock
from smsreceipt.sandbox.wire.receipts import console_receipt

_CODES = [(code, text) for code, text, _weight in OUTCOMES]
_WEIGHTS = [weight for _code, _text, weight in OUTCOMES]


def biz_id(fake: Faker) -> str:
    """A BizId that is unique in this run."""
    return f"90061974{fake.serial():010d}^0"


def report_fields(fake: Faker, biz: str, out_id: str) -> dict[str, object]:
    """A mainland SmsReport. Without an OutId there is no out_id."""
    sent = fake.moment()
    code, text = fake.rng.choices(_CODES, _WEIGHTS)[0]
    delivered = code == "DELIVERED"
    fields: dict[str, object] = {
        "phone_number": fake.phone(),
        "send_time": wall_clock(sent),
        "report_time": wall_clock(later(sent, fake.rng.randrange(1, 9))),
        "success": delivered,
        "err_code": fake.choice("DELIVERED", "DELIVERED", "DELIVERED", "DELIVRD") if delivered else code,
        "err_msg": text,
        "sms_size": str(fake.rng.choice((1, 1, 1, 2, 3))),
        "biz_id": biz,
    }
    return {**fields, "out_id": out_id} if out_id else fields


def report(fake: Faker) -> Iterator[Receipt]:
    """One message and its report."""
    out_id = f"order-{fake.serial()}" if fake.chance(0.7) else ""
    yield Receipt("SmsReport", report_fields(fake, biz_id(fake), out_id))


def campaign(fake: Faker) -> Iterator[Receipt]:
    """Several numbers in one call, with the same BizId and OutId."""
    biz, out_id = biz_id(fake), f"campaign-{fake.serial()}"
    phones = {str(fields["phone_number"]): fields for fields in (report_fields(fake, biz, out_id) for _ in range(5))}
    for fields in phones.values():
        yield Receipt("SmsReport", fields)


def verification(fake: Faker) -> Iterator[Receipt]:
    """A verification code: the fields of an SmsReport under another message type."""
    yield Receipt("DypnsSmsVerifyReport", report_fields(fake, biz_id(fake), ""))


def international(fake: Faker) -> Iterator[Receipt]:
    """A message of an international account to another country."""
    sent = fake.moment()
    status, code, text = fake.rng.choice(
        (("1", "DELIVERED", "success"), ("2", "UNDELIV", "failed"), ("6", "EXPIRED", "expired"))
    )
    body: dict[str, object] = {
        "To": f"852{fake.rng.randrange(10**7, 10**8)}",
        "Status": status,
        "MessageId": f"{fake.serial()}",
        "SmsSize": "1",
        "SendDate": format_datetime(sent),
        "ReceiveDate": format_datetime(later(sent, 7)),
        "ErrorCode": code,
        "ErrorDescription": text,
    }
    yield Receipt("SmsReport", {**body, "TaskId": str(fake.serial())} if fake.chance(0.3) else body)


def international_to_mainland(fake: Faker) -> Iterator[Receipt]:
    """A message of an international account to the mainland."""
    sent = fake.moment()
    status, code = fake.rng.choice((("1", "DELIVERED"), ("2", "MOBILE_NOT_ON_SERVICE")))
    yield Receipt(
        "SmsReport",
        {
            "PhoneNumber": f"86{fake.phone()}",
            "SendStatus": status,
            "BizId": biz_id(fake),
            "ExternalId": f"ext-{fake.serial()}",
            "SendDate": format_datetime(sent),
            "ReceiveDate": format_datetime(later(sent, 4)),
            "ErrorCode": code,
            "ErrorMessage": code.lower(),
            "SmsQuantity": "1",
        },
    )


def globe(fake: Faker) -> Iterator[Receipt]:
    """A GlobeSmsReport: an international SMS of a mainland account."""
    sent = fake.moment()
    yield Receipt(
        "GlobeSmsReport",
        {
            "to": "85291234567",
            "status": "1",
            "message_id": str(fake.serial()),
            "send_date": wall_clock(sent),
            "receive_date": wall_clock(later(sent, 4)),
            "error_code": "DELIVERED",
            "error_description": "success",
        },
    )


def reply(fake: Faker) -> Iterator[Receipt]:
    """A reply of a phone user."""
    sent = fake.moment()
    serial = fake.serial()
    body: dict[str, object] = {
        "phone_number": fake.phone(),
        "content": fake.choice(*REPLIES),
        "send_time": fake.choice(wall_clock(sent), sent.strftime("%Y%m%d%H%M%S")),
        "dest_code": f"{fake.rng.randrange(1000, 9999)}",
        "sequence_id": fake.rng.choice((serial, float(serial), str(serial))),
    }
    sign = fake.choice(*SIGNATURES)
    yield Receipt("SmsUp", {**body, "sign_name": f"【{sign}】"} if fake.chance(0.5) else body)


def sign_review(fake: Faker) -> Iterator[Receipt]:
    """The review of a signature."""
    base: dict[str, object] = {
        "sign_name": f"{fake.choice(*SIGNATURES)}{fake.serial()}",
        "sign_source": "企事业单位的全称或简称",
        "sign_scene": "验证码",
        "create_date": wall_clock(fake.moment()),
        "remark": f"申请人：{fake.choice(*NAMES)}",
    }
    yield from review(fake, "SignSmsReport", "sign_status", base)


def template_review(fake: Faker) -> Iterator[Receipt]:
    """The review of a template."""
    base: dict[str, object] = {
        "template_code": f"SMS_{fake.serial()}",
        "template_name": "登录确认",
        "template_content": "您的验证码是${code}，5分钟内有效。",
        "template_type": fake.choice("验证码", "短信通知", "推广短信"),
        "create_date": wall_clock(fake.moment()),
    }
    yield from review(fake, "TemplateSmsReport", "template_status", base)


def review(fake: Faker, kind: str, status: str, base: dict[str, object]) -> Iterator[Receipt]:
    """Both reports of a review, with the order id in either spelling."""
    order = {fake.choice("order_id", "orderId"): f"{fake.serial()}"}
    yield Receipt(kind, {**base, **order, status: "approving"})
    if fake.chance(0.8):
        yield Receipt(kind, {**base, **order, status: "approved"})
    else:
        yield Receipt(kind, {**base, **order, status: "rejected", "reason": "内容与场景不符"})


def console_test(fake: Faker) -> Iterator[Receipt]:
    """The console's "test push", which sends every account the same data."""
    yield Receipt("SmsReport", console_receipt("SmsReport", ""))
    yield Receipt("SmsUp", console_receipt("SmsUp", wall_clock(fake.moment())))
