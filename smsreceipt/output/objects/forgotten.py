"""The object of `forget --log`: one forgetting, for proof; it tells no number."""

from __future__ import annotations

import msgspec

from smsreceipt.model import Instant, iso_utc
from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.objects.common import at_second


class Logged(msgspec.Struct, frozen=True):
    """What one run deleted about one number."""

    at: Instant
    forgotten: str  #: the keyed digest of the number
    statements: int = 0
    sends: int = 0
    rejects: int = 0
    notes: int = 0
    in_force: bool = True  #: what is older is still not stored again


FORGOTTEN = View[Logged](
    "Forgotten",
    [
        Column(
            key="at", of="at", convert=iso_utc, head=("AT", "时间"), priority=9,
            cell=lambda row, _: at_second(row.at) or "",
        ),
        Column(
            key="forgotten", of="forgotten", head=("DIGEST OF THE NUMBER", "号码摘要"), priority=8, min_width=12,
            cell=lambda row, _: Cell(row.forgotten[:16], "dim"),
        ),
        Column(key="statements", of="statements", head=("STATEMENTS", "回执"), right=True, priority=7),
        Column(key="sends", of="sends", head=("SENDS", "发送记录"), right=True),
        Column(key="rejects", of="rejects", head=("REJECTS", "拒收"), right=True),
        Column(key="notes", of="notes", head=("NOTES", "备注"), right=True),
        Column(key="in_force", of="in_force"),
    ],
)  # fmt: skip
