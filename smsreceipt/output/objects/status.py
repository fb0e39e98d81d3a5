"""What `status` shows: the store as one object, with an object for each message type in it."""

from __future__ import annotations

from smsreceipt.model import Instant, iso_utc
from smsreceipt.output.columns import Cell, Column, Shown
from smsreceipt.output.look import Look
from smsreceipt.output.words import ago, wall_clock
from smsreceipt.store import KindFacts, StoreFacts


def _last_came(row: KindFacts, look: Look) -> str:
    return ago(row.last_received_at, look.now, chinese=look.chinese)


#: A message, a call or a review may have several statements, and a statement may be received more than once.
KINDS = Shown[KindFacts](
    "Kind",
    [
        Column(key="kind", of="kind", head=("KIND", "类型"), cell=lambda row, _: row.kind, keep=9, least=9),
        Column(
            key="count",
            of="count",
            head=("MESSAGES", "消息数"),
            cell=lambda row, _: f"{row.count:,}",
            keep=8,
            right=True,
        ),
        Column(
            key="statements",
            of="statements",
            head=("STATEMENTS", "回执数"),
            cell=lambda row, _: f"{row.statements:,}",
            keep=7,
            right=True,
        ),
        Column(
            key="tests",
            of="tests",
            head=("TESTS", "测试"),
            cell=lambda row, _: Cell(f"{row.tests:,}" if row.tests else "", "dim"),
            keep=2,
            right=True,
        ),
        Column(
            key="first_received_at",
            of="first_received_at",
            show=iso_utc,
            head=("FIRST, BEIJING TIME", "首次（北京时间）"),
            cell=lambda row, _: wall_clock(row.first_received_at, year=True),
            keep=3,
        ),
        Column(
            key="last_received_at",
            of="last_received_at",
            show=iso_utc,
            head=("LAST, BEIJING TIME", "最近（北京时间）"),
            cell=lambda row, _: wall_clock(row.last_received_at, year=True),
            keep=4,
        ),
        Column(head=("LAST CAME", "最近"), cell=_last_came, keep=7.5, right=True),
    ],
)


def _last_received_at(facts: StoreFacts) -> str | None:
    last: Instant | None = max((kind.last_received_at for kind in facts.kinds), default=None)
    return None if last is None else iso_utc(last)


def _receipts(facts: StoreFacts) -> int:
    return sum(kind.count for kind in facts.kinds)


STATUS = Shown[StoreFacts](
    "Status",
    [
        Column(key="store", of="location"),
        Column(key="exists", of="exists"),
        Column(key="engine", of="engine"),
        Column(key="schema", of="schema"),
        Column(key="size", of="size"),
        Column(key="last_seq", of="last_seq"),
        Column(key="last_received_at", show=_last_received_at),
        Column(key="receipts", show=_receipts),
        Column(key="sends", of="sends"),
        Column(key="open_sends", of="open_sends"),
        Column(key="conflicts", of="conflicts"),
        Column(key="rejects", of="rejects"),
        Column(key="kinds", of="kinds", show=lambda kinds: [KINDS.record(kind) for kind in kinds]),
    ],
)
