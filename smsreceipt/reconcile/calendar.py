"""When the provider can be asked about a send, in Beijing days, whatever the zone of the host."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from smsreceipt.model import DAY_MS, Answer, Instant, Send, beijing_day, start_of_day
from smsreceipt.sources.query.client import HISTORY_DAYS

PRESSING = 25  #: days after which an open send causes a warning
MIDNIGHT_MS = 300_000  #: within so many milliseconds of midnight the provider may file a send under the other day
RECORDED_MS = DAY_MS  #: after the end of a day, until its records are complete


class Standing(StrEnum):
    """What can be done about a send without a final receipt."""

    YOUNG = "young"  #: its receipt may be on its way
    MISSING = "missing"  #: to be asked about
    TOO_LATE = "too_late"  #: the provider no longer answers about its day


@dataclass(frozen=True, slots=True)
class Calendar:
    """What can be asked about at the time *now*."""

    now: Instant
    min_age: int = 3 * 3_600_000  #: milliseconds after which a receipt counts as missing

    @property
    def today(self) -> int:
        """The number of the Beijing day."""
        return beijing_day(self.now)

    @property
    def oldest(self) -> int:
        """The first day that can still be asked about."""
        return self.today - HISTORY_DAYS

    def askable(self, day: int) -> bool:
        """Whether the provider answers about this day now."""
        return self.oldest <= day <= self.today

    def standing(self, send: Send) -> Standing:
        """What can be done about *send*. If only its day is known, its age counts from the end of that day."""
        if send.day < self.oldest:
            return Standing.TOO_LATE
        since = end_of(send.day) if send.sent_at is None else send.sent_at
        young = send.day > self.today or self.now - since < self.min_age
        return Standing.YOUNG if young else Standing.MISSING

    def days_left(self, day: int) -> int | None:
        """How many days after today the day can still be asked about; 0: today is the last; None: it is too late."""
        return day - self.oldest if day >= self.oldest else None

    def pressing(self, day: int) -> bool:
        """Whether little time is left to ask about *day*."""
        return self.oldest <= day <= self.today - PRESSING

    def neighbour(self, send: Send) -> int | None:
        """The other day that may have the record of a send near midnight, if it can be asked about."""
        day = neighbour(send)
        return day if day is not None and self.askable(day) else None


def neighbour(send: Send) -> int | None:
    """The other day under which the provider may have filed a send that went out near midnight."""
    if send.sent_at is None:
        return None
    into = send.sent_at - start_of_day(send.day)
    if into <= MIDNIGHT_MS:
        return send.day - 1
    return send.day + 1 if DAY_MS - into <= MIDNIGHT_MS else None


def end_of(day: int) -> Instant:
    """The first instant after a Beijing day."""
    return start_of_day(day + 1)


def is_final_no_record(day: int, answer: Answer | None, asked_at: Instant | None) -> bool:
    """Whether the provider had no record when those of the day were complete: asking again changes nothing."""
    return answer is Answer.NO_RECORD and asked_at is not None and asked_at >= end_of(day) + RECORDED_MS
