"""Beijing days, whatever zone the host is in: every minute around midnight, every day that matters."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from smsreceipt.app import App
from smsreceipt.cli.days import days
from smsreceipt.model import Answer, Instant, date_of, number_of
from smsreceipt.reconcile import Calendar, Job, Standing, do_job, end_of
from smsreceipt.reconcile.calendar import is_final_no_record, neighbour
from tests.reconcile.provider import NOW, Provider, at, send

ZONES = (
    "UTC", "Asia/Shanghai", "Asia/Urumqi", "America/New_York", "America/Los_Angeles", "Europe/Berlin",
    "Pacific/Kiritimati", "Pacific/Pago_Pago",
)  # fmt: skip
#: Midnights between: ordinary days, around a leap day, of a year's end, of a month's end, and as clocks change abroad.
MIDNIGHTS = ("2026-11-21", "2028-02-29", "2028-03-01", "2027-01-01", "2027-03-01", "2027-03-28", "2026-11-01")
EIGHT = timezone(timedelta(hours=8))
HOUR = 3_600_000


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The host's zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def instant(moment: datetime) -> Instant:
    return Instant(round(moment.timestamp() * 1000))


def minutes() -> Iterator[tuple[datetime, date]]:
    """Every minute around each midnight, and which day it is in Beijing then; by datetime alone."""
    for midnight in MIDNIGHTS:
        first = datetime.fromisoformat(midnight).replace(tzinfo=EIGHT)
        for minute in range(-15, 16):
            moment = first + timedelta(minutes=minute)
            yield moment.astimezone(UTC), (first if minute >= 0 else first - timedelta(days=1)).date()


def test_every_minute_around_midnight_has_the_right_days(zone: str) -> None:
    for moment, today in minutes():
        calendar = Calendar(instant(moment), min_age=0)
        assert date_of(calendar.today) == today
        assert date_of(calendar.oldest) == today - timedelta(days=30)
        for back, standing, left in (
            (0, Standing.MISSING, 30),
            (1, Standing.MISSING, 29),
            (29, Standing.MISSING, 1),
            (30, Standing.MISSING, 0),
            (31, Standing.TOO_LATE, None),
        ):
            day = today - timedelta(days=back)
            number = number_of(day)
            noon = instant(datetime(day.year, day.month, day.day, tzinfo=EIGHT))
            assert date_of(number) == day
            assert calendar.askable(number) == (back < 31)
            assert calendar.days_left(number) == left
            assert calendar.pressing(number) == (25 <= back <= 30)
            assert calendar.standing(send(when=noon)) is standing


def test_the_command_line_reads_days_as_beijings(zone: str) -> None:
    for moment, today in minutes():
        app = App({}, Path(), None, None, None, now=lambda moment=moment: instant(moment))  # type: ignore[misc]
        for words, first, last in (
            ({"date": "today"}, today, today),
            ({"date": "yesterday"}, today - timedelta(days=1), today - timedelta(days=1)),
            ({"date": today.isoformat()}, today, today),
            ({"from": f"{today - timedelta(days=31):%Y%m%d}", "to": "today"}, today - timedelta(days=31), today),
            ({"from": "30d"}, today - timedelta(days=30), today - timedelta(days=1)),
        ):
            chosen = {"date": None, "from": None, "to": None, **words}
            assert [*map(date_of, days(app, chosen))] == [first, last], (moment, words)


def test_a_send_around_midnight_is_asked_for_on_its_beijing_day_then_on_the_other(zone: str) -> None:
    for moment, day in minutes():
        sent = send(when=instant(moment))
        provider = Provider()
        now = Instant(instant(moment) + 2 * 24 * HOUR)
        do_job(Job(sent.phone, sent.day, (sent,), 1), provider, lambda now=now: now)  # type: ignore[misc]
        into = moment.astimezone(EIGHT).hour * 60 + moment.astimezone(EIGHT).minute
        beside = {True: [day - timedelta(days=1)], False: []}[into <= 5]
        beside += [day + timedelta(days=1)] if into >= 24 * 60 - 5 else []
        assert [question.day for question in provider.questions] == [day, *beside], moment


@pytest.mark.parametrize(
    ("when", "age", "standing"),
    [
        ("2026-11-21 08:59:59", 3, Standing.MISSING),
        ("2026-11-21 09:00:00", 3, Standing.MISSING),
        ("2026-11-21 09:00:01", 3, Standing.YOUNG),
        ("2026-11-21 11:59:59", 0, Standing.MISSING),
        ("2026-11-21 12:00:01", 0, Standing.YOUNG),  # by the sender's clock it is not even sent yet
        ("2026-10-21 23:59:59", 3, Standing.TOO_LATE),
        ("2026-10-22 00:00:00", 3, Standing.MISSING),
        ("2026-10-21 23:59:59", 9999, Standing.TOO_LATE),
    ],
)
def test_a_send_is_young_then_missing_then_too_late(when: str, age: int, standing: Standing) -> None:
    assert Calendar(NOW, age * HOUR).standing(send(when=when)) is standing


def test_of_a_send_with_only_a_day_the_age_counts_from_the_end_of_that_day() -> None:
    undated = send(when="2026-11-20 00:00:00", sent_at=None)
    assert Calendar(at("2026-11-21 02:59:59")).standing(undated) is Standing.YOUNG
    assert Calendar(at("2026-11-21 03:00:00")).standing(undated) is Standing.MISSING
    assert neighbour(undated) is None


def test_the_other_day_is_asked_only_where_it_can_be() -> None:
    late = send(when="2026-11-21 23:58:00")
    assert Calendar(at("2026-11-21 23:59:00")).neighbour(late) is None  # it has not come yet
    assert Calendar(at("2026-11-22 00:00:00")).neighbour(late) == late.day + 1
    early = send(when="2026-10-22 00:01:00")
    assert Calendar(NOW).neighbour(early) is None  # too long ago


def test_no_record_is_final_a_day_after_the_day() -> None:
    day = number_of(date(2026, 11, 19))
    complete = at("2026-11-21 00:00:00")
    assert is_final_no_record(day, Answer.NO_RECORD, complete)
    assert not is_final_no_record(day, Answer.NO_RECORD, Instant(complete - 1))
    assert not is_final_no_record(day, Answer.WAITING, complete)
    assert not is_final_no_record(day, None, None)
    assert end_of(day) == at("2026-11-20 00:00:00")
