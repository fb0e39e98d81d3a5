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

    finding: Finding
    days_left: int | None  #: None: another query cannot change the result


def _masked(row: Detail) -> Detail:
    send = row.finding.send
    masked = msgspec.structs.replace(send, phone=mask_phone(send.phone), out_id=mask_numbers(send.out_id))
    return row._replace(finding=row.finding._replace(send=masked))


DETAILS = View[Detail](
    "Detail",
    [
        Column(key="class", of="finding.found"),
        Column(key="phone", of="finding.send.phone"),
        Column(key="biz_id", of="finding.send.biz_id"),
        Column(key="date", of="finding.send.day", convert=lambda day: date_of(day).isoformat()),
        Column(key="sent_at", of="finding.send.sent_at", convert=at_second),
        Column(key="out_id", of="finding.send.out_id", or_null=True),
        Column(key="outcome", of="finding.outcome"),
        Column(key="code", of="finding.code", or_null=True),
        Column(key="days_left", of="days_left"),
        Column(key="reason", of="finding.note", or_null=True),
    ],
    masked=_masked,
)
