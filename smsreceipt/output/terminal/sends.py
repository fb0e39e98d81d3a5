"""What was sent, in columns that fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from smsreceipt.model import DAY_MS, Instant, Send
from smsreceipt.output.records import masked_send
from smsreceipt.output.terminal.look import Look, text, wall_clock
from smsreceipt.output.terminal.tables import _Column, _Columns
from smsreceipt.store import SendState, StoredSend

STATES = {
    SendState.OPEN: ("open", "待回执", "magenta"),
    SendState.WITH_RECEIPT: ("with receipt", "已有回执", "green"),
    SendState.WAITING: ("waiting", "运营商处理中", "cyan"),
    SendState.NO_RECORD: ("no record", "无发送记录", "red"),
}


def state_text(state: SendState, look: Look) -> Text:
    """The state in the user's language and its colour."""
    english, chinese, style = STATES[state]
    return Text(look.say(english, chinese), style)


def sent_text(stored: StoredSend) -> str:
    """When it was sent, in Beijing; the day alone where that is all that is known."""
    send = stored.send
    return wall_clock(Instant(send.day * DAY_MS))[:5] if send.sent_at is None else wall_clock(send.sent_at)


class SendTable:
    """A table of sends that can be drawn piece by piece."""

    def __init__(self, look: Look) -> None:
        say = look.say
        self._look = look
        self._columns = _Columns[StoredSend](
            look,
            [
                _Column(f"{say('SENT', '时间')} +08:00", lambda row: text(sent_text(row)), 7, least=14),
                _Column(say("PHONE", "号码"), lambda row: text(self._shown(row).phone), 10, least=11),
                _Column(say("STATE", "状态"), lambda row: state_text(row.state, look), 9, least=9),
                _Column("OUT ID", lambda row: text(self._shown(row).out_id), 4, least=8, roomy=12),
                _Column(say("TEMPLATE", "模板"), lambda row: text(row.send.template_code), 3, least=8),
                _Column(say("SIGNATURE", "签名"), lambda row: text(row.send.sign_name), 2, least=8),
                _Column(say("PARTS", "条数"), lambda row: text(row.send.parts), 1, right=True),
                _Column("BIZ ID", lambda row: text(self._shown(row).biz_id, "dim"), 6, least=12, roomy=20),
            ],
        )

    def _shown(self, row: StoredSend) -> Send:
        return masked_send(row.send) if self._look.mask else row.send

    def draw(self, sends: Sequence[StoredSend], *, more: bool = False) -> str:
        """These sends as lines; the heads come with the first. *more*: others may follow, in the same columns."""
        return self._columns.draw(sends, more=more)
