from datetime import UTC, datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.cli.types import Duration, Size, When, since, span, until
from smsreceipt.model import BEIJING, DAY_MS, Instant
from tests.cli.program import NOW


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> Instant:
    return Instant(int(datetime(year, month, day, hour, minute, second, tzinfo=BEIJING).timestamp()) * 1000)


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2026-11-20", at(2026, 11, 20), at(2026, 11, 21)),
        ("20261120", at(2026, 11, 20), at(2026, 11, 21)),
        ("today", at(2026, 11, 21), at(2026, 11, 22)),
        ("Yesterday", at(2026, 11, 20), at(2026, 11, 21)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
        ("3h", at(2026, 11, 21, 9), at(2026, 11, 21, 9)),
        ("2d", at(2026, 11, 19, 12), at(2026, 11, 19, 12)),
        ("1.5h", at(2026, 11, 21, 10, 30), at(2026, 11, 21, 10, 30)),
        ("2026-11-20T08:00", at(2026, 11, 20, 8), at(2026, 11, 20, 8)),
        ("2026-11-20 08:00:01", at(2026, 11, 20, 8, 0, 1), at(2026, 11, 20, 8, 0, 1)),
        ("2026-11-20T00:00:00Z", at(2026, 11, 20, 8), at(2026, 11, 20, 8)),
        ("2026-11-20T00:00:00-05:00", at(2026, 11, 20, 13), at(2026, 11, 20, 13)),
    ],
)
def test_what_people_type(text: str, first: Instant, end: Instant) -> None:
    assert (since(text, NOW), until(text, NOW)) == (first, end)


@pytest.mark.parametrize("hour", range(24))
def test_today_is_the_beijing_day_at_every_hour(hour: int) -> None:
    now = Instant(int(datetime(2026, 11, 20, hour, 59, 59, tzinfo=UTC).timestamp()) * 1000)
    first, end = span("today", now)
    assert first <= now < end
    assert end - first == DAY_MS
    assert datetime.fromtimestamp(first / 1000, BEIJING).hour == 0


@pytest.mark.parametrize(
    "text",
    [
        "2026-W47-5",
        "",
        "2026-13-01",
        "2026-02-30",
        "20261",
        "soon",
        "3 h late",
        "-3h",
        "２０２６-13-20",
        "2026",
        "99999999d",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(click.BadParameter):
        When().convert(text, None, None)


@given(st.text(max_size=12))
def test_whatever_is_typed_is_a_time_or_a_usage_error(text: str) -> None:
    try:
        checked = When().convert(text, None, None)
    except click.BadParameter:
        return
    assert since(checked, NOW) <= until(checked, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("10m", 600), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("90", 90), ("0.5", 0.5), (7, 7)],
)
def test_durations(text: object, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("value", ["0", "0s", "0h0m", 0, 0.0])
def test_a_duration_that_must_be_positive(value: object) -> None:
    assert Duration().convert(value, None, None) == 0
    with pytest.raises(click.BadParameter):
        Duration(positive=True).convert(value, None, None)


@pytest.mark.parametrize("text", ["", "h", "-5s", "1y", "1h x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("512KiB", 524288), ("64MiB", 67108864), ("1g", 1073741824), (5, 5)]
)
def test_sizes(text: object, count: int) -> None:
    assert Size().convert(text, None, None) == count


def test_what_is_no_size() -> None:
    with pytest.raises(click.BadParameter):
        Size().convert("lots", None, None)
