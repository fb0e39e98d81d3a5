"""What `stats`, `report` and `watch` ask."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum


class Compare(StrEnum):
    """The period that a period is compared with."""

    PREVIOUS = "previous"  #: as many days, just before
    WEEK = "week"  #: the same days, seven days earlier
    NONE = "none"


class Group(StrEnum):
    """The groups of message types that have figures."""

    SMS = "sms"
    CALLS = "calls"
    REPLIES = "replies"


class Dimension(StrEnum):
    """What messages may be grouped by."""

    DAY = "day"
    HOUR = "hour"
    WEEKDAY = "weekday"  #: 1 Monday to 7 Sunday
    CODE = "code"
    CATEGORY = "category"
    CARRIER = "carrier"
    PROVINCE = "province"
    TEMPLATE = "template"
    SIGN = "sign"
    POOL = "pool"  #: calls
    KIND = "kind"
    ORIGIN = "origin"


#: What calls may be grouped by; messages by all but POOL.
OF_CALLS = (
    Dimension.DAY,
    Dimension.HOUR,
    Dimension.CODE,
    Dimension.POOL,
    Dimension.CARRIER,
    Dimension.PROVINCE,
    Dimension.ORIGIN,
)


class Sort(StrEnum):
    """The order of groups; those of days, hours and weekdays are always in the order of time."""

    COUNT = "count"
    RATE = "rate"  #: the lowest delivery rate first
    CHANGE = "change"  #: the largest loss of delivery rate first
    P95 = "p95"  #: the slowest first


#: Replies that ask not to be sent any more messages, in the form in which words are compared.
OPT_OUT = frozenset({"T", "TD", "TT", "N", "0000", "退订", "取消", "QX", "拒收", "STOP", "UNSUBSCRIBE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From where on something is a finding. Rates are fractions, times are seconds."""

    messages: int = 200  #: final receipts that a cell needs
    z: float = -4.0  #: how improbable a drop must be
    points: float = 0.05  #: how large a drop must be
    latency_factor: float = 2.0  #: of the p95 before
    latency_seconds: int = 10  #: above the p95 before
    silent_messages: int = 20  #: an hour without any that had so many before is silent
    code_factor: float = 3.0  #: of the share that a code had before
    code_messages: int = 50  #: with such a code
    gap: float = 0.005  #: of the provider's ended parts, without a receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Some Beijing days, what to compare them with, and which messages count. An empty filter filters nothing."""

    first_day: int  #: since 1970-01-01, both included
    last_day: int
    compare: Compare = Compare.PREVIOUS
    groups: Collection[Group] = tuple(Group)
    templates: Collection[str] = ()
    signs: Collection[str] = ()
    carriers: Collection[str] = ()
    provinces: Collection[str] = ()
    codes: Collection[str] = ()
    by: tuple[Dimension, ...] = ()  #: at most two
    top: int | None = None  #: so many groups at most
    sort: Sort = Sort.COUNT
    exact: bool = False  #: times to the second, by reading every receipt
    parts: bool = True  #: count billed parts, for which a receipt that does not tell them may be read
    by_send: bool = True  #: also group by template and sign, for which every receipt of a day with sends is read
    opt_out: Collection[str] = OPT_OUT
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def compared(self) -> tuple[int, int] | None:
        """The first and the last day of the period to compare with."""
        if self.compare is Compare.NONE:
            return None
        back = 7 if self.compare is Compare.WEEK else self.last_day - self.first_day + 1
        return self.first_day - back, self.last_day - back
