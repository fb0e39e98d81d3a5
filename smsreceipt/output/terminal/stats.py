"""The screens of `smsreceipt stats`: the summary of some days, and the messages in groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from smsreceipt.insight.question import Compare, Dimension, Question
from smsreceipt.insight.stats import Cell, Failure, Sms, Stats
from smsreceipt.model import date_of
from smsreceipt.output.columns import View
from smsreceipt.output.display import Display
from smsreceipt.output.figures import (
    FEW,
    bar,
    change_of_count,
    change_of_rate,
    count,
    drawn,
    percent,
    seconds,
    sparkline,
)
from smsreceipt.output.names import name_of
from smsreceipt.output.objects.stats import Row
from smsreceipt.output.terminal.calls import calls_lines, calls_screen
from smsreceipt.output.terminal.figures import Figure, lay_out
from smsreceipt.output.terminal.findings import findings
from smsreceipt.output.terminal.screen import draw, joined, text, wrapped
from smsreceipt.output.terminal.table import Table

T = TypeVar("T")

MOST_CODES = 5  #: in the summary unless told
_MOST_DAYS = 31  # in a sparkline
_WIDE = 100  # columns of a terminal that has room for a character for each hour
_RED, _GREEN = "red", "green"


def before(question: Question) -> tuple[str, str]:
    """What a period is compared with, in English and Chinese."""
    length = question.last_day - question.first_day + 1
    if question.compare is Compare.WEEK:
        return "a week before", "一周前"
    return ("the day before", "前一天") if length == 1 else (f"the {length} days before", f"此前 {length} 天")


def summary(found: Stats, question: Question, display: Display, *, over: bool) -> str:
    """The figures of a period. *over*: its last day is over; else counts are not compared."""
    parts: list[RenderableType] = [*head(question, display, final=found.final, over=over)]
    if found.findings:
        several = found.first != found.last
        parts += ["", *findings(found.findings, display, before=before(question), with_day=several)]
    if found.sms and found.sms.reports + (found.sms.sent or 0):
        parts += ["", *lay_out([*_figures(found, found.sms, display, over=over)], display)]
        parts += _failures(found, question, display)
    others = calls_screen if found.sms is None and found.calls else calls_lines
    lines = [*others(found, display, over=over)]
    parts += ["", *lines] if lines else []
    left_out = [*_left_out(found, display)]
    parts += ["", *left_out] if left_out else []
    return draw(display, *parts)


def head(question: Question, display: Display, *, final: bool, over: bool) -> Iterator[Text]:
    """The days, what they are compared with, the filters, and whether the days are final."""
    localized = display.localized
    items = [localized("Beijing day of sending", "按发送日（北京时间）")]
    if question.compared:
        other = _days(question.compared, display)
        items.append(localized(f"against {other}", f"对比 {other}"))
    items += _filters(question, display)
    days = _days((question.first_day, question.last_day), display)
    yield from joined([Text(days, "bold"), *(text(item, "dim") for item in items)], display)
    if final:
        return
    until = date_of(question.last_day + 4).isoformat()
    note = localized(f"not final: receipts may come until {until} 00:00", f"未定：{until} 00:00 之前仍可能有回执")
    if not over:
        note = localized("the day is not over: counts are not compared; ", "当天尚未结束，数量不作对比；") + note
    yield from wrapped(Text(note, "dim"), display.width)


def _days(days: tuple[int, int], display: Display) -> str:
    first, last = (date_of(day).isoformat() for day in days)
    return first if first == last else f"{first} {display.localized('to', '至')} {last}"


def _filters(question: Question, display: Display) -> Iterator[str]:
    chosen = {
        Dimension.TEMPLATE: question.templates,
        Dimension.SIGN: question.signs,
        Dimension.CARRIER: question.carriers,
        Dimension.PROVINCE: question.provinces,
        Dimension.CODE: question.codes,
    }
    for dimension, values in chosen.items():
        if values:
            names = display.localized(", ", "、").join(name_of(dimension, value, display) for value in sorted(values))
            yield display.localized(f"only {names}", f"仅 {names}")


def _figures(found: Stats, sms: Sms, display: Display, *, over: bool) -> Iterator[Figure]:
    localized, earlier = display.localized, found.previous

    def count_line(name: tuple[str, str], key: str, worse: int = 0, chart: str = "", note: str = "") -> Figure:
        now = getattr(sms, key)
        shown, change = change_of_count(now, getattr(earlier, key) if earlier and over else None, display)
        style = (_RED if change * worse > 0 else _GREEN) if change * worse else ""
        return Figure(localized(*name), count(now), Text(shown, style), chart, note)

    volume, rates_chart, by = _charts(found, display)
    first = ("sent", "已发送") if sms.sent is not None else ("receipts", "回执")
    yield count_line(first, "sent" if sms.sent is not None else "reports", chart=volume, note=by if volume else "")
    shown, change = change_of_rate(sms.delivery_rate, earlier.delivery_rate if earlier else None, display)
    style = (_GREEN if change > 0 else _RED) if change else ""
    rate, span = percent(sms.delivery_rate, display), _range(found, display)
    note = span if rates_chart or not span else by + localized(" ", "") + span
    yield Figure(localized("delivery rate", "成功率"), rate, Text(shown, style), rates_chart, note)
    of_sent = percent(sms.delivered_of_sent, display)
    note = localized(f"{of_sent} of sent", f"到达率 {of_sent}") if sms.sent is not None else ""
    yield count_line(("  delivered", "  已送达"), "delivered", note=note)
    drops = [each for each in found.findings if each.kind == "drop"]
    lost = (
        localized(f"{drops[0].messages:,} lost in the drop above", f"其中上述下跌少送达 {drops[0].messages:,} 条")
        if len(drops) == 1
        else ""
    )
    yield count_line(("  failed", "  失败"), "failed", worse=1, note=lost)
    if sms.expired:
        yield count_line(("  expired", "  已过期"), "expired", worse=1)
    apart = localized("not in the rate", "不计入成功率")
    yield count_line(("  unknown", "  未知"), "unknown", note=apart)
    if sms.pending:
        yield count_line(("  pending", "  等待回执"), "pending", note=apart)
    yield from _receipts(sms, display)
    yield from _latency(sms, display)
    yield from _parts(found, sms, display)


def _receipts(sms: Sms, display: Display) -> Iterator[Figure]:
    if sms.sent is None:
        return
    rate = percent(sms.receipt_rate, display)
    note = display.localized(f"receipt rate {rate}", f"回执率 {rate}")
    style = "magenta" if sms.no_receipt else ""
    yield Figure(display.localized("no receipt", "无回执"), count(sms.no_receipt), Text("", style), "", note)


def _latency(sms: Sms, display: Display) -> Iterator[Figure]:
    times, localized = sms.latency, display.localized
    if times.p50 is None:
        return
    shown = [f"{name} {seconds(getattr(times, name), display)}" for name in ("p50", "p95", "p99")]
    shown.append(f"{localized('max', '最大')} {seconds(times.max, display)}")
    yield Figure(localized("latency", "时延"), across=shown)


def _parts(found: Stats, sms: Sms, display: Display) -> Iterator[Figure]:
    note = display.localized("ask the provider's count: --provider", "查询平台统计：--provider")
    if sms.provider:
        ended, gap = sms.provider.succeeded + sms.provider.failed, sms.parts_gap or 0
        note = display.localized(
            f"provider: {ended:,} ended, {gap:+,} without a receipt", f"平台已结束 {ended:,}，差额 {gap:+,}"
        )
    name, days = display.localized("billed parts", "计费条数"), [row.parts or None for row in found.trend]
    chart = sparkline(days, display, low=0) if sum(each is not None for each in days) > 1 else ""
    if not chart:
        yield Figure(name, count(sms.parts), note=note)
        return
    span = display.localized(f"the last {len(days)} days", f"最近 {len(days)} 天")
    yield Figure(name, count(sms.parts), chart=chart, note=span)
    yield Figure("", note=note)


def _charts(found: Stats, display: Display) -> tuple[str, str, str]:
    """The sparklines of messages and of delivery rates, and what they are by."""
    cells = _in_time(found)
    volume = sparkline([cell.reports if cell else 0 for cell in cells], display, low=0)
    rates = sparkline([_shown_rate(cell) for cell in cells], display)
    return volume, rates, _by_what(found, display)


def _in_time(found: Stats) -> list[Cell | None]:
    """The messages of each hour of one day, or of each day."""
    if found.by is None:
        return []
    if found.first == found.last:
        hours = {cell.hour: cell for cell in found.by.hour}
        return [hours.get(hour) for hour in range(24)]
    return [*found.by.day[-_MOST_DAYS:]]


def _by_what(found: Stats, display: Display) -> str:
    if found.first == found.last:
        return display.localized("by hour", "分时")
    if found.by and len(found.by.day) > _MOST_DAYS:
        return display.localized(f"the last {_MOST_DAYS} days", f"最近 {_MOST_DAYS} 天")
    return display.localized("by day", "按天")


def _shown_rate(cell: Cell | None) -> float | None:
    return cell.delivery_rate if cell and cell.reports >= FEW else None


def _range(found: Stats, display: Display) -> str:
    rates = [rate for rate in map(_shown_rate, _in_time(found)) if rate is not None]
    if not rates:
        return ""
    low, high = (percent(rate, display, 1) for rate in (min(rates), max(rates)))
    return low if low == high else f"{low.rstrip(' %')}{'–' if display.unicode else '-'}{high}"


def _failures(found: Stats, question: Question, display: Display) -> Iterator[RenderableType]:
    """The codes of messages that were not delivered, with their meaning."""
    if not found.failures:
        return
    localized = display.localized
    shown = found.failures[: question.top or MOST_CODES]
    name = min(max(cell_len(each.code or "-") for each in shown), display.width - 22)
    wide = display.width >= name + 22 + 30
    bars = min(max(display.width - name - 44, 8), 32) if wide else 0
    heads = [localized("WHY", "原因"), localized("MESSAGES", "条数"), localized("SHARE", "占比")]
    columns = _columns(heads, name)
    compared = found.previous is not None and found.previous.reports > 0
    if wide and compared:
        columns += "  " + " " * bars + _right(localized("BEFORE", "对比期"), 9)
    yield ""
    yield Text(columns, "dim")
    most = max(each.share for each in shown) or 1
    for each in shown:
        yield from _failure(each, name, bars, most, display, compared=compared)
    if more := found.failures[len(shown) :]:
        rest, whole = sum(each.count for each in more), len(found.failures)
        codes = "1 more code" if len(more) == 1 else f"{len(more)} more codes"
        line = localized(
            f"{codes}, {rest:,} of the messages: --top {whole}, or --by code",
            f"另有 {len(more)} 种回执码，共 {rest:,} 条：--top {whole}，或 --by code",
        )
        yield from wrapped(Text(line, "dim"), display.width)


def _columns(values: Sequence[str], name: int) -> str:
    code, messages, share = values
    return code + " " * max(name - cell_len(code), 0) + _right(messages, 10) + _right(share, 10)


def _right(value: str, width: int) -> str:
    return " " * max(width - cell_len(value), 1) + value


def _failure(each: Failure, name: int, bars: int, most: float, display: Display, *, compared: bool) -> Iterator[Text]:
    code = text(each.code or "-")
    code.truncate(name, overflow="ellipsis")
    line = Text.assemble(
        (code.plain, "bold"), _columns(["", count(each.count), percent(each.share, display, 1)], name)[code.cell_len :]
    )
    if bars:
        drawn = bar(each.share / most, bars, display)
        line.append("  ").append(drawn + " " * (bars - cell_len(drawn)), "red")
        line.append(_right(count(each.previous), 9) if compared else "")
    yield line
    meaning = display.localized(each.meaning_en or "", each.meaning_zh or "") or display.localized(
        "not in the tables: ask the provider", "不在回执码表中，请咨询平台"
    )
    for piece in wrapped(text(meaning, "dim"), display.width - 2):
        yield Text("  ").append(piece)


def _left_out(found: Stats, display: Display) -> Iterator[Text]:
    """What is in no figure, or says less than it seems to."""
    localized, notes, sms = display.localized, [], found.sms
    if sms and sms.latency_invalid:
        notes.append(
            localized(
                f"{sms.latency_invalid:,} left out of the latency: reported before they were sent",
                f"{sms.latency_invalid:,} 条报告时间早于发送时间，不计入时延",
            )
        )
    untimed = sum(cell.reports for cell in found.by.hour if cell.hour is None) if found.by else 0
    if untimed:
        notes.append(
            localized(
                f"{untimed:,} without a time of sending: in no hour, on the day of their receipt",
                f"{untimed:,} 条没有发送时间：不计入各小时，按回执所在日统计",
            )
        )
    if sms and sms.sent is not None and sms.reports > sms.sent:
        notes.append(
            localized(
                f"the list of sends is not whole: {sms.reports:,} messages have receipts, {sms.sent:,} are listed",
                f"发送清单不完整：{sms.reports:,} 条有回执，清单中只有 {sms.sent:,} 条",
            )
        )
    few = any(cell for cell in _in_time(found) if cell and cell.reports < FEW)
    if few and drawn(display) and sms and sms.reports:
        notes.append(
            localized(
                f"rate sparkline: blank where there are fewer than {FEW} messages", f"成功率曲线：不足 {FEW} 条处留空"
            )
        )
    if sms and sms.reports and found.previous and not found.previous.reports:
        notes.append(localized("no messages to compare with", "对比期没有短信"))
    for note in notes:
        yield from wrapped(Text(note, "dim"), display.width)


def groups(
    rows: Sequence[T], view: View[T], question: Question, display: Display, *, final: bool, over: bool, rest: int
) -> str:
    """Messages or calls in groups. *rest*: how many groups are not shown."""
    notes = [*_notes(rows, question, rest, display)]
    lines = [line for note in notes for line in wrapped(Text(note, "dim"), display.width)]
    top = head(question, display, final=final, over=over)
    return draw(display, *top, "") + Table(display, view).draw(rows) + (draw(display, *lines) if lines else "")


class Slots(NamedTuple):
    """What the characters of a sparkline stand for."""

    units: Sequence[Sequence[object]]  #: the hours or days of each character
    title: tuple[str, str]


def slots(question: Question, display: Display) -> Iterator[Slots]:
    """The ways to divide a period into characters, the finest that fits first."""
    days = question.last_day - question.first_day + 1
    wide = display.width >= _WIDE
    if days == 1:
        for size in (1, 3, 6) if wide else (3, 6):
            title = ("RATE BY HOUR", "分时成功率") if size == 1 else (f"BY {size} H", f"每 {size} 小时")
            yield Slots([range(at, at + size) for at in range(0, 24, size)], title)
        return
    names = [date_of(day).isoformat() for day in range(question.first_day, question.last_day + 1)]
    size = -(-days // (_MOST_DAYS if wide else 10))
    title = ("BY DAY", "按天") if size == 1 else (f"BY {size} D", f"每 {size} 天")
    yield Slots([names[at : at + size] for at in range(0, days, size)], title)


def _notes(rows: Sequence[object], question: Question, rest: int, display: Display) -> Iterator[str]:
    localized, by = display.localized, {*question.by}
    if rest:
        whole = len(rows) + rest
        yield localized(f"{rest} more: --top {whole}", f"另有 {rest} 组：--top {whole}")
    if Dimension.CARRIER in by or question.carriers:
        yield localized(
            "carrier: to which the number range was given; a ported number counts there",
            "运营商：按号段归属；携号转网的号码仍计入原运营商",
        )
    if Dimension.PROVINCE in by or question.provinces:
        yield localized("province: where the number was issued", "省份：号码的归属地，不是用户所在地")
    if by & {Dimension.TEMPLATE, Dimension.SIGN}:
        yield localized("template and signature: from the list of sends", "模板和签名：取自发送清单")
    if any(" " in row.chart for row in rows if isinstance(row, Row)):
        yield localized(f"rate: blank where fewer than {FEW} ended", f"成功率：不足 {FEW} 条已结束处留空")
    if Dimension.CODE in by or Dimension.CATEGORY in by:
        yield localized("what a code means: smsreceipt explain CODE", "回执码的含义：smsreceipt explain CODE")
