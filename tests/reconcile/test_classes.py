"""Sums that must add up: of a comparison's classes, and of whole days."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.model import DAY_MS, Instant, Outcome, date_of, number_of, start_of_day
from smsreceipt.reconcile import Calendar, Class, ClassCounts, Finding
from smsreceipt.reconcile.summary import Covered, summary
from smsreceipt.reconcile.totals import gaps
from smsreceipt.sources.query.totals import DayTotals
from smsreceipt.store import DayParts
from tests.reconcile.provider import NOW, send

DAY = number_of(date(2026, 11, 19))
HEAD = ("with_receipt", "young", "too_late", "missing")
TAIL = ("compensated_delivered", "compensated_failed", "still_waiting", "no_record", "unasked")


@given(st.lists(st.tuples(st.sampled_from(Class), st.integers(0, 40), st.booleans()), max_size=30))
def test_the_summary_adds_up_whatever_was_found(entries: list[tuple[Class, int, bool]]) -> None:
    counts = ClassCounts(Calendar(NOW))
    for found, back, last in entries:
        moment = Instant(NOW - back * DAY_MS)
        counts.add(Finding(send(when=moment), found, final_no_record=last))
    shown = summary(counts, DAY, DAY, {}, Covered("sends"))
    assert shown["sent"] == len(entries) == sum(int(str(shown[name])) for name in HEAD)
    assert shown["missing"] == sum(int(str(shown[name])) for name in TAIL)
    open_ages = [
        back
        for found, back, last in entries
        if back <= 30
        and (found in {Class.YOUNG, Class.STILL_WAITING, Class.UNASKED} or (found is Class.NO_RECORD and not last))
    ]
    assert shown["days_left"] == (30 - max(open_ages) if open_ages else None)
    assert counts.pressing == sum(back >= 25 for back in open_ages)
    counts.check(len(entries), counts.missing)


@pytest.mark.parametrize(("sent", "missing"), [(2, 0), (1, 1)])
def test_classes_that_do_not_add_up_are_a_bug(sent: int, missing: int) -> None:
    counts = ClassCounts(Calendar(NOW))
    counts.add(Finding(send(), Class.WITH_RECEIPT))
    with pytest.raises(AssertionError, match="do not add up"):
        counts.check(sent, missing)


def parts(slots: dict[int, int], **outcomes: int) -> DayParts:
    counts = {Outcome(name): count for name, count in outcomes.items()}
    return DayParts(DAY, counts, counts, tuple(slots.get(slot, 0) for slot in range(144)))


def totals(sent: int, succeeded: int, failed: int, waiting: int = 0) -> DayTotals:
    return DayTotals(date_of(DAY), sent, succeeded, failed, waiting)


def test_a_gap_is_what_ended_at_the_provider_and_not_with_us() -> None:
    (row,) = gaps(DAY, DAY, [totals(100, 90, 6, 4), totals(10, 10, 0)], [parts({}, delivered=95, failed=4, unknown=2)])
    assert (row.sent, row.succeeded, row.failed, row.no_response) == (110, 100, 6, 4)
    assert (row.delivered, row.not_delivered, row.undecided, row.gap) == (95, 4, 2, 7)


def test_every_day_has_its_row_though_nobody_tells_of_it() -> None:
    rows = gaps(DAY, DAY + 2, [totals(1, 1, 0)], [])
    assert [(row.day, row.sent, row.gap) for row in rows] == [(DAY, 1, 1), (DAY + 1, 0, 0), (DAY + 2, 0, 0)]


@pytest.mark.parametrize(
    ("slots", "silent"),
    [
        ({}, []),
        (dict.fromkeys(range(144), 1), []),
        (dict.fromkeys({*range(60, 90)} - {70, 71}, 9), [(70, 72)]),
        (dict.fromkeys({*range(60, 90)} - {70}, 9), []),  # nine more or less prove nothing
        (dict.fromkeys({*range(60, 90)} - {70}, 10), [(70, 71)]),
        (dict.fromkeys({*range(144)} - {0, 1, 2, 142, 143}, 50), []),  # before and after nothing is known
        ({**dict.fromkeys(range(60, 70), 30), **dict.fromkeys(range(73, 80), 1)}, []),
    ],
)
def test_silence_counts_where_the_traffic_around_it_makes_it_unlikely(
    slots: dict[int, int], silent: list[tuple[int, int]]
) -> None:
    (row,) = gaps(DAY, DAY, [], [parts(slots, delivered=sum(slots.values()))])
    ten = 600_000
    assert [((a - start_of_day(DAY)) // ten, (b - start_of_day(DAY)) // ten) for a, b in row.silent] == silent
