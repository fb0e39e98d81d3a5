"""The object of `stats`, and the rows of `stats --by`: messages, or calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from smsreceipt import codes
from smsreceipt.insight.call_groups import CallGroup
from smsreceipt.insight.question import Dimension
from smsreceipt.insight.stats import Cell as Group
from smsreceipt.insight.stats import Stats
from smsreceipt.output.columns import Cell, Column, Type, View
from smsreceipt.output.display import Display
from smsreceipt.output.figures import change_of_count, change_of_rate, percent, seconds
from smsreceipt.output.names import HEADS, name_of, value_of

T = TypeVar("T")

_NUMBERED = {Dimension.HOUR, Dimension.WEEKDAY}

STATS = View[Stats]("Stats", [Column(key=field.encode_name, of=field.name) for field in msgspec.structs.fields(Stats)])


class Row(NamedTuple):
    """Messages of one group, with what only the table shows of them."""

    group: Group
    chart: str = ""  #: their delivery rate in time as a sparkline, or their number as a bar
    share: float | None = None  #: of all messages


def rows_view(dimensions: Sequence[Dimension], chart: tuple[str, str] = ("", "")) -> View[Row]:
    """The rows of `stats --by`; *chart* is the title of what the table draws at the end of a row."""
    names = [_dimension(each, _of_messages(each)) for each in dimensions]
    of_codes = {Dimension.CODE, Dimension.CATEGORY} & {*dimensions}
    source = [Column[Row](key="source", of="group.source")] if _FROM_LIST & {*dimensions} else []
    drawn = [Column[Row](head=chart, cell=lambda row, _: row.chart, priority=3.5)]
    shown = _OF_CODES if of_codes else _OF_RATES
    return View("StatsGroup", [*names, *_FIGURES, *source, *shown, *drawn])


def _dimension(dimension: Dimension, of: Callable[[T], object]) -> Column[T]:
    return Column(
        key=dimension.value,
        type=Type.INTEGER if dimension in _NUMBERED else Type.TEXT,
        convert=lambda row: value_of(dimension, of(row)),
        head=HEADS[dimension],
        cell=lambda row, display: name_of(dimension, of(row), display),
        priority=9,
        min_width=8,
    )


def _of_messages(dimension: Dimension) -> Callable[[Row], object]:
    return lambda row: getattr(row.group, dimension.value)


def _of_calls(dimension: Dimension) -> Callable[[CallGroup], object]:
    return lambda row: row.values[dimension]


def _time(key: str, priority: float) -> Column[Row]:
    def cell(row: Row, display: Display) -> str:
        value = getattr(row.group.latency, key)
        return "" if value is None else seconds(value, display, units=1)

    return Column(head=(key.upper(), key), cell=cell, right=True, priority=priority)


def _points(now: float | None, before: float | None, display: Display) -> Cell:
    if now is None or before is None:
        return Cell("")
    _, change = change_of_rate(now, before, display)
    return Cell(f"{change * 100:+.2f}", "green" if change > 0 else "red" if change < 0 else "")


def _meaning(row: Row, display: Display) -> str:
    told = codes.receipt(row.group.code) if isinstance(row.group.code, str) else None
    return display.localized(told.meaning_en, told.meaning_zh) if told else "-"


_FROM_LIST = {Dimension.TEMPLATE, Dimension.SIGN}
#: What JSON and CSV have of a group.
_FIGURES = [
    *(Column[Row](key=key, of=f"group.{key}", type=Type.INTEGER) for key in ("reports", "delivered", "failed")),
    *(Column[Row](key=key, of=f"group.{key}", type=Type.INTEGER) for key in ("expired", "unknown", "pending")),
    *(Column[Row](key=key, of=f"group.{key}", type=Type.REAL) for key in ("delivery_rate", "previous_rate")),
    *(Column[Row](key=key, of=f"group.latency.{key}", type=Type.INTEGER) for key in ("p50", "p95", "p99", "max")),
    Column[Row](key="parts", of="group.parts", type=Type.INTEGER),
]
#: What tables have of it: rates, or of codes, whose messages all have one outcome, shares.
_OF_RATES = [
    Column[Row](of="group.reports", head=("REPORTS", "回执"), right=True, priority=8),
    Column[Row](of="group.delivered", head=("DELIVERED", "已送达"), right=True, priority=4),
    Column[Row](of="group.failed", head=("FAILED", "失败"), right=True, priority=2),
    Column[Row](
        head=("RATE", "成功率"),
        cell=lambda row, display: percent(row.group.delivery_rate, display),
        right=True,
        priority=8,
    ),
    Column[Row](
        head=("±PP", "±百分点"),
        cell=lambda row, display: _points(row.group.delivery_rate, row.group.previous_rate, display),
        right=True,
        priority=7,
    ),
    _time("p50", 3),
    _time("p95", 4),
    _time("p99", 2.5),
    Column[Row](of="group.parts", head=("PARTS", "计费条数"), right=True, priority=1),
]
_OF_CODES = [
    Column[Row](of="group.reports", head=("REPORTS", "回执"), right=True, priority=8),
    Column[Row](head=("SHARE", "占比"), cell=lambda row, display: percent(row.share, display), right=True, priority=7),
    Column[Row](
        head=("CHANGE", "变化"),
        cell=lambda row, display: change_of_count(row.group.reports, row.group.previous_reports, display)[0],
        right=True,
        priority=6,
    ),
    Column[Row](head=("MEANING", "含义"), cell=_meaning, priority=5, min_width=16),
]


def calls_view(dimensions: Sequence[Dimension]) -> View[CallGroup]:
    """The rows of `stats --kind calls --by`."""
    names = [_dimension(each, _of_calls(each)) for each in dimensions]
    return View("CallsGroup", [*names, *_CALLS])


def _duration(key: str, head: tuple[str, str], priority: float) -> Column[CallGroup]:
    return Column(
        key=key,
        type=Type.REAL,
        of=key,
        head=head,
        cell=lambda row, display: "" if (value := getattr(row, key)) is None else seconds(value, display, units=1),
        right=True,
        priority=priority,
    )


_CALLS = [
    Column[CallGroup](key="ended", of="ended", type=Type.INTEGER, head=("CALLS", "通话"), right=True, priority=8),
    Column[CallGroup](
        key="connected", of="connected", type=Type.INTEGER, head=("CONNECTED", "已接通"), right=True, priority=4
    ),
    Column[CallGroup](
        key="unconnected", of="unconnected", type=Type.INTEGER, head=("UNCONNECTED", "未接通"), right=True, priority=2
    ),
    Column[CallGroup](
        key="answer_rate",
        type=Type.REAL,
        of="answer_rate",
        head=("ANSWERED", "接通率"),
        cell=lambda row, display: percent(row.answer_rate, display),
        right=True,
        priority=8,
    ),
    Column[CallGroup](
        key="previous_rate",
        type=Type.REAL,
        of="previous_rate",
        head=("±PP", "±百分点"),
        cell=lambda row, display: _points(row.answer_rate, row.previous_rate, display),
        right=True,
        priority=7,
    ),
    Column[CallGroup](key="talk_sum", of="talk_sum", type=Type.INTEGER),
    _duration("talk_mean", ("TALK", "平均时长"), 6),
    _duration("talk_p95", ("P95", "p95"), 3),
    _duration("ring_p50", ("RING", "振铃"), 4),
]
