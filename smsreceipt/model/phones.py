"""The normal form of phone numbers."""

from __future__ import annotations

import re

_SEPARATED = re.compile(r"\+?\d+(?:[ -]\d+)*", re.ASCII)
_MAINLAND = re.compile(r"(?:0086|86)(1\d{10})", re.ASCII)


def normalise_phone(text: str) -> str:
    """The normal form of a phone number: digits, without +, and without 86 before a mainland mobile number.

    Returns text that is no phone number as it is, without the space around it.
    """
    text = text.strip()
    if not _SEPARATED.fullmatch(text):
        return text
    digits = text.replace(" ", "").replace("-", "").removeprefix("+")
    mainland = _MAINLAND.fullmatch(digits)
    return mainland[1] if mainland else digits
