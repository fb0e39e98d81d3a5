"""The fewest calls: against a plan made by brute force, and against what the calls then really take."""

import random
from collections.abc import Sequence
from itertools import groupby

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.matching import TOLERANCE_MS
from smsreceipt.model import Instant, Send
from smsreceipt.reconcile import Class, Job, Known, Plan, do_job, jobs
from smsreceipt.reconcile.compact import CompactList
from smsreceipt.reconcile.plan import indistinct, near_midnight
from tests.reconcile.provider import NOW, PHONE, Provider, at, record_of, send

NOON = at("2026-11-19 12:00:00")
PAGE = 50


def alone(_phone: str, _day: int) -> Known:
    raise AssertionError("no sends have to be told apart")


def planned(missing: Sequence[Send], others: Sequence[Send] = (), around: Sequence[Send] = ()) -> list[Job]:
    return [*jobs(missing, lambda *_: Known([*missing, *others], around))]


def near(one: Send, other: Send) -> bool:
    return one.sent_at is None or other.sent_at is None or abs(one.sent_at - other.sent_at) <= 2 * TOLERANCE_MS


def in_doubt(one: Send, everyone: Sequence[Send]) -> bool:
    """Whether its row may be taken for another's, by looking at every pair."""
    others = [other for other in everyone if other is not one]
    if one.out_id:
        alike = [other for other in everyone if other.out_id == one.out_id]
    else:
        alike = [one, *(other for other in others if not other.out_id or in_doubt(other, everyone))]
    undated = any(each.sent_at is None for each in alike) and len(alike) > 1
    return undated or any(near(one, other) for other in alike if other is not one)


