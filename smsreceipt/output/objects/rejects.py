"""The reject object of the data contract, which has no part of the rejected content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsreceipt.model import Reason, StoredReject, iso_utc
from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.formatting import ago, size

if TYPE_CHECKING:
    from smsreceipt.output.display import Display

#: The meaning of each reason, in English and in Chinese.
REASONS = {
    Reason.BASE64: ("neither JSON nor strict base64", "既不是 JSON，也不是严格的 base64"),
    Reason.MD5: ("does not fit the checksum it came with", "与随附的校验和不符"),
    Reason.UTF8: ("not UTF-8", "不是 UTF-8"),
    Reason.JSON: ("not JSON: cut short, or something after its end", "不是 JSON：被截断，或结尾后有多余内容"),
    Reason.NUMBER: ("a number too large to hold", "数字过大"),
    Reason.DEPTH: ("nested too deeply", "嵌套过深"),
    Reason.DUP_KEY: ("one name twice in one object", "同一对象中有重复的字段名"),
    Reason.SURROGATE: ("half a character", "残缺的字符（孤立的代理码元）"),
    Reason.NOT_OBJECT: ("JSON, but no object where a receipt should be", "是 JSON，但该处应为对象"),
    Reason.EMPTY: ("a message without a receipt in it", "消息中没有回执"),
    Reason.SIZE: ("larger than 1 MiB", "超过 1 MiB"),
    Reason.MISSING: ("lacks a field it cannot do without", "缺少必需的字段"),
    Reason.TYPE: ("a field is spelled as no table accepts it", "字段的写法无法识别"),
    Reason.TIME: ("a time that is spelled as no dialect does", "时间的写法无法识别"),
    Reason.KIND_UNKNOWN: ("nothing tells its message type: retry with --kind", "无法判断消息类型：请用 --kind 重试"),
}


def _origin(row: StoredReject, _display: Display) -> str:
    """Source and origin, without the message type, which has a column of its own."""
    return f"{row.source} {row.origin.removesuffix(f'-{row.kind}') if row.kind else row.origin}"


def _age(row: StoredReject, display: Display) -> str:
    return ago(row.received_at, display.now, chinese=display.chinese)


REJECTS = View[StoredReject](
    "Reject",
    [
        Column(key="id", of="id", head=("ID", "ID"), cell=lambda row, _: row.id[:12], priority=9),
        Column(head=("REASON", "原因"), cell=lambda row, _: Cell(row.reason, "red"), priority=8),
        Column(key="kind", of="kind", head=("KIND", "类型"), cell=lambda row, _: row.kind or "-", priority=6),
        Column(key="source", of="source"),
        Column(key="origin", of="origin"),
        Column(key="reason", of="reason"),
        Column(key="received_at", of="received_at", convert=iso_utc),
        Column(
            key="size", of="size", head=("SIZE", "大小"), cell=lambda row, _: size(row.size), priority=3, right=True
        ),
        Column(
            key="times_seen",
            of="times_seen",
            head=("SEEN", "次数"),
            cell=lambda row, display: display.localized(f"{row.times_seen}x", f"{row.times_seen} 次"),
            priority=2,
            right=True,
        ),
        Column(head=("CAME", "收到"), cell=_age, priority=4, right=True),
        Column(head=("FROM", "来自"), cell=_origin, priority=5, min_width=16, wrap=True),
    ],
)
