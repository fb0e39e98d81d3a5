"""The screens of `smsreceipt reconcile`: numbers of sends by class, failures by code, advice; and day totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from smsreceipt import codes
from smsreceipt.output.display import Display
from smsreceipt.output.formatting import wall_clock
from smsreceipt.output.objects.totals import DAY_GAPS, DAY_TOTALS
from smsreceipt.output.terminal.codes import meaning_lines
from smsreceipt.output.terminal.screen import draw, plain_table, text, widest, wrapped
from smsreceipt.output.terminal.table import Table
from smsreceipt.reconcile import Class, ClassCounts
from smsreceipt.reconcile.totals import DayGap

_MOST_CODES = 10

#: Class --> its name in English and Chinese, its meaning in both, and the colour of a count that is not zero.
_CLASSES = {
    Class.WITH_RECEIPT: ("with receipt", "已有回执", "", "", ""),
    Class.YOUNG: ("young", "太新", "not asked: the receipt may be on its way", "未查询：回执可能仍在途中", "cyan"),
    Class.TOO_LATE: ("too late", "太迟", "older than 30 days: nobody can tell", "超过30天：已无法查询", "red"),
    Class.DELIVERED: ("delivered", "已送达", "fetched and stored", "已查询并入库", "green"),
    Class.FAILED: ("failed", "失败", "fetched and stored", "已查询并入库", "red"),
    Class.STILL_WAITING: ("still waiting", "仍在等待", "the carrier has not answered", "运营商尚未返回", "cyan"),
    Class.NO_RECORD: ("no record", "无记录", "the provider knows no such send", "平台没有这条发送记录", "magenta"),
    Class.UNASKED: ("unasked", "未查询", "run the same command again", "请再次运行同一命令", "magenta"),
}
_TO_ASK = ("to be asked", "待查询", "without --dry-run", "去掉--dry-run即查询", "cyan")
_TOP = (Class.WITH_RECEIPT, Class.YOUNG, Class.TOO_LATE)
_BELOW = (Class.DELIVERED, Class.FAILED, Class.STILL_WAITING, Class.NO_RECORD, Class.UNASKED)

#: What to do about sends whose outcome is not known.
_ADVICE = {
    Class.YOUNG: (
        "Young: compare again when they are older, or ask now with --min-age 0s.",
        "太新：稍后再次对账，或用 --min-age 0s 立即查询。",
    ),
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


def comparison(counts: ClassCounts, summary: Mapping[str, object], display: Display) -> str:
    """The classes with their counts, then failures by code, then advice about open sends.

    A summary with planned_calls is that of a dry run, in which unasked sends are still to be asked about.
    """
    planned = "planned_calls" in summary
    localized = display.localized
    begin, end = summary["from"], summary["to"]
    days = str(begin) if begin == end else f"{begin} {localized('to', '至')} {end}"
    parts: list[RenderableType] = [
        Text(days, "bold"),
        _classes(counts, display, planned=planned),
        "",
        _figures(summary, display),
    ]
    for lines in (_failures(counts, display), () if planned else _advice(counts, display)):
        found = [*lines]
        parts += ["", *found] if found else []
    return draw(display, *parts)


def _classes(counts: ClassCounts, display: Display, *, planned: bool) -> RenderableType:
    localized = display.localized
    rows = [(Text(localized("sent", "已发送")), _count(counts.classes.total()), Text())]
    rows += [_row(counts, each, display, "  ") for each in _TOP]
    rows.append((Text("  " + localized("missing", "缺回执")), _count(counts.missing), Text()))
    rows += [_row(counts, each, display, "    ", planned=planned) for each in _BELOW]
    widths = [widest([row[column] for row in rows]) for column in range(2)]
    room = max(display.width - sum(widths) - 4, 1)
    table = plain_table([*widths, min(room, widest([row[2] for row in rows]))], [False, True, False])
    for row in rows:
        table.add_row(*row)
    return table


def _row(
    counts: ClassCounts, each: Class, display: Display, indent: str, *, planned: bool = False
) -> tuple[Text, Text, Text]:
    english, chinese, note, note_zh, style = _TO_ASK if planned and each is Class.UNASKED else _CLASSES[each]
    count = counts.classes[each]
    return (
        Text(indent + display.localized(english, chinese)),
        _count(count, style if count else ""),
        Text(display.localized(note, note_zh), "dim") if count else Text(),
    )


def _count(count: int, style: str = "") -> Text:
    return Text(f"{count:,}", style)


def _figures(summary: Mapping[str, object], display: Display) -> Text:
    """The other figures of the summary."""
    names = {
        "conflicts": ("conflicts", "矛盾"),
        "planned_calls": ("planned calls", "计划调用次数"),
        "seconds": ("seconds", "预计秒数"),
        "api_calls": ("API calls", "API调用次数"),
        "days_left": ("days left to ask", "剩余可查询天数"),
        "provider_total": ("parts by the provider", "平台计费条数"),
        "unlisted": ("not in the list", "清单之外"),
    }
    shown = [
        f"{display.localized(*words)} {summary[name]:,}"
        for name, words in names.items()
        if summary.get(name) is not None
    ]
    return Text(display.dot.join(shown))


def _failures(counts: ClassCounts, display: Display) -> Iterator[RenderableType]:
    """The codes of failed sends, the most frequent first, with meaning and advice."""
    ranked = sorted(counts.failures.items(), key=lambda item: (-item[1], item[0]))
    for code, count in ranked[:_MOST_CODES]:
        yield Text.assemble(text(code or "-", "bold"), display.dot, (f"{count:,}", "red"))
        known = codes.receipt(code)
        for line in meaning_lines(known, display) if known else ():
            yield from (Padding(piece, (0, 0, 0, 2)) for piece in wrapped(line, display.width - 2))
    if len(ranked) > _MOST_CODES:
        rest = sum(count for _, count in ranked[_MOST_CODES:])
        yield Text(display.localized(f"and {rest:,} with other codes", f"其他代码共{rest:,}条"), "dim")


def _advice(counts: ClassCounts, display: Display) -> Iterator[RenderableType]:
    for each, words in _ADVICE.items():
        if counts.classes[each]:
            yield from wrapped(Text(display.localized(*words)), display.width)


def day_gaps(rows: Sequence[DayGap], display: Display) -> str:
    """The provider's totals beside ours, in billed parts, and the hours without any receipt."""
    localized = display.localized
    notes = [Text(localized("in billed parts", "按计费条数"), "dim")]
    notes += [
        Text(
            localized("no receipt of what was sent ", "没有以下时段所发短信的回执：")
            + f"{wall_clock(begin, year=True)[:-3]} - {wall_clock(end)[-8:-3]}"
        )
        for row in rows
        if row.gap > 0
        for begin, end in row.silent
    ]
    return Table(display, DAY_GAPS).draw(rows) + draw(display, *notes)


def day_totals(rows: Sequence[DayGap], display: Display) -> str:
    """The provider's totals of each day beside ours, in billed parts."""
    note = display.localized("in billed parts: the provider's, then ours", "按计费条数：先平台，后我方")
    return Table(display, DAY_TOTALS).draw(rows) + draw(display, Text(note, "dim"))
