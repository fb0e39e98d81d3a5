"""Outages: none where there is none, whatever the seed; each that is planted, from arrivals and from notes."""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter, itemgetter

import numpy as np
import pytest

from smsreceipt.insight.outages import (
    SHORTEST,
    Event,
    Usual,
    Verdict,
    Window,
    by_way,
    interruptions,
    known_windows,
    silences,
    together,
    verdict,
)
from smsreceipt.insight.question import Thresholds
from smsreceipt.insight.silence import is_silent
from smsreceipt.model import DAY_MS, Instant, Kind, Source, start_of_day
from smsreceipt.store.arrivals import MINUTE, Came

DAY = 20_800
SINCE = start_of_day(DAY)
UNTIL = Instant(SINCE + DAY_MS)
REPORTS, REPLIES = (Kind("SmsReport"), Source.PUSH), (Kind("SmsUp"), Source.PUSH)
LIMITS = Thresholds()


#: All hundred take minutes: SMSRECEIPT_ALL_SEEDS=1.
SEEDS = range(100) if os.environ.get("SMSRECEIPT_ALL_SEEDS") else range(0, 100, 25)


class Traffic:
    """Five weeks of pushes that follow the hours of the day; what comes in *lost* minutes of the last day is lost."""

    def __init__(self, seed: int, a_day: int = 20_000, lost: range = range(0)) -> None:
        first = SINCE // MINUTE - 28 * 1440
        hours = [0.03 + max(math.sin((minute - 420) / 960 * math.pi), 0) for minute in range(1440)]  # few at night
        shares = np.array([1.0, 0.05])
        often = a_day * np.array(hours)[:, np.newaxis] * shares / 600
        counts = np.random.default_rng(seed).poisson(np.broadcast_to(often, (29, 1440, 2))).reshape(-1, 2)
        self.came = [
            Came(*way, first + minute, count)
            for minute, both in enumerate(counts.tolist())
            for way, count in zip((REPORTS, REPLIES), both, strict=True)
            if count
        ]
        self.lose(lost)

    def lose(self, minutes: range) -> None:
        """What came in these minutes of the last day did not."""
        self.came = [each for each in self.came if each.minute - SINCE // MINUTE not in minutes]

    def read(self, since: Instant, until: Instant) -> Sequence[Came]:
        first, last = (bisect_left(self.came, -(-at // MINUTE), key=attrgetter("minute")) for at in (since, until))
        return self.came[first:last]

    def windows(
        self, events: dict[Instant, Event] | None = None, first_at: int = 0, shortest: int = SHORTEST
    ) -> list[Window]:
        usual = Usual(self.read, dict.fromkeys(("SmsReport", "SmsUp"), Instant(first_at)))
        arrived = by_way(self.read(SINCE, UNTIL))
        pushes = sorted({minute for found in arrived.values() for minute in found})
        known = known_windows(
            interruptions(sorted((events or {}).items(), key=itemgetter(0)), pushes, SINCE, UNTIL),
            arrived,
            (REPORTS, REPLIES),
            usual,
        )
        return together(known, silences(arrived, (REPORTS, REPLIES), SINCE, UNTIL, usual, LIMITS, shortest))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_of_daily_traffic_raise_no_alarm_and_hide_no_outage(seed: int) -> None:
    planted = 0
    begin = 540 + seed * 37 % 480
    lost = range(begin, begin + 15 + seed % 100)
    for a_day in (300, 3_000, 20_000):
        traffic = Traffic(seed, a_day)
        assert not traffic.windows(), a_day
        traffic.lose(lost)
        span = Instant(SINCE + lost.start * MINUTE), Instant(SINCE + lost.stop * MINUTE)
        usually = Usual(traffic.read, {"SmsReport": Instant(0)})(REPORTS, *span)
        found = [each for each in traffic.windows() if each.kind == "SmsReport"]
        if not usually or usually < 20:  # with few a day, a short outage is no sign of anything
            continue
        (window,) = found
        assert window.begin <= span[0], a_day
        assert window.end >= span[1], a_day
        if a_day == 20_000:  # something comes every minute
            assert (window.begin, window.end) == span
        planted += 1
    assert planted


def test_the_shortest_gap_that_can_be_asked_for_raises_no_alarm_either() -> None:
    for seed in range(3):
        for a_day in (300, 20_000):
            assert not Traffic(seed, a_day).windows(shortest=MINUTE), (seed, a_day)
    lost = range(14 * 60, 14 * 60 + 3)
    (window,) = Traffic(1, lost=lost).windows(shortest=MINUTE)
    assert ((window.begin - SINCE) // MINUTE, (window.end - SINCE) // MINUTE) == (lost.start, lost.stop)
    assert not Traffic(1, lost=lost).windows()


def test_an_hour_without_any_is_found_to_the_minute() -> None:
    lost = range(14 * 60 + 7, 15 * 60 + 31)
    windows = Traffic(1, lost=lost).windows()
    (reports,) = [each for each in windows if each.kind == "SmsReport"]
    assert (reports.begin - SINCE) // MINUTE == lost.start
    assert (reports.end - SINCE) // MINUTE == lost.stop
    assert reports.expected is not None
    assert reports.expected > 1000
    assert reports.arrived == 0


def test_a_store_that_is_younger_than_a_week_has_nothing_to_compare_with() -> None:
    assert not Traffic(1, lost=range(600, 700)).windows(first_at=SINCE - 3 * DAY_MS)


def test_silence_needs_many_and_none_or_improbably_few() -> None:
    assert is_silent(0, 20, LIMITS)
    assert not is_silent(0, 19, LIMITS)
    assert not is_silent(5, 20, LIMITS)
    assert is_silent(5, 40, LIMITS)


def at(minute: float) -> Instant:
    return Instant(SINCE + round(minute * MINUTE))


def started(name: str = "a") -> Event:
    return Event("started", name)


def stopped(name: str = "a") -> Event:
    return Event("stopped", name)


def spans(events: dict[Instant, Event], pushes: Sequence[int] = ()) -> list[tuple[float, float]]:
    found = interruptions(sorted(events.items(), key=itemgetter(0)), pushes, SINCE, UNTIL)
    return [((begin - SINCE) / MINUTE, (end - SINCE) / MINUTE) for begin, end in found]


def test_a_listener_that_was_down_for_longer_than_the_retries() -> None:
    assert spans({at(0): started(), at(600): stopped(), at(620): started()}) == [(600, 620)]
    assert not spans({at(0): started(), at(600): stopped(), at(615): started()})
    assert spans({at(0): started(), at(1400): stopped()}) == [(1400, 1440)]


def test_another_listener_that_was_up_meanwhile() -> None:
    assert not spans({at(0): started(), at(1): started("b"), at(600): stopped(), at(900): started()})


def test_a_listener_that_was_killed_ended_with_its_last_push() -> None:
    pushes = [SINCE // MINUTE + minute for minute in (100, 599, 700)]
    assert spans({at(0): started(), at(640): started()}, pushes) == [(600, 640)]


def test_refusals_of_more_than_sixteen_minutes() -> None:
    assert spans({at(10): Event("refused", "a", at(30), 500)}) == [(10, 30)]
    assert not spans({at(10): Event("refused", "a", at(20), 500)})


def test_a_known_window_of_which_nobody_can_tell_is_unknown_and_others_are_lost() -> None:
    traffic = Traffic(2, lost=range(600, 660))
    events = {at(0): started(), at(600): stopped(), at(660): started()}
    young = [each for each in traffic.windows(events, first_at=SINCE) if each.kind == "SmsReport"]
    assert [verdict(each, None, 0, 0) for each in young] == [Verdict.UNKNOWN]
    (old,) = [each for each in traffic.windows(events) if each.kind == "SmsReport"]
    assert old.known
    assert verdict(old, None, 0, 0) is Verdict.LOST
    assert verdict(old, 100, 3, 97) is Verdict.LOST
    assert verdict(old, 100, 0, 100) is Verdict.LATE
    assert verdict(old, 0, 0, 0) is Verdict.QUIET
    assert verdict(old, None, 0, 10_000) is Verdict.LATE
