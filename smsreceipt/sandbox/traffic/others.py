"""Stories of the other services on the same road: parcels, voice calls, card messages."""

from __future__ import annotations

from collections.abc import Iterator

from smsreceipt.sandbox.traffic.faker import Piece, Teller, clock, later


def logistics(teller: Teller) -> Iterator[Piece]:
    """A parcel moves."""
    yield Piece(
        "SmartLogisticsReport",
        {
            "mailNo": f"YT{teller.serial()}",
            "logisticsStatus": teller.some("TRANSPORT", "DELIVERING", "SIGN"),
            "logisticsGmtModified": clock(teller.moment()),
        },
    )


def voice_call(teller: Teller) -> Iterator[Piece]:
    """A voice call: several states, its end, its recording."""
    began = teller.moment()
    call_id = f"11{teller.serial():010d}^10{teller.serial():010d}"
    for step, code in enumerate(("200000", "200005")):
        yield Piece(
            "VoiceCallReport",
            {
                "call_id": call_id,
                "status_code": code,
                "status_time": clock(later(began, 3 * step)),
                "out_id": f"voice-{teller.serial()}",
            },
        )
    yield Piece(
        "VoiceReport",
        {
            "call_id": call_id,
            "caller": "05710000",
            "callee": teller.phone(),
            "start_time": clock(began),
            "end_time": clock(later(began, 20)),
            "duration": "20",
            "status_code": "200000",
            "status_msg": "用户接听",
        },
    )
    if teller.chance(0.3):
        yield Piece("VoiceRecordReport", {"call_id": call_id, "record_file": f"{teller.serial()}.mp3"})


def card(teller: Teller) -> Iterator[Piece]:
    """How a card message was shown; the pages swap the types of these fields."""
    status: object = teller.dice.choice((0, 1, "0", "1"))
    yield Piece(
        "MnsCardVender",
        {"mobile": teller.phone(), "outId": f"card-{teller.serial()}", "render_status": status, "desc": "解析成功"},
    )


def card_template(teller: Teller) -> Iterator[Piece]:
    """A card template was reviewed by each vendor."""
    operations = [{"state": 1, "desc": "审核通过", "vendorCode": vendor} for vendor in ("HuaWei", "XiaoMi")]
    yield Piece(
        "MnsCardTemplate",
        {
            "template_code": f"CARD_SMS_{teller.serial()}",
            "approval_status": teller.dice.choice((0, 1, 2)),
            "desc": "审核完成",
            "extData": {"tmpOps": operations},
        },
    )
