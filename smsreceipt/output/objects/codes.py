"""The object of `explain`: what a code means."""

from __future__ import annotations

from dataclasses import fields

from smsreceipt.codes import Explanation
from smsreceipt.output.columns import Column, View

EXPLANATIONS = View[Explanation](
    "Explanation", [Column(key=field.name, of=field.name) for field in fields(Explanation)]
)
