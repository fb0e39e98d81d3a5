"""The rules that bound a pull: how much a receive asks for, and when redelivered messages end it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.aliyun.mns import BATCH, Message
from smsreceipt.model import Instant
from smsreceipt.sources.queue.batch import CALM, BatchSize
from smsreceipt.sources.queue.redelivery import Redelivery


def message(number: int) -> Message:
    return Message(b"h", b"", b"same body", Instant(1), Instant(2), 1, b"%d" % number)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=40), st.integers(1, BATCH))
def test_the_size_stays_between_1_and_what_is_wanted_and_recovers(events: list[tuple[bool, float]], want: int) -> None:
    size, now = BatchSize(), 0.0
    for unreadable, pause in events:
        now += pause
        before = size.at_most(BATCH, now)
        if unreadable:
            size.halve(before, now)
            size.halve(before, now)  # another answer to a request of the same size
            assert size.at_most(BATCH, now) == max(1, before // 2)
        assert 1 <= size.at_most(want, now) <= want
    assert size.at_most(BATCH, now + 4 * CALM + 0.001) == BATCH  # the sum of four periods is rounded


@given(st.integers(1, 600))
def test_any_set_of_messages_that_comes_for_ever_is_found(count: int) -> None:
    redelivery = Redelivery()
    batch = [message(number) for number in range(count)]
    for _ in range(10 + 3_000 // count):
        redelivery.stored(batch)
    assert redelivery.stuck
    redelivery.forget()
    assert not redelivery.stuck


@given(st.integers(1, 3), st.lists(st.integers(1, 500), max_size=20))
def test_messages_that_come_three_times_never_end_a_pull(times: int, groups: list[int]) -> None:
    redelivery, number = Redelivery(), 0
    for size in groups:
        batch = [message(number + n) for n in range(size)]
        number += size
        assert not any(redelivery.stored(batch) for _ in range(times))
    assert not redelivery.stuck


def test_progress_between_redelivered_messages_is_progress() -> None:
    redelivery = Redelivery()
    stuck = [message(n) for n in range(8)]
    for number in range(2_000):
        assert not redelivery.stored([*stuck, message(10_000 + number), message(20_000 + number)])
