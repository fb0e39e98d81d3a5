"""The screen of `smsreceipt explain`, and the lines about a code on other screens."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from smsreceipt.codes import Explanation
from smsreceipt.output.display import CATEGORIES_ZH, Display
from smsreceipt.output.terminal.screen import draw, text, wrapped

_TABLES = {
    "receipt": ("SMS receipt code", "短信回执码"),
    "unconnected": ("why a call was not connected", "未接通原因"),
    "release-cause": ("release cause of a call", "通话释放原因"),
    "api": ("API error code", "API 错误码"),
}


def explanations(found: Sequence[Explanation], display: Display) -> str:
    """A paragraph for each table with the code."""
    parts: list[RenderableType] = []
    for one in found:
        table = text(display.localized(*_TABLES.get(one.table, (one.table, one.table))))
        category = display.localized(one.category, CATEGORIES_ZH.get(one.category, one.category))
        head = Text.assemble(text(one.code, "bold"), display.dot, table, display.dot, text(category, "cyan"))
        parts.extend(["", head] if parts else [head])
        for line in meaning_lines(one, display):
            parts.extend(Padding(row, (0, 0, 0, 2)) for row in wrapped(line, display.width - 2))
    return draw(display, *parts)


def meaning_lines(one: Explanation, display: Display) -> list[Text]:
    """The meaning of a code and the advice, in the user's language.

    The Chinese meaning is always there: users quote it to their carrier.
    """
    meaning = text(one.meaning_zh if display.chinese else one.meaning_en)
    if not display.chinese and one.meaning_zh:
        meaning.append(text(f"  {one.meaning_zh}", "dim"))
    arrow = "→ " if display.unicode else "> "
    return [meaning, Text.assemble((arrow, "cyan"), text(display.localized(one.advice_en, one.advice_zh)))]
