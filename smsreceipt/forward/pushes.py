"""What became of each push, as `replay --to` shows it."""

from __future__ import annotations

from smsreceipt.forward.callback import Push
from smsreceipt.output.columns import Column, View

PUSHES = View[Push](
    "Push",
    [
        Column(key="push", of="number"),
        Column(key="kind", of="kind"),
        Column(key="receipts", of="receipts"),
        Column(key="accepted", of="accepted"),
        Column(key="status", of="status"),
        Column(key="ms", of="seconds", convert=lambda seconds: round(seconds * 1000, 1)),
        Column(key="over_limit", of="over_limit"),
        Column(key="attempts", of="attempts"),
        Column(key="trouble", of="trouble", or_null=True),
    ],
)
