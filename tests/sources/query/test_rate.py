"""The token bucket, by a clock that the test moves."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.sources.query.rate import Halted, Rate


class Time:
    """Seconds; a sleep ends late by as much as *late* says, and never early."""

    def __init__(self, late: Callable[[], float] = lambda: 0.0) -> None:
        self.now = 1000.0
        self._late = late

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self._late()


def calls(rate: Rate, time: Time, count: int, gap: Callable[[], float] = lambda: 0.0) -> list[float]:
    """When so many calls went, each *gap* seconds after the one before was let go."""
    went = []
    for _ in range(count):
        rate.acquire()
        went.append(time.now)
        time.now += gap()
    return went


def busiest(went: list[float], window: float) -> int:
    """The most calls in any stretch of so many seconds, both ends included."""
    most = first = 0
    for last, at in enumerate(went):
        while at - went[first] > window + 1e-9:
            first += 1
        most = max(most, last - first + 1)
    return most


@given(
    qps=st.sampled_from([10, 20, 50, 99, 100, 101, 333, 1000, 5000]),
    seed=st.integers(),
    lateness=st.sampled_from([0.0, 0.0003, 0.004, 0.05, 2.0]),
)
@settings(max_examples=120)
def test_in_no_stretch_of_a_second_or_more_there_is_more_than_one_percent_above_the_rate(
    qps: int, seed: int, lateness: float
) -> None:
    dice = random.Random(seed)
    clock = Time(lambda: dice.random() * lateness)
    rate = Rate(qps, clock=clock.clock, sleep=clock.sleep)
    went = calls(
        rate, clock, min(3 * qps, 3000), lambda: dice.choice((0, 0, 0, dice.random() * lateness, dice.random()))
    )
    for window in (1.0, 1.0001, 1.37, 2.0, 2.9):
        assert busiest(went, window) <= 1.01 * qps * window + 1e-6


def test_the_harness_would_notice_a_bucket_that_saves_up() -> None:
    clock = Time()
    rate = Rate(50, clock=clock.clock, sleep=clock.sleep)
    rate._leeway = 0.5
    went = calls(rate, clock, 10)
    clock.now += 5
    assert busiest(went + calls(rate, clock, 200), 1.0) > 50.5


@pytest.mark.parametrize("qps", [1, 5, 50, 1000])
def test_what_is_allowed_is_used(qps: int) -> None:
    clock = Time()
    rate = Rate(qps, clock=clock.clock, sleep=clock.sleep)
    went = calls(rate, clock, 10 * qps)
    assert (went[-1] - went[0]) < 10 / 0.89


def test_fast_rates_make_up_for_sleeps_that_took_too_long() -> None:
    clock = Time(lambda: 0.002)
    rate = Rate(1000, clock=clock.clock, sleep=clock.sleep)
    went = calls(rate, clock, 3000)
    assert went[-1] - went[0] < 3.2


def test_a_refusal_halves_the_rate_once_and_it_recovers_slowly() -> None:
    clock = Time()
    rate = Rate(100, clock=clock.clock, sleep=clock.sleep)
    for _ in range(8):  # those that were under way are refused too
        rate.throttled()
    assert rate.now == 50
    clock.now += 1
    rate.throttled()
    assert rate.now == 25
    began, rates = clock.now, []
    while rate.now < 100:
        rate.acquire()
        rate.ok()
        rates.append(rate.now)
    assert rates == sorted(rates)
    assert 10 < clock.now - began < 20
    rate.ok()
    assert rate.now == 100


def test_a_rate_that_is_halved_again_and_again_never_comes_to_a_stop() -> None:
    clock = Time()
    rate = Rate(64, clock=clock.clock, sleep=clock.sleep)
    for _ in range(30):
        clock.now += 2
        rate.throttled()
    assert 0.5 < rate.now < 1.1


def test_a_stop_ends_every_wait() -> None:
    rate = Rate(0.01)
    rate.acquire()
    ended: list[bool] = []

    def wait(how: Callable[[], None]) -> None:
        try:
            how()
        except Halted:
            ended.append(True)

    threads = [
        threading.Thread(target=wait, args=(how,)) for how in (rate.acquire, rate.acquire, lambda: rate.pause(99))
    ]
    for thread in threads:
        thread.start()
    rate.halt()
    for thread in threads:
        thread.join(5)
    assert ended == [True] * 3
    with pytest.raises(Halted):
        rate.acquire()


def test_many_threads_share_one_rate() -> None:
    rate = Rate(400)
    went: list[float] = []
    began = time.monotonic()

    def run() -> None:
        for _ in range(20):
            rate.acquire()
            went.append(time.monotonic())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(went) == 160
    assert time.monotonic() - began >= 159 / 400 - 0.01  # what it may make up for
