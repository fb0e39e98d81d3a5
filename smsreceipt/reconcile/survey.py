"""Classify the sends of some Beijing days without asking the provider, and plan the calls about the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from smsreceipt.model import WHOLE, Answer, Instant, Send, Share
from smsreceipt.reconcile.calendar import Calendar, Standing, is_final_no_record
from smsreceipt.reconcile.classes import MISSING, Class, ClassCounts, Finding
from smsreceipt.reconcile.compact import CompactList
from smsreceipt.reconcile.plan import Known, Plan, jobs, near_midnight
from smsreceipt.store import Store, StoredSend


@dataclass(slots=True)
class Survey:
    """The sends of some days before the provider is asked."""

    first: int
    last: int
    calendar: Calendar
    sent: int = 0  #: in the ledger
    share: Share = WHOLE  #: of the numbers
    without: int = 0  #: of these, those without a final receipt
    plan: Plan = field(default_factory=Plan)
    #: those without a final receipt that are not to be asked about now
    settled: CompactList[Finding] = field(default_factory=lambda: CompactList(Finding))

    @property
    def with_receipt(self) -> int:
        """The sends that have a final receipt."""
        return self.sent - self.without

    @property
    def missing(self) -> int:
        """The sends to be asked about now, and those that were asked about and are still open."""
        asked = sum(finding.found in MISSING for finding in self.settled)
        return self.plan.sends + asked

    def counts(self) -> ClassCounts:
        """Counters of the sends that are not to be asked about."""
        counts = ClassCounts(self.calendar)
        counts.classes[Class.WITH_RECEIPT] = self.with_receipt
        counts.add_all(self.settled)
        return counts


def survey_days(
    store: Store, first: int, last: int, calendar: Calendar, begun: Instant, share: Share = WHOLE
) -> Survey:
    """Read the days *first* to *last*, the oldest first. Call it inside store.snapshot(), since others may write.

    Only the sends to the numbers of *share* are read. Answers since *begun* belong to this comparison, and are not
    asked for again.
    """
    survey = Survey(first, last, calendar, store.count_sends(first, last, share), share=share)
    for day in range(first, last + 1):
        for job in jobs(_to_ask(store, survey, day, begun), lambda phone, at: _known(store, phone, at)):
            survey.plan.add(job)
    return survey


def _to_ask(store: Store, survey: Survey, day: int, begun: Instant) -> Iterator[Send]:
    """The sends of one day that are to be asked about; the others are added to *survey*."""
    for row in store.missing(day, day, survey.share):
        survey.without += 1
        found = _class_without_asking(row, survey.calendar, begun)
        if found is None:
            yield row.send
        else:
            final = found is Class.NO_RECORD and is_final_no_record(row.send.day, row.answer, row.asked_at)
            survey.settled.add(Finding(row.send, found, row.outcome, final_no_record=final))


def _class_without_asking(row: StoredSend, calendar: Calendar, begun: Instant) -> Class | None:
    """The class of a send that is not to be asked about now; None if it is."""
    standing = calendar.standing(row.send)
    if is_final_no_record(row.send.day, row.answer, row.asked_at):
        return Class.NO_RECORD
    if standing is not Standing.MISSING:
        return Class(standing.value)
    if row.asked_at is None or row.asked_at < begun:
        return None
    if row.answer is Answer.WAITING:
        return Class.STILL_WAITING
    return Class.NO_RECORD if row.answer is Answer.NO_RECORD else None


def _known(store: Store, phone: str, day: int) -> Known:
    """The sends that an answer about one number and day may contain."""
    sends = store.sends_of(phone, day - 1, day + 1)
    return Known([send for send in sends if send.day == day], near_midnight(sends, day))
