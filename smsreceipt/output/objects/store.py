"""The object of `store info`: what a store is and holds, with an object for each process that writes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsreceipt.model import iso_utc
from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.formatting import ago, wall_clock
from smsreceipt.store import StoreFacts, StoreWriter

if TYPE_CHECKING:
    from smsreceipt.output.display import Display


def _last_age(row: StoreWriter, display: Display) -> str:
    return ago(row.last_wrote_at, display.now, chinese=display.chinese)


WRITERS = View[StoreWriter](
    "Writer",
    [
        Column(key="host", of="host", head=("WRITER ON HOST", "写入主机"), priority=9, min_width=9),
        Column(
            key="last_wrote_at",
            of="last_wrote_at",
            convert=iso_utc,
            head=("LAST WROTE, BEIJING TIME", "最近写入（北京时间）"),
            cell=lambda row, _: Cell(wall_clock(row.last_wrote_at, year=True)),
            priority=8,
        ),
        Column(head=("AGO", "距今"), cell=_last_age, priority=7, right=True),
    ],
)


def _writers(facts: StoreFacts) -> list[object] | None:
    return None if facts.writers is None else [WRITERS.record(each) for each in facts.writers]


INFO = View[StoreFacts](
    "StoreInfo",
    [
        Column(key="store", of="location"),
        Column(key="exists", of="exists"),
        Column(key="engine", of="engine"),
        Column(key="schema", of="schema"),
        Column(key="size", of="size"),
        Column(key="horizon", of="last_seq"),
        Column(key="receipts", of="receipts"),
        Column(key="statements", of="statements"),
        Column(key="rejects", of="rejects"),
        Column(key="conflicts", of="conflicts"),
        Column(key="sends", of="sends"),
        Column(key="open_sends", of="open_sends"),
        Column(key="writers", convert=_writers),
    ],
)
