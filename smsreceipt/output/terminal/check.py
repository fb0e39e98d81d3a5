"""The screen of `smsreceipt check`: the findings, and below them what they mean; or that all is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from smsreceipt.output.display import Display
from smsreceipt.output.objects.check import FAULTS, MEANINGS
from smsreceipt.output.terminal.screen import draw, pairs, text
from smsreceipt.output.terminal.table import Table
from smsreceipt.store.checking.faults import Fault, Finding

_EACH = 40  # findings that are shown one by one


def check(faults: Sequence[Fault], counts: Mapping[str, int], display: Display) -> str:
    """The first findings, and how many there are of each."""
    if not counts:
        return draw(display, Text(display.localized("nothing wrong found", "没有发现问题"), "green"))
    masked = [FAULTS.masked(each) if display.mask else each for each in faults[:_EACH]]
    table = Table(display, FAULTS).draw(masked)
    legend = [
        (f"{name} {count:,}", text(display.localized(*MEANINGS[Finding(name)]), "dim"))
        for name, count in sorted(counts.items())
    ]
    more = sum(counts.values()) - len(masked)
    rest = [Text(display.localized(f"{more:,} more: --json shows all", f"另有 {more:,} 项：--json 显示全部"), "dim")]
    return table + draw(display, *(rest if more else []), "", pairs(legend, display, "bold"))
