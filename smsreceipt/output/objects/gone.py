"""The object of `prune` and `forget`: what of one kind and one month or day is deleted."""

from __future__ import annotations

import msgspec

from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.formatting import size

_ZH = {"receipts": "回执", "sends": "发送记录", "rejects": "拒收", "notes": "备注", "recordings": "录音"}


class Gone(msgspec.Struct, frozen=True):
    """Rows of the store, or files beside it, that are deleted, or would be."""

    what: str  #: receipts, sends, rejects, notes or recordings
    kind: str  #: of receipts and rejects; "" for others
    period: str  #: a month, 2026-05, or a day, 2026-05-14, Beijing time; "" where there is none
    identities: int
    statements: int
    bytes: int  #: of their bodies; 0 where they are not measured


GONE = View[Gone](
    "Gone",
    [
        Column(
            key="what", of="what", head=("WHAT", "内容"), priority=9,
            cell=lambda row, display: Cell(display.localized(row.what, _ZH[row.what])),
        ),
        Column(key="kind", of="kind", or_null=True, head=("KIND", "类型"), priority=8),
        Column(key="period", of="period", or_null=True, head=("WHEN", "时间"), priority=9),
        Column(key="identities", of="identities", head=("MESSAGES, CALLS", "消息、通话"), priority=8, right=True),
        Column(key="statements", of="statements", head=("STATEMENTS", "回执"), priority=7, right=True),
        Column(
            key="bytes", of="bytes", head=("SIZE", "大小"), right=True,
            cell=lambda row, _: size(row.bytes) if row.bytes else Cell(""),
        ),
    ],
)  # fmt: skip
