"""The tables of `smsreceipt replay`: what a dry run found, and what became of each push."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from smsreceipt.output.terminal.look import Look, plain_table, text
from smsreceipt.output.terminal.tables import REASONS

_WIDTHS = (6, 20, 9, 12, 8, 9, 9)


def plan(objects: Sequence[Mapping[str, Any]], look: Look) -> str:
    """Kinds with how many receipts there are of each, and below each why others are none."""
    say = look.say
    widest = max([20, *(len(each["kind"] or "") for each in objects)])
    table = plain_table((widest, 12, 12), (False, True, True))
    table.add_row(
        *(text(head, "bold") for head in (say("KIND", "类型"), say("RECEIPTS", "回执"), say("REJECTED", "无法解析")))
    )
    for each in objects:
        rejected = sum(each["rejected"].values())
        kind = text(each["kind"]) if each["kind"] else text(say("not told", "未知"), "dim")
        table.add_row(kind, text(f"{each['receipts']:,}"), text(f"{rejected:,}", "red" if rejected else "dim"))
    reasons: dict[Any, int] = {}
    for each in objects:
        for reason, count in each["rejected"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    lines = [Text(f"{count:,} × {reason}: {say(*REASONS[reason])}", "red") for reason, count in reasons.items()]
    return look.draw(table, *lines)


def push_line(record: Mapping[str, Any], look: Look, *, head: bool) -> str:
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
        text(str(record["push"])),
        text(record["kind"] or "-"),
        text(f"{record['receipts']:,}"),
        text(say("yes", "是"), "green") if record["accepted"] else text(say("no", "否"), "red"),
        text(str(record["status"] or "-")),
        text(f"{record['ms']:,.0f}", "red" if record["over_limit"] else ""),
        text(str(record["attempts"])),
    )
    trouble = [text(f"       {record['trouble']}", "red")] if record["trouble"] else []
    return look.draw(table, *trouble)
