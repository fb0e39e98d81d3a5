"""The charts of the page. A chart without anything to show is None."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import partial

from smsreceipt.insight.question import Dimension
from smsreceipt.insight.stats import Cell, Sms, Stats, Tables, Trend
from smsreceipt.model.facts import UNKNOWN
from smsreceipt.output.html import bars, findings, latency, maps, names, svg
from smsreceipt.output.html.bars import Slot
from smsreceipt.output.html.words import Words, same

WIDE, HALF = 960, 440
DAYS = 14  #: of the trend


def charts(stats: Stats, sms: Sms, tables: Tables) -> dict[str, svg.Element | None]:
    """Every chart by its name in the template."""
    return {
        "hours": _hours(stats, tables),
        "days": _days(stats, tables),
        "latency": latency.histogram(sms.latency_histogram, sms.latency, HALF, 300) if sms.latency_histogram else None,
        "heat": _heat(stats, tables),
        "provinces": _provinces(tables),
    }


def trend(stats: Stats, tables: Tables) -> Sequence[tuple[date, Cell | Trend | None]]:
    """The last 14 days, None for one without messages; all days of a longer period."""
    rows: dict[object, Cell | Trend] = {row.day: row for row in stats.trend}
    rows |= {row.day: row for row in tables.day}
    first, last = date.fromisoformat(stats.first), date.fromisoformat(stats.last)
    length = max((last - first).days + 1, DAYS)
    days = [last - timedelta(days=n) for n in reversed(range(length))]
    return [(day, rows.get(day.isoformat())) for day in days]


def _hours(stats: Stats, tables: Tables) -> svg.Element | None:
    rows = {row.hour: row for row in tables.hour}
    marked = {hour for finding in stats.findings for hour in findings.hours_of(finding)}
    slots = [
        _slot(rows.get(hour), same(f"{hour:02d}"), f"{hour:02d}:00–{hour + 1:02d}:00", marked=hour in marked)
        for hour in range(24)
    ]
    label = Words("Messages and delivery rate by hour", "每小时发送量与成功率")
    return bars.volume_and_rate(slots, WIDE, 330, label) if _some(slots) else None


def _days(stats: Stats, tables: Tables) -> svg.Element | None:
    slots = [_slot(row, same(f"{day:%m-%d}"), f"{day}") for day, row in trend(stats, tables)]
    label = Words("Messages and delivery rate by day", "每日发送量与成功率")
    every = -(-len(slots) // 7)
    return bars.volume_and_rate(slots, HALF, 300, label, every) if len(_some(slots)) > 1 else None


def _some(slots: Sequence[Slot]) -> Sequence[Slot]:
    """Those with messages."""
    return [slot for slot in slots if slot.messages]


def _slot(row: Cell | Trend | None, label: Words, head: str, *, marked: bool = False) -> Slot:
    if row is None:
        return Slot(label, head, 0, 0, 0, None, None, marked)
    title, before = maps.title_of(head, row), maps.rate_before(row)
    failed, unknown = row.failed + row.expired, row.unknown + row.pending
    return Slot(label, title, row.delivered, failed, unknown, row.delivery_rate, before, marked)


def _heat(stats: Stats, tables: Tables) -> svg.Element | None:
    cells = {(str(row.carrier), row.hour): row for row in stats.carrier_hour if isinstance(row.hour, int)}
    if all(row.reports < maps.FEWEST for row in cells.values()):
        return None
    carriers = [str(row.carrier) for row in tables.carrier]
    return maps.heat(carriers, cells, partial(names.named, Dimension.CARRIER), set(_found(stats)), WIDE)


def _found(stats: Stats) -> Iterator[tuple[str, int]]:
    """The cells of carriers and hours that a finding is about."""
    for finding in stats.findings:
        if finding.dimension == "carrier":
            yield from ((str(finding.value), hour) for hour in findings.hours_of(finding))


def _provinces(tables: Tables) -> svg.Element | None:
    rows = {str(row.province): row for row in tables.province if row.province != UNKNOWN}
    if all(row.reports < maps.FEWEST for row in rows.values()):
        return None
    return maps.provinces(rows, partial(names.named, Dimension.PROVINCE), HALF)
