"""What a dry run of `replay` found, by kind."""

from __future__ import annotations

from typing import NamedTuple

from smsreceipt.model import Kind, Reason
from smsreceipt.output.columns import Column, Shown


class Readable(NamedTuple):
    """How many receipts of one kind there are, and why other elements of it are none."""

    kind: Kind | None  #: None: nothing tells it
    receipts: int
    rejected: dict[Reason, int]


READABLE = Shown[Readable](
    "Readable",
    [
        Column(key="kind", of="kind"),
        Column(key="receipts", of="receipts"),
        Column(key="rejected", of="rejected"),
    ],
)
