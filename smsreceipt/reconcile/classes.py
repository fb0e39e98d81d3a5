"""The books of a comparison: every send of its days stands in exactly one class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from smsreceipt.model import Outcome, Send
from smsreceipt.reconcile.calendar import Calendar


class Class(StrEnum):
    """What a comparison says of one send."""

    WITH_RECEIPT = "with_receipt"  #: it had a final receipt before anybody was asked
    YOUNG = "young"  #: its receipt may well be on its way: not asked
    TOO_LATE = "too_late"  #: no receipt, and its day is beyond what the provider tells about
    DELIVERED = "compensated_delivered"  #: asked: the handset took it
    FAILED = "compensated_failed"  #: asked: it failed or expired
    STILL_WAITING = "still_waiting"  #: asked: the provider waits for the carrier itself
    NO_RECORD = "no_record"  #: asked: the provider knows of no such send
    UNASKED = "unasked"  #: to be asked, and not asked: the run was stopped, or could not ask about this one


#: In this order in the summary; together they are "missing".
MISSING = (Class.DELIVERED, Class.FAILED, Class.STILL_WAITING, Class.NO_RECORD, Class.UNASKED)
#: Nobody knows yet how these ended.
LEFT = (Class.STILL_WAITING, Class.NO_RECORD, Class.UNASKED)


class Learnt(NamedTuple):
    """One send and what became of it."""

    send: Send
    found: Class
    outcome: Outcome | None = None
    code: str = ""
    note: str = ""  #: why it could not be asked about, where there is a reason
    last_word: bool = False  #: of no_record: asking again cannot change anything

    @property
    def open(self) -> bool:
        """Whether a later comparison may learn more, as long as its day can be asked about."""
        if self.found is Class.NO_RECORD:
            return not self.last_word
        return self.found in {Class.YOUNG, Class.STILL_WAITING, Class.UNASKED}


@dataclass(slots=True)
class Books:
    """Counts by class, failures by code, and how much time is left; filled send by send."""

    calendar: Calendar
    classes: Counter[Class] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  #: compensated_failed by code
    notes: Counter[str] = field(default_factory=Counter)  #: unasked by reason
    open_since: int | None = None  #: the oldest Beijing day of a send that can still be asked about
    pressing: int = 0  #: open sends about which little time is left to ask

    def add(self, learnt: Learnt) -> None:
        """Enter one send."""
        found, day = learnt.found, learnt.send.day
        self.classes[found] += 1
        if found is Class.FAILED:
            self.failures[learnt.code] += 1
        if learnt.note:
            self.notes[learnt.note] += 1
        if learnt.open and self.calendar.days_left(day) is not None:
            self.open_since = day if self.open_since is None else min(day, self.open_since)
            self.pressing += self.calendar.pressing(day)

    def add_all(self, learnt: Iterable[Learnt]) -> None:
        """Enter several sends."""
        for each in learnt:
            self.add(each)

    def count(self, *classes: Class) -> int:
        """How many sends stand in these classes."""
        return sum(self.classes[each] for each in classes)

    @property
    def missing(self) -> int:
        """Those that were, or were to be, asked about."""
        return self.count(*MISSING)

    @property
    def left(self) -> int:
        """Of the missing, those of which nobody knows how they ended."""
        return self.count(*LEFT)

    @property
    def days_left(self) -> int | None:
        """How many days the oldest open send can still be asked about; None: nothing is open."""
        return None if self.open_since is None else self.calendar.days_left(self.open_since)

    def close(self, sent: int, missing: int) -> None:
        """Check the sums against what was counted apart. Raises AssertionError: a bug of ours."""
        if self.missing != missing or self.classes.total() != sent:
            raise AssertionError("the books do not balance")
