"""What arrived in a period, and who receives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.model import Instant
from smsreceipt.store import Store
from smsreceipt.store.arrivals import Arrived, first_since
from smsreceipt.store.counts import NEGATIVE
from tests.store.engines import Engine
from tests.store.statements import FAILED, decoded, reply, report

MINUTE = 60_000
START = Instant(1_795_190_400_000)
SENT = Instant(1_795_160_940_000)  # 2026-11-20 15:49 in Beijing


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    with closing(engine.empty()) as opened:
        yield opened


def test_states_are_added_up_by_kind_minute_outcome_code_and_latency(store: Store) -> None:
    for n in range(120):
        at = Instant(START + n * MINUTE)
        bodies = [report(biz_id=f"{n}^{each}") for each in range(3)]
        bodies.append(report(biz_id=f"{n}^9", **FAILED))
        late = Instant(at - 5 * MINUTE * (n % 2))  # another process commits what has waited
        store.keep([decoded(*bodies, at=late), *([decoded(reply(), at=at)] if n == 30 else [])])
    found = store.arrivals(Instant(START + 30 * MINUTE), Instant(START + 40 * MINUTE))
    counts = {(each.kind, each.outcome, each.code, each.seconds): each.count for each in found}
    assert counts == {
        ("SmsReport", "delivered", "DELIVERED", 3): 30,
        ("SmsReport", "failed", "MOBILE_IN_BLACK", None): 10,
        ("SmsUp", "", "", None): 1,
    }
    assert {each.sent_at for each in found if each.kind == "SmsReport"} == {SENT}
    assert store.arrivals(Instant(START + 120 * MINUTE), Instant(START + 999 * MINUTE)) == []
    everything = store.arrivals(Instant(0), Instant(START + 999 * MINUTE))
    assert sum(each.count for each in everything) == 481


def test_a_state_that_was_replaced_and_test_pushes_do_not_count(store: Store) -> None:
    store.keep([decoded(report(success=False, err_code="REQUEST_SUCCESS"), at=START)])
    store.keep([decoded(report(report_time="2026-11-20 15:49:50"), at=START)])
    (only,) = store.arrivals(START, Instant(START + 1))
    assert (only.outcome, only.seconds, only.count) == ("delivered", NEGATIVE, 1)


def test_a_consumer_is_known_while_it_receives(store: Store) -> None:
    assert store.facts().consumed == ()
    lease = store.acquire_lease("Alicom-Queue-1-SmsReport")
    assert store.facts().consumed == ("Alicom-Queue-1-SmsReport",)
    store.release_lease(lease, settled=True)
    assert store.facts().consumed == ()


@given(st.lists(st.integers(0, 50), max_size=30).map(sorted), st.integers(-1, 51))
def test_halving_finds_the_first_one(times: list[int], at: int) -> None:
    def received(seq: int) -> int | None:
        return times[seq - 1] if seq <= len(times) else None

    expected = next((seq for seq, time in enumerate(times, 1) if time >= at), len(times) + 1)
    assert first_since(at, len(times), received) == expected


def test_an_unknown_time_is_none() -> None:
    assert Arrived.of("SmsUp", -1, "", "", -1, 2).sent_at is None
