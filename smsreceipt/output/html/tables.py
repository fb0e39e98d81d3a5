"""The tables and the smaller figures of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from smsreceipt import codes
from smsreceipt.insight.question import Dimension
from smsreceipt.insight.stats import Calls, Cause, Cell, Failure, Stats, Tables
from smsreceipt.model.facts import UNKNOWN
from smsreceipt.output.html import names, sparks, svg
from smsreceipt.output.html.words import (
    NOTHING,
    Change,
    Words,
    change_of_count,
    change_of_rate,
    count,
    percent,
    same,
    seconds,
)

MOST = 12  #: rows of a table
_MOST_CAUSES = 9
_UNKNOWN_CODE = Words("no table knows this code", "码表中没有此代码")
_ASK = Words("Ask the support of the provider what it means.", "请通过工单向平台咨询其含义。")


class FailureRow(NamedTuple):
    """Messages that were not delivered for one reason."""

    code: str
    messages: Words
    share: Words
    bar: svg.Element
    before: Words
    meaning: Words
    advice: Words


class GroupRow(NamedTuple):
    """Messages of one template or one signature."""

    name: Words
    messages: Words
    rate: Words
    change: Change | None
    p95: Words


class CauseRow(NamedTuple):
    """Calls that ended in one way."""

    code: str
    meaning: Words
    side: Words
    calls: Words
    share: Words


class Figure(NamedTuple):
    """A figure with what it is."""

    value: Words
    label: Words
    change: Change | None = None


def failures(rows: Sequence[Failure]) -> Sequence[FailureRow]:
    """The most frequent reasons, with what they mean and what to do about them."""
    most = max((row.share for row in rows), default=0) or 1
    return [_failure(row, most) for row in rows[:MOST]]


def _failure(row: Failure, most: float) -> FailureRow:
    share = percent(row.share, 1)
    bar = sparks.share(row.share / most, same(share.en))
    meaning, advice = _UNKNOWN_CODE, _ASK
    if row.meaning_en:
        meaning = Words(row.meaning_en, row.meaning_zh or "")
        advice = Words(row.advice_en or "", row.advice_zh or "")
    return FailureRow(names.cut(row.code) or "-", count(row.count), share, bar, count(row.previous), meaning, advice)


def more_codes(rows: Sequence[Failure]) -> Words | None:
    """How many reasons are beyond the table; None where there are none."""
    beyond = rows[MOST:]
    number, messages = len(beyond), f"{sum(row.count for row in beyond):,}"
    if not beyond:
        return None
    return Words(f"{number} more codes: {messages} messages", f"其他 {number} 个状态码共 {messages} 条")


def templates(tables: Tables) -> Sequence[GroupRow]:
    """The templates with the most messages; none where no list of sends tells them."""
    return [
        _group(row, names.named(Dimension.TEMPLATE, row.template)) for row in tables.template[:MOST] if row.template
    ]


def signs(tables: Tables) -> Sequence[GroupRow]:
    """The signatures with the most messages; none where no list of sends tells them."""
    return [_group(row, names.sign(row.sign)) for row in tables.sign[:MOST] if row.sign]


def _group(row: Cell, name: Words) -> GroupRow:
    rate, change = percent(row.delivery_rate), change_of_rate(row.delivery_rate, row.previous_rate)
    return GroupRow(name, count(row.reports), rate, change, seconds(row.latency.p95))


def knows_provinces(tables: Tables) -> bool:
    """Whether the province of any number is known."""
    return any(row.province != UNKNOWN for row in tables.province)


def causes(calls: Calls) -> Sequence[CauseRow]:
    """How the calls ended, the most frequent first."""
    return [_cause(row, calls.ended) for row in calls.by_cause[:_MOST_CAUSES]]


def _cause(row: Cause, ended: int) -> CauseRow:
    known = codes.release_cause(row.code)
    meaning = Words(known.meaning_en, known.meaning_zh) if known else _UNKNOWN_CODE
    side = names.SIDES.get(row.side, NOTHING)
    return CauseRow(
        names.cut(row.code), meaning, side, count(row.count), percent(row.count / ended if ended else None, 1)
    )


def calls(now: Calls, before: Calls | None) -> Sequence[Figure]:
    """The figures of the calls."""
    talk, ring = now.talk_seconds, now.ring_seconds
    ended = change_of_count(now.ended, before.ended if before else None)
    answered = change_of_rate(now.answer_rate, before.answer_rate if before else None)
    figures = [
        Figure(count(now.ended), Words("calls ended", "已结束通话"), ended),
        Figure(percent(now.answer_rate, 1), Words("answer rate", "接通率"), answered),
        Figure(seconds(talk.mean), Words("mean talk time", "平均通话时长")),
        Figure(seconds(talk.p95), Words("talk time, p95", "通话时长 p95")),
        Figure(seconds(ring.p50), Words("ringing, p50", "振铃时长 p50")),
        Figure(count(now.billed_minutes), Words("minutes, each call rounded up", "分钟（逐通进位）")),
        Figure(count(now.short_calls), Words("talks under 6 s", "不足 6 秒的通话")),
        Figure(count(now.missing_end), Words("calls without an end", "没有结束回执的通话")),
        Figure(count(now.recordings), Words("recordings", "录音")),
    ]
    if now.missing_recordings is not None:
        figures.append(Figure(count(now.missing_recordings), Words("recordings missing", "缺少的录音")))
    return figures


def replies(stats: Stats) -> Sequence[Figure]:
    """The figures of the replies; none where nobody replied."""
    now = stats.replies
    if now is None or not now.replies:
        return []
    return [
        Figure(count(now.replies), Words("replies", "上行回复")),
        Figure(count(now.opt_outs), Words("opt-outs", "退订")),
        Figure(percent(now.opt_out_rate, 3), Words("opt-outs ÷ delivered", "退订 ÷ 成功条数")),
    ]
