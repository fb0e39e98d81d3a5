"""The screen of `smsreceipt status`: facts about the store, then a line for each message type."""

from __future__ import annotations

from rich.text import Text

from smsreceipt.insight.alarms.rules import Rule
from smsreceipt.insight.alarms.texts import COMMANDS
from smsreceipt.output.display import Display
from smsreceipt.output.formatting import size
from smsreceipt.output.objects.status import BACKLOG, FORWARDS, KINDS, ORIGINS, Health
from smsreceipt.output.terminal.findings import findings
from smsreceipt.output.terminal.screen import draw, pairs, text
from smsreceipt.output.terminal.table import Table
from smsreceipt.store import Growth, StoreFacts

SOON = 30  #: days until the disk is full from which on that is red
_MOST = 5  # findings; the command shows all of them
_BEFORE = ("the day before", "前一天")
_NEVER = 3_650  # from so many days on, nobody wants to know


def status(health: Health, display: Display) -> str:
    """Facts about the store, then a line for each message type, each queue or path, and each queue that was asked."""
    localized, facts = display.localized, health.facts
    absent = Text("" if facts.exists else localized("  (not there yet)", "  （尚不存在）"), "dim")
    schema = localized(f"schema {facts.schema}", f"结构版本 {facts.schema}")
    lines = [
        (localized("store", "存储"), text(facts.location).append(absent)),
        (
            localized("engine", "引擎"),
            Text(display.dot.join([facts.engine, schema, size(facts.size)])),
        ),
        *([(localized("growth", "增长"), _growth(health.growth, display))] if health.growth.receipts_per_day else []),
        *([] if health.growth.free is None else [(localized("disk", "磁盘"), _disk(health.growth, display))]),
        *([] if facts.checked else [(localized("damage", "损坏检查"), _partly_checked(display))]),
        *([(localized("sends", "发送"), _sends(facts, display))] if facts.sends else []),
        (localized("conflicts", "矛盾"), _alarm(facts.conflicts, "list --conflicts")),
        (localized("rejects", "拒收"), _alarm(facts.rejects, "rejects list")),
        *([(localized("unusual", "异常"), _unusual(health, display))] if facts.kinds else []),
    ]
    top = pairs(lines, display)
    if not facts.kinds:
        none = Text(localized("No receipts yet.", "还没有回执。"), "dim")
        return draw(display, top, "", none) + _ways(health, display)
    told = [*findings((health.findings or ())[:_MOST], display, before=_BEFORE, with_day=True)]
    return (
        draw(display, top, "", *told, *([""] if told else []))
        + Table(display, KINDS).draw(facts.kinds)
        + _ways(health, display)
    )


def _ways(health: Health, display: Display) -> str:
    """When something came by each queue and path, what waits in the queues, and how far receipts are handed on."""
    came = draw(display, "") + Table(display, ORIGINS).draw(health.origins) if health.origins else ""
    waits = draw(display, "") + Table(display, BACKLOG).draw(health.backlog) if health.backlog else ""
    handed = draw(display, "") + Table(display, FORWARDS).draw(health.forwards) if health.forwards else ""
    return came + waits + handed


def _growth(growth: Growth, display: Display) -> Text:
    """What comes a day, and what it takes."""
    localized = display.localized
    line = Text(localized(f"{growth.receipts_per_day:,} receipts a day", f"每天 {growth.receipts_per_day:,} 条回执"))
    if growth.bytes_per_day is not None:
        a_day, each = size(growth.bytes_per_day), size(growth.bytes_per_receipt or 0)
        line.append(display.dot).append(localized(f"{a_day} a day, {each} each", f"每天 {a_day}，每条 {each}"))
    return line


def _disk(growth: Growth, display: Display) -> Text:
    """The free space, and when there will be none."""
    free = size(growth.free or 0)
    line = Text(display.localized(f"{free} free", f"剩余 {free}"))
    if growth.days_left is not None and growth.days_left < _NEVER:
        full = display.localized(f"full in {growth.days_left:,} days", f"{growth.days_left:,} 天后写满")
        line.append(display.dot).append(full, "red" if growth.days_left < SOON else "")
    return line


def _unusual(health: Health, display: Display) -> Text:
    """How much is unusual in the messages of the day; it follows below."""
    command = f"stats --date {health.day}"
    if health.findings is None:
        why = display.localized("receipts are not counted yet", "回执尚未统计")
        return Text(f"{why}  smsreceipt {command}", "dim")
    return _alarm(len(health.findings), command)


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
        line.append(f"  {COMMANDS[Rule.NO_RECEIPT]}", "dim")
    return line


def _alarm(count: int, command: str) -> Text:
    """A count that should be zero; if it is not, with the command that lists what was counted."""
    return Text.assemble((f"{count:,}", "red"), (f"  smsreceipt {command}", "dim")) if count else Text("0")
