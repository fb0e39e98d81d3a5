"""The object of `stats --json`, which the page shows and `watch` judges. Its fields are the keys, in their order.

Rates are fractions with six digits, durations are whole seconds, days are YYYY-MM-DD; what is not known is None.
No phone number is ever in it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

SCHEMA = 1


class Latency(msgspec.Struct, frozen=True):
    """How long delivered messages took."""

    p50: int | None = None
    p90: int | None = None
    p95: int | None = None
    p99: int | None = None
    max: int | None = None
    mean: float | None = None
    within_10s: float | None = None  #: share that took at most 10 s


class Provider(msgspec.Struct, frozen=True):
    """What QuerySendStatistics tells of the same days, in billed parts."""

    sent: int
    succeeded: int
    failed: int
    no_response: int


class Sms(msgspec.Struct, frozen=True):
    """Messages of a period."""

    reports: int
    delivered: int
    failed: int
    expired: int
    unknown: int
    pending: int
    delivery_rate: float | None
    unknown_rate: float | None
    latency: Latency
    latency_invalid: int
    latency_histogram: list[tuple[int, int]]  #: seconds and messages
    sent: int | None
    no_receipt: int | None
    receipt_rate: float | None
    delivered_of_sent: float | None
    parts: int
    provider: Provider | None
    parts_gap: int | None


class Cell(msgspec.Struct, frozen=True):
    """Messages that have the values of one or two dimensions in common; other dimensions are not in its JSON."""

    day: str | UnsetType = UNSET
    hour: int | UnsetType | None = UNSET
    weekday: int | UnsetType = UNSET
    code: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    carrier: str | UnsetType = UNSET
    province: str | UnsetType = UNSET
    template: str | UnsetType = UNSET  #: "" where no list of sends tells it
    sign: str | UnsetType = UNSET
    pool: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    origin: str | UnsetType = UNSET
    source: str | UnsetType = UNSET  #: where template and sign come from: ledger
    reports: int = 0
    delivered: int = 0
    failed: int = 0
    expired: int = 0
    unknown: int = 0
    pending: int = 0
    delivery_rate: float | None = None
    previous_reports: int | None = None
    previous_rate: float | None = None
    latency: Latency = Latency()
    parts: int = 0


class Failure(msgspec.Struct, frozen=True):
    """Messages that were not delivered for one reason."""

    outcome: str
    code: str
    category: str | None
    count: int
    share: float  #: of the failed, expired and unknown ones
    previous: int | None  #: the count of the period before
    meaning_en: str | None
    meaning_zh: str | None
    advice_en: str | None
    advice_zh: str | None


class Talk(msgspec.Struct, frozen=True):
    """How long connected calls lasted."""

    sum: int = 0
    mean: float | None = None
    p50: int | None = None
    p95: int | None = None
    max: int | None = None


class Ring(msgspec.Struct, frozen=True):
    """How long calls rang."""

    p50: int | None = None
    p95: int | None = None


class Cause(msgspec.Struct, frozen=True):
    """Calls that ended for one reason."""

    code: str
    side: str  #: who ended it: platform, caller, callee or unknown
    outcome: str
    count: int


class CallType(msgspec.Struct, frozen=True):
    """Records of one call type: 0 and 1 are calls, 4 blocked calls, 2, 3 and 5 an SMS."""

    call_type: str
    count: int


class Calls(msgspec.Struct, frozen=True):
    """Calls through privacy numbers of a period."""

    ended: int
    connected: int
    unconnected: int
    answer_rate: float | None
    talk_seconds: Talk
    billed_minutes: int
    short_calls: int
    ring_seconds: Ring
    recordings: int
    missing_recordings: int | None  #: None: no pool records
    missing_end: int
    by_cause: list[Cause]
    by_type: list[CallType]


class Replies(msgspec.Struct, frozen=True):
    """Replies of a period."""

    replies: int
    opt_outs: int
    opt_out_rate: float | None


class Finding(msgspec.Struct, frozen=True):
    """Something unusual. rate and baseline of latency are its p95 in seconds; of a code, its shares of all messages."""

    kind: str  #: drop, latency, silence, code or gap
    dimension: str | None  #: carrier, province, template, code, or None: all messages
    value: str | None
    day: str
    from_hour: int | None  #: None: the whole day
    to_hour: int | None  #: exclusive
    rate: float | None
    baseline: float | None
    messages: int  #: lost, slow, absent or with that code
    z: float | None


class Trend(msgspec.Struct, frozen=True):
    """One of the days up to the last one."""

    day: str
    reports: int
    delivered: int
    failed: int
    expired: int
    unknown: int
    pending: int
    delivery_rate: float | None
    p95: int | None
    parts: int


class Period(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """Two Beijing days, both included."""

    first: str
    last: str


class Tallied(msgspec.Struct, frozen=True):
    """How far receipts are counted in advance."""

    to_seq: int
    folded: bool  #: all receipts are


class Tables(msgspec.Struct, frozen=True):
    """The messages by one dimension each. Template and sign are empty where no list of sends covers the period."""

    hour: list[Cell]
    day: list[Cell]
    carrier: list[Cell]
    province: list[Cell]
    template: list[Cell]
    sign: list[Cell]


class Stats(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """All figures of a period. Groups of message types that were not asked for are None."""

    schema: int
    first: str
    last: str
    final: bool  #: no receipt that comes from now on should change a day
    time_zone: str
    day_of: str
    compared_with: Period | None
    sms: Sms | None
    previous: Sms | None
    failures: list[Failure]
    by: Tables | None
    carrier_hour: list[Cell]
    calls: Calls | None
    previous_calls: Calls | None
    replies: Replies | None
    findings: list[Finding]
    trend: list[Trend]
    tally: Tallied


def as_json(value: msgspec.Struct) -> dict[str, Any]:
    """An object of this module as plain values, with the keys of its JSON."""
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain
