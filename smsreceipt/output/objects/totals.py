"""The objects of `query-stats`, `reconcile --totals` (day totals) and `reconcile --calls` (calls without an end)."""

from __future__ import annotations

from smsreceipt.model import date_of, iso_beijing
from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.formatting import wall_clock
from smsreceipt.reconcile.totals import DayGap
from smsreceipt.store import CallGap

_DAY = Column[DayGap](
    key="date",
    of="day",
    convert=lambda day: date_of(day).isoformat(),
    head=("DAY", "日期"),
    cell=lambda row, _: date_of(row.day).isoformat(),
    priority=9,
)
_SENT = Column[DayGap](key="sent", of="sent", head=("SENT", "已发送"), priority=8, right=True)

#: The provider's totals of a Beijing day beside ours, in billed parts.
DAY_TOTALS = View[DayGap](
    "DayTotals",
    [
        _DAY,
        _SENT,
        Column(key="succeeded", of="succeeded", head=("OK", "成功"), right=True),
        Column(key="failed", of="failed", head=("FAILED", "失败"), right=True),
        Column(key="no_response", of="no_response", head=("NO RESPONSE", "无响应"), right=True),
        Column(key="our_delivered", of="delivered", head=("OURS OK", "我方送达"), right=True),
        Column(key="our_failed", of="not_delivered", head=("OURS FAILED", "我方失败"), right=True),
        Column(key="our_undecided", of="undecided", head=("OURS OPEN", "我方未定"), right=True),
    ],
)

#: The days of `reconcile --totals`, with the billed parts that have no receipt.
DAY_GAPS = View[DayGap](
    "DayGap",
    [
        _DAY,
        Column(key="mode", of="day", convert=lambda _: "totals"),
        _SENT,
        Column(key="succeeded", of="succeeded"),
        Column(key="failed", of="failed"),
        Column(
            head=("ENDED", "已有结果"), cell=lambda row, _: f"{row.succeeded + row.failed:,}", priority=7, right=True
        ),
        Column(key="no_response", of="no_response"),
        Column(key="our_delivered", of="delivered"),
        Column(key="our_failed", of="not_delivered"),
        Column(key="our_undecided", of="undecided"),
        Column(
            head=("OUR RECEIPTS", "我方回执"),
            cell=lambda row, _: f"{row.delivered + row.not_delivered:,}",
            priority=7,
            right=True,
        ),
        Column(of="no_response", head=("NO RESPONSE", "无响应"), priority=6, right=True),
        Column(
            key="gap",
            of="gap",
            head=("MISSING HERE", "差额"),
            cell=lambda row, _: Cell(f"{row.gap:,}", "red" if row.gap > 0 else ""),
            priority=9,
            right=True,
        ),
        Column(
            key="silent",
            of="silent",
            convert=lambda silent: [{"from": iso_beijing(begin), "to": iso_beijing(end)} for begin, end in silent],
        ),
    ],
)

CALL_GAPS = View[CallGap](
    "CallGap",
    [
        Column(head=("BEGAN +08:00", "开始 +08:00"), cell=lambda row, _: wall_clock(row.first_at), priority=9),
        Column(key="pool_key", of="pool_key"),
        Column(key="call_id", of="call_id", head=("CALL", "通话"), priority=8),
        Column(
            key="kinds",
            of="kinds",
            convert=list,
            head=("HEARD OF", "已收到"),
            cell=lambda row, _: ", ".join(row.kinds),
            priority=7,
            min_width=8,
            wrap=True,
        ),
        Column(key="first_at", of="first_at", convert=iso_beijing),
    ],
)
