"""What providers say, in the few variants that meet: the same statement twice, contradictions, several bodies."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from smsreceipt.decode import decode
from smsreceipt.model import Decoded, Delivery, Instant, Kind, Source

NOW = Instant(1_795_000_000_000)
PHONE = "13800008000"

Said = tuple[str, Mapping[str, object]]  #: a kind and what a message of it holds


def frame(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def report(biz_id: str = "900^0", phone: str = PHONE, **fields: object) -> Said:
    return "SmsReport", {
        "phone_number": phone,
        "send_time": "2026-11-20 15:49:55",
        "report_time": "2026-11-20 15:49:58",
        "success": True,
        "err_code": "DELIVERED",
        "biz_id": biz_id,
        "out_id": "order-1",
        **fields,
    }


FAILED: dict[str, Any] = {"success": False, "err_code": "MOBILE_IN_BLACK"}
WAITING: dict[str, Any] = {"success": False, "err_code": "UNKNOWN"}


def call(call_id: str = "call-1", pool_key: str = "FC1", **fields: object) -> Said:
    return "SecretReport", {
        "pool_key": pool_key,
        "call_id": call_id,
        "phone_no": "13900001111",
        "call_time": "2026-11-20 10:00:00",
        "start_time": "2026-11-20 10:00:12",
        "release_time": "2026-11-20 10:03:17",
        "release_cause": 16,
        "out_id": "ride-1",
        **fields,
    }


def reply(sequence_id: str = "568585703", content: str = "收到", **fields: object) -> Said:
    return "SmsUp", {
        "phone_number": PHONE,
        "content": content,
        "dest_code": "1234",
        "send_time": "2026-11-20 16:01:00",
        "sequence_id": sequence_id,
        **fields,
    }


def bad(text: str = '{"phone_number":') -> bytes:
    return text.encode()


def decoded(
    *said: Said | bytes,
    source: Source = Source.MNS,
    origin: str = "a-queue",
    at: int = NOW,
    kind: str = "SmsReport",
) -> Decoded:
    """One delivery of messages of one kind; bytes are frames of *kind* as they are."""
    kinds = {each[0] for each in said if not isinstance(each, bytes)} or {kind}
    (named,) = kinds
    frames = tuple(each if isinstance(each, bytes) else frame(each[1]) for each in said)
    return decode(Delivery(frames, Kind(named), source, origin, Instant(at)))


def mixed(*said: Said, source: Source = Source.MNS, origin: str = "a-queue", at: int = NOW) -> list[Decoded]:
    """A delivery for each message, whatever its kind."""
    return [decoded(each, source=source, origin=origin, at=at) for each in said]


_DAYS = ("2026-11-19 23:59:59", "2026-11-20 00:00:00", "2026-11-20 15:49:55", "2026-10-01 08:00:00")
_TIMES = ("2026-11-20 15:49:58", "2026-11-20 15:50:58", "2026-11-21 00:00:01")
_OUT_IDS = ("order-1", "order-2", "900^0", PHONE)
_PHONES = (PHONE, "13900001111", "85212345678")
_IDS = ("900^0", "901^0", "call-1", "id-1")
_CALLS = ("call-1", "call-2")

#: Kind --> fields and the values that they may have; those after the bar may be absent. Few values, so that they meet:
#: in one identity, in one statement, and as another column's value.
_KINDS: tuple[tuple[str, Mapping[str, tuple[object, ...]], Mapping[str, tuple[object, ...]]], ...] = (
    *(
        (
            kind,
            {"biz_id": _IDS, "phone_number": _PHONES, "success": (True, False), "send_time": _DAYS},
            {
                "err_code": ("DELIVERED", "DELIVRD", "UNKNOWN", "MOBILE_IN_BLACK", "16"),
                "report_time": _TIMES,
                "out_id": _OUT_IDS,
                "sms_size": ("1", "2"),
            },
        )
        for kind in ("SmsReport", "SmsReport", "SmsReport", "DypnsSmsVerifyReport")
    ),
    (
        "SmsUp",
        {
            "sequence_id": ("1234567890", "900^0"),
            "content": ("内容", "好"),
            "phone_number": (PHONE,),
            "send_time": ("2026-11-20 16:01:00",),
        },
        {"dest_code": ("1234", "1")},
    ),
    (
        "SecretReport",
        {"pool_key": ("FC1", "call-1"), "call_id": (*_CALLS, "FC1"), "call_time": _DAYS, "phone_no": _PHONES},
        {"start_time": _TIMES, "release_time": _TIMES, "release_cause": (16, 31), "out_id": _OUT_IDS},
    ),
    (
        "SecretSmsIntercept",
        {"sms_content": ("a", "b"), "start_time": _DAYS, "receive_no": _PHONES},
        {"id": _IDS, "call_id": _CALLS, "status": (1, 2, 0)},
    ),
    (
        "VoiceCallReport",
        {"status_code": ("200", "call-1"), "status_time": _TIMES},
        {"call_id": _CALLS, "biz_id": _IDS, "out_id": _OUT_IDS},
    ),
    ("NewKind", {"hello": (0, 1, 2)}, {}),
)


def anything(dice: random.Random, kinds: tuple[str, ...] = ()) -> Decoded:
    """One to four messages of one kind that came together, now and then one of them twice, by any way."""
    kind, required, optional = dice.choice([row for row in _KINDS if not kinds or row[0] in kinds])
    said = []
    for _ in range(dice.choice((1, 1, 2, 4))):
        present = [*required.items(), *(each for each in optional.items() if dice.random() < 0.7)]
        said.append((kind, {name: dice.choice(values) for name, values in present}))
    if dice.random() < 0.2:
        said.append(said[0])
    at = NOW + dice.randrange(5) * 86_400_000
    return decoded(*said, source=dice.choice(list(Source)), origin=dice.choice("ab"), at=at)


def pool(size: int = 600, kinds: tuple[str, ...] = ()) -> list[Decoded]:
    """So many deliveries, always the same."""
    dice = random.Random(20261121)
    return [anything(dice, kinds) for _ in range(size)]
