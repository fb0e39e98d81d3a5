"""The provider's day totals: how rows are read, added up and paged, and that nothing is lost without a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from smsreceipt.sources.query.pages import PAGE
from smsreceipt.sources.query.totals import DayTotals, Statistics, read_pages

FIRST, DAY = date(2026, 11, 1), date(2026, 11, 28)
FIGURES = {"TotalCount": 10, "RespondedSuccessCount": 8, "RespondedFailCount": 1, "NoRespondedCount": 1}
TOTALS = DayTotals(DAY, 10, 8, 1, 1)


def row(day: object = "20261128", **figures: object) -> dict[str, object]:
    return {"SendDate": day, **FIGURES, **figures}


def answer(rows: object, total: object = None) -> Mapping[str, Any]:
    return {"Code": "OK", "Data": {"TotalSize": total, "TargetList": rows}}


def read(*pages: Mapping[str, Any]) -> Statistics:
    """What these pages hold; behind the last one there is nothing."""
    return read_pages(lambda count: pages[count - 1] if count <= len(pages) else answer([], 0), FIRST, DAY)


@pytest.mark.parametrize(
    "day",
    [
        "20261128", 20261128, "2026-11-28", "2026/11/28", "2026.11.28", " 20261128 ", "2026-11-28 00:00:00",
        "2026-11-28T00:00:00", "2026-11-28T00:00:00+08:00", "2026-11-27T16:00:00Z", "20261128T000000", "2026-11-28 24h",
    ],
)  # fmt: skip
def test_a_day_is_read_however_it_is_spelled(day: object) -> None:
    assert read(answer([row(day)], 1)) == Statistics([TOTALS])


@pytest.mark.parametrize(
    "day",
    ["", None, "2026", "2026-13-01", "2026-02-30", "28.11.2026", "20261032", "2026111", True, [], 1e9, "20261129",
     "20261031", 202611280],
)  # fmt: skip
def test_a_day_that_cannot_be_read_or_was_not_asked_about_is_told(day: object) -> None:
    assert read(answer([row(day), row()], 2)) == Statistics([TOTALS], unread=1)


@pytest.mark.parametrize("figure", ["8", 8, 8.0, " 8 "])
def test_a_figure_may_be_a_number_or_text(figure: object) -> None:
    assert read(answer([row(RespondedSuccessCount=figure)], 1)) == Statistics([TOTALS])


@pytest.mark.parametrize("figure", [-1, "-1", "eight", 10**30, "9" * 13, None, True, 8.5, [], {}, "", float("inf")])
def test_a_figure_that_cannot_be_read_is_told_and_costs_no_other(figure: object) -> None:
    assert read(answer([row(RespondedSuccessCount=figure)], 1)) == Statistics([DayTotals(DAY, 10, 0, 1, 1)], unread=1)


def test_an_absent_figure_is_told() -> None:
    assert read(answer([{"SendDate": "20261128", "TotalCount": "3"}], 1)).unread == 3


@pytest.mark.parametrize("odd", [7, "x", None, []])
def test_a_row_that_is_none_is_told(odd: object) -> None:
    assert read(answer([odd, row()], 2)) == Statistics([TOTALS], unread=1)


@pytest.mark.parametrize("bad", [{}, {"Data": None}, {"Data": {"TargetList": "x"}}, {"Data": {}}])
def test_an_answer_without_a_list_is_told(bad: Mapping[str, Any]) -> None:
    assert read(bad) == Statistics([], unread=1)


@pytest.mark.parametrize("none", [{"Data": {"TotalSize": 0}}, answer([], "0"), answer(None, 0), answer([])])
def test_no_rows_are_no_sends(none: Mapping[str, Any]) -> None:
    assert read(none) == Statistics([])


def test_rows_of_one_day_add_up_also_on_two_pages() -> None:
    full = [row(TotalCount=1)] * PAGE
    assert read(answer([row(), row("2026-11-28")], 2)).days == [TOTALS + TOTALS]
    assert read(answer(full, PAGE + 1), answer([row(TotalCount=5)], PAGE + 1)).days[0].sent == PAGE + 5


def days(numbers: Sequence[int]) -> list[object]:
    return [row(20261100 + number) for number in numbers]


def test_short_pages_are_read_up_to_the_announced_total() -> None:
    found = read(answer(days([1, 2]), 5), answer(days([3, 4]), 5), answer(days([5]), 5))
    assert ([each.day.day for each in found.days], found.whole) == ([1, 2, 3, 4, 5], True)


def test_a_row_that_cannot_be_read_does_not_end_the_reading() -> None:
    found = read(answer([row()] * (PAGE - 1) + [7], PAGE + 1), answer([row()], PAGE + 1))
    assert (found.days[0].sent, found.unread, found.absent) == (10 * PAGE, 1, 0)


def test_announced_rows_that_do_not_come_are_told() -> None:
    assert read(answer(days([1, 2]), 5)).absent == 3


def test_a_page_that_is_repeated_counts_once() -> None:
    page = answer([row("20261127"), row()], 9)
    found = read_pages(lambda _: page, FIRST, DAY)
    assert ([each.sent for each in found.days], found.absent) == ([10, 10], 7)
