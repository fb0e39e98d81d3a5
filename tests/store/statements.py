"""What providers say, in the few variants that meet: the same statement twice, contradictions, several bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

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


FAILED = {"success": False, "err_code": "MOBILE_IN_BLACK"}
WAITING = {"success": False, "err_code": "UNKNOWN"}


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


# -- strategies ----------------------------------------------------------------------------------------------------

_days = st.sampled_from(["2026-11-19 23:59:59", "2026-11-20 00:00:00", "2026-11-20 15:49:55", "2026-10-01 08:00:00"])
_times = st.sampled_from(["2026-11-20 15:49:58", "2026-11-20 15:50:58", "2026-11-21 00:00:01"])
_out_ids = st.sampled_from(["order-1", "order-2", "900^0", PHONE])
_phones = st.sampled_from([PHONE, "13900001111", "85212345678"])
_ids = st.sampled_from(["900^0", "901^0", "call-1", "id-1"])
_extra = st.fixed_dictionaries({}, optional={"sms_size": st.sampled_from(["1", "2"])})


def _of(kind: str, required: Mapping[str, object], optional: Mapping[str, object]) -> st.SearchStrategy[Said]:
    fields = st.fixed_dictionaries(
        {name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in required.items()},
        optional={name: value for name, value in optional.items() if isinstance(value, st.SearchStrategy)},
    )
    return st.builds(lambda inner, extra: (kind, {**inner, **extra}), fields, _extra)


reports = _of(
    "SmsReport",
    {"biz_id": _ids, "phone_number": _phones, "success": st.booleans(), "send_time": _days},
    {
        "err_code": st.sampled_from(["DELIVERED", "DELIVRD", "UNKNOWN", "MOBILE_IN_BLACK", "16"]),
        "report_time": _times,
        "out_id": _out_ids,
    },
)
replies = _of(
    "SmsUp",
    {"sequence_id": st.sampled_from(["1234567890", "900^0"]), "content": st.sampled_from(["内容", "好"])},
    {"dest_code": st.sampled_from(["1234", "1"])},
).map(lambda said: (said[0], {"phone_number": PHONE, "send_time": "2026-11-20 16:01:00", **said[1]}))
calls = _of(
    "SecretReport",
    {
        "pool_key": st.sampled_from(["FC1", "call-1"]),
        "call_id": st.sampled_from(["call-1", "call-2", "FC1"]),
        "call_time": _days,
        "phone_no": _phones,
    },
    {"start_time": _times, "release_time": _times, "release_cause": st.sampled_from([16, 31]), "out_id": _out_ids},
)
intercepts = _of(
    "SecretSmsIntercept",
    {"sms_content": st.sampled_from(["a", "b"]), "start_time": _days, "receive_no": _phones},
    {"id": _ids, "call_id": st.sampled_from(["call-1", "call-2"]), "status": st.sampled_from([1, 2, 0])},
)
steps = _of(
    "VoiceCallReport",
    {"status_code": st.sampled_from(["200", "call-1"]), "status_time": _times},
    {"call_id": st.sampled_from(["call-1", "call-2"]), "biz_id": _ids, "out_id": _out_ids},
)
others = _of("NewKind", {"hello": st.integers(0, 2)}, {})
said = st.one_of(reports, reports, reports, replies, calls, intercepts, steps, others)
sources = st.sampled_from(Source)


@st.composite
def deliveries(draw: st.DrawFn, messages: st.SearchStrategy[Said] = said) -> Decoded:
    """One to four messages of one kind that came together, some of them twice."""
    first = draw(messages)
    more = draw(st.lists(messages, max_size=3))
    together = [first, *(each for each in more if each[0] == first[0])]
    if draw(st.booleans()):
        together.append(first)
    source, origin = draw(sources), draw(st.sampled_from(["a", "b"]))
    return decoded(*together, source=source, origin=origin, at=NOW + draw(st.integers(0, 5)) * 86_400_000)


batches: st.SearchStrategy[Sequence[Decoded]] = st.lists(deliveries(), min_size=1, max_size=4)
