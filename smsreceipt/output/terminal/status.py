"""The screen of `smsreceipt status`: facts about the store, then a line for each message type."""

from __future__ import annotations

from rich.text import Text

from smsreceipt.output.display import Display
from smsreceipt.output.formatting import size
from smsreceipt.output.objects.status import KINDS
from smsreceipt.output.terminal.screen import draw, pairs, text
from smsreceipt.output.terminal.table import Table
from smsreceipt.store import StoreFacts


def status(facts: StoreFacts, display: Display) -> str:
    """Facts about the store, then a line for each message type."""
    localized = display.localized
    absent = Text("" if facts.exists else localized("  (not there yet)", "  （尚不存在）"), "dim")
    lines = [
        (localized("store", "数据库"), text(facts.location).append(absent)),
        (
            localized("engine", "引擎"),
            Text(display.dot.join([facts.engine, f"schema {facts.schema}", size(facts.size)])),
        ),
        *([] if facts.checked else [(localized("damage", "损坏检查"), _partly_checked(display))]),
        *([(localized("sends", "发送"), _sends(facts, display))] if facts.sends else []),
        (localized("conflicts", "矛盾"), _alarm(facts.conflicts, "list --conflicts")),
        (localized("rejects", "拒收"), _alarm(facts.rejects, "rejects list")),
    ]
    top = pairs(lines, display)
    if not facts.kinds:
        return draw(display, top, "", Text(localized("No receipts yet.", "还没有回执。"), "dim"))
    return draw(display, top, "") + Table(display, KINDS).draw(facts.kinds)


def _partly_checked(display: Display) -> Text:
    """That the check for damage did not come to the end of a large store."""
    return Text(display.localized("none found in the part that was checked", "已检查的部分未见损坏"), "dim")


def _sends(facts: StoreFacts, display: Display) -> Text:
    """The number of sends, and of those without a final receipt."""
    line = Text(f"{facts.sends:,}")
    if facts.open_sends:
        line.append(display.dot).append(
            display.localized(f"{facts.open_sends:,} open", f"{facts.open_sends:,} 待回执"), "magenta"
        )
        line.append("  smsreceipt reconcile", "dim")
    return line


def _alarm(count: int, command: str) -> Text:
    """A count that should be zero; if it is not, with the command that lists what was counted."""
    return Text.assemble((f"{count:,}", "red"), (f"  smsreceipt {command}", "dim")) if count else Text("0")
