"""Scenarios of the number-privacy service: calls, text messages and changes of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from smsreceipt.sandbox.traffic.faker import NAMES, SIGNATURES, Faker, Receipt, later, milliseconds, wall_clock

_POOLS = ("FC100000078360204", "FC100000091234567")
_CITIES = ("北京", "杭州", "广州")


def parties(fake: Faker, called: datetime) -> dict[str, object]:
    """The caller, the called number and the privacy number: fields that all reports of a call share."""
    sub_id = f"{10**15 + fake.serial()}"
    fields: dict[str, object] = {
        "pool_key": fake.choice(*_POOLS),
        "sub_id": int(sub_id) if fake.chance(0.5) else sub_id,
        "call_id": f"4f3a{fake.serial():012x}",
        "phone_no": fake.phone(),
        "secret_no": f"1700000{fake.rng.randrange(10_000):04d}",
        "peer_no": fake.phone(),
        "called_display_no": f"1700000{fake.rng.randrange(10_000):04d}",
        "call_type": fake.rng.choice((0, 1, "0", "1")),
        "call_time": wall_clock(called),
    }
    return {**fields, "out_id": f"ride-{fake.serial()}"} if fake.chance(0.6) else fields


def call(fake: Faker) -> Iterator[Receipt]:
    """A call: start, ring, pick-up, end, recording, transcript."""
    called = fake.moment()
    both = parties(fake, called)
    answered = fake.chance(0.7)
    yield Receipt("SecretStartReport", both)
    if fake.chance(0.3):
        spelling = fake.choice("ring_time", "ringTime", "ring_Time")
        yield Receipt("SecretRingReport", {**both, spelling: wall_clock(later(called, 3))})
    if answered and fake.chance(0.3):
        yield Receipt(
            "SecretPickUpReport",
            {**both, "ring_time": wall_clock(later(called, 3)), "pickup_time": wall_clock(later(called, 8))},
        )
    yield Receipt("SecretReport", {**both, **ending(fake, called, answered)})
    if answered and fake.chance(0.6):
        yield recording(fake, both, called)
        if fake.chance(0.4):
            yield transcript(fake, both)


def ending(fake: Faker, called: datetime, answered: bool) -> dict[str, object]:
    """The further fields of the end report. An unanswered call starts and ends at the same time."""
    start = later(called, 8)
    fields: dict[str, object] = {
        "start_time": wall_clock(start),
        "call_out_time": wall_clock(later(called, 1)),
        "ring_time": wall_clock(later(called, 3)),
        "free_ring_time": wall_clock(later(called, 2)),
        "release_time": wall_clock(later(start, fake.rng.randrange(5, 600)) if answered else start),
        "sms_number": 0,
        "release_dir": fake.rng.choice((0, 1, 2)),
        "release_cause": fake.rng.choice((16, 31) if answered else (17, 18, 19, 20, 1)),
        "unconnected_cause": 0,
    }
    if answered and fake.chance(0.5):
        fields["record_url"] = f"http://records.example.com/{fake.serial()}.mp3"
    return fields


def recording(fake: Faker, both: dict[str, object], called: datetime) -> Receipt:
    """A recording; its time has one of the forms that documentation and captures show."""
    at = milliseconds(called)
    fields: dict[str, object] = {
        "pool_key": both["pool_key"],
        fake.choice("subs_id", "sub_id"): both["sub_id"],
        "call_id": both["call_id"],
        "call_time": fake.rng.choice((at, at, str(at), at // 1000, wall_clock(called))),
    }
    return Receipt("SecretRecording", {**fields, "out_id": both["out_id"]} if "out_id" in both else fields)


def transcript(fake: Faker, both: dict[str, object]) -> Receipt:
    """The transcript of a call."""
    text = f"您好，我是{fake.choice(*NAMES)}，您的车到了。"
    return Receipt(
        "SecretAsrReport",
        {
            "callId": both["call_id"],
            "poolKey": both["pool_key"],
            "partnerKey": both["pool_key"],
            "secretNo": both["secret_no"],
            "bizDuration": fake.rng.randrange(1000, 60_000),
            "statusCode": "21050000",
            "sentences": [{"channelId": 0, "beginTime": 320, "endTime": 2900, "text": text, "emotionValue": 6.5}],
        },
    )


def extension_call(fake: Faker) -> Iterator[Receipt]:
    """A call with an extension: two start reports with one call_id that differ in control_type."""
    called = fake.moment()
    both = parties(fake, called)
    for control in ("IVR", "CONTINUE"):
        yield Receipt("SecretStartReport", {**both, "control_type": control, "city": fake.choice(*_CITIES)})
    yield Receipt("SecretReport", {**both, **ending(fake, called, answered=True), "extension": "007"})


def intercepted_sms(fake: Faker) -> Iterator[Receipt]:
    """An SMS through a privacy number. Its id is a number, a text or absent; one field has two spellings."""
    serial = fake.serial()
    body: dict[str, object] = {
        "partner_key": "FC100000078360204",
        "pool_key": fake.choice(*_POOLS),
        "sub_id": f"{10**15 + fake.serial()}",
        "sms_type": fake.rng.choice((1, 2, 3)),
        "send_no": fake.phone(),
        "secret_no": f"1700000{fake.rng.randrange(10_000):04d}",
        "receive_no": fake.phone(),
        "sms_content": f"{fake.choice(*NAMES)}：我到楼下了",
        fake.choice("sms-intercept-type", "sms_intercept_type"): fake.choice(
            "NORMAL", "SUBS_NOT_EXISTS", "CONTROL_DISABLE"
        ),
        "call_id": f"5e1b{serial:012x}",
        "start_time": wall_clock(fake.moment()),
    }
    if fake.chance(0.8):
        body["id"] = fake.rng.choice((serial, str(serial)))
    if fake.chance(0.8):
        status, code = fake.rng.choice(((1, "DELIVRD"), (1, "DELIVRD"), (2, "UNDELIV"), (2, "REJECTD")))
        body |= {"status": status, "code": code}
    if fake.chance(0.3):
        body["sms_sign"] = fake.choice(*SIGNATURES)
    yield Receipt("SecretSmsIntercept", body)


def exception_phone(fake: Faker) -> Iterator[Receipt]:
    """A privacy number stops or starts working."""
    yield Receipt(
        "SecretExceptionPhoneReport",
        {
            "secretNo": f"1700000{fake.rng.randrange(10_000):04d}",
            "partnerKey": "FC100000078360204",
            "noStatus": fake.rng.choice((0, 1)),
            "timestamp": milliseconds(fake.moment()) + fake.serial() % 1000,
        },
    )


def number_management(fake: Faker) -> Iterator[Receipt]:
    """A number is bought or released; its fields have two spellings."""
    number, at = f"1700{fake.serial() % 10**7:07d}", wall_clock(fake.moment())
    common: dict[str, object] = {"city": fake.choice(*_CITIES), "status": fake.rng.choice((1, 2)), "vendor": 1}
    if fake.chance(0.5):
        yield Receipt(
            "NumberManagementReport", {**common, "secretNo": number, "partnerKey": "FC1", "operatingTime": at}
        )
    else:
        yield Receipt(
            "NumberManagementReport", {**common, "secret_no": number, "partner_key": "FC1", "operating_time": at}
        )
