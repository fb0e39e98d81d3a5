"""The object of `reconcile --details`: the result of the comparison for one send."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from smsreceipt.model import date_of
from smsreceipt.output.columns import Column, View
from smsreceipt.output.mask import mask_numbers, mask_phone
from smsreceipt.output.objects.common import at_second
from smsreceipt.reconcile.classes import Finding


class Detail(NamedTuple):
    """The result for one send, and for how many days the provider still answers about it."""

    learnt: Finding
    days_left: int | None  #: None: another query cannot change the result


def _masked(row: Detail) -> Detail:
    send = row.learnt.send
    masked = msgspec.structs.replace(send, phone=mask_phone(send.phone), out_id=mask_numbers(send.out_id))
    return row._replace(learnt=row.learnt._replace(send=masked))


DETAILS = View[Detail](
    "Detail",
    [
        Column(key="class", of="learnt.found"),
        Column(key="phone", of="learnt.send.phone"),
        Column(key="biz_id", of="learnt.send.biz_id"),
        Column(key="date", of="learnt.send.day", convert=lambda day: date_of(day).isoformat()),
        Column(key="sent_at", of="learnt.send.sent_at", convert=at_second),
        Column(key="out_id", of="learnt.send.out_id", or_null=True),
        Column(key="outcome", of="learnt.outcome"),
        Column(key="code", of="learnt.code", or_null=True),
        Column(key="days_left", of="days_left"),
        Column(key="reason", of="learnt.note", or_null=True),
    ],
    masked=_masked,
)
