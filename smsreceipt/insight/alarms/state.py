"""The state of each alarm: since when it fires, or when it cleared."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from smsreceipt.insight.alarms.rules import Rule
from smsreceipt.model import Instant

LISTENER = "listen "  #: begins the dimension of an alarm about a listener; no name of a queue has a blank


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm, as it is kept between two looks."""

    rule: Rule
    dimension: str | None = None  #: the message type, code, queue or listener that it is about
    firing: bool
    since: Instant  #: it fires, or is clear
    fired_at: Instant  #: when it last began to fire
    value: float
    threshold: float
    usual: float | None = None
    window: int | None = None
    count: int = 0
    good_at: Instant | None = None  #: while it fires: since when nothing is wrong
    risen_at: Instant  #: when the value last rose
    known: int = 0  #: conflicts that are of before

    @property
    def key(self) -> str:
        """The name under which it is kept."""
        return alarm_key(self.rule, self.dimension)

    @property
    def of_listener(self) -> bool:
        """Whether it is about a listener, not about a queue."""
        return self.rule is Rule.BACKLOG and (self.dimension or "").startswith(LISTENER)


Alarms = Mapping[str, Alarm]  #: by key


def alarm_key(rule: Rule, dimension: str | None) -> str:
    """The name under which an alarm is kept."""
    return rule if dimension is None else f"{rule}:{dimension}"
