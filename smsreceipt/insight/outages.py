"""Windows in which receipts did not come: from the times of arrival, and from what `listen` has noted. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import msgspec

from smsreceipt.insight.question import Thresholds
from smsreceipt.insight.silence import is_silent
from smsreceipt.model import DAY_MS, Instant, Source
from smsreceipt.store.arrivals import MINUTE, Came

RETRIES = 16 * MINUTE  #: the provider's last try of a push comes so long after the first
SHORTEST = 15 * MINUTE  #: a shorter silence is not looked at unless it is asked for
WEEKS = 4  #: so many weeks before are compared
_APART = 5 * MINUTE  # windows of one kind that are closer are one
_HOUR = 60 * MINUTE
_WEEK = 7 * DAY_MS
_WAYS = frozenset({Source.MNS, Source.PUSH})

Way = tuple[str, Source]


class Verdict(StrEnum):
    """What became of the receipts of a window."""

    LOST = "lost"  #: they did not come, and will not by themselves
    LATE = "late"  #: they came afterwards
    QUIET = "quiet"  #: nothing says that there were any
    UNKNOWN = "unknown"  #: there is nothing to tell it by


class Window(NamedTuple):
    """A window in which nothing, or strangely little, came."""

    begin: Instant
    end: Instant
    kind: str
    source: Source
    expected: float | None  #: None: there is no week before to compare with
    arrived: int
    known: bool = False  #: listen was down then, or answered 503


class Event(msgspec.Struct, frozen=True):
    """What `listen` has noted."""

    event: str  #: started, stopped or refused
    listener: str  #: host and address
    until: int = 0  #: of refused: the last minute
    count: int = 0  #: of refused: pushes


class Usual:
    """How many came in the same hours of the weeks before; reads each hour of them once."""

    def __init__(self, read: Callable[[Instant, Instant], Sequence[Came]], first_at: Mapping[str, Instant]) -> None:
        """*read* tells what came in a period; *first_at* when each kind came first."""
        self._read, self._first_at = read, first_at
        self._hours: dict[int, Mapping[Way, Counter[int]]] = {}

    def __call__(self, way: Way, begin: Instant, end: Instant) -> float | None:
        """The mean of the weeks in which this kind was received already; None where there is none."""
        counts = []
        for back in range(1, WEEKS + 1):
            if begin - back * _WEEK < self._first_at.get(way[0], end):
                break
            counts.append(self._count(way, (begin - back * _WEEK) // MINUTE, (end - back * _WEEK) // MINUTE))
        return sum(counts) / len(counts) if counts else None

    def _count(self, way: Way, first: int, last: int) -> int:
        hours = range(first // 60, last // 60 + 1)
        return sum(
            count
            for hour in hours
            for minute, count in self._hour(hour).get(way, Counter()).items()
            if first <= minute < last
        )

    def _hour(self, hour: int) -> Mapping[Way, Counter[int]]:
        if hour not in self._hours:
            self._hours[hour] = by_way(self._read(Instant(hour * _HOUR), Instant((hour + 1) * _HOUR)))
        return self._hours[hour]


def by_way(came: Iterable[Came]) -> dict[Way, Counter[int]]:
    """How many came in each minute, by kind and way."""
    found: dict[Way, Counter[int]] = defaultdict(Counter)
    for each in came:
        if each.source in _WAYS:
            found[each.kind, each.source][each.minute] += each.count
    return found


def silences(
    arrived: Mapping[Way, Counter[int]], ways: Iterable[Way], since: Instant, until: Instant, usual: Usual,
    limits: Thresholds, shortest: int = SHORTEST,
) -> Iterator[Window]:  # fmt: skip
    """The windows of at least *shortest* milliseconds in which a kind did not come that usually comes."""
    for way in sorted(ways):
        minutes = sorted(arrived.get(way, ()))
        edges = [since // MINUTE - 1, *minutes, -(-until // MINUTE)]
        found: list[Window] = []
        for before, after in pairwise(edges):
            begin, end = Instant((before + 1) * MINUTE), Instant(after * MINUTE)
            if end - begin < shortest:
                continue
            expected = usual(way, begin, end)
            if expected is not None and is_silent(0, expected, limits):
                found.append(Window(begin, end, *way, expected, 0))
        yield from _joined(found, arrived.get(way, Counter()))


def _joined(windows: Sequence[Window], arrived: Mapping[int, int]) -> Iterator[Window]:
    """Windows of one kind that are close to each other, as one."""
    last: Window | None = None
    for window in windows:
        if last is not None and window.begin - last.end <= _APART:
            between = sum(arrived.get(minute, 0) for minute in range(last.end // MINUTE, window.begin // MINUTE))
            expected = (last.expected or 0) + (window.expected or 0)
            last = last._replace(end=window.end, expected=expected, arrived=last.arrived + between)
            continue
        if last is not None:
            yield last
        last = window
    if last is not None:
        yield last


def interruptions(
    events: Iterable[tuple[Instant, Event]], pushes: Sequence[int], since: Instant, until: Instant
) -> list[tuple[Instant, Instant]]:
    """When no listener was up, or one refused, for longer than the provider tries.

    *events*: in order of time. *pushes*: the minutes in which pushes came. A listener that was not shut down ended with
    the last of them.
    """
    found: list[tuple[Instant, Instant]] = []
    up: set[str] = set()
    down_since: Instant | None = None
    for at, event in events:
        if event.event == "refused":
            found.append((at, Instant(max(event.until, at))))
        elif event.event == "stopped":
            up.discard(event.listener)
            if not up:
                down_since = at
        else:
            if event.listener in up and len(up) == 1:  # it was killed
                down_since = _last_push(pushes, at)
            if down_since is not None:
                found.append((down_since, at))
            up.add(event.listener)
            down_since = None
    if down_since is not None:
        found.append((down_since, until))
    clipped = [(Instant(max(begin, since)), Instant(min(end, until))) for begin, end in sorted(found)]
    return [each for each in _merged(clipped) if each[1] - each[0] > RETRIES]


def _last_push(pushes: Sequence[int], before: Instant) -> Instant | None:
    return max((Instant((minute + 1) * MINUTE) for minute in pushes if minute < before // MINUTE), default=None)


def _merged(spans: Iterable[tuple[Instant, Instant]]) -> list[tuple[Instant, Instant]]:
    found: list[tuple[Instant, Instant]] = []
    for begin, end in spans:
        if found and begin - found[-1][1] <= _APART:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > begin:
            found.append((begin, end))
    return found


def known_windows(
    spans: Sequence[tuple[Instant, Instant]], arrived: Mapping[Way, Counter[int]], ways: Iterable[Way], usual: Usual
) -> Iterator[Window]:
    """A window for each kind that is pushed, in each of these spans in which some usually came, or nobody knows."""
    for kind, source in sorted(ways):
        if source is not Source.PUSH:
            continue
        for begin, end in spans:
            expected = usual((kind, source), begin, end)
            minutes = arrived.get((kind, source), Counter())
            count = sum(each for minute, each in minutes.items() if begin // MINUTE <= minute < end // MINUTE)
            if expected is not None and (expected < 1 or count * 2 >= expected):
                continue  # nothing was to come, or another listener received it
            yield Window(begin, end, kind, source, expected, count, known=True)


def together(known: Iterable[Window], silent: Iterable[Window]) -> list[Window]:
    """All windows in the order of time; a silence within a known window is that window."""
    found = list(known)
    for window in silent:
        if not any(
            each.kind == window.kind and each.source is window.source
            and each.begin - SHORTEST <= window.begin and window.end <= each.end + SHORTEST
            for each in found
        ):  # fmt: skip
            found.append(window)
    return sorted(found, key=lambda each: (each.begin, each.kind, each.source))


def verdict(window: Window, sends: int | None, without_receipt: int, came_later: int) -> Verdict:
    """What became of the receipts of a window.

    *sends*: those of the window in the list of sends; None where there is no list of that day. *came_later*: receipts
    of messages that were sent in the window.
    """
    if sends:
        return Verdict.LOST if without_receipt else Verdict.LATE
    if sends == 0:
        return Verdict.QUIET
    if window.expected is None:
        return Verdict.UNKNOWN
    if came_later * 2 >= window.expected:
        return Verdict.LATE
    pushed = window.source is Source.PUSH and window.end - window.begin > RETRIES
    if window.known and pushed:
        return Verdict.LOST
    return Verdict.QUIET if came_later == 0 else Verdict.UNKNOWN
