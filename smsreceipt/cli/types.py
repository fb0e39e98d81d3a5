"""Parameter types of options: days, instants, durations, sizes, addresses, message types.

Times without a zone are Beijing time.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, TypeVar

import click

from smsreceipt.language import N_, _
from smsreceipt.model import BEIJING, DAY_MS, Instant, Kind, Share, beijing_day, date_of, nearest, start_of_day
from smsreceipt.model.written import SPAN, duration, size, typed, without_units

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from smsreceipt.runs.sockets import HostPort

T = TypeVar("T")
_AGO = re.compile(rf"((?:{SPAN}\s*)+)(?:ago|[之以]?前)?", re.IGNORECASE | re.ASCII)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|(\d{2})(\d{2}))", re.ASCII)
_DAY_OF_YEAR = re.compile(r"(\d{1,2})-(\d{1,2})", re.ASCII)
_SHORT = re.compile(r"(?<![\d:+.])(\d)(?=[-T :]|\Z)", re.ASCII)  #: 8 in 2026-11-8T8:00
_DOTS = re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})(?![\d.])", re.ASCII)
_WORDS = {"today": 0, "今天": 0, "今日": 0, "yesterday": -1, "昨天": -1, "昨日": -1, "前天": -2, "大前天": -3}
_WORD_AND_TIME = re.compile(rf"({'|'.join(_WORDS)})[ t]*(?=\d)", re.ASCII)
_DAY_OF_YEAR_AND_TIME = re.compile(r"(\d{1,2})-(\d{1,2})[ T]+(?=\d)", re.ASCII)
_NOW = {"now", "现在"}
_BEIJING = {"beijing", "北京", "北京时间", "东八区"}


class Duration(click.ParamType[float]):
    """45s, 10m, 3h, 2d, 1w, or 1h30m: seconds as a float. A bare number is seconds. *positive*: not 0."""

    name = "duration"

    def __init__(self, *, positive: bool = False) -> None:
        self._positive = positive

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The duration in seconds; fails as a usage error."""
        seconds = float(value) if isinstance(value, int | float) else duration(text := typed(value))
        if seconds is None:
            self.fail(_("{value!r} is no duration: 45s, 10m, 3h, 2d", value=text), param, ctx)
        if self._positive and not seconds:
            self.fail(_("it must be more than 0: 45s, 10m, 3h, 2d"), param, ctx)
        return seconds


class Part(click.ParamType[Share]):
    """I/N: share I of N, counted from 1."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Share:
        """The share; fails as a usage error."""
        if isinstance(value, Share):
            return value
        match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", typed(value), re.ASCII)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(_("{value!r} is no share: 1/4, 2/4, 3/4, 4/4", value=value), param, ctx)
        return Share(int(match[1]), int(match[2]))


class Size(click.ParamType[int]):
    """0, 512KiB, 64MiB, 1GiB: bytes. A bare number is bytes."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The size in bytes; fails as a usage error."""
        if isinstance(value, int):
            return value
        found = size(typed(value))
        if found is None:
            self.fail(_("{value!r} is no size: 0, 512KiB, 64MiB, 1GiB", value=value), param, ctx)
        return found


class Address(click.ParamType["HostPort | str"]):
    """HOST:PORT, :PORT (every interface) or [IPV6]:PORT; with *off*, also "off"."""

    name = "host:port"

    def __init__(self, *, off: bool = False) -> None:
        self._off = off

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> HostPort | str:
        """The address, or "off"; fails as a usage error."""
        from smsreceipt.runs.sockets import HostPort

        if isinstance(value, HostPort):
            return value
        text = typed(value)
        if self._off and text.lower() == "off":
            return "off"
        try:
            return HostPort.of(text)
        except ValueError:
            self.fail(_("{value!r} is no address: HOST:PORT, such as 127.0.0.1:8080", value=value), param, ctx)


class Completed(click.ParamType[T]):
    """A type whose values a shell completes."""

    def completions(self, incomplete: str) -> Iterable[str]:  # noqa: ARG002 - for those who know values
        """The values that may be meant by the beginning of one; none where a type tells none."""
        return ()

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - the same
        incomplete: str,
    ) -> list[CompletionItem]:
        """What click asks for."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in self.completions(incomplete)]


class Typed(click.ParamType[str]):
    """A text of ASCII: full-width characters count as those of ASCII."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's
        """The text in ASCII, as far as it can be."""
        return typed(value)


class MessageType(Completed[Kind]):
    """A message type: a known one in any case and as narrow tables print it; any other as it is."""

    name = "message type"
    in_commas = True

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Kind:
        """The message type in its own spelling; fails as a usage error for an empty one."""
        from smsreceipt.decode import known_kind

        return known_kind(typed(value).strip(",、")) or self.fail(
            _("a message type is missing: SmsReport, SmsUp"), param, ctx
        )

    def completions(self, incomplete: str) -> Iterable[str]:
        """The known ones that begin so, in any case."""
        from smsreceipt.decode import KINDS

        return (kind for kind in KINDS if kind.casefold().startswith(incomplete.casefold()))


