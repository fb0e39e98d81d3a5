"""The fewest calls that settle what is missing, as jobs: calls about one number and one day that belong together.

A call with a BizId tells of one send for sure. A call by number alone tells of all its sends of that day, a page of 50
at a time, without saying which is which: it pays where several are missing and OutIds or times tell them apart.
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
from smsreceipt.reconcile.compact import Packed

PAGE = 50  #: rows of an answer, at most


class Job(msgspec.Struct, frozen=True, array_like=True):
    """What one worker does in one go. Its answers are committed together."""

    phone: str
    day: int
    sends: tuple[Send, ...]  #: to be settled
    calls: int  #: that this takes, if the ledger is right
    wide: bool = False  #: ask by number alone first, then by BizId for what cannot be told apart
    others: tuple[Send, ...] = ()  #: of a wide one: the sends that other rows of the answer may be about


class Known(NamedTuple):
    """The sends to one number that an answer about one day may tell of."""

    day: Sequence[Send]  #: all of that day
    around: Sequence[Send] = ()  #: of the days next to it, those so near midnight that they may be filed under it


Lookup = Callable[[str, int], Known]


def jobs(missing: Iterable[Send], known: Lookup) -> Iterator[Job]:
    """The jobs that settle *missing*, in its order: sends of one number and day stand together.

    *known* is asked only about numbers with several sends missing on a day.
    """
    for (phone, day), group in groupby(missing, lambda send: (send.phone, send.day)):
        sends = tuple(group)
        wide = _wide(sends, known(phone, day)) if len(sends) > 1 else None
        if wide is not None:
            yield wide
        else:
            yield from (Job(phone, day, (send,), 1) for send in sends)


def _wide(sends: tuple[Send, ...], known: Known) -> Job | None:
    """One job by number alone, where that takes fewer calls than one for each BizId."""
    everyone = [*known.day, *known.around]
    alike = indistinct(everyone)
    pages = max(len(known.day), len(sends)) // PAGE + 1  # a page that is full is never known to be the last
    calls = pages + sum(_key(send) in alike for send in sends)
    if calls >= len(sends):
        return None
    asked = set(map(_key, sends))
    others = tuple(send for send in everyone if _key(send) not in asked)
    return Job(sends[0].phone, sends[0].day, sends, calls, wide=True, others=others)


def indistinct(sends: Iterable[Send]) -> set[str]:
    """Of the sends to one number, the BizIds of those whose row in an answer may be taken for another's."""
    by_out_id: dict[str, list[Send]] = defaultdict(list)
    for send in sends:
        by_out_id[send.out_id].append(send)
    without = by_out_id.pop("", [])
    twins = [send for alike in by_out_id.values() for send in _too_near(alike)]
    # The rows of twins stay in doubt, and a row in doubt may also be that of a send without an OutId at that time.
    return {_key(send) for send in (*twins, *(_too_near([*without, *twins]) if without else ()))}


def _too_near(alike: Sequence[Send]) -> Iterator[Send]:
    """Those of the same OutId whose times do not tell them apart. Where a time is not known, none of them is apart."""
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
    """The ledger holds a BizId once for each number."""
    return send.biz_id


def near_midnight(sends: Iterable[Send], day: int) -> list[Send]:
    """Of the sends of other days, those that may be filed under *day*."""
    return [send for send in sends if neighbour(send) == day]


class Plan:
    """Jobs, in the order in which they are to be done, and what they add up to."""

    def __init__(self, planned: Iterable[Job] = ()) -> None:
        self.sends = 0
        self.calls = 0  #: that all of it takes, if the ledger is right
        self._jobs = Packed(Job)
        for job in planned:
            self.add(job)

    def add(self, job: Job) -> None:
        """Put it at the end."""
        self.sends += len(job.sends)
        self.calls += job.calls
        self._jobs.add(job)

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs)
