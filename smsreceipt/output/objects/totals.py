"""Days compared by their sums, and calls without an end: `query-stats`, `reconcile --totals`, `reconcile --calls`."""

from __future__ import annotations

from smsreceipt.model import date_of, iso_beijing
from smsreceipt.output.columns import Cell, Column, Shown
from smsreceipt.output.words import wall_clock
from smsreceipt.reconcile.totals import DayGap
from smsreceipt.store import CallGap

_DAY = Column[DayGap](
    key="date",
    of="day",
    show=lambda day: date_of(day).isoformat(),
    head=("DAY", "日期"),
    cell=lambda row, _: date_of(row.day).isoformat(),
    keep=9,
)
_SENT = Column[DayGap](
    key="sent", of="sent", head=("SENT", "已发送"), cell=lambda row, _: f"{row.sent:,}", keep=8, right=True
)

#: The provider's totals of a Beijing day beside ours, in billed parts.
DAY_TOTALS = Shown[DayGap](
    "DayTotals",
    [
        _DAY,
        _SENT,
        Column(
            key="succeeded",
            of="succeeded",
            head=("SUCCEEDED", "成功"),
            cell=lambda row, _: f"{row.succeeded:,}",
            right=True,
        ),
        Column(key="failed", of="failed", head=("FAILED", "失败"), cell=lambda row, _: f"{row.failed:,}", right=True),
        Column(
            key="no_response",
            of="no_response",
            head=("NO RESPONSE", "无响应"),
            cell=lambda row, _: f"{row.no_response:,}",
            right=True,
        ),
        Column(
            key="our_delivered",
            of="delivered",
            head=("OURS", "我方送达"),
            cell=lambda row, _: f"{row.delivered:,}",
            right=True,
        ),
        Column(
            key="our_failed",
            of="not_delivered",
            head=("FAILED", "我方失败"),
            cell=lambda row, _: f"{row.not_delivered:,}",
            right=True,
        ),
        Column(
            key="our_undecided",
            of="undecided",
            head=("OPEN", "我方未定"),
            cell=lambda row, _: f"{row.undecided:,}",
            right=True,
        ),
    ],
)

#: Days by what is lacking.
DAY_GAPS = Shown[DayGap](
    "DayGap",
    [
        _DAY,
        _SENT,
        Column(key="succeeded", of="succeeded"),
        Column(key="failed", of="failed"),
        Column(head=("ENDED", "已有结果"), cell=lambda row, _: f"{row.succeeded + row.failed:,}", keep=7, right=True),
        Column(key="no_response", of="no_response"),
        Column(key="our_delivered", of="delivered"),
        Column(key="our_failed", of="not_delivered"),
        Column(key="our_undecided", of="undecided"),
        Column(
            head=("OURS", "我方回执"), cell=lambda row, _: f"{row.delivered + row.not_delivered:,}", keep=7, right=True
        ),
        Column(head=("WAITING", "无响应"), cell=lambda row, _: f"{row.no_response:,}", keep=6, right=True),
        Column(
            key="gap",
            of="gap",
            head=("GAP", "差额"),
            cell=lambda row, _: Cell(f"{row.gap:,}", "red" if row.gap > 0 else ""),
            keep=9,
            right=True,
        ),
        Column(
            key="silent",
            of="silent",
            show=lambda silent: [{"from": iso_beijing(begin), "to": iso_beijing(end)} for begin, end in silent],
        ),
    ],
)

CALL_GAPS = Shown[CallGap](
    "CallGap",
    [
        Column(head=("BEGAN +08:00", "开始 +08:00"), cell=lambda row, _: wall_clock(row.first_at), keep=9),
        Column(key="pool_key", of="pool_key"),
        Column(key="call_id", of="call_id", head=("CALL", "通话"), cell=lambda row, _: row.call_id, keep=8),
        Column(
            key="kinds",
            of="kinds",
            show=list,
            head=("HEARD OF", "已收到"),
            cell=lambda row, _: ", ".join(row.kinds),
            keep=7,
            least=8,
            wrap=True,
        ),
        Column(key="first_at", of="first_at", show=iso_beijing),
    ],
)
