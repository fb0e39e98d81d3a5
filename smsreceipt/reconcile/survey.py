"""Some Beijing days of the ledger, gone through once: who has a receipt, who is too young or too late, whom to ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from smsreceipt.model import Answer, Instant, Send
from smsreceipt.reconcile.calendar import Calendar, Standing, last_word
from smsreceipt.reconcile.classes import MISSING, Books, Class, Learnt
from smsreceipt.reconcile.compact import Packed
from smsreceipt.reconcile.plan import Known, Plan, jobs, near_midnight
from smsreceipt.store import Store, StoredSend


@dataclass(slots=True)
class Days:
    """What a comparison begins with."""

    first: int
    last: int
    calendar: Calendar
    sent: int = 0  #: in the ledger
    without: int = 0  #: of them, those without a final receipt
    plan: Plan = field(default_factory=Plan)
    #: without a final receipt, and not to be asked about now
    settled: Packed[Learnt] = field(default_factory=lambda: Packed(Learnt))

    @property
    def with_receipt(self) -> int:
        """Those that have a final receipt."""
        return self.sent - self.without

    @property
    def missing(self) -> int:
        """Those that count as missing: to be asked about now, or asked about before and still without an end."""
        asked = sum(learnt.found in MISSING for learnt in self.settled)
        return self.plan.sends + asked

    def books(self) -> Books:
        """The books with everything entered that needs no asking."""
        books = Books(self.calendar)
        books.classes[Class.WITH_RECEIPT] = self.with_receipt
        books.add_all(self.settled)
        return books


def survey(store: Store, first: int, last: int, calendar: Calendar, begun: Instant) -> Days:
    """Read the days *first* to *last*, the oldest first, inside a snapshot of *store*: others may write meanwhile.

    What was answered since *begun* belongs to this comparison, which is taken up where it stopped.
    """
    days = Days(first, last, calendar, store.count_sends(first, last))
    for day in range(first, last + 1):
        for job in jobs(_to_ask(store, days, day, begun), lambda phone, at: _known(store, phone, at)):
            days.plan.add(job)
    return days


def _to_ask(store: Store, days: Days, day: int, begun: Instant) -> Iterator[Send]:
    """The sends of one day that are to be asked about; the others are noted."""
    for row in store.missing(day, day):
        days.without += 1
        found = _class_without_asking(row, days.calendar, begun)
        if found is None:
            yield row.send
        else:
            word = found is Class.NO_RECORD and last_word(row.send.day, row.answer, row.asked_at)
            days.settled.add(Learnt(row.send, found, row.outcome, last_word=word))


def _class_without_asking(row: StoredSend, calendar: Calendar, begun: Instant) -> Class | None:
    """The class of a send that nobody need ask about now; None: it is to be asked about."""
    standing = calendar.standing(row.send)
    if last_word(row.send.day, row.answer, row.asked_at):
        return Class.NO_RECORD
    if standing is not Standing.MISSING:
        return Class(standing.value)
    if row.asked_at is None or row.asked_at < begun:
        return None
    if row.answer is Answer.WAITING:
        return Class.STILL_WAITING
    return Class.NO_RECORD if row.answer is Answer.NO_RECORD else None


def _known(store: Store, phone: str, day: int) -> Known:
    """What an answer about one number and day may tell of."""
    sends = store.sends_of(phone, day - 1, day + 1)
    return Known([send for send in sends if send.day == day], near_midnight(sends, day))
