"""The screens of `smsreceipt rejects`: the list with what its reasons mean, and one reject."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from smsreceipt.model import StoredReject
from smsreceipt.output.look import Look
from smsreceipt.output.objects.rejects import REASONS, REJECTS
from smsreceipt.output.terminal.screen import draw, pairs, text
from smsreceipt.output.terminal.table import Table
from smsreceipt.output.words import ago, size, wall_clock


def rejects(rows: Sequence[StoredReject], look: Look) -> str:
    """The rejects, and below them what their reasons mean."""
    say = look.say
    legend = [(reason.value, text(say(*REASONS[reason]), "dim")) for reason in sorted({row.reason for row in rows})]
    table = Table(look, REJECTS).draw(rows)
    if not legend:
        return table
    return table + "\n" + draw(look, Text(say("What the reasons mean:", "原因说明：")), pairs(legend, look, "red"))


def reject(one: StoredReject, shown: str, look: Look) -> str:
    """One reject, and what its bytes look like."""
    say = look.say
    seen = say(f"seen {one.times_seen}x", f"收到 {one.times_seen} 次")
    came = ago(one.received_at, look.now, chinese=look.chinese)
    zoned = f"{wall_clock(one.received_at, year=True)} {say('Beijing time', '北京时间')}"
    lines = [
        ("id", text(one.id)),
        (
            say("reason", "原因"),
            Text.assemble((one.reason.value, "red"), "  ", (look.say(*REASONS[one.reason]), "dim")),
        ),
        (say("kind", "类型"), text(one.kind or "-")),
        (say("from", "来自"), text(f"{one.source.value} {one.origin}")),
        (say("received", "收到"), Text(look.dot.join([zoned, came, seen]))),
        (say("size", "大小"), Text(size(one.size))),
    ]
    return draw(look, pairs(lines, look), "", text(shown))
