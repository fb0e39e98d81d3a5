"""The provider's own records of sends, in columns that fit the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from smsreceipt.model import Instant, Outcome
from smsreceipt.output.terminal.look import Look, outcome_text, plain_table, text, wall_clock, widest
from smsreceipt.output.terminal.tables import _Column, _Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One record, masked already where it has to be. Field order is the order of the JSON object that users see."""

    phone: str
    outcome: Outcome | None
    code: str | None
    sent_at: Instant | None
    reported_at: Instant | None
    out_id: str | None
    template_code: str | None
    content: str | None
    biz_id: str | None  #: only where it was asked for: the provider does not tell it
    meaning: str | None  #: of the code


class DetailTable:
    """A table of records that can be drawn piece by piece."""

    def __init__(self, look: Look) -> None:
        say = look.say
        outcome, code = say("OUTCOME", "结果"), say("CODE", "代码")
        self._columns = _Columns[Detail](
            look,
            [
                _Column(say("PHONE", "号码"), lambda row: text(row.phone), 10, least=11),
                _Column(f"{say('SENT', '时间')} +08:00", lambda row: _at(row.sent_at), 9, least=14),
                _Column(outcome, lambda row: outcome_text(row.outcome, look), 9, least=8),
                _Column(code, lambda row: text(row.code), 8, least=9, roomy=16),
                _Column(say("MEANING", "含义"), lambda row: text(row.meaning), 6, least=12, roomy=28),
                _Column(say("REPORTED", "回执时间"), lambda row: _at(row.reported_at), 3, least=14),
                _Column("OUT ID", lambda row: text(row.out_id), 5, least=8, roomy=12),
                _Column(say("TEMPLATE", "模板"), lambda row: text(row.template_code), 2, least=8),
                _Column(say("TEXT", "内容"), lambda row: text(row.content), 1, least=12, roomy=16),
            ],
        )

    def draw(self, details: Sequence[Detail], *, more: bool = False) -> str:
        """These records as lines; the heads come with the first. *more*: others may follow, in the same columns."""
        return self._columns.draw(details, more=more)


def _at(when: Instant | None) -> Text:
    return text(None if when is None else wall_clock(when))


def day_totals(rows: Sequence[Mapping[str, object]], look: Look) -> str:
    """The provider's totals of each day and ours, in billed parts."""
    say = look.say
    names = {
        "date": say("DAY", "日期"),
        "sent": say("SENT", "已发送"),
        "succeeded": say("SUCCEEDED", "成功"),
        "failed": say("FAILED", "失败"),
        "no_response": say("NO RESPONSE", "无响应"),
        "our_delivered": say("OURS", "我方送达"),
        "our_failed": say("FAILED", "我方失败"),
        "our_undecided": say("OPEN", "我方未定"),
    }
    cells = [[Text(head, "dim") for head in names.values()]]
    cells += [[Text(f"{row[name]:,}" if name != "date" else str(row[name])) for name in names] for row in rows]
    widths = [widest([line[column] for line in cells]) for column in range(len(names))]
    table = plain_table(widths, [column > 0 for column in range(len(names))])
    for line in cells:
        table.add_row(*line)
    return look.draw(
        table, Text(say("in billed parts: the provider's, then ours", "按计费条数：先平台，后我方"), "dim")
    )
