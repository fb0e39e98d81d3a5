"""The object of `outages`: a window in which receipts did not come, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from smsreceipt.insight.outages import Verdict
from smsreceipt.model import Instant, Source
from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.formatting import wall_clock
from smsreceipt.output.objects.common import at_second

if TYPE_CHECKING:
    from smsreceipt.output.display import Display

_ZH = {Verdict.LOST: "丢失", Verdict.LATE: "迟到", Verdict.QUIET: "无业务", Verdict.UNKNOWN: "未知"}
_STYLES = {Verdict.LOST: "red", Verdict.LATE: "green", Verdict.UNKNOWN: "magenta"}


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """One window as it is shown."""

    begin: Instant
    end: Instant
    kind: str
    source: Source
    expected: int | None  #: by the same hours of the weeks before; None: there are none
    arrived: int
    sends: int | None  #: in the list of sends; None: there is none of these days
    without_receipt: int | None
    verdict: Verdict
    days_left: int | None  #: in which the provider can still be asked; None: it cannot
    command: str  #: what compensates; "" where nothing does
    reason: str  #: why there is no command


def _verdict(row: Outage, display: Display) -> Cell:
    return Cell(display.localized(row.verdict.value, _ZH[row.verdict]), _STYLES.get(row.verdict, ""))


def _counts(row: Outage, _display: Display) -> str:
    return f"{row.arrived:,}/{'?' if row.expected is None else f'{row.expected:,}'}"


def _sends(row: Outage, _display: Display) -> str:
    return "" if row.sends is None else f"{row.without_receipt or 0:,}/{row.sends:,}"


OUTAGES = View[Outage](
    "Outage",
    [
        Column(
            key="from", of="begin", convert=at_second, head=("FROM +08:00", "开始 +08:00"), priority=10,
            cell=lambda row, _: wall_clock(row.begin),
        ),
        Column(key="to", of="end", convert=at_second, head=("TO", "结束"), cell=lambda row, _: wall_clock(row.end)),
        Column(key="kind", of="kind", head=("KIND", "类型"), priority=9),
        Column(key="source", of="source", head=("BY", "途径"), cell=lambda row, _: row.source.value, priority=4),
        Column(key="expected", of="expected"),
        Column(key="arrived", of="arrived", head=("CAME/USUAL", "到达/通常"), cell=_counts, priority=6, right=True),
        Column(key="sends", of="sends"),
        Column(
            key="without_receipt", of="without_receipt", head=("OPEN/SENT", "无回执/发送"), cell=_sends, priority=7,
            right=True,
        ),
        Column(key="verdict", of="verdict", head=("VERDICT", "判断"), cell=_verdict, priority=10),
        Column(key="days_left", of="days_left"),
        Column(key="command", of="command", or_null=True),
        Column(key="reason", of="reason", or_null=True),
    ],
)  # fmt: skip
