"""The six figures at the top of the page, each with its change and the last days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

from smsreceipt.insight.stats import Cell, Latency, Sms, Stats, Tables, Trend
from smsreceipt.output.html import sparks, svg
from smsreceipt.output.html.charts import trend
from smsreceipt.output.html.words import Change, Words, change_of_count, change_of_rate, count, percent, seconds

#: Nothing differs from a period that is not known.
_NO_MESSAGES = Sms(
    reports=0, delivered=0, failed=0, expired=0, unknown=0, pending=0, delivery_rate=None, unknown_rate=None,
    latency=Latency(), latency_invalid=0, latency_histogram=[], sent=None, no_receipt=None, receipt_rate=None,
    delivered_of_sent=None, parts=0, provider=None, parts_gap=None,
)  # fmt: skip
Days = Sequence[tuple[date, Cell | Trend | None]]


class Card(NamedTuple):
    """One figure."""

    label: Words
    value: Words
    change: Change | None
    note: Words | None
    spark: svg.Element | None


def cards(stats: Stats, sms: Sms, tables: Tables) -> Sequence[Card]:
    """The six figures, in their order on the page."""
    days = trend(stats, tables)
    makers = (_volume, _rate, _failed, _latency, _receipts, _parts)
    return [make(sms, stats.previous or _NO_MESSAGES, days) for make in makers]


def _volume(sms: Sms, before: Sms, days: Days) -> Card:
    spark = _spark(days, lambda row: row.reports, Words("messages of each day", "每日条数"))
    if sms.sent is None or sms.delivered_of_sent is None:
        change = change_of_count(sms.reports, before.reports)
        note = Words("no list of sends", "没有发送清单")
        return Card(Words("Messages with a receipt", "有回执的短信"), count(sms.reports), change, note, spark)
    reached = percent(sms.delivered_of_sent)
    note = Words(f"reached {reached.en}", f"到达率 {reached.zh}")
    return Card(Words("Sent", "发送量"), count(sms.sent), change_of_count(sms.sent, before.sent), note, spark)


def _rate(sms: Sms, before: Sms, days: Days) -> Card:
    words = Words("delivery rate of each day", "每日成功率")
    spark = _spark(days, lambda row: row.delivery_rate, words, rate=True)
    change = change_of_rate(sms.delivery_rate, before.delivery_rate)
    note = Words(f"{sms.delivered:,} delivered", f"成功 {sms.delivered:,} 条")
    return Card(Words("Delivery rate", "成功率"), percent(sms.delivery_rate), change, note, spark)


def _failed(sms: Sms, before: Sms, days: Days) -> Card:
    spark = _spark(days, lambda row: row.failed + row.expired, Words("failed messages of each day", "每日失败条数"))
    change = change_of_count(sms.failed + sms.expired, before.failed + before.expired, better=-1)
    note = Words(f"of which {sms.expired:,} expired", f"其中过期 {sms.expired:,} 条") if sms.expired else None
    return Card(Words("Failed", "失败"), count(sms.failed + sms.expired), change, note, spark)


def _latency(sms: Sms, before: Sms, days: Days) -> Card:
    now = sms.latency
    spark = _spark(days, _p95, Words("p95 of each day", "每日 p95"), line=True)
    change = change_of_count(now.p95, before.latency.p95, better=-1)
    middle, slow = seconds(now.p50), seconds(now.p99)
    note = Words(f"p50 {middle.en} · p99 {slow.en}", f"p50 {middle.zh} · p99 {slow.zh}")
    return Card(Words("Latency, p95", "送达时延 p95"), seconds(now.p95), change, note, spark)


def _p95(row: Cell | Trend) -> int | None:
    return row.p95 if isinstance(row, Trend) else row.latency.p95


def _receipts(sms: Sms, before: Sms, days: Days) -> Card:
    spark = _spark(days, lambda row: row.unknown + row.pending, Words("unknown of each day", "每日未知条数"))
    unknown = sms.unknown + sms.pending
    if sms.receipt_rate is None:
        change = change_of_count(unknown, before.unknown + before.pending, better=-1)
        part = percent(unknown / sms.reports if sms.reports else None)
        note = Words(f"{part.en} of the messages", f"占 {part.zh}")
        return Card(Words("Unknown or pending", "未知或等待回执"), count(unknown), change, note, spark)
    change = change_of_rate(sms.receipt_rate, before.receipt_rate)
    note = Words(f"none {sms.no_receipt:,} · unknown {unknown:,}", f"无回执 {sms.no_receipt:,} · 未知 {unknown:,}")
    return Card(Words("Receipt rate", "回执率"), percent(sms.receipt_rate), change, note, spark)


def _parts(sms: Sms, before: Sms, days: Days) -> Card:
    spark = _spark(days, lambda row: row.parts, Words("billed parts of each day", "每日计费条数"))
    change = change_of_count(sms.parts, before.parts)
    return Card(Words("Billed parts", "计费条数"), count(sms.parts), change, _beside(sms), spark)


def _beside(sms: Sms) -> Words | None:
    """What the provider counts beside our parts, where it was asked; else the parts of a message."""
    gap = sms.parts_gap
    if sms.provider is not None and gap is not None:
        return (
            Words(f"{gap:+,} at the provider", f"平台统计 {gap:+,}") if gap else Words("as the provider", "与平台一致")
        )
    messages = sms.reports if sms.sent is None else sms.sent
    if not messages or not sms.parts:
        return None
    return Words(f"{sms.parts / messages:.2f} a message", f"平均每条 {sms.parts / messages:.2f}")


def _spark(
    days: Days,
    value: Callable[[Cell | Trend], float | None],
    words: Words,
    *,
    rate: bool = False,
    line: bool = False,
) -> svg.Element | None:
    """The picture of a value over the last days; None where at most one of them has it, or all have 0."""
    values = [None if row is None else value(row) for _day, row in days]
    if sum(found is not None for found in values) < 2 or not any(values):
        return None
    span = f"{days[0][0]:%m-%d} – {days[-1][0]:%m-%d}"
    label = Words(f"{words.en}, {span}", f"{words.zh}，{span}")
    return sparks.line(values, label, rate=rate) if rate or line else sparks.bars(values, label)
