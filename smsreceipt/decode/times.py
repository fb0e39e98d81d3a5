"""Parse the provider's spellings of a time into UTC milliseconds.

The text of a database or a spreadsheet (a fraction, T, slashes) is accepted wherever the provider's own is.
A time without a zone is Beijing wall-clock time, whatever the host's zone is. No text fits two of the spellings, so one
parser serves all dialects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from smsreceipt.decode.refusal import Refused
from smsreceipt.model import BEIJING, Instant, Reason

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ZONE = r"(?P<zone>Z|[+-]\d{2}:?\d{2})"
_BEIJING = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
_ISO = re.compile(
    r"(\d{4})(?P<mark>[-/])(\d\d?)(?P=mark)(\d\d?)[T ](\d\d?):(\d\d):(\d\d)(?:\.(?P<fraction>\d{1,9}))?"
    rf"(?: ?{_ZONE})?",
    re.ASCII,
)
_RFC_2822 = re.compile(
    rf"(?:[A-Z][a-z]{{2}}, ?)?(\d\d?) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d)"
    r" (?P<zone>[+-]\d{4}|GMT|UTC?|Z)",
    re.ASCII,
)
_EPOCH = re.compile(r"\d{10}|\d{13}", re.ASCII)  # seconds or milliseconds, from 2001 to 2286

_END = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1000  # later ones have no Beijing date


@lru_cache(maxsize=8192)
def instant(text: str) -> Instant:
    """The time *text* in UTC milliseconds. Raises Refused for an unknown spelling, and for years before 1970."""
    for pattern, reader in _SPELLINGS:
        if found := pattern.fullmatch(text):
            try:
                moment = reader(found)
            except (ValueError, OverflowError):
                break
            if 0 <= moment < _END:
                return Instant(moment)
            break
    raise Refused(Reason.TIME)


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _beijing(found: re.Match[str]) -> int:
    *day, hours, minutes, seconds = map(int, found.groups())
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError
    return _midnight(*day) + (hours * 3600 + minutes * 60 + seconds) * 1000


@lru_cache(maxsize=1024)
def _midnight(year: int, month: int, day: int) -> int:
    return _milliseconds(datetime(year, month, day, tzinfo=BEIJING))


def _iso(found: re.Match[str]) -> int:
    year, _, *rest = found.groups()[:7]
    month, day, hour, minute, second = map(int, rest)
    micro = int((found["fraction"] or "0").ljust(6, "0")[:6])
    zone = _zone(found["zone"]) if found["zone"] else BEIJING
    return _milliseconds(datetime(int(year), month, day, hour, minute, second, micro, tzinfo=zone))


def _rfc_2822(found: re.Match[str]) -> int:
    day, month, *rest = found.groups()[:6]
    year, hour, minute, second = map(int, rest)
    written = datetime(year, _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=_zone(found["zone"]))
    return _milliseconds(written)


def _zone(text: str) -> timezone:
    if text[0] not in "+-":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _epoch(found: re.Match[str]) -> int:
    digits = found.group()
    return int(digits) * (1000 if len(digits) == 10 else 1)


_SPELLINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], int]], ...] = (
    (_BEIJING, _beijing),
    (_EPOCH, _epoch),
    (_COMPACT, _beijing),
    (_RFC_2822, _rfc_2822),
    (_ISO, _iso),
)
