"""The tables of `smsreceipt replay`: what a dry run found, and what became of each push."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from rich.text import Text

from smsreceipt.model import Kind
from smsreceipt.output.look import Look
from smsreceipt.output.objects.rejects import REASONS
from smsreceipt.output.objects.replays import Readable
from smsreceipt.output.terminal.screen import draw, plain_table, text

_WIDTHS = (6, 20, 9, 12, 8, 9, 9)


def readable(rows: Sequence[Readable], look: Look) -> str:
    """Kinds with how many receipts there are of each, and below each why others are none."""
    say = look.say
    widest = max([20, *(len(each.kind or "") for each in rows)])
    table = plain_table((widest, 12, 12), (False, True, True))
    table.add_row(
        *(text(head, "bold") for head in (say("KIND", "类型"), say("RECEIPTS", "回执"), say("REJECTED", "无法解析")))
    )
    for each in rows:
        rejected = sum(each.rejected.values())
        kind = text(each.kind) if each.kind else text(say("not told", "未知"), "dim")
        table.add_row(kind, text(f"{each.receipts:,}"), text(f"{rejected:,}", "red" if rejected else "dim"))
    reasons: dict[Any, int] = {}
    for each in rows:
        for reason, count in each.rejected.items():
            reasons[reason] = reasons.get(reason, 0) + count
    lines = [Text(f"{count:,} × {reason}: {say(*REASONS[reason])}", "red") for reason, count in reasons.items()]
    return draw(look, table, *lines)


class Pushed(Protocol):
    """A push and what became of it; see forward.callback.Push."""

    number: int
    kind: Kind | None
    receipts: int
    accepted: bool
    status: int | None
    seconds: float
    over_limit: bool
    attempts: int
    trouble: str


def push_line(push: Pushed, look: Look, *, head: bool) -> str:
    """One push in columns that line up with those before it."""
    say = look.say
    table = plain_table(_WIDTHS, (True, False, True, False, True, True, True))
    if head:
        heads = (
            say("PUSH", "推送"), say("KIND", "类型"), say("RECEIPTS", "回执"), say("ACCEPTED", "已接受"),
            say("STATUS", "状态"), say("MS", "毫秒"), say("TRIES", "次数"),
        )  # fmt: skip
        table.add_row(*(text(each, "bold") for each in heads))
    table.add_row(
        text(str(push.number)),
        text(push.kind or "-"),
        text(f"{push.receipts:,}"),
        text(say("yes", "是"), "green") if push.accepted else text(say("no", "否"), "red"),
        text(str(push.status or "-")),
        text(f"{round(push.seconds * 1000, 1):,.0f}", "red" if push.over_limit else ""),
        text(str(push.attempts)),
    )
    trouble = [text(f"       {push.trouble}", "red")] if push.trouble else []
    return draw(look, table, *trouble)
