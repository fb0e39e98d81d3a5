"""The send object of the data contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from smsreceipt.model import DAY_MS, Instant, Send, iso_beijing
from smsreceipt.output.columns import Cell, Column, Type, View
from smsreceipt.output.formatting import wall_clock
from smsreceipt.output.mask import mask_numbers, mask_phone
from smsreceipt.output.objects.common import at_second
from smsreceipt.store import SendState, StoredSend

if TYPE_CHECKING:
    from smsreceipt.output.display import Display

#: State --> its name in English and Chinese, and its colour.
STATES = {
    SendState.OPEN: ("open", "待回执", "magenta"),
    SendState.WITH_RECEIPT: ("with receipt", "已有回执", "green"),
    SendState.WAITING: ("waiting", "运营商处理中", "cyan"),
    SendState.NO_RECORD: ("no record", "无发送记录", "red"),
}


def masked_send(send: Send) -> Send:
    """The send with its phone number masked in every field."""
    return msgspec.structs.replace(
        send,
        phone=mask_phone(send.phone),
        biz_id=mask_numbers(send.biz_id, send.phone),
        out_id=mask_numbers(send.out_id, send.phone),
    )


def state_cell(state: SendState, display: Display) -> Cell:
    """The state in the user's language and its colour."""
    english, chinese, style = STATES[state]
    return Cell(display.localized(english, chinese), style)


def _sent_at(send: Send) -> str | None:
    """A date where only the day is known."""
    return iso_beijing(Instant(send.day * DAY_MS))[:10] if send.sent_at is None else at_second(send.sent_at)


def _sent(row: StoredSend, _display: Display) -> str:
    send = row.send
    return wall_clock(Instant(send.day * DAY_MS))[:5] if send.sent_at is None else wall_clock(send.sent_at)


SENDS = View[StoredSend](
    "Send",
    [
        Column(head=("SENT +08:00", "时间 +08:00"), cell=_sent, priority=7, min_width=14),
        Column(
            key="phone",
            meaning=("number, digits only", "号码，只含数字"),
            of="send.phone",
            head=("PHONE", "号码"),
            priority=10,
            min_width=11,
        ),
        Column(
            head=("STATE", "状态"), cell=lambda row, display: state_cell(row.state, display), priority=9, min_width=9
        ),
        Column(key="biz_id", meaning=("BizId of the send", "发送的 BizId"), of="send.biz_id"),
        Column(
            key="sent_at",
            meaning=("when it was sent, Beijing time", "发送时间，北京时间"),
            of="send",
            convert=_sent_at,
            type=Type.SECOND,
            instant=lambda send: send.sent_from,
        ),
        Column(
            key="out_id",
            meaning=("OutId, your own id", "OutId，您自己的编号"),
            of="send.out_id",
            or_null=True,
            head=("OUT ID", "OUT ID"),
            priority=4,
            min_width=8,
            live_width=12,
        ),
        Column(
            key="template_code",
            meaning=("template of the send", "短信模板"),
            type=Type.CATEGORY,
            of="send.template_code",
            or_null=True,
            head=("TEMPLATE", "模板"),
            priority=3,
            min_width=8,
        ),
        Column(
            key="sign_name",
            meaning=("signature of the send", "短信签名"),
            type=Type.CATEGORY,
            of="send.sign_name",
            or_null=True,
            head=("SIGNATURE", "签名"),
            priority=2,
            min_width=8,
        ),
        Column(
            key="parts",
            meaning=("billed parts of the SMS", "短信的计费条数"),
            type=Type.INTEGER,
            of="send.parts",
            head=("PARTS", "条数"),
            cell=lambda row, _: "" if row.send.parts is None else str(row.send.parts),
            priority=1,
            right=True,
        ),
        Column(
            head=("BIZ ID", "BIZ ID"),
            cell=lambda row, _: Cell(row.send.biz_id, "dim"),
            priority=6,
            min_width=12,
            live_width=20,
        ),
        Column(
            key="state",
            meaning=("open, with_receipt, waiting or no_record", "状态：待回执、已有回执、运营商处理中、无发送记录"),
            type=Type.CATEGORY,
            of="state",
        ),
    ],
    masked=lambda row: msgspec.structs.replace(row, send=masked_send(row.send)),
)
