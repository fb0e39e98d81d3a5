"""The provider's time, with a local clock that is right, wrong and very wrong, in every zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.aliyun.clock import Clock
from smsreceipt.errors import AuthError

NOON = 1_790_000_000.25


def clock_of(offset: float, *, latency: float = 0.05, wait: float = 0.0) -> Clock:
    """A clock after one answer of a provider that is *offset* seconds ahead."""
    clock = Clock(lambda: NOON)
    clock.learn(formatdate(int(NOON + offset - latency), usegmt=True), NOON - 2 * latency - wait, NOON)
    return clock


@pytest.mark.parametrize("wait", [0.0, 30.0])
@pytest.mark.parametrize("offset", [-43_000, -3600, -901, -61, -1, 0, 1, 61, 901, 3600, 43_000])
def test_the_offset_is_known_to_about_a_second_whatever_it_is(offset: float, wait: float) -> None:
    clock = clock_of(offset, wait=wait)
    assert abs(clock.offset - offset) <= (wait + 1.2 if offset < 0 else 1.2)
    assert abs(clock.now() / 1000 - (NOON + offset)) <= wait + 1.2


def test_an_accurate_clock_is_never_moved() -> None:
    clock = Clock(lambda: NOON)
    for tenths in range(40):
        sent = NOON + tenths / 10
        clock.learn(formatdate(int(sent + 0.02), usegmt=True), sent, sent + 0.05)
    assert clock.offset == 0


@given(st.floats(-40_000, 40_000), st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=20))
def test_every_answer_can_only_bring_it_nearer(offset: float, trips: list[tuple[float, float]]) -> None:
    clock = Clock(lambda: NOON)
    at, error = NOON, float("inf")
    for there, back in trips:
        stamped = at + there + offset
        clock.learn(formatdate(int(stamped), usegmt=True), at, at + there + back)
        assert abs(clock.offset - offset) <= max(error, 1e-3)
        error = abs(clock.offset - offset)
        at += there + back + 0.37
    assert error <= 1 + max(sum(trip) for trip in trips) + 1e-3


@pytest.mark.parametrize("offset", [-86_400, -43_300, 43_300, 86_400])
def test_a_clock_that_is_half_a_day_off_ends_the_run(offset: float) -> None:
    with pytest.raises(AuthError, match="the local clock is") as refused:
        clock_of(offset)
    assert refused.value.exit_code == 4


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(0, None), (-58, None), (300, "300 s behind"), (-1200, "20 min ahead of"), (9000, "2.5 h behind")],
)
def test_more_than_a_minute_is_reported_once(offset: float, expected: str | None) -> None:
    clock = clock_of(offset)
    warning = clock.warning()
    assert (warning is None) if expected is None else (warning is not None and expected in warning)
    assert clock.warning() is None


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Jul 2015 03:01:34 GMT", "2015-07-09T03:01:34Z"])
def test_an_unreadable_date_changes_nothing(date: str | None) -> None:
    clock = clock_of(100)
    clock.learn(date, NOON, NOON)
    assert 98 < clock.offset < 102


@pytest.fixture(params=["UTC", "Asia/Shanghai", "America/New_York", "Pacific/Chatham"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
def test_the_hosts_zone_does_not_matter() -> None:
    clock = Clock(lambda: 1_436_410_894.9)
    clock.learn("Thu, 09 Jul 2015 03:01:34 GMT", 1_436_410_894.9, 1_436_410_894.9)
    assert clock.offset == 0
    assert clock.http_date() == "Thu, 09 Jul 2015 03:01:34 GMT"
    assert clock.rpc_timestamp() == "2015-07-09T03:01:34Z"
    assert clock.now() == 1_436_410_894_900


def test_the_date_moves_on_with_the_second() -> None:
    moment = [1_436_410_894.0]
    clock = Clock(lambda: moment[0])
    first = clock.http_date()
    moment[0] += 1
    assert (first, clock.http_date()) == ("Thu, 09 Jul 2015 03:01:34 GMT", "Thu, 09 Jul 2015 03:01:35 GMT")
