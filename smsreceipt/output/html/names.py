"""The names of what messages are grouped by, in both languages."""

from __future__ import annotations

from smsreceipt.codes.regions import UNKNOWN, chinese_names
from smsreceipt.codes.segments import CARRIERS, Carrier
from smsreceipt.output.html.words import Words, same

__all__ = ["SIDES", "UNKNOWN", "carrier", "cut", "named", "province", "sign"]

_LONGEST = 64  # characters of a name

SIDES = {
    "caller": Words("caller", "主叫"),
    "callee": Words("callee", "被叫"),
    "platform": Words("platform", "平台"),
}


def carrier(value: str) -> Words:
    """A carrier as people call it."""
    return Words(*CARRIERS[Carrier(value)]) if value in [*Carrier] else same(cut(value))


def province(value: str) -> Words:
    """A province."""
    return Words(value, chinese_names().get(value, value))


def cut(text: str) -> str:
    """A name from outside, shortened to what has room."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def sign(value: str) -> Words:
    """A signature in its brackets, which some lists have already."""
    return same(cut(value) if value.startswith("【") else f"【{cut(value)}】")


def named(dimension: str, value: object) -> Words:
    """The value of a dimension: a carrier, a province, a template."""
    text = cut("" if value is None else str(value))
    if dimension == "carrier":
        return carrier(text)
    if dimension == "province":
        return province(text)
    if dimension == "sign":
        return sign(text)
    return Words("all messages", "全部短信") if not text else same(text)
