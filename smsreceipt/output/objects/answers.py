"""The object of `query-details`: one record of the provider about a send."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from smsreceipt import codes
from smsreceipt.model import Instant, Receipt
from smsreceipt.output.columns import Column, View
from smsreceipt.output.formatting import wall_clock
from smsreceipt.output.mask import mask_numbers, mask_phone, mask_text, on_screen
from smsreceipt.output.objects.common import at_second, outcome_cell

if TYPE_CHECKING:
    from smsreceipt.output.display import Display


@dataclass(frozen=True, slots=True)
class Answer:
    """One record of the provider: the receipt that was decoded from it, and its other fields."""

    receipt: Receipt
    template_code: str
    content: str
    meaning_en: str  #: of the code
    meaning_zh: str

    @classmethod
    def of(cls, receipt: Receipt) -> Answer:
        """The record that *receipt* was decoded from."""
        body = msgspec.json.decode(receipt.body)
        template, content, message = (
            found if isinstance(found := body.get(name), str) else "" for name in ("TemplateCode", "Content", "Message")
        )
        known = codes.receipt(receipt.code) if receipt.code else None
        return cls(
            receipt, template, content or message, known.meaning_en if known else "", known.meaning_zh if known else ""
        )


def _masked(row: Answer) -> Answer:
    receipt, phone = row.receipt, row.receipt.phone
    masked = msgspec.structs.replace(
        receipt,
        phone=mask_phone(phone),
        code=mask_numbers(receipt.code, phone),
        out_id=mask_numbers(receipt.out_id, phone),
        biz_id=mask_numbers(receipt.biz_id, phone),
    )
    template, content = mask_numbers(row.template_code, phone), mask_text(row.content) if row.content else ""
    return replace(row, receipt=masked, template_code=template, content=content)


def _at(at: Instant | None) -> str:
    return "" if at is None else wall_clock(at)


def _meaning(row: Answer, display: Display) -> str:
    return display.localized(row.meaning_en, row.meaning_zh)


ANSWERS = View[Answer](
    "Answer",
    [
        Column(key="phone", of="receipt.phone", head=("PHONE", "号码"), priority=10, min_width=11),
        Column(
            head=("SENT +08:00", "时间 +08:00"), cell=lambda row, _: _at(row.receipt.sent_at), priority=9, min_width=14
        ),
        Column(
            key="outcome",
            of="receipt.outcome",
            head=("OUTCOME", "结果"),
            cell=lambda row, display: outcome_cell(row.receipt.outcome, display),
            priority=9,
            min_width=8,
        ),
        Column(
            key="code", of="receipt.code", or_null=True, head=("CODE", "代码"), priority=8, min_width=9, live_width=16
        ),
        Column(head=("MEANING", "含义"), cell=_meaning, priority=6, min_width=12, live_width=28),
        Column(key="sent_at", of="receipt.sent_at", convert=at_second),
        Column(
            key="reported_at",
            of="receipt.reported_at",
            convert=at_second,
            head=("REPORTED", "回执时间"),
            cell=lambda row, _: _at(row.receipt.reported_at),
            priority=3,
            min_width=14,
        ),
        Column(
            key="out_id",
            of="receipt.out_id",
            or_null=True,
            head=("OUT ID", "OUT ID"),
            priority=5,
            min_width=8,
            live_width=12,
        ),
        Column(
            key="template_code", of="template_code", or_null=True, head=("TEMPLATE", "模板"), priority=2, min_width=8
        ),
        Column(
            key="content",
            of="content",
            or_null=True,
            head=("TEXT", "内容"),
            cell=lambda row, display: on_screen(row.content) if display.mask else row.content,
            priority=1,
            min_width=12,
            live_width=16,
        ),
        Column(key="biz_id", of="receipt.biz_id", or_null=True),
        Column(key="meaning", of="meaning_en", or_null=True),
    ],
    masked=_masked,
)
