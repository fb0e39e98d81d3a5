"""The object of `status`: facts about the store, with an object for each message type in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsreceipt.model import Instant, iso_utc
from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.formatting import ago, wall_clock
from smsreceipt.store import KindFacts, StoreFacts

if TYPE_CHECKING:
    from smsreceipt.output.display import Display


def _last_age(row: KindFacts, display: Display) -> str:
    return ago(row.last_received_at, display.now, chinese=display.chinese)


#: A message, a call or a review may have several statements, and a statement may be received more than once.
KINDS = View[KindFacts](
    "Kind",
    [
        Column(key="kind", of="kind", head=("KIND", "类型"), priority=9, min_width=9),
        Column(key="count", of="count", head=("MESSAGES", "消息数"), priority=8, right=True),
        Column(key="statements", of="statements", head=("STATEMENTS", "回执数"), priority=7, right=True),
        Column(
            key="tests",
            of="tests",
            head=("TESTS", "测试"),
            cell=lambda row, _: Cell(f"{row.tests:,}" if row.tests else "", "dim"),
            priority=2,
            right=True,
        ),
        Column(
            key="first_received_at",
            of="first_received_at",
            convert=iso_utc,
            head=("FIRST, BEIJING TIME", "首次（北京时间）"),
            cell=lambda row, _: wall_clock(row.first_received_at, year=True),
            priority=3,
        ),
        Column(
            key="last_received_at",
            of="last_received_at",
            convert=iso_utc,
            head=("LAST, BEIJING TIME", "最近（北京时间）"),
            cell=lambda row, _: wall_clock(row.last_received_at, year=True),
            priority=4,
        ),
        Column(head=("LAST CAME", "最近"), cell=_last_age, priority=7.5, right=True),
    ],
)


def _last_received_at(facts: StoreFacts) -> str | None:
    last: Instant | None = max((kind.last_received_at for kind in facts.kinds), default=None)
    return None if last is None else iso_utc(last)


STATUS = View[StoreFacts](
    "Status",
    [
        Column(key="store", of="location"),
        Column(key="exists", of="exists"),
        Column(key="engine", of="engine"),
        Column(key="schema", of="schema"),
        Column(key="size", of="size"),
        Column(key="checked", of="checked"),
        Column(key="last_seq", of="last_seq"),
        Column(key="last_received_at", convert=_last_received_at),
        Column(key="receipts", of="receipts"),
        Column(key="sends", of="sends"),
        Column(key="open_sends", of="open_sends"),
        Column(key="conflicts", of="conflicts"),
        Column(key="rejects", of="rejects"),
        Column(key="kinds", of="kinds", convert=lambda kinds: [KINDS.record(kind) for kind in kinds]),
    ],
)