class Zone(click.ParamType[tzinfo]):
    """UTC, +08:00, or a name such as Asia/Shanghai."""

    name = "zone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tzinfo:
        """The zone; fails as a usage error."""
        if isinstance(value, tzinfo):
            return value
        text = typed(value)
        if text.lower() in _BEIJING:
            return BEIJING
        if found := re.fullmatch(r"(?:UTC|GMT)?([+-])(\d\d?)(?::?(\d\d))?", text, re.IGNORECASE):
            minutes = int(found[2]) * 60 + int(found[3] or 0)
            if minutes <= 14 * 60:
                return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
        elif re.fullmatch(r"[A-Za-z][\w+/-]*", text):
            from zoneinfo import ZoneInfo

            with contextlib.suppress(KeyError, ValueError, OSError):
                return UTC if text.upper() in {"UTC", "Z", "GMT"} else ZoneInfo(text)
        return self.fail(_("{value!r} is no time zone: UTC, +08:00, Asia/Shanghai", value=text), param, ctx)


def span(text: str, now: Instant) -> tuple[Instant, Instant]:
    """The first instant of the Beijing day that *text* names, and that of the next day; for an instant, itself twice.

    Days are YYYY-MM-DD, YYYYMMDD, MM-DD of the nearest year, today and yesterday. Instants are 3h, 2d and 1h30m (that
    long ago), ISO 8601 times with or without a zone, the other days with a time after them, and now. All of them may be
    Chinese or full-width; slashes and dots are as good as dashes. Raises ValueError.
    """
    written = _DOTS.sub(r"\1-\2-\3", typed(text).replace("/", "-"))
    plain = written.lower()
    if plain in _NOW:
        return now, now
    if plain in _WORDS:
        day = beijing_day(now) + _WORDS[plain]
        return start_of_day(day), start_of_day(day + 1)
    if match := _AGO.fullmatch(plain):
        at = Instant(now - round((duration(match[1].strip()) or 0) * 1000))
        return at, at
    if not plain.isascii():
        written = without_units(written)
        plain = written.lower()
    if match := _DAY.fullmatch(plain):
        return _whole_day(*(int(part) for part in match.groups() if part))
    if match := _DAY_OF_YEAR.fullmatch(plain):
        return _nearest_day(int(match[1]), int(match[2]), now)
    if match := _WORD_AND_TIME.match(plain):
        written = f"{date_of(beijing_day(now) + _WORDS[match[1]])} {written[match.end() :]}"
    elif match := _DAY_OF_YEAR_AND_TIME.match(written):
        start, _end = _nearest_day(int(match[1]), int(match[2]), now)
        written = f"{date_of(beijing_day(start))} {written[match.end() :]}"
    return _instant(_SHORT.sub(r"0\1", written))


def _whole_day(year: int, month: int, day: int) -> tuple[Instant, Instant]:
    start = int(datetime(year, month, day, tzinfo=BEIJING).timestamp()) * 1000
    return Instant(start), Instant(start + DAY_MS)


def _nearest_day(month: int, day: int, now: Instant) -> tuple[Instant, Instant]:
    """The day of the year in which it is nearest to *now*. Raises ValueError where no year near has it."""
    this = datetime.fromtimestamp(now / 1000, BEIJING).year
    found = []
    for year in range(this - 4, this + 5):  # one of them is a leap year, unless a century is near
        with contextlib.suppress(ValueError):
            found.append(_whole_day(year, month, day))
    return min(found, key=lambda bounds: abs(bounds[0] - now))


def _instant(text: str) -> tuple[Instant, Instant]:
    if not text.isascii() or "-" not in text or "W" in text.upper():  # a week is no day, and 2026-W47-05 no time
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    zoned = moment.replace(tzinfo=BEIJING) if moment.tzinfo is None else moment
    at = Instant(round(zoned.timestamp() * 1000))
    return at, at


class When(click.ParamType[str]):
    """A day or an instant as text; see span, which converts it with the clock of the App."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself; fails as a usage error when it names no time."""
        try:
            span(str(value), Instant(DAY_MS))
        except (ValueError, OverflowError):
            if param is not None and param.metavar == "DAY":
                told = N_("{value!r} is no day: 2026-11-20, 20261120, 11-20, today, yesterday, 3d (ago)")
            else:
                told = N_(
                    "{value!r} is no time: 2026-11-20, 20261120, 11-20, today, yesterday, 3h, 2d (ago),"
                    " 2026-11-20T08:00"
                )
            reason = _(told, value=value)
            if near := nearest(str(value), ["today", "yesterday"]):
                reason = _("{told}; did you mean {word}?", told=reason, word=near)
            self.fail(reason, param, ctx)
        return str(value)


def since(text: str, now: Instant) -> Instant:
    """The start of the day that the text names, or the instant itself. Raises ValueError."""
    return span(text, now)[0]


def until(text: str, now: Instant) -> Instant:
    """The end of the day that the text names, or the instant itself. Raises ValueError."""
    return span(text, now)[1]
