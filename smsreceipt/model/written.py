"""Days and times as Chinese writes them, and what is typed with full-width characters, in the form that ASCII has."""

from __future__ import annotations

import re

from smsreceipt.model.phones import narrow, visible

_DAY = re.compile(r"(?:(\d{4}) ?年 ?)?(\d\d?) ?月 ?(\d\d?) ?[日号] ?", re.ASCII)
_CLOCK = re.compile(r"(\d\d?) ?[时点] ?(?:(\d\d?) ?分)? ?(?:(\d\d?) ?秒)?", re.ASCII)
_WEEKDAY = re.compile(r" ?(?:星期|周)[一二三四五六日天] ?")
#: By the first character of a unit, and its seconds.
_UNITS = {
    character: seconds
    for characters, seconds in (("s秒", 1), ("m分", 60), ("h小钟", 3600), ("d天", 86400), ("w周星", 604800))
    for character in characters
}
_UNIT = (
    "s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?"
    "|秒钟?|分钟?|个?小时|个?钟头|天|周|个?星期"
)
#: A number and a unit of time, as 3h, 3 hours and 3小时 are.
SPAN = rf"(\d{{1,6}}(?:\.\d{{1,3}})?)\s*({_UNIT})"
_SPAN = re.compile(SPAN, re.IGNORECASE | re.ASCII)
_SPANS = re.compile(rf"(?:{SPAN}\s*)+", re.IGNORECASE | re.ASCII)
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,3})?", re.ASCII)
_SIZE = re.compile(r"(\d{1,12})\s*([kmg]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_BITS = {"": 0, "k": 10, "m": 20, "g": 30}
_COMMAS = dict.fromkeys(map(ord, "，、"), ",")


def duration(text: str) -> float | None:
    """The seconds of 90, 45s, 1h30m, 2 hours, 3小时; None for what is no duration."""
    if _SECONDS.fullmatch(text):
        return float(text)
    if _SPANS.fullmatch(text):
        return sum(float(number) * _seconds_of(unit) for number, unit in _SPAN.findall(text))
    return None


def size(text: str) -> int | None:
    """The bytes of 0, 512KiB, 64m, 1 GB, in units of 1,024; None for what is no size."""
    found = _SIZE.fullmatch(text)
    return int(found[1]) << _BITS[found[2].lower()] if found else None


def _seconds_of(unit: str) -> int:
    return _UNITS[unit.lower().removeprefix("个")[0]]


def typed(word: object) -> str:
    """What somebody typed, without invisible characters and with full-width ones as ASCII has them."""
    return narrow(visible(str(word))).strip()


def without_units(text: str) -> str:
    """A time without Chinese units and days of the week: 2026年11月5日 9时3分 is 2026-11-5 09:03:00."""
    text = _CLOCK.sub(_with_colons, _DAY.sub(_with_dashes, text))
    return _WEEKDAY.sub(" ", text).strip()


def _with_dashes(found: re.Match[str]) -> str:
    return "-".join(filter(None, found.groups())) + " "


def _with_colons(found: re.Match[str]) -> str:
    return ":".join(f"{int(part or 0):02}" for part in found.groups())


def separated(*words: str) -> list[str]:
    """The parts of words with commas, Chinese ones too, between them. A word without a part stays as it is.

    A word of nothing but commas counts only where there is no other: a variable of the environment is cut at its blanks
    first.
    """
    found: list[str] = []
    for word in words:
        commas = word.translate(_COMMAS) if isinstance(word, str) else ""
        parts = [each for each in map(str.strip, commas.split(",")) if each]
        found += parts or ([] if "," in commas else [word])
    return found or [*words]
