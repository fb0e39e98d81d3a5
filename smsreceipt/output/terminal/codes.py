"""The screen of `smsreceipt explain`, and the lines about a code that other screens show."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from smsreceipt.codes import Explanation
from smsreceipt.output.look import Look
from smsreceipt.output.terminal.screen import draw, text, wrapped


def explanations(found: Sequence[Explanation], look: Look) -> str:
    """A paragraph per table that knows the code."""
    tables = {
        "receipt": ("SMS receipt code", "短信回执码"),
        "release-cause": ("release cause of a call", "通话释放原因"),
        "api": ("API error code", "API错误码"),
    }
    parts: list[RenderableType] = []
    for one in found:
        table = text(look.say(*tables.get(one.table, (one.table, one.table))))
        head = Text.assemble(text(one.code, "bold"), look.dot, table, look.dot, text(one.category, "cyan"))
        parts.extend(["", head] if parts else [head])
        for line in meaning_lines(one, look):
            parts.extend(Padding(row, (0, 0, 0, 2)) for row in wrapped(line, look.width - 2))
    return draw(look, *parts)


def meaning_lines(one: Explanation, look: Look) -> list[Text]:
    """What a code means and what to do, in the user's language; the Chinese meaning always, for the carrier."""
    meaning = text(one.meaning_zh if look.chinese else one.meaning_en)
    if not look.chinese and one.meaning_zh:
        meaning.append(text(f"  {one.meaning_zh}", "dim"))
    arrow = "→ " if look.unicode else "> "
    return [meaning, Text.assemble((arrow, "cyan"), text(look.say(one.advice_en, one.advice_zh)))]
