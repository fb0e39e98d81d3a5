"""How long answers took: percentiles, laps, buckets."""

from __future__ import annotations

import pytest

from smsreceipt.sources.push.latency import AnswerTimes


def noted(*seconds: float) -> AnswerTimes:
    times = AnswerTimes()
    for each in seconds:
        times.note(each)
    return times


def test_a_percentile_is_told_to_the_millisecond_above() -> None:
    times = noted(*(n / 1000 + 0.0005 for n in range(100)))
    assert [times.percentile(share) for share in (0.01, 0.5, 0.99, 1)] == [0.001, 0.05, 0.099, 0.1]
    assert times.count == 100
    assert [times.longest, times.total] == pytest.approx([0.0995, 5.0])
    assert noted().percentile(0.99) == 0.0


def test_a_lap_is_of_what_came_since_the_one_before() -> None:
    times = noted(*[0.6] * 10)
    assert times.lap(0.99) == pytest.approx(0.601, abs=0.001)
    assert times.lap(0.99) == 0.0
    times.note(0.002)
    assert times.lap(0.99) == pytest.approx(0.003, abs=0.001)
    assert times.percentile(0.99) > 0.5


def test_buckets_are_cumulative_and_the_slowest_count_too() -> None:
    times = noted(0.0001, 0.004, 0.3, 0.69, 0.71, 60.0)
    assert times.cumulative((0.005, 0.35, 0.7, 1.0)) == [2, 3, 4, 5]
    assert (times.count, times.longest) == (6, 60.0)
