"""The screen of `smsreceipt outages`: the windows, and below them what compensates."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from smsreceipt.insight.outages import Verdict
from smsreceipt.language import _
from smsreceipt.output.display import Display
from smsreceipt.output.objects.outages import OUTAGES, Outage
from smsreceipt.output.terminal.screen import draw, text
from smsreceipt.output.terminal.table import Table


def outages(rows: Sequence[Outage], display: Display) -> str:
    """The windows; for lost ones the next command, once each."""
    if not rows:
        return draw(display, Text(display.localized("no outage found", "没有发现中断"), "green"))
    table = Table(display, OUTAGES).draw(rows)
    lost = [row for row in rows if row.verdict is Verdict.LOST]
    steps = {row.command: _left(row, display) for row in reversed(lost) if row.command}
    lines = [Text.assemble(text(command, "bold"), "  ", (left, "dim")) for command, left in steps.items()]
    reasons = sorted({f"{row.kind}: {_(row.reason)}" for row in lost if row.reason})
    return table + draw(display, *([""] if lost else []), *lines, *(text(reason, "dim") for reason in reasons))


def _left(row: Outage, display: Display) -> str:
    return display.localized(f"{row.days_left} days left", f"剩余 {row.days_left} 天")
