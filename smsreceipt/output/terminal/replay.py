"""The tables of `smsreceipt replay`: the result of a dry run, and the result of each push."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from rich.text import Text

from smsreceipt.model import Kind, Reason
from smsreceipt.output.display import Display
from smsreceipt.output.objects.rejects import REASONS
from smsreceipt.output.objects.replays import Readable
from smsreceipt.output.reasons import in_words
from smsreceipt.output.terminal.screen import draw, plain_table, text

_KIND = ("KIND", "类型")
_RECEIPTS = ("RECEIPTS", "回执")
_HEADS = (
    ("PUSH", "推送"),
    _KIND,
    _RECEIPTS,
    ("ACCEPTED", "已接受"),
    ("STATUS", "状态"),
    ("MS", "毫秒"),
    ("TRIES", "次数"),
)
_WIDTHS = (6, 20, 9, 12, 8, 9, 9)


def readable(rows: Sequence[Readable], display: Display) -> str:
    """A line for each kind with its numbers of receipts and rejects, then a line for each reason of rejects."""
    localized = display.localized
    widest = max([20, *(len(each.kind or "") for each in rows)])
    table = plain_table((widest, 12, 12), (False, True, True))
    table.add_row(*(text(localized(*words), "bold") for words in (_KIND, _RECEIPTS, ("REJECTED", "无法解析"))))
    reasons: Counter[Reason] = Counter()
    for each in rows:
        rejected = sum(each.rejected.values())
        kind = text(each.kind) if each.kind else text(localized("not told", "未知"), "dim")
        table.add_row(kind, text(f"{each.receipts:,}"), text(f"{rejected:,}", "red" if rejected else "dim"))
        reasons.update(each.rejected)
    lines = [Text(f"{count:,} × {reason}: {localized(*REASONS[reason])}", "red") for reason, count in reasons.items()]
    return draw(display, table, *lines)


class Pushed(Protocol):
    """A push and its result; see forward.callback.Push."""

    number: int
    kind: Kind | None
    receipts: int
    accepted: bool
    status: int | None
    seconds: float
    over_limit: bool
    attempts: int
    trouble: str


def push_line(push: Pushed, display: Display, *, head: bool) -> str:
    """The line of one push; *head*: with the titles above it."""
    localized = display.localized
    table = plain_table(_WIDTHS, (True, False, True, False, True, True, True))
    if head:
        table.add_row(*(text(localized(*words), "bold") for words in _HEADS))
    table.add_row(
        text(str(push.number)),
        text(push.kind or "-"),
        text(f"{push.receipts:,}"),
        text(localized("yes", "是"), "green") if push.accepted else text(localized("no", "否"), "red"),
        text(str(push.status or "-")),
        text(f"{round(push.seconds * 1000, 1):,.0f}", "red" if push.over_limit else ""),
        text(str(push.attempts)),
    )
    trouble = [text(f"       {in_words(push.trouble)}", "red")] if push.trouble else []
    return draw(display, table, *trouble)
