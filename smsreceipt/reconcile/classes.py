"""The classes of a comparison: every send of its days is in exactly one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from smsreceipt.model import Outcome, Send
from smsreceipt.reconcile.calendar import Calendar


class Class(StrEnum):
    """What a comparison found out about one send."""

    WITH_RECEIPT = "with_receipt"  #: it had a final receipt before the provider was asked
    YOUNG = "young"  #: not asked: its receipt may be on its way
    TOO_LATE = "too_late"  #: no receipt, and the provider no longer answers about its day
    DELIVERED = "compensated_delivered"  #: asked: it was delivered
    FAILED = "compensated_failed"  #: asked: it failed or expired
    STILL_WAITING = "still_waiting"  #: asked: the provider waits for the carrier
    NO_RECORD = "no_record"  #: asked: the provider has no record of it
    UNASKED = "unasked"  #: not asked, though it should be: the run was stopped, or failed to ask about it


#: In this order in the summary; together they are "missing".
MISSING = (Class.DELIVERED, Class.FAILED, Class.STILL_WAITING, Class.NO_RECORD, Class.UNASKED)
#: How these ended is not known yet.
LEFT = (Class.STILL_WAITING, Class.NO_RECORD, Class.UNASKED)


class Finding(NamedTuple):
    """One send and its class."""

    send: Send
    found: Class
    outcome: Outcome | None = None
    code: str = ""
    note: str = ""  #: why it could not be asked about, if there is a reason
    final_no_record: bool = False  #: of no_record: asking again changes nothing

    @property
    def open(self) -> bool:
        """Whether a later comparison may find out more, as long as its day can be asked about."""
        if self.found is Class.NO_RECORD:
            return not self.final_no_record
        return self.found in {Class.YOUNG, Class.STILL_WAITING, Class.UNASKED}


@dataclass(slots=True)
class ClassCounts:
    """Counters of a comparison: sends by class, failures by code, and the time left to ask."""

    calendar: Calendar
    classes: Counter[Class] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  #: compensated_failed by code
    notes: Counter[str] = field(default_factory=Counter)  #: unasked by reason
    open_since: int | None = None  #: the oldest Beijing day of a send that can still be asked about
    pressing: int = 0  #: open sends about which little time is left to ask

    def add(self, finding: Finding) -> None:
        """Count one send."""
        found, day = finding.found, finding.send.day
        self.classes[found] += 1
        if found is Class.FAILED:
            self.failures[finding.code] += 1
        if finding.note:
            self.notes[finding.note] += 1
        if finding.open and self.calendar.days_left(day) is not None:
            self.open_since = day if self.open_since is None else min(day, self.open_since)
            self.pressing += self.calendar.pressing(day)

    def add_all(self, findings: Iterable[Finding]) -> None:
        """Count several sends."""
        for each in findings:
            self.add(each)

    def count(self, *classes: Class) -> int:
        """How many sends are in these classes."""
        return sum(self.classes[each] for each in classes)

    @property
    def missing(self) -> int:
        """The sends that were asked about or should have been."""
        return self.count(*MISSING)

    @property
    def left(self) -> int:
        """Of the missing, those of which it is not known how they ended."""
        return self.count(*LEFT)

    @property
    def days_left(self) -> int | None:
        """How many days the oldest open send can still be asked about; None if none is open."""
        return None if self.open_since is None else self.calendar.days_left(self.open_since)

    def check(self, sent: int, missing: int) -> None:
        """Compare the sums with counts made independently. Raises AssertionError, which is a bug."""
        if self.missing != missing or self.classes.total() != sent:
            raise AssertionError(f"the classes do not add up to {sent} sends, {missing} of them missing")
