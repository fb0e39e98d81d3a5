"""The object of `check`: one thing that is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.store.checking.faults import DAMAGE, Fault, Finding

if TYPE_CHECKING:
    from smsreceipt.output.display import Display

MEANINGS: dict[Finding, tuple[str, str]] = {
    Finding.ENGINE: ("the engine finds its own files damaged", "数据库引擎发现文件损坏"),
    Finding.BODY: ("a stored body is not what was received", "存储的正文与收到时不同"),
    Finding.DUPLICATE: ("a statement is stored twice", "同一回执存了两次"),
    Finding.READS_DIFFERENTLY: ("this version reads the body differently", "本版本对正文的解读不同"),
    Finding.DIGEST: ("a digest is not that of its body", "摘要与正文不符"),
    Finding.DAY: ("the day is not that of the times", "日期与时间不符"),
    Finding.KEY: ("a row is filed under another key", "行的键与字段不符"),
    Finding.STATE: ("another statement is the state than the rule says", "标记的状态与规则不符"),
    Finding.CONFLICT: ("other statements contradict each other than are marked", "冲突标记与规则不符"),
    Finding.PHONE: ("the index of phone numbers", "号码索引不符"),
    Finding.ATTRIBUTION: ("an answer belongs to another send", "查询结果归属的发送不符"),
    Finding.SETTLED: ("a send is marked to have a receipt, and has none", "发送标记为已有回执，实际没有"),
    Finding.SENDS: ("the number of sends", "发送数量不符"),
    Finding.COUNTER: ("the counters of a message type", "消息类型的计数不符"),
    Finding.TALLY: ("figures counted in advance", "预先统计的数字不符"),
    Finding.ORPHAN: ("a row belongs to nothing", "行没有所属"),
}


def _masked(fault: Fault) -> Fault:
    from smsreceipt.output.mask import mask_value

    plain = msgspec.to_builtins((fault.identity, fault.stored, fault.expected))
    identity, stored, expected = (mask_value(list(each) if isinstance(each, tuple) else each) for each in plain)
    return msgspec.structs.replace(fault, identity=tuple(identity), stored=stored, expected=expected)


def _identity(identity: tuple[str, ...]) -> list[str] | None:
    return list(identity) or None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _about(fault: Fault, _display: Display) -> str:
    return " ".join(filter(None, fault.identity)) or (f"seq {fault.seq}" if fault.seq else "")


def _seq(fault: Fault, _display: Display) -> str:
    return str(fault.seq or "")


FAULTS = View[Fault](
    "Fault",
    [
        Column(
            key="finding",
            of="finding",
            head=("FINDING", "问题"),
            cell=lambda row, _: Cell(row.finding.value, "red" if row.finding in DAMAGE else "yellow"),
            priority=10,
        ),
        Column(key="seq", of="seq", head=("SEQ", "SEQ"), cell=_seq, priority=6, right=True),
        Column(key="kind", of="kind", or_null=True),
        Column(
            key="identity",
            of="identity",
            convert=_identity,
            head=("ABOUT", "对象"),
            cell=_about,
            priority=9,
            min_width=12,
        ),
        Column(
            key="stored", of="stored", head=("STORED", "存储"), cell=lambda row, _: _text(row.stored), priority=7,
            min_width=10,
        ),
        Column(
            key="expected",
            of="expected",
            head=("EXPECTED", "应为"),
            cell=lambda row, _: _text(row.expected),
            priority=8,
            min_width=10,
        ),
    ],
    masked=_masked,
)  # fmt: skip
