"""The figures that rules judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from smsreceipt.insight.measure import Sums
from smsreceipt.insight.question import Thresholds
from smsreceipt.model import Instant


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages of a period: outcomes and latencies, and the codes of those that were not delivered."""

    sums: Sums = field(default_factory=Sums)
    codes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a whole."""

    part: int
    whole: int

    @property
    def share(self) -> float:
        """The share; 0 of nothing."""
        return self.part / self.whole if self.whole else 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """Pushes that a listener answered with 503, the last time that it did."""

    lasted: float  #: seconds from the first of them to the last
    ago: float  #: seconds since the last
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known at a moment. None: not known, so that the rule leaves its alarms as they are."""

    now: Instant
    window: int = 900  #: seconds of *recent*
    recent: Messages | None = None  #: sent in the last window
    usual: Messages | None = None  #: sent in the same hour of the seven days before
    last_received: Mapping[str, Instant] | None = None  #: by message type
    arrivals: Mapping[str, int] = field(default_factory=dict)  #: by message type: in the same hour of the seven days
    backlog: Mapping[str, float] | None = None  #: queue --> seconds that its oldest message waits; 0: it is empty
    refused: Mapping[str, Refused] = field(default_factory=dict)  #: by listener
    rejects: int | None = None
    conflicts: int | None = None
    no_receipt: Part | None = None
    opt_outs: Part | None = None
    free: int | None = None  #: bytes
    receiving: bool = False  #: a puller runs
    limits: Thresholds = field(default_factory=Thresholds)  #: those of the findings of `stats`
