"""The screen of `smsreceipt store info`: what a store is and holds, then a line for each process that writes to it."""

from __future__ import annotations

from rich.text import Text

from smsreceipt.output.display import Display
from smsreceipt.output.formatting import size
from smsreceipt.output.objects.store import WRITERS
from smsreceipt.output.terminal.screen import draw, pairs, text
from smsreceipt.output.terminal.table import Table
from smsreceipt.store import StoreFacts


def info(facts: StoreFacts, display: Display) -> str:
    """What the store is and holds, then a line for each process that writes to it, where the engine tells."""
    localized = display.localized
    absent = Text("" if facts.exists else localized("  (not there yet)", "  （尚不存在）"), "dim")
    statements = localized(f"{facts.statements:,} statements", f"{facts.statements:,} 条回执")
    top = pairs(
        [
            (localized("store", "存储"), text(facts.location).append(absent)),
            (localized("engine", "引擎"), text(facts.engine)),
            (localized("schema", "结构版本"), Text(str(facts.schema))),
            (localized("size", "大小"), Text(size(facts.size))),
            (localized("receipts", "消息"), Text(f"{facts.receipts:,}{display.dot}{statements}")),
            (localized("rejects", "拒收"), Text(f"{facts.rejects:,}")),
            (localized("sends", "发送"), Text(f"{facts.sends:,}")),
            (localized("horizon", "可读到"), Text(f"seq {facts.last_seq:,}")),
        ],
        display,
    )
    if not facts.writers:
        return draw(display, top)
    return draw(display, top, "") + Table(display, WRITERS).draw(facts.writers)
