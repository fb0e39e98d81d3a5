"""Masking of people: their phone numbers, and what they wrote or said.

A value is masked by the name of its field, and wherever it looks like a mainland phone number.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

_MAINLAND = re.compile(r"(?<!\d)((?:\+|00)?(?:86)?[- ]?)(1[3-9]\d)(\d{4})(\d{4})(?!\d)")
#: Names of fields, in lower case without _ and -, whose value is somebody's number.
_NUMBERS = re.compile(
    "to|mobile|tel|telephone|(?:phone|peer|secret|send|receive|display|called|calling|calleddisplay|calledshow|sms|dest)"
    "(?:no|num|number|numbers)|(?:phone)?no[abx]|phone[abx]?|phones|caller|callee|called|calling"
)
#: … and whose value is what somebody wrote, said, or can be listened to.
_TEXTS = re.compile(
    "(?:sms|template)?content|templateparam|text|message|sentences?|(?:ring)?recordurl|recordfile|downloadurl|dtmf"
)


def mask_phone(number: str) -> str:
    """138****8000: enough to recognise a number one knows, too little to call one that one does not."""
    masked, found = _MAINLAND.subn(r"\1\2****\4", number)
    if found:
        return masked
    if len(number) >= 11:
        return f"{number[:3]}****{number[-4:]}"
    return f"{number[:2]}****{number[-2:]}" if len(number) >= 7 else "****" if number else ""


def mask_text(text: str) -> str:
    """How long a text is, instead of the text."""
    return f"<{len(text)} characters>"


def mask_numbers(text: str, phone: str = "") -> str:
    """The text with whatever looks like a mainland number masked in it, and *phone* too, whatever it looks like."""
    masked = _MAINLAND.sub(r"\1\2****\4", text)
    return masked.replace(phone, mask_phone(phone)) if len(phone) >= 5 else masked


def mask_value(value: Any, name: str = "", phone: str = "") -> Any:
    """A JSON value with every number and text of a person masked, by the field's *name* and by what it looks like."""
    plain = name.lower().replace("_", "").replace("-", "")
    if value is not None and _TEXTS.fullmatch(plain):
        return mask_text(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    if isinstance(value, dict):
        return {mask_numbers(key, phone): mask_value(item, key, phone) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_value(item, name, phone) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    masked = _mask_each(text) if _NUMBERS.fullmatch(plain) else mask_numbers(text, phone)
    return value if masked == text else masked


def _mask_each(numbers: str) -> str:
    """Several numbers may stand in one field, separated by commas."""
    return ",".join(mask_phone(number) for number in numbers.split(","))
