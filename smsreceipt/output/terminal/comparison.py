"""The screens of `smsreceipt reconcile`: where every send stands, what failed and why, what to do about the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from smsreceipt import codes
from smsreceipt.model import date_of
from smsreceipt.output.terminal.look import Look, plain_table, text, wall_clock, widest, wrapped
from smsreceipt.output.terminal.tables import meaning_lines
from smsreceipt.reconcile import Class, ClassCounts
from smsreceipt.reconcile.totals import DayGap
from smsreceipt.store import CallGap

_MOST_CODES = 10

#: Class --> its name and what it means, in English and in Chinese, and the colour of a count that is not zero.
_CLASSES = {
    Class.WITH_RECEIPT: ("with receipt", "已有回执", "", "", ""),
    Class.YOUNG: ("young", "太新", "not asked: the receipt may be on its way", "未查询：回执可能仍在途中", "cyan"),
    Class.TOO_LATE: ("too late", "太迟", "older than 30 days: nobody can tell", "超过30天：已无法查询", "red"),
    Class.DELIVERED: ("delivered", "已送达", "fetched and stored", "已查询并入库", "green"),
    Class.FAILED: ("failed", "失败", "fetched and stored", "已查询并入库", "red"),
    Class.STILL_WAITING: ("still waiting", "仍在等待", "the carrier has not answered", "运营商尚未返回", "cyan"),
    Class.NO_RECORD: ("no record", "无记录", "the provider knows no such send", "服务商没有这条发送记录", "magenta"),
    Class.UNASKED: ("unasked", "未查询", "run the same command again", "请再次运行同一命令", "magenta"),
}
_TO_ASK = ("to be asked", "待查询", "without --dry-run", "去掉--dry-run即查询", "cyan")
_TOP = (Class.WITH_RECEIPT, Class.YOUNG, Class.TOO_LATE)
_BELOW = (Class.DELIVERED, Class.FAILED, Class.STILL_WAITING, Class.NO_RECORD, Class.UNASKED)

#: What to do about sends whose end nobody knows.
_ADVICE = {
    Class.YOUNG: ("Young: compare again when they are older.", "太新：稍后再次对账。"),
    Class.STILL_WAITING: (
        "Still waiting: the next comparison asks again; after 72 hours the carrier will hardly answer.",
        "仍在等待：下次对账会再次查询；超过72小时运营商通常不会再返回。",
    ),
    Class.NO_RECORD: (
        "No record: check number, BizId and day in the list of what was sent; was SendSms answered with OK?",
        "无记录：请核对发送清单中的号码、BizId和日期，并确认SendSms返回了OK。",
    ),
    Class.TOO_LATE: (
        "Too late: compare daily, and nothing gets that old: smsreceipt reconcile --date yesterday",
        "太迟：请每天对账以避免超期：smsreceipt reconcile --date yesterday",
    ),
    Class.UNASKED: ("Unasked: run the same command again.", "未查询：请再次运行同一命令。"),
}


def comparison(books: ClassCounts, summary: Mapping[str, object], look: Look) -> str:
    """The classes with their counts, then failures by code, then what to do about those that are open.

    A summary with planned_calls is that of a plan: what is unasked is yet to be asked.
    """
    planned = "planned_calls" in summary
    say = look.say
    begin, end = summary["from"], summary["to"]
    days = str(begin) if begin == end else f"{begin} {say('to', '至')} {end}"
    parts: list[RenderableType] = [
        Text(days, "bold"),
        _classes(books, look, planned=planned),
        "",
        _figures(summary, look),
    ]
    for lines in (_failures(books, look), () if planned else _advice(books, look)):
        found = [*lines]
        parts += ["", *found] if found else []
    return look.draw(*parts)


def _classes(books: ClassCounts, look: Look, *, planned: bool) -> RenderableType:
    say = look.say
    rows = [(Text(say("sent", "已发送")), _count(books.classes.total()), Text())]
    rows += [_row(books, each, look, "  ") for each in _TOP]
    rows.append((Text("  " + say("missing", "缺回执")), _count(books.missing), Text()))
    rows += [_row(books, each, look, "    ", planned=planned) for each in _BELOW]
    widths = [widest([row[column] for row in rows]) for column in range(2)]
    room = max(look.width - sum(widths) - 4, 1)
    table = plain_table([*widths, min(room, widest([row[2] for row in rows]))], [False, True, False])
    for row in rows:
        table.add_row(*row)
    return table


def _row(books: ClassCounts, each: Class, look: Look, indent: str, *, planned: bool = False) -> tuple[Text, Text, Text]:
    english, chinese, note, note_zh, style = _TO_ASK if planned and each is Class.UNASKED else _CLASSES[each]
    count = books.classes[each]
    return (
        Text(indent + look.say(english, chinese)),
        _count(count, style if count else ""),
        Text(look.say(note, note_zh), "dim") if count else Text(),
    )


def _count(count: int, style: str = "") -> Text:
    return Text(f"{count:,}", style)


def _figures(summary: Mapping[str, object], look: Look) -> Text:
    """What stands beside the classes."""
    names = {
        "conflicts": ("conflicts", "矛盾"),
        "planned_calls": ("planned calls", "计划调用次数"),
        "seconds": ("seconds", "预计秒数"),
        "api_calls": ("API calls", "API调用次数"),
        "days_left": ("days left", "剩余天数"),
    }
    shown = [f"{look.say(*words)} {summary[name]:,}" for name, words in names.items() if summary.get(name) is not None]
    return Text(look.dot.join(shown))


def _failures(books: ClassCounts, look: Look) -> Iterator[RenderableType]:
    """The codes of what failed, the most frequent first, with meaning and advice."""
    ranked = sorted(books.failures.items(), key=lambda item: (-item[1], item[0]))
    for code, count in ranked[:_MOST_CODES]:
        yield Text.assemble(text(code or "-", "bold"), look.dot, (f"{count:,}", "red"))
        known = codes.receipt(code)
        for line in meaning_lines(known, look) if known else ():
            yield from (Padding(piece, (0, 0, 0, 2)) for piece in wrapped(line, look.width - 2))
    if len(ranked) > _MOST_CODES:
        rest = sum(count for _, count in ranked[_MOST_CODES:])
        yield Text(look.say(f"and {rest:,} with other codes", f"其他代码共{rest:,}条"), "dim")


def _advice(books: ClassCounts, look: Look) -> Iterator[RenderableType]:
    for each, words in _ADVICE.items():
        if books.classes[each]:
            yield from wrapped(Text(look.say(*words)), look.width)


def totals(rows: Sequence[DayGap], look: Look) -> str:
    """The provider's sums beside ours, in billed parts, and when nothing came."""
    say = look.say
    heads = [say("DAY", "日期"), say("SENT", "已发送"), say("ENDED", "已有结果"), say("OURS", "我方回执"),
             say("WAITING", "无响应"), say("GAP", "差额")]  # fmt: skip
    lines = [
        [
            date_of(row.day).isoformat(),
            f"{row.sent:,}",
            f"{row.succeeded + row.failed:,}",
            f"{row.delivered + row.not_delivered:,}",
            f"{row.no_response:,}",
            f"{row.gap:,}",
        ]
        for row in rows
    ]
    cells = [[Text(head, "dim") for head in heads]]
    cells += [
        [*map(Text, line[:-1]), Text(line[-1], "red" if row.gap > 0 else "")]
        for line, row in zip(lines, rows, strict=True)
    ]
    widths = [widest([row[column] for row in cells]) for column in range(len(heads))]
    table = plain_table(widths, [column > 0 for column in range(len(heads))])
    for each in cells:
        table.add_row(*each)
    parts: list[RenderableType] = [table, Text(say("in billed parts", "按计费条数"), "dim")]
    for row in rows:
        for begin, end in row.silent if row.gap > 0 else ():
            parts.append(
                Text(
                    say("no receipt of what was sent ", "没有以下时段所发短信的回执：")
                    + f"{wall_clock(begin, year=True)[:-3]} - {wall_clock(end)[-8:-3]}"
                )
            )
    return look.draw(*parts)


def call_gaps(found: Sequence[CallGap], look: Look) -> str:
    """Calls without an end, in the order they began."""
    if not found:
        return ""
    say = look.say
    rows = [
        [
            Text(head, "dim")
            for head in (say("BEGAN +08:00", "开始 +08:00"), say("CALL", "通话"), say("HEARD OF", "已收到"))
        ]
    ]
    rows += [[Text(wall_clock(gap.first_at)), text(gap.call_id), text(", ".join(gap.kinds))] for gap in found]
    widths = [widest([row[column] for row in rows]) for column in range(3)]
    widths[2] = max(min(widths[2], look.width - widths[0] - widths[1] - 4), 8)
    table = plain_table(widths, [False] * 3, [False, False, True])
    for row in rows:
        table.add_row(*row)
    return look.draw(table)
