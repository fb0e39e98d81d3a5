"""Parses the times of sends, in the formats of databases, languages, spreadsheets and logs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple

from smsreceipt.language import _
from smsreceipt.ledger.cells import InvalidValue, whole_number
from smsreceipt.model import DAY_MS, Instant, beijing_day, narrow, visible
from smsreceipt.model.written import without_units

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SERIAL_EPOCH = 25_569  # 1970-01-01 as a day of a spreadsheet
_SERIALS = range(36_526, 73_051)  # 2000 to 2099
_YEARS = range(2000, 2100)
_BEIJING_MINUTES = 480
_SECONDS = {f"{second:02}": second * 1000 for second in range(60)}  # in milliseconds

_HALF = "上午|下午|凌晨|早上|中午|晚上|[AP]\\.?M\\.?"
_CLOCK = (
    rf"(?:(?P<half>{_HALF}) ?)?(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{{1,12}}))?)?"
    rf"(?: ?(?P<after>{_HALF}))?(?P<zone>[^\d:].*)?"
)
_WRITTEN = re.compile(
    rf"(?P<year>\d{{4}})([-/.])(?P<month>\d\d?)\2(?P<day>\d\d?)(?:(?: +|, *|T){_CLOCK})?", re.ASCII | re.IGNORECASE
)
_TIME_OF_DAY = re.compile(_CLOCK, re.ASCII | re.IGNORECASE)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:(?P<t>[T ]?)(?P<hour>\d\d):?(?P<minute>\d\d)"
    r"(?::?(?P<second>\d\d)(?:[.,]?(?P<fraction>\d{3}|\d{6}|\d{9}))?)?(?P<zone>[^\d:.].*)?)?",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = re.compile(r"(?P<seconds>\d{10})(?:\.(?P<fraction>\d{1,9}))?|(?P<long>\d{13}|\d{16}|\d{19})", re.ASCII)
_SERIAL = re.compile(r"\d{5}(?:\.\d{1,15})?", re.ASCII)
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?"
_MONTH = "(?P<month>[A-Za-z]{3,9})"
_CTIME_CLOCK = r"(?P<clock>\d\d?:\d\d(?::\d\d(?:\.\d{1,9})?)?)"
_NAMED = [
    re.compile(_WEEKDAY + pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"(?P<day>\d\d?)([ /-]){_MONTH}\2(?P<year>\d{{4}})(?:[ :,T]+(?P<clock>.+))?",
        rf"{_MONTH}\.? +(?P<day>\d\d?),? +(?P<year>\d{{4}})(?:,? +(?P<clock>.+))?",
        rf"{_MONTH} +(?P<day>\d\d?),? +{_CTIME_CLOCK}(?P<zone> +[A-Z]{{3,4}}| +[+-]\d{{4}})? +(?P<year>\d{{4}})",
    )
]
_MONTHS = {
    name: number
    for number, whole in enumerate(
        ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
         "december"], 1
    )
    for name in (whole, whole[:3], whole[:4])
}  # fmt: skip
_ZONE = re.compile(
    r" *(?:(?P<utc>Z|UTC|GMT)|(?P<beijing>CST|BJT|HKT|北京时间|中国标准时间|China Standard Time)"
    r"|(?:UTC|GMT)? ?(?P<sign>[+-])(?P<hours>\d\d?)(?::?(?P<minutes>\d\d))?)?"
    r"(?: ?[A-Z]{2,5})?(?: ?\([^()]*\))?(?: ?\[(?P<region>[\w/+-]+)\])?(?: m=[+-][\d.]+)?",
    re.ASCII | re.IGNORECASE,
)  # with the names that Go, Java and browsers add to an offset
_YEAR_LAST = re.compile(r"\d\d?([./-])\d\d?\1\d{4}(?!\d)", re.ASCII)
_EAST_8 = {"asia/shanghai", "asia/chongqing", "asia/hong_kong", "asia/macau", "asia/taipei", "asia/singapore", "prc"}


class Moment(NamedTuple):
    """When a send took place: the Beijing day, and the instant where it is known."""

    day: int
    at: Instant | None


def moment_of(text: str, zone: tzinfo | None = None, *, serials: bool = False) -> Moment:
    """Parse a time or a day. A time without an offset is in *zone* (Beijing unless told). Raises InvalidValue.

    *serials*: the days of a spreadsheet (46331.377) are times too. Nothing that could be two times is accepted:
    11/5/2026 is not.
    """
    text = narrow(visible(text))
    text = whole_number(text) if text.isascii() else without_units(text)
    if found := _WRITTEN.fullmatch(text):
        return _moment(found.groupdict(), zone)
    if (found := _COMPACT.fullmatch(text)) and (found["t"] or len(text) not in {13, 16, 19}):
        return _moment(found.groupdict(), zone)
    if found := _EPOCH.fullmatch(text):
        return _since_1970(found)
    if serials and _SERIAL.fullmatch(text) and int(text[:5]) in _SERIALS:
        return _serial(text, zone)
    return _moment_in_words(text, zone)


def _since_1970(found: re.Match[str]) -> Moment:
    if long := found["long"]:
        at = int(long) // 10 ** (len(long) - 13)
    else:
        at = int(found["seconds"]) * 1000 + _milliseconds(found["fraction"])
    if at // DAY_MS >= _day("2100", "1", "1"):
        raise InvalidValue(_("not a time"))
    return Moment(beijing_day(Instant(at)), Instant(at))


def _serial(text: str, zone: tzinfo | None) -> Moment:
    day = int(text[:5]) - _SERIAL_EPOCH
    if not text[5:].strip(".0"):
        return Moment(day, None)
    seconds = round(float("0" + text[5:]) * 86_400)
    return _at(day, seconds * 1000, None, zone)


def _moment_in_words(text: str, zone: tzinfo | None) -> Moment:
    """A time with the name of the month."""
    for pattern in _NAMED:
        if (found := pattern.fullmatch(text)) and (month := _MONTHS.get(found["month"].lower())):
            groups = found.groupdict()
            clock = f" {groups['clock']}{groups.get('zone') or ''}" if groups["clock"] else ""
            if whole := _WRITTEN.fullmatch(f"{groups['year']}-{month}-{groups['day']}{clock}"):
                return _moment(whole.groupdict(), zone)
    if _YEAR_LAST.match(text):
        raise InvalidValue(_("day and month could be either way round: write the year first, as in 2026-11-05"))
    if _TIME_OF_DAY.fullmatch(text):
        raise InvalidValue(_("a time of day without the day: name the column that has the day"))
    raise InvalidValue(_("not a time"))


def _moment(found: dict[str, str | None], zone: tzinfo | None) -> Moment:
    day = _day(found["year"] or "", found["month"] or "", found["day"] or "")
    if found["hour"] is None:
        return Moment(day, None)
    hours, minutes, seconds = int(found["hour"]), int(found["minute"] or 0), int(found["second"] or 0)
    if half := found.get("half") or found.get("after"):
        hours = _hours(hours, half)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise InvalidValue(_("not a time"))
    written = ((hours * 60 + minutes) * 60 + seconds) * 1000 + _milliseconds(found["fraction"])
    return _at(day, written, _offset(found["zone"]), zone)


def _hours(hours: int, half: str) -> int:
    """The hour of 24, from the hour of 12 and which half of the day it is in."""
    half = half.lower().replace(".", "")
    if half in {"下午", "晚上", "pm"} or (half == "中午" and hours < 11):
        return hours + 12 if hours < 12 else hours
    if hours > 12:
        raise InvalidValue(_("not a time"))
    return 0 if hours == 12 and half != "中午" else hours


def _at(day: int, milliseconds: int, offset: int | None, zone: tzinfo | None) -> Moment:
    """The moment that a clock shows, of an *offset* in minutes, else of a *zone*, else of Beijing."""
    shown = day * DAY_MS + milliseconds
    if offset is None and zone is None:
        return Moment(day + milliseconds // DAY_MS, Instant(shown - _BEIJING_MINUTES * 60_000))
    if offset is not None:
        at = Instant(shown - offset * 60_000)
    else:
        local = datetime.fromtimestamp(shown // 1000, tz=UTC).replace(tzinfo=zone)
        at = Instant(int(local.timestamp()) * 1000 + shown % 1000)
    return Moment(beijing_day(at), at)


def quick_moment(text: str, zone: tzinfo | None = None, *, serials: bool = False) -> tuple[int, Instant | None]:
    """As moment_of, with a fast path for 2026-11-20 15:49:55, the most common format: its minute is cached."""
    if len(text) == 19 and text[16] == ":" and (seconds := _SECONDS.get(text[17:])) is not None and text.isascii():
        day, minute = _beijing_minute(text[:16]) if zone is None else moment_of(text[:16], zone)
        if minute is not None:
            return day, Instant(minute + seconds)
    return moment_of(text, zone, serials=serials)


@lru_cache(maxsize=16_384)
def _beijing_minute(text: str) -> Moment:
    return moment_of(text)


@lru_cache(maxsize=4096)
def _day(year: str, month: str, day: str) -> int:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        raise InvalidValue(_("not a time")) from None
    if found.year not in _YEARS and found != date(2100, 1, 1):
        raise InvalidValue(_("not a time: its year is not in this century"))
    return found.toordinal() - _EPOCH_DAY


def _milliseconds(fraction: str | None) -> int:
    return int(fraction.ljust(3, "0")[:3]) if fraction else 0


@lru_cache(maxsize=256)
def _offset(written: str | None) -> int | None:
    """Minutes east of UTC; None where nothing is written. Raises InvalidValue."""
    if not written:
        return None
    found = _ZONE.fullmatch(written)
    if found is None:
        raise InvalidValue(_("not a time: its zone is not known"))
    if found["sign"]:
        minutes = int(found["hours"]) * 60 + int(found["minutes"] or 0)
        if minutes > 14 * 60:
            raise InvalidValue(_("not a time: its zone is not known"))
        return -minutes if found["sign"] == "-" else minutes
    if found["utc"]:
        return 0
    if found["beijing"] or (found["region"] or "").lower() in _EAST_8:
        return _BEIJING_MINUTES
    if written.strip():
        raise InvalidValue(_("not a time: its zone is not known"))
    return None
