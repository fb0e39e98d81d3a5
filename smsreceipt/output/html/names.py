"""The names of what messages are grouped by, in both languages, shortened to what has room."""

from __future__ import annotations

from smsreceipt.insight.question import Dimension
from smsreceipt.output.html.words import Words, both
from smsreceipt.output.names import name_of

_LONGEST = 64  # characters of a name

SIDES = {
    "caller": Words("caller", "主叫"),
    "callee": Words("callee", "被叫"),
    "platform": Words("platform", "平台"),
}


def cut(text: str) -> str:
    """A name from outside, shortened."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def named(dimension: Dimension, value: object) -> Words:
    """The value of a dimension: a carrier, a province, a template."""
    return both(lambda display: cut(name_of(dimension, value, display)))


def sign(value: object) -> Words:
    """A signature in its brackets, which some lists have already."""
    name = named(Dimension.SIGN, value)
    return name if name.en.startswith("【") else Words(f"【{name.en}】", f"【{name.zh}】")
