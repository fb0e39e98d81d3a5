"""What receivers refused, as `forward parked list` shows it."""

from __future__ import annotations

from smsreceipt.forward.cursor import Parked
from smsreceipt.model import iso_utc
from smsreceipt.output import reasons
from smsreceipt.output.columns import Column, View
from smsreceipt.output.formatting import wall_clock

PARKED = View[Parked](
    "Parked",
    [
        Column(key="name", of="name", head=("NAME", "名称"), priority=8),
        Column(key="seq", of="seq", head=("SEQ", "SEQ"), cell=lambda row, _: str(row.seq), priority=10, right=True),
        Column(
            key="reason",
            of="reason",
            head=("REASON", "原因"),
            cell=lambda row, _: reasons.in_words(row.reason),
            priority=9,
            min_width=12,
        ),
        Column(
            key="parked_at",
            of="parked_at",
            convert=iso_utc,
            head=("PARKED, BEIJING TIME", "搁置时间（北京时间）"),
            cell=lambda row, _: wall_clock(row.parked_at, year=True),
            priority=5,
        ),
        Column(
            key="again",
            of="again",
            head=("AGAIN", "待重试"),
            cell=lambda row, display: display.localized("yes", "是") if row.again else "",
            priority=6,
        ),
    ],
)
