"""Days and times as Chinese writes them, and what is typed with full-width characters, in the form that ASCII has."""

from __future__ import annotations

import re

from smsreceipt.model.phones import narrow, visible

_DAY = re.compile(r"(?:(\d{4}) ?年 ?)?(\d\d?) ?月 ?(\d\d?) ?[日号] ?", re.ASCII)
_CLOCK = re.compile(r"(\d\d?) ?[时点] ?(?:(\d\d?) ?分)? ?(?:(\d\d?) ?秒)?", re.ASCII)
_WEEKDAY = re.compile(r" ?(?:星期|周)[一二三四五六日天] ?")


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
