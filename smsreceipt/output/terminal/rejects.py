"""The screens of `smsreceipt rejects`: the list with the meanings of its reasons, and one reject."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from smsreceipt.model import StoredReject
from smsreceipt.output.display import Display
from smsreceipt.output.formatting import ago, size, wall_clock
from smsreceipt.output.mask import on_screen
from smsreceipt.output.objects.rejects import REASONS, REJECTS
from smsreceipt.output.terminal.screen import draw, pairs, text
from smsreceipt.output.terminal.table import Table


def rejects(rows: Sequence[StoredReject], display: Display) -> str:
    """The rejects, and below them the meanings of their reasons."""
    localized = display.localized
    legend = [
        (reason.value, text(localized(*REASONS[reason]), "dim")) for reason in sorted({row.reason for row in rows})
    ]
    table = Table(display, REJECTS).draw(rows)
    if not legend:
        return table
    return (
        table
        + "\n"
        + draw(display, Text(localized("What the reasons mean:", "原因说明：")), pairs(legend, display, "red"))
    )


def reject(one: StoredReject, preview: str, display: Display) -> str:
    """One reject with the preview of its bytes."""
    localized = display.localized
    seen = localized(f"seen {one.times_seen}x", f"收到 {one.times_seen} 次")
    came = ago(one.received_at, display.now, chinese=display.chinese)
    zoned = f"{wall_clock(one.received_at, year=True)} {localized('Beijing time', '北京时间')}"
    lines = [
        ("id", text(one.id)),
        (
            localized("reason", "原因"),
            Text.assemble((one.reason.value, "red"), "  ", (display.localized(*REASONS[one.reason]), "dim")),
        ),
        (localized("kind", "类型"), text(one.kind or "-")),
        (localized("from", "来自"), text(f"{one.source.value} {one.origin}")),
        (localized("received", "收到"), Text(display.dot.join([zoned, came, seen]))),
        (localized("size", "大小"), Text(size(one.size))),
    ]
    return draw(display, pairs(lines, display), "", text(on_screen(preview) if display.mask else preview))
