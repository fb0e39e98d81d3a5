"""The objects of `replay --dry-run`, one for each kind."""

from __future__ import annotations

from typing import NamedTuple

from smsreceipt.model import Kind, Reason
from smsreceipt.output.columns import Column, View


class Readable(NamedTuple):
    """The receipts and rejects that a dry run found of one kind."""

    kind: Kind | None  #: None: it could not be determined
    receipts: int
    rejected: dict[Reason, int]  #: by reason


READABLE = View[Readable](
    "Readable",
    [
        Column(key="kind", of="kind"),
        Column(key="receipts", of="receipts"),
        Column(key="rejected", of="rejected"),
    ],
)
