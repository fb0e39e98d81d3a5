"""Stories of the number-privacy service: a call and everything that is reported about it, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from smsreceipt.sandbox.traffic.faker import NAMES, SIGNATURES, Piece, Teller, clock, later, milliseconds

_POOLS = ("FC100000078360204", "FC100000091234567")
_VENDORS = ("北京", "杭州", "广州")


def parties(teller: Teller, called: datetime) -> dict[str, object]:
    """Who calls whom through which number: the fields that all reports of a call share."""
    sub_id = f"{10**15 + teller.serial()}"
    fields: dict[str, object] = {
        "pool_key": teller.some(*_POOLS),
        "sub_id": int(sub_id) if teller.chance(0.5) else sub_id,
        "call_id": f"4f3a{teller.serial():012x}",
        "phone_no": teller.phone(),
        "secret_no": f"1700000{teller.dice.randrange(10_000):04d}",
        "peer_no": teller.phone(),
        "called_display_no": f"1700000{teller.dice.randrange(10_000):04d}",
        "call_type": teller.dice.choice((0, 1, "0", "1")),
        "call_time": clock(called),
    }
    return {**fields, "out_id": f"ride-{teller.serial()}"} if teller.chance(0.6) else fields


def call(teller: Teller) -> Iterator[Piece]:
    """Start, ring, pick-up, end, recording, transcript, as far as the call gets."""
    called = teller.moment()
    both = parties(teller, called)
    answered = teller.chance(0.7)
    yield Piece("SecretStartReport", both)
    if teller.chance(0.3):
        spelling = teller.some("ring_time", "ringTime", "ring_Time")
        yield Piece("SecretRingReport", {**both, spelling: clock(later(called, 3))})
    if answered and teller.chance(0.3):
        yield Piece(
            "SecretPickUpReport", {**both, "ring_time": clock(later(called, 3)), "pickup_time": clock(later(called, 8))}
        )
    yield Piece("SecretReport", {**both, **ending(teller, called, answered)})
    if answered and teller.chance(0.6):
        yield recording(teller, both, called)
        if teller.chance(0.4):
            yield transcript(teller, both)


def ending(teller: Teller, called: datetime, answered: bool) -> dict[str, object]:
    """What the end report adds. An unanswered call starts and ends at one moment."""
    start = later(called, 8)
    fields: dict[str, object] = {
        "start_time": clock(start),
        "call_out_time": clock(later(called, 1)),
        "ring_time": clock(later(called, 3)),
        "free_ring_time": clock(later(called, 2)),
        "release_time": clock(later(start, teller.dice.randrange(5, 600)) if answered else start),
        "sms_number": 0,
        "release_dir": teller.dice.choice((0, 1, 2)),
        "release_cause": teller.dice.choice((16, 31) if answered else (17, 18, 19, 20, 1)),
        "unconnected_cause": 0,
    }
    if answered and teller.chance(0.5):
        fields["record_url"] = f"http://records.example.com/{teller.serial()}.mp3"
    return fields


def recording(teller: Teller, both: dict[str, object], called: datetime) -> Piece:
    """A recording exists; its time is spelled in whatever way the pages and captures show."""
    at = milliseconds(called)
    fields: dict[str, object] = {
        "pool_key": both["pool_key"],
        teller.some("subs_id", "sub_id"): both["sub_id"],
        "call_id": both["call_id"],
        "call_time": teller.dice.choice((at, at, str(at), at // 1000, clock(called))),
    }
    return Piece("SecretRecording", {**fields, "out_id": both["out_id"]} if "out_id" in both else fields)


def transcript(teller: Teller, both: dict[str, object]) -> Piece:
    """What was said."""
    text = f"您好，我是{teller.some(*NAMES)}，您的车到了。"
    return Piece(
        "SecretAsrReport",
        {
            "callId": both["call_id"],
            "poolKey": both["pool_key"],
            "partnerKey": both["pool_key"],
            "secretNo": both["secret_no"],
            "bizDuration": teller.dice.randrange(1000, 60_000),
            "statusCode": "21050000",
            "sentences": [{"channelId": 0, "beginTime": 320, "endTime": 2900, "text": text, "emotionValue": 6.5}],
        },
    )


def extension_call(teller: Teller) -> Iterator[Piece]:
    """Dialled through an extension: two start reports under one call, told apart by control_type."""
    called = teller.moment()
    both = parties(teller, called)
    for control in ("IVR", "CONTINUE"):
        yield Piece("SecretStartReport", {**both, "control_type": control, "city": teller.some(*_VENDORS)})
    yield Piece("SecretReport", {**both, **ending(teller, called, answered=True), "extension": "007"})


def intercepted_sms(teller: Teller) -> Iterator[Piece]:
    """A text through a privacy number, with its id as number, as text or left out, and either spelling."""
    serial = teller.serial()
    body: dict[str, object] = {
        "partner_key": "FC100000078360204",
        "pool_key": teller.some(*_POOLS),
        "sub_id": f"{10**15 + teller.serial()}",
        "sms_type": teller.dice.choice((1, 2, 3)),
        "send_no": teller.phone(),
        "secret_no": f"1700000{teller.dice.randrange(10_000):04d}",
        "receive_no": teller.phone(),
        "sms_content": f"{teller.some(*NAMES)}：我到楼下了",
        teller.some("sms-intercept-type", "sms_intercept_type"): teller.some(
            "NORMAL", "SUBS_NOT_EXISTS", "CONTROL_DISABLE"
        ),
        "call_id": f"5e1b{serial:012x}",
        "start_time": clock(teller.moment()),
    }
    if teller.chance(0.8):
        body["id"] = teller.dice.choice((serial, str(serial)))
    if teller.chance(0.8):
        status, code = teller.dice.choice(((1, "DELIVRD"), (1, "DELIVRD"), (2, "UNDELIV"), (2, "REJECTD")))
        body |= {"status": status, "code": code}
    if teller.chance(0.3):
        body["sms_sign"] = teller.some(*SIGNATURES)
    yield Piece("SecretSmsIntercept", body)


def exception_phone(teller: Teller) -> Iterator[Piece]:
    """A privacy number stops or starts working."""
    yield Piece(
        "SecretExceptionPhoneReport",
        {
            "secretNo": f"1700000{teller.dice.randrange(10_000):04d}",
            "partnerKey": "FC100000078360204",
            "noStatus": teller.dice.choice((0, 1)),
            "timestamp": milliseconds(teller.moment()) + teller.serial() % 1000,
        },
    )


def number_management(teller: Teller) -> Iterator[Piece]:
    """A number is bought or given back, in either spelling."""
    number, at = f"1700{teller.serial() % 10**7:07d}", clock(teller.moment())
    common: dict[str, object] = {"city": teller.some(*_VENDORS), "status": teller.dice.choice((1, 2)), "vendor": 1}
    if teller.chance(0.5):
        yield Piece("NumberManagementReport", {**common, "secretNo": number, "partnerKey": "FC1", "operatingTime": at})
    else:
        yield Piece(
            "NumberManagementReport", {**common, "secret_no": number, "partner_key": "FC1", "operating_time": at}
        )
