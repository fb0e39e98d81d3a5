"""The receipt object of the data contract."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from smsreceipt.decode import short_kind
from smsreceipt.model import StoredReceipt, iso_utc
from smsreceipt.output.columns import Cell, Column, Type, View
from smsreceipt.output.formatting import elapsed, wall_clock
from smsreceipt.output.objects.common import at_second, outcome_cell

if TYPE_CHECKING:
    from smsreceipt.output.display import Display

_at_millisecond = lru_cache(maxsize=1024)(iso_utc)


def masked_receipt(stored: StoredReceipt) -> StoredReceipt:
    """The receipt with every phone number and text masked: in its columns, its identity and its body."""
    from smsreceipt.output.mask import mask_numbers, mask_phone, mask_value

    receipt, phone = stored.receipt, stored.receipt.phone
    masked = msgspec.structs.replace(
        receipt,
        identity=tuple(mask_numbers(part, phone) for part in receipt.identity),
        phone=mask_phone(phone),
        biz_id=mask_numbers(receipt.biz_id, phone),
        out_id=mask_numbers(receipt.out_id, phone),
        call_id=mask_numbers(receipt.call_id, phone),
        code=mask_numbers(receipt.code, phone),
        body=msgspec.json.encode(mask_value(msgspec.json.decode(receipt.body), "", phone)),
    )
    return msgspec.structs.replace(
        stored,
        receipt=masked,
        origin=mask_numbers(stored.origin, phone),
        template_code=mask_numbers(stored.template_code, phone),
        sign_name=mask_numbers(stored.sign_name, phone),
    )


def _outcome(stored: StoredReceipt, display: Display) -> Cell:
    return outcome_cell(stored.receipt.outcome, display)


def _short_kind(stored: StoredReceipt, _display: Display) -> str:
    return short_kind(stored.receipt.kind)


def _took(stored: StoredReceipt, display: Display) -> str:
    """The time from sending to the report, of a connected call the talk time; "" where it is not known."""
    if stored.receipt.talk_seconds is not None:
        return elapsed(stored.receipt.talk_seconds * 1000, chinese=display.chinese)
    sent, reported = stored.receipt.sent_at, stored.receipt.reported_at
    return "" if sent is None or reported is None else elapsed(reported - sent, chinese=display.chinese)


def _reference(stored: StoredReceipt, _display: Display) -> Cell:
    """The shortest of the ids that `show` takes; without one, the other parts of the identity."""
    from smsreceipt.output.breaks import columns  # not for JSON

    receipt = stored.receipt
    ids = [each for each in (receipt.biz_id, receipt.out_id, receipt.call_id) if each]
    other = [part for part in receipt.identity if part not in ("", receipt.phone)]
    return Cell(min(ids, key=columns) if ids else " ".join(other), "dim")


_SENT = ("SENT", "时间")
_SENT_ZONED = ("SENT +08:00", "时间 +08:00")
_KIND = ("KIND", "类型")
_OUTCOME = ("OUTCOME", "结果")
_CODE = ("CODE", "代码")

#: A table of 80 columns still has the id that `show` takes, one of 40 columns still has the time.
RECEIPTS = View[StoredReceipt](
    "Receipt",
    [
        Column(
            key="seq",
            meaning=("grows in the order of commits", "序号，按提交顺序递增"),
            type=Type.INTEGER,
            of="seq",
            head=("SEQ", "SEQ"),
            cell=lambda row, _: Cell("" if row.seq is None else str(row.seq), "dim"),
            priority=2,
            right=True,
        ),
        Column(
            head=_SENT_ZONED,
            cell=lambda row, _: wall_clock(row.happened_at),
            priority=4,
            narrow=Column(
                head=_SENT_ZONED,
                cell=lambda row, _: wall_clock(row.happened_at)[:-3],
                priority=7.5,
                narrow=Column(head=_SENT, cell=lambda row, _: wall_clock(row.happened_at)[6:-3], priority=9.5),
            ),
        ),
        Column(
            key="kind",
            meaning=("message type", "消息类型"),
            type=Type.CATEGORY,
            of="receipt.kind",
            head=_KIND,
            priority=3,
            live_width=18,
            narrow=Column(head=_KIND, cell=_short_kind, priority=5.5, min_width=5, live_width=12),
        ),
        Column(
            key="identity",
            meaning=("what the statement is about, within its kind", "该类型内所指的对象"),
            type=Type.LIST,
            of="receipt.identity",
        ),
        Column(of="receipt.phone", head=("PHONE", "号码"), priority=10, min_width=11),
        Column(
            key="outcome",
            meaning=("where the message, call or review ended up", "结果：送达、失败、接通等"),
            type=Type.CATEGORY,
            of="receipt.outcome",
            head=_OUTCOME,
            cell=_outcome,
            priority=7.8,
            min_width=11,
            narrow=Column(head=_OUTCOME, cell=_outcome, priority=9, min_width=9),
        ),
        Column(key="phone", meaning=("number, digits only", "号码，只含数字"), of="receipt.phone", or_null=True),
        Column(key="biz_id", meaning=("BizId of the send", "发送的 BizId"), of="receipt.biz_id", or_null=True),
        Column(key="out_id", meaning=("OutId, your own id", "OutId，您自己的编号"), of="receipt.out_id", or_null=True),
        Column(key="call_id", meaning=("id of the call", "通话编号"), of="receipt.call_id", or_null=True),
        Column(
            key="code",
            meaning=("receipt code or release cause", "回执代码或释放原因"),
            type=Type.CATEGORY,
            of="receipt.code",
            or_null=True,
            head=_CODE,
            priority=6,
            min_width=18,
            live_width=22,
            narrow=Column(of="receipt.code", head=_CODE, priority=8, min_width=7, live_width=22),
        ),
        Column(
            key="sent_at",
            meaning=("when it was sent, Beijing time", "发送时间，北京时间"),
            type=Type.SECOND,
            of="receipt.sent_at",
            convert=at_second,
        ),
        Column(
            key="reported_at",
            meaning=("when its end was reported, Beijing time", "回执时间，北京时间"),
            type=Type.SECOND,
            of="receipt.reported_at",
            convert=at_second,
        ),
        Column(head=("TOOK", "用时"), cell=_took, priority=1, live_width=9, right=True),
        Column(head=("ID", "ID"), cell=_reference, priority=7, live_width=20),
        Column(
            key="received_at",
            meaning=("when it was received first; Beijing time in a sheet", "首次收到的时间；表格中为北京时间"),
            type=Type.MILLISECOND,
            of="received_at",
            convert=_at_millisecond,
        ),
        Column(
            key="source",
            meaning=("how it came first: mns, push, replay, query", "首次到达的途径：mns、push、replay、query"),
            type=Type.CATEGORY,
            of="source",
        ),
        Column(
            key="origin",
            meaning=("from which queue, path, file or action", "来自哪个队列、路径、文件或操作"),
            type=Type.CATEGORY,
            of="origin",
        ),
        Column(
            key="times_seen",
            meaning=("deliveries of this statement, repeats included", "同一条回执收到的次数，含重复"),
            type=Type.INTEGER,
            of="times_seen",
        ),
        Column(
            key="test", meaning=("the console's test push", "控制台的测试推送"), type=Type.BOOLEAN, of="receipt.test"
        ),
        Column(
            key="unread",
            meaning=("names of fields that could not be read", "无法读取的字段名"),
            type=Type.LIST,
            of="receipt.unread",
        ),
        Column(
            key="parts", meaning=("billed parts of the SMS", "短信的计费条数"), type=Type.INTEGER, of="receipt.parts"
        ),
        Column(
            key="talk_seconds",
            meaning=("seconds of a connected call", "已接通通话的时长（秒）"),
            type=Type.INTEGER,
            of="receipt.talk_seconds",
        ),
        Column(
            key="template_code",
            meaning=("template of the send", "短信模板"),
            type=Type.CATEGORY,
            of="template_code",
            or_null=True,
        ),
        Column(
            key="sign_name",
            meaning=("signature of the send", "短信签名"),
            type=Type.CATEGORY,
            of="sign_name",
            or_null=True,
        ),
        Column(
            key="body",
            meaning=("what the provider sent", "平台发来的原文"),
            type=Type.JSON,
            of="receipt.body",
            convert=msgspec.Raw,
        ),
    ],
    masked=masked_receipt,
)


def _kind_first() -> View[StoredReceipt]:
    """The same keys in the same order, and the message type as the first column of tables, which is never dropped."""
    narrow = Column(of="receipt.kind", head=_KIND, cell=_short_kind, priority=10, min_width=5, live_width=12)
    first = Column(of="receipt.kind", head=_KIND, priority=4.5, live_width=18, narrow=narrow)
    rest = [Column(key="kind", of="receipt.kind") if each.key == "kind" else each for each in RECEIPTS.columns]
    return View(RECEIPTS.name, [first, *rest], masked=masked_receipt)


#: For the receipts of several message types.
RECEIPTS_OF_KINDS = _kind_first()
