"""The object of `status`: facts about the store, with an object for each message type and each queue or path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smsreceipt.insight.stats import Finding, as_json
from smsreceipt.model import Instant, iso_utc
from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.formatting import ago, elapsed, wall_clock
from smsreceipt.store import Growth, KindFacts, OriginFacts, StoreFacts

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
        Column(head=("LAST CAME", "最近收到"), cell=_last_age, priority=7.5, right=True),
    ],
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the provider shows at the front of a queue, without giving it out."""

    queue: str
    kind: str
    waiting: int | None  #: messages; MOST_SEEN: so many or more; None: it did not answer
    oldest_at: Instant | None  #: when the first of them was put into the queue
    error: str = ""  #: why it did not answer
    absent: bool = False  #: because it does not exist


@dataclass(frozen=True, slots=True)
class Forwarding:
    """How far receipts are handed on under one name."""

    name: str
    seq: int  #: every statement up to it was confirmed or parked
    behind: int  #: seqs that the store is ahead
    seconds: float  #: since the oldest statement after it was received
    parked: int  #: statements that the receiver refused
    running: bool


MOST_SEEN = 16  #: messages that one answer shows at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a store is doing."""

    facts: StoreFacts
    growth: Growth
    origins: Sequence[OriginFacts]
    backlog: Sequence[Waiting] | None = None  #: None: the provider was not asked
    forwards: Sequence[Forwarding] = ()
    findings: Sequence[Finding] | None = ()  #: of the day; None: too many receipts would have to be read
    day: str = "today"  #: as --date takes it


def _origin_age(row: OriginFacts, display: Display) -> Cell | str:
    if row.last_received_at is None:
        return Cell(display.localized("not lately", "最近没有"), "red")
    return ago(row.last_received_at, display.now, chinese=display.chinese)


def _waiting(row: Waiting) -> str:
    if row.waiting is None:
        return "-"
    return f"{row.waiting}+" if row.waiting >= MOST_SEEN else str(row.waiting)


ORIGINS = View[OriginFacts](
    "Origin",
    [
        Column(key="source", of="source"),
        Column(key="origin", of="origin", head=("QUEUE OR PATH", "队列或路径"), priority=9, min_width=20),
        Column(
            key="last_received_at",
            of="last_received_at",
            convert=lambda at: None if at is None else iso_utc(at),
            head=("LAST, BEIJING TIME", "最近（北京时间）"),
            cell=lambda row, _: "" if row.last_received_at is None else wall_clock(row.last_received_at, year=True),
            priority=4,
        ),
        Column(
            head=("LAST CAME", "最近收到"),
            cell=_origin_age,
            priority=7.5,
            right=True,
        ),
    ],
)

BACKLOG = View[Waiting](
    "Backlog",
    [
        Column(key="queue", of="queue", head=("QUEUE", "队列"), priority=9, min_width=20),
        Column(key="kind", of="kind"),
        Column(
            key="waiting",
            of="waiting",
            head=("WAITING", "等待中"),
            cell=lambda row, _: _waiting(row),
            right=True,
            priority=8,
        ),
        Column(
            key="oldest_at",
            of="oldest_at",
            convert=lambda at: None if at is None else iso_utc(at),
            head=("OLDEST CAME", "最早的消息"),
            cell=lambda row, display: (
                "" if row.oldest_at is None else ago(row.oldest_at, display.now, chinese=display.chinese)
            ),
            priority=7,
            right=True,
        ),
        Column(key="error", of="error", or_null=True, head=("ERROR", "错误"), priority=6, wrap=True),
    ],
)


def _lag(row: Forwarding, display: Display) -> Cell | str:
    if not row.behind:
        return "-"
    return Cell(elapsed(round(row.seconds * 1000), chinese=display.chinese), "" if row.running else "red")


FORWARDS = View[Forwarding](
    "Forward",
    [
        Column(key="name", of="name", head=("FORWARD", "转发"), priority=9, min_width=10),
        Column(key="seq", of="seq", head=("SEQ", "SEQ"), cell=lambda row, _: str(row.seq), priority=5, right=True),
        Column(key="behind", of="behind", head=("BEHIND", "落后"), priority=8, right=True),
        Column(
            key="seconds",
            of="seconds",
            convert=lambda seconds: round(seconds, 3),
            head=("LAG", "延迟"),
            cell=_lag,
            priority=7.5,
            right=True,
        ),
        Column(
            key="parked",
            of="parked",
            head=("PARKED", "搁置"),
            cell=lambda row, _: Cell(f"{row.parked:,}", "red" if row.parked else "dim"),
            priority=7,
            right=True,
        ),
        Column(
            key="running",
            of="running",
            head=("RUNNING", "运行中"),
            cell=lambda row, display: display.localized("yes", "是") if row.running else display.localized("no", "否"),
            priority=6,
        ),
    ],
)


def _last_received_at(health: Health) -> str | None:
    last: Instant | None = max((kind.last_received_at for kind in health.facts.kinds), default=None)
    return None if last is None else iso_utc(last)


def _backlog(rows: Sequence[Waiting] | None) -> list[object] | None:
    return None if rows is None else [BACKLOG.record(each) for each in rows]


def _findings(found: Sequence[Finding] | None) -> list[object] | None:
    return None if found is None else [as_json(each) for each in found]


STATUS = View[Health](
    "Status",
    [
        Column(key="store", of="facts.location"),
        Column(key="exists", of="facts.exists"),
        Column(key="engine", of="facts.engine"),
        Column(key="schema", of="facts.schema"),
        Column(key="size", of="facts.size"),
        Column(key="checked", of="facts.checked"),
        Column(key="last_seq", of="facts.last_seq"),
        Column(key="last_received_at", convert=_last_received_at),
        Column(key="receipts", of="facts.receipts"),
        Column(key="sends", of="facts.sends"),
        Column(key="open_sends", of="facts.open_sends"),
        Column(key="conflicts", of="facts.conflicts"),
        Column(key="rejects", of="facts.rejects"),
        Column(key="kinds", of="facts.kinds", convert=lambda kinds: [KINDS.record(kind) for kind in kinds]),
        Column(key="origins", of="origins", convert=lambda origins: [ORIGINS.record(each) for each in origins]),
        Column(key="receipts_per_day", of="growth.receipts_per_day"),
        Column(key="bytes_per_receipt", of="growth.bytes_per_receipt"),
        Column(key="bytes_per_day", of="growth.bytes_per_day"),
        Column(key="free", of="growth.free"),
        Column(key="days_left", of="growth.days_left"),
        Column(key="backlog", of="backlog", convert=_backlog),
        Column(key="findings", of="findings", convert=_findings),
        Column(key="forwards", of="forwards", convert=lambda forwards: [FORWARDS.record(each) for each in forwards]),
    ],
)
