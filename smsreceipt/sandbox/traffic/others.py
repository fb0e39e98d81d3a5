"""Scenarios of other services that use the same queues: parcels, voice calls, card messages."""

from __future__ import annotations

from collections.abc import Iterator

from smsreceipt.sandbox.traffic.faker import Faker, Receipt, later, wall_clock


def logistics(fake: Faker) -> Iterator[Receipt]:
    """A step of a parcel."""
    yield Receipt(
        "SmartLogisticsReport",
        {
            "mailNo": f"YT{fake.serial()}",
            "logisticsStatus": fake.choice("TRANSPORT", "DELIVERING", "SIGN"),
            "logisticsGmtModified": wall_clock(fake.moment()),
        },
    )


def voice_call(fake: Faker) -> Iterator[Receipt]:
    """A voice call: its states, its end, its recording."""
    began = fake.moment()
    call_id = f"11{fake.serial():010d}^10{fake.serial():010d}"
    for step, code in enumerate(("200000", "200005")):
        yield Receipt(
            "VoiceCallReport",
            {
                "call_id": call_id,
                "status_code": code,
                "status_time": wall_clock(later(began, 3 * step)),
                "out_id": f"voice-{fake.serial()}",
            },
        )
    yield Receipt(
        "VoiceReport",
        {
            "call_id": call_id,
            "caller": "05710000",
            "callee": fake.phone(),
            "start_time": wall_clock(began),
            "end_time": wall_clock(later(began, 20)),
            "duration": "20",
            "status_code": "200000",
            "status_msg": "用户接听",
        },
    )
    if fake.chance(0.3):
        yield Receipt("VoiceRecordReport", {"call_id": call_id, "record_file": f"{fake.serial()}.mp3"})


def card(fake: Faker) -> Iterator[Receipt]:
    """How a card message was shown. The documentation gives the status as a number and as a text."""
    status: object = fake.rng.choice((0, 1, "0", "1"))
    yield Receipt(
        "MnsCardVender",
        {"mobile": fake.phone(), "outId": f"card-{fake.serial()}", "render_status": status, "desc": "解析成功"},
    )


def card_template(fake: Faker) -> Iterator[Receipt]:
    """The review of a card template by each vendor."""
    operations = [{"state": 1, "desc": "审核通过", "vendorCode": vendor} for vendor in ("HuaWei", "XiaoMi")]
    yield Receipt(
        "MnsCardTemplate",
        {
            "template_code": f"CARD_SMS_{fake.serial()}",
            "approval_status": fake.rng.choice((0, 1, 2)),
            "desc": "审核完成",
            "extData": {"tmpOps": operations},
        },
    )