def least(missing: Sequence[Send], everyone: Sequence[Send]) -> int:
    """One call each, or the pages and one for each that is in doubt."""
    doubtful = sum(in_doubt(one, everyone) for one in missing)
    return min(len(missing), len(everyone) // PAGE + 1 + doubtful)


@st.composite
def a_day(draw: st.DrawFn) -> tuple[list[Send], list[Send]]:
    """The sends to one number on one day: those that are missing, and the others."""
    count = draw(st.integers(1, 60))
    dice = random.Random(draw(st.integers(0, 10_000)))
    span = draw(st.sampled_from((1, 20, 400)))
    ids = draw(st.sampled_from((0, 3, 1000)))
    undated = draw(st.sampled_from((0.0, 0.03)))
    sends = [
        send(
            f"{serial:03}^0",
            NOON,
            sent_at=None if dice.random() < undated else Instant(NOON + dice.randrange(span) * 60_000),
            out_id=f"order-{dice.randrange(ids)}" if ids and dice.random() < 0.7 else "",
        )
        for serial in range(count)
    ]
    share = draw(st.floats(0.05, 1))
    missing = [each for each in sends if dice.random() < share] or sends[:1]
    return missing, [each for each in sends if each not in missing]


@settings(max_examples=150)
@given(a_day())
def test_the_plan_takes_the_fewest_calls(day: tuple[list[Send], list[Send]]) -> None:
    missing, others = day
    found = planned(missing, others)
    assert sum(job.calls for job in found) == least(missing, [*missing, *others])
    assert [each for job in found for each in job.sends] == missing


@settings(max_examples=100)
@given(a_day())
def test_with_a_right_ledger_it_takes_just_these_calls_and_settles_all(day: tuple[list[Send], list[Send]]) -> None:
    missing, others = day
    provider = Provider([record_of(each, status=2, code=f"CODE{each.biz_id}") for each in [*missing, *others]])
    found = planned(missing, others)
    findings = [each for job in found for each in do_job(job, provider, lambda: NOW).findings]
    assert provider.calls <= sum(job.calls for job in found)
    assert {each.send.biz_id: each.code for each in findings} == {each.biz_id: f"CODE{each.biz_id}" for each in missing}
    assert {each.found for each in findings} == {Class.FAILED}


@given(a_day())
def test_the_plan_is_the_same_in_any_order(day: tuple[list[Send], list[Send]]) -> None:
    missing, others = day
    turned = planned(missing[::-1], others[::-1])
    assert {each.biz_id for each in missing} == {each.biz_id for job in turned for each in job.sends}
    assert sum(job.calls for job in turned) == sum(job.calls for job in planned(missing, others))
    assert indistinct([*missing, *others]) == indistinct([*others[::-1], *missing[::-1]])


def test_one_missing_send_is_one_call_by_its_biz_id_and_nothing_is_looked_up() -> None:
    sends = [send("1^0"), send("2^0", phone="13900001111")]
    assert [*jobs(sends, alone)] == [
        Job(PHONE, sends[0].day, (sends[0],), 1),
        Job("13900001111", sends[1].day, (sends[1],), 1),
    ]


def test_several_that_times_tell_apart_are_one_call_by_number() -> None:
    sends = [send(f"{hour}^0", f"2026-11-19 {hour}:00:00") for hour in (10, 11, 12)]
    other = send("9^0", "2026-11-19 15:00:00")
    (job,) = planned(sends, [other])
    assert (job.by_number, job.calls, job.sends, job.others) == (True, 1, tuple(sends), (other,))


def test_several_seconds_apart_are_a_call_each() -> None:
    sends = [send(f"{second}^0", f"2026-11-19 10:00:{second}") for second in (10, 11, 12)]
    assert [(job.by_number, job.calls) for job in planned(sends)] == [(False, 1)] * 3


def test_pages_count_and_so_do_those_that_have_their_receipts() -> None:
    crowd = [send(f"{minute}^1", Instant(NOON + minute * 200_000)) for minute in range(100)]
    few, many = crowd[:2], crowd[:3]
    assert [job.by_number for job in planned(few, crowd[2:99])] == [False, False]
    assert [job.calls for job in planned(many, crowd[3:99])] == [2]
    assert [job.by_number for job in planned(many, crowd[3:])] == [False, False, False]  # after two full pages a third


def test_those_that_cannot_be_told_apart_are_asked_about_one_by_one_after_the_page() -> None:
    sends = [send(f"{hour}^0", f"2026-11-19 {hour}:00:00") for hour in (10, 11, 12, 13)]
    twin = send("10^1", "2026-11-19 10:00:30")
    (job,) = planned(sends, [twin])
    assert (job.by_number, job.calls) == (True, 2)


def test_numbers_and_days_are_planned_apart_in_the_order_they_come() -> None:
    days = [f"2026-11-{day} 10:00:00" for day in (18, 19)]
    sends = [send(f"{n}^0", when, phone=phone) for n, phone in enumerate(("137", "138")) for when in days]
    found = [*jobs(sorted(sends, key=lambda each: (each.day, each.phone)), alone)]
    assert [(job.day, job.phone) for job in found] == [
        (day, phone) for day, _ in groupby(job.day for job in found) for phone in ("137", "138")
    ]


def test_sends_beside_midnight_may_be_filed_under_the_other_day() -> None:
    day = send(when="2026-11-19 12:00:00").day
    before = [send("1^0", "2026-11-18 23:55:00"), send("2^0", "2026-11-18 23:54:59")]
    after = [send("3^0", "2026-11-20 00:05:00"), send("4^0", "2026-11-20 00:05:01")]
    assert [each.biz_id for each in near_midnight([*before, *after], day)] == ["1^0", "3^0"]


def test_a_plan_can_be_gone_through_twice_and_stays_small() -> None:
    plan = Plan(jobs([send(f"{n}^0", phone=f"{n}") for n in range(2_500)], alone))
    assert (len(plan), plan.calls, plan.sends) == (2_500, 2_500, 2_500)
    assert [job.phone for job in plan] == [job.phone for job in plan] == [f"{n}" for n in range(2_500)]
    packed = CompactList(Job, plan)
    assert sum(map(len, packed._blocks)) < 150 * 2_000
    assert msgspec.msgpack.decode(packed._blocks[0], type=list[Job]) == [*plan][:1000]


def test_messages_with_a_message_id_are_asked_about_one_by_one_and_last() -> None:
    messages = [send(str(n), f"2026-11-19 1{n}:00:00", phone="85251230001") for n in range(1, 4)]
    others = [send(f"{n}^0", f"2026-11-19 1{n}:00:00", phone="85251230001") for n in range(1, 4)]
    plan = Plan(planned([*messages, *others]))
    assert [[each.biz_id for each in job.sends] for job in plan] == [["1^0", "2^0", "3^0"], ["1"], ["2"], ["3"]]
    assert (len(plan), plan.calls, plan.sends) == (4, 4, 6)
    assert next(iter(plan)).by_number
    assert next(iter(plan)).others == ()
