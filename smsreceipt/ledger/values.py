"""Parses the fields of a send. A field that cannot be parsed raises InvalidValue with a reason; nothing is guessed.

A reason never quotes the field, which may be a phone number.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from smsreceipt.model import DAY_MS, Instant, Send, beijing_day, billed_parts, normalise_phone

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_CLOCK = r"(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?"
_WRITTEN = re.compile(rf"(\d{{4}})([-/.])(\d\d?)\2(\d\d?)(?:(?:[ ]+|T){_CLOCK})?", re.ASCII | re.IGNORECASE)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[T ]?(\d\d)(\d\d)(\d\d))?", re.ASCII)
_EPOCH = re.compile(r"(\d{10})(?:\.(\d{1,9}))?|(\d{13})(?:\.0)?", re.ASCII)
_YEARS = range(2000, 2100)
_MAX_LENGTH = 256  # characters; an OutId has fewer
_MAX_PARTS = 1_000
_NUMBER = re.compile(r"[1-9]\d{4,19}", re.ASCII)
UNDECODABLE = re.compile("[\ud800-\udfff\ufffd]")  # what decoding makes of bytes that are invalid in the encoding
WRONG_ENCODING = "not in the encoding that was named (UTF-8 unless --encoding says otherwise)"


class InvalidValue(Exception):
    """A field that cannot be parsed. The reason does not quote it."""


class Moment(NamedTuple):
    """When a send took place: the Beijing day, and the instant where it is known."""

    day: int
    at: Instant | None


class RawSend(NamedTuple):
    """The fields of one send as text, not parsed yet; "" where a field is absent."""

    phone: str = ""
    biz_id: str = ""
    sent_at: str = ""
    out_id: str = ""
    template_code: str = ""
    sign_name: str = ""
    parts: str = ""
    content: str = ""
    code: str = ""


def send_of(raw: RawSend, day: int | None) -> Send:
    """Parse a send. *day* (Beijing, since 1970-01-01) is for rows without a time. Raises InvalidValue."""
    phone, biz_id, sent_at, out_id, template, sign, parts, content, _ = raw
    if not biz_id:
        raise InvalidValue("no BizId")
    own = biz_id + out_id
    if len(own) > _MAX_LENGTH or not own.isascii() or "\0" in own:
        _require_storable(biz_id, out_id)
    if (template or sign or content) and not _storable(template, sign):
        _require_storable(template, sign)
    if content and UNDECODABLE.search(content):
        raise InvalidValue(WRONG_ENCODING)
    if sent_at:
        on, at = _quick_moment(sent_at)
    elif day is None:
        raise InvalidValue("no send time: name its column with --map sent_at=COLUMN, or say --date")
    else:
        on, at = day, None
    count = _parts(parts, content, sign) if parts or content else None
    if not (len(phone) == 11 and phone[0] == "1" and phone.isascii() and phone.isdigit()):
        phone = number_of(phone)
    return Send(phone, biz_id, on, at, out_id, template, sign, count)


def _require_storable(*texts: str) -> None:
    for text in texts:
        if len(text) > _MAX_LENGTH:
            raise InvalidValue("a field is too long")
        if UNDECODABLE.search(text):
            raise InvalidValue(WRONG_ENCODING)
        if "\0" in text:
            raise InvalidValue("a NUL in a field")


@lru_cache(maxsize=1024)
def _storable(*texts: str) -> bool:
    """Whether these texts, which many rows share, can be stored."""
    try:
        _require_storable(*texts)
    except InvalidValue:
        return False
    return True


def number_of(text: str) -> str:
    """A phone number as receipts have it, also without the prefix 00 of international numbers.

    Raises InvalidValue.
    """
    phone = normalise_phone(text)
    phone = phone.removeprefix("00")
    if not _NUMBER.fullmatch(phone):
        raise InvalidValue("not a phone number" if phone else "no phone number")
    return phone


def moment_of(text: str) -> Moment:
    """Parse a time or a day, which is Beijing's without a zone. Raises InvalidValue.

    Formats: 2026-11-20 15:49:55 with - / or . and with or without seconds, fraction and zone; 20261120154955; the
    days 2026-11-20 and 20261120; seconds and milliseconds since 1970.
    """
    if found := _WRITTEN.fullmatch(text):
        year, _, month, day, hour, minute, second, fraction, zone = found.groups()
        return _moment(_day(year, month, day), hour, minute, second or "0", fraction, zone)
    if found := _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second = found.groups()
        return _moment(_day(year, month, day), hour, minute, second, None, None)
    if found := _EPOCH.fullmatch(text):
        seconds, fraction, milliseconds = found.groups()
        at = int(milliseconds) if milliseconds else int(seconds) * 1000 + _milliseconds(fraction)
        if at // DAY_MS < _day("2100", "1", "1"):
            return Moment(beijing_day(Instant(at)), Instant(at))
    raise InvalidValue("not a time")


def _quick_moment(text: str) -> Moment:
    """As moment_of, with a fast path for 2026-11-20 15:49:55, the most common format: its minute is cached."""
    if len(text) == 19 and text[16] == ":" and text.isascii() and (seconds := text[17:]).isdigit() and seconds < "60":
        day, minute = _minute(text[:16])
        if minute is not None:
            return Moment(day, Instant(minute + int(seconds) * 1000))
    return moment_of(text)


_minute = lru_cache(maxsize=16_384)(moment_of)


@lru_cache(maxsize=4096)
def _day(year: str, month: str, day: str) -> int:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        raise InvalidValue("not a time") from None
    if found.year not in _YEARS and found != date(2100, 1, 1):
        raise InvalidValue("not a time: its year is not in this century")
    return found.toordinal() - _EPOCH_DAY


def _moment(day: int, hour: str | None, minute: str, second: str, fraction: str | None, zone: str | None) -> Moment:
    if hour is None:
        return Moment(day, None)
    hours, minutes, seconds = int(hour), int(minute), int(second)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise InvalidValue("not a time")
    written = day * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1000 + _milliseconds(fraction)
    at = Instant(written - (480 if zone is None else _offset(zone)) * 60_000)
    return Moment(day if zone is None else beijing_day(at), at)


def _milliseconds(fraction: str | None) -> int:
    return int(fraction.ljust(3, "0")[:3]) if fraction else 0


def _offset(zone: str) -> int:
    """Minutes east of UTC."""
    if zone[0] not in "+-":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes


def _parts(written: str, content: str, sign: str) -> int | None:
    """The billed parts as *written*, else those that *content* is billed as, else None."""
    if written:
        if not (written.isascii() and written.isdigit() and 0 < int(written[:9]) <= _MAX_PARTS):
            raise InvalidValue("the number of parts is not a number from 1 to 1000")
        return int(written)
    if not content:
        return None
    signed = content.startswith("【") or content.endswith("】") or not sign
    brackets = 0 if sign.startswith("【") else 2
    return billed_parts(len(content) + (0 if signed else len(sign) + brackets))
