"""A provider in memory: it answers questions about sends, and notes what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from smsreceipt.model import BEIJING, Instant, Send, beijing_day, date_of
from smsreceipt.sources.query.client import Question, Rows

PHONE = "13800008000"
PAGE = 50


def at(text: str) -> Instant:
    """Beijing wall-clock time."""
    return Instant(round(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp() * 1000))


NOW = at("2026-11-21 12:00:00")


def send(biz_id: str = "1^0", when: str | Instant = "2026-11-19 10:00:00", *, out_id: str = "", **more: object) -> Send:
    """A row of the ledger."""
    moment = at(when) if isinstance(when, str) else when
    fields = {
        "phone": PHONE, "day": beijing_day(moment), "sent_at": moment, "template_code": "", "sign_name": "",
        "parts": None, **more,
    }  # fmt: skip
    return Send(biz_id=biz_id, out_id=out_id, **fields)  # type: ignore[arg-type]  # the fields above


def wall(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


@dataclass
class Record:
    """What the provider knows of one send."""

    biz_id: str
    moment: int
    out_id: str = ""
    status: int = 3
    code: str = "DELIVERED"
    phone: str = PHONE
    filed: date | None = None  #: the day under which it is found, where that is not SendDate's

    @property
    def day(self) -> date:
        return self.filed or date_of(beijing_day(Instant(self.moment)))

    def row(self) -> bytes:
        """As QuerySendDetails shows it: the BizId is not in it."""
        fields: dict[str, object] = {
            "PhoneNum": self.phone, "SendStatus": self.status, "ErrCode": self.code if self.status != 1 else "",
            "TemplateCode": "SMS_1", "Content": f"【签名】内容{self.biz_id}", "SendDate": wall(self.moment),
        }  # fmt: skip
        if self.status != 1:
            fields["ReceiveDate"] = wall(self.moment + 3000)
        if self.out_id:
            fields["OutId"] = self.out_id
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass
class Provider:
    """Answers at once; *trouble* may raise, or change an answer."""

    records: Sequence[Record] = ()
    trouble: Callable[[Question, Rows], Rows] = lambda _question, rows: rows
    questions: list[Question] = field(default_factory=list)
    calls: int = 0

    def ask(self, question: Question) -> Rows:
        """All rows about it."""
        self.questions.append(question)
        found = tuple(
            record.row()
            for record in self.records
            if record.phone == question.phone and record.day == question.day and question.biz_id in {"", record.biz_id}
        )
        answer = self.trouble(question, Rows(found, len(found) // PAGE + 1, stable=True))
        self.calls += answer.calls
        return answer


def record_of(sent: Send, **fields: object) -> Record:
    """The provider's record of a send, a second later than the ledger has it."""
    moment = sent.sent_at if sent.sent_at is not None else at(f"{date_of(sent.day)} 15:00:00")
    return Record(sent.biz_id, moment + 1000, sent.out_id, phone=sent.phone, **fields)  # type: ignore[arg-type]
