"""What a code means, as `explain` shows it."""

from __future__ import annotations

from dataclasses import fields

from smsreceipt.codes import Explanation
from smsreceipt.output.columns import Column, Shown

EXPLANATIONS = Shown[Explanation](
    "Explanation", [Column(key=field.name, of=field.name) for field in fields(Explanation)]
)
