"""Plan the fewest calls that settle the missing sends, as jobs: the calls about one number and one day.

A call with a BizId returns the row of one send. A call by number alone returns the rows of all its sends of that day,
50 a page, without their BizIds: it saves calls where several are missing and OutIds or times tell them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from smsreceipt.matching import TOLERANCE_MS
from smsreceipt.model import Send
from smsreceipt.reconcile.calendar import neighbour
from smsreceipt.reconcile.compact import CompactList
from smsreceipt.sources.query.pages import PAGE


class Job(msgspec.Struct, frozen=True, array_like=True):
    """The work of one worker at a time. Its answers are committed together."""

    phone: str
    day: int
    sends: tuple[Send, ...]  #: to be settled
    calls: int  #: that it takes if the ledger is right
    by_number: bool = False  #: ask by number alone first, then by BizId about sends that cannot be told apart
    others: tuple[Send, ...] = ()  #: if by number: further sends that rows of the answer may be about


class Known(NamedTuple):
    """The sends to one number that an answer about one day may contain."""

    day: Sequence[Send]  #: all of that day
    around: Sequence[Send] = ()  #: of the neighbouring days, those near enough to midnight to be filed under it


Lookup = Callable[[str, int], Known]


def jobs(missing: Iterable[Send], known: Lookup) -> Iterator[Job]:
    """The jobs that settle *missing*, in its order, in which the sends of one number and day follow each other.

    *known* is called only for numbers with several sends missing on a day.
    """
    for (phone, day), group in groupby(missing, lambda send: (send.phone, send.day)):
        sends = []
        for send in group:
            if send.by_message_id:  # QuerySendDetails by number alone does not return it
                yield Job(phone, day, (send,), 1)
            else:
                sends.append(send)
        together = _by_number(tuple(sends), known(phone, day)) if len(sends) > 1 else None
        if together is not None:
            yield together
        else:
            yield from (Job(phone, day, (send,), 1) for send in sends)


def _by_number(sends: tuple[Send, ...], known: Known) -> Job | None:
    """One job by number alone, if that takes fewer calls than one for each BizId."""
    everyone = [send for send in (*known.day, *known.around) if not send.by_message_id]
    alike = indistinct(everyone)
    pages = max(len(known.day), len(sends)) // PAGE + 1  # after a full page another one must be asked for
    calls = pages + sum(_key(send) in alike for send in sends)
    if calls >= len(sends):
        return None
    asked = set(map(_key, sends))
    others = tuple(send for send in everyone if _key(send) not in asked)
    return Job(sends[0].phone, sends[0].day, sends, calls, by_number=True, others=others)


def indistinct(sends: Iterable[Send]) -> set[str]:
    """Of the sends to one number, the BizIds of those whose rows cannot be told apart for sure."""
    by_out_id: dict[str, list[Send]] = defaultdict(list)
    for send in sends:
        by_out_id[send.out_id].append(send)
    without = by_out_id.pop("", [])
    twins = [send for alike in by_out_id.values() for send in _too_near(alike)]
    # A row that may belong to either of two twins may also belong to a send without an OutId at that time.
    return {_key(send) for send in (*twins, *(_too_near([*without, *twins]) if without else ()))}


def _too_near(alike: Sequence[Send]) -> Iterator[Send]:
    """Of sends with the same OutId, those whose times do not tell them apart; all, if one of them has no time."""
    if len(alike) < 2:
        return
    timed = sorted((send.sent_at, send.biz_id, send) for send in alike if send.sent_at is not None)
    if len(timed) < len(alike):
        yield from alike
        return
    for index, (at, _, send) in enumerate(timed):
        around = [timed[beside][0] for beside in (index - 1, index + 1) if 0 <= beside < len(timed)]
        if any(abs(other - at) <= 2 * TOLERANCE_MS for other in around):
            yield send


def _key(send: Send) -> str:
    """What identifies a send among those to one number: the ledger has a BizId once for each."""
    return send.biz_id


def near_midnight(sends: Iterable[Send], day: int) -> list[Send]:
    """Of *sends* of other days, those that the provider may have filed under *day*."""
    return [send for send in sends if neighbour(send) == day]


class Plan:
    """Jobs, in the order in which they are to be done, and their sums."""

    def __init__(self, planned: Iterable[Job] = ()) -> None:
        self.sends = 0
        self.calls = 0  #: that all jobs take if the ledger is right
        self._jobs = CompactList(Job)
        self._messages = CompactList(Job)  # last: a key may lack the right to ask about them
        for job in planned:
            self.add(job)

    def add(self, job: Job) -> None:
        """Append a job."""
        self.sends += len(job.sends)
        self.calls += job.calls
        (self._messages if job.sends[0].by_message_id else self._jobs).add(job)

    def __len__(self) -> int:
        return len(self._jobs) + len(self._messages)

    def __iter__(self) -> Iterator[Job]:
        yield from self._jobs
        yield from self._messages
