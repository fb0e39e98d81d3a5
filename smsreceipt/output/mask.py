"""Masks phone numbers and texts of people.

A value is masked if the name of its field says so, and wherever it looks like a mainland phone number.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from smsreceipt.language import N_, _, is_chinese

_MAINLAND = re.compile(r"(?<!\d)((?:\+|00)?(?:86)?[- ]?)(1[3-9]\d)(\d{4})(\d{4})(?!\d)")
_LENGTHS = re.compile(r"<(\d+) (characters|digits)>")
#: Names of fields with phone numbers, in lower case without _ and -.
_NUMBERS = re.compile(
    "to|mobile|tel|telephone|(?:phone|peer|secret|send|receive|display|called|calling|calleddisplay|calledshow|sms|dest)"
    "(?:no|num|number|numbers)|(?:phone)?no[abx]|phone[abx]?|phones|caller|callee|called|calling"
)
#: Names of fields with what somebody wrote or said, or with the URL of a recording.
_TEXTS = re.compile(
    "(?:sms|template)?content|templateparam|text|message|sentences?|(?:ring)?recordurl|recordfile|downloadurl|dtmf"
)


def mask_phone(number: str) -> str:
    """The number with its middle masked: 138****8000. A number of fewer than 7 digits is masked whole."""
    masked, found = _MAINLAND.subn(r"\1\2****\4", number)
    if found:
        return masked
    if len(number) >= 11:
        return f"{number[:3]}****{number[-4:]}"
    return f"{number[:2]}****{number[-2:]}" if len(number) >= 7 else "****" if number else ""


def mask_text(text: str) -> str:
    """The length of the text instead of the text."""
    return f"<{len(text)} characters>"


def on_screen(masked: str) -> str:
    """A masked text as a screen shows it: the masks of texts in the user's language. Data has them in English."""
    return _LENGTHS.sub(_length, masked) if is_chinese() else masked


def _length(found: re.Match[str]) -> str:
    message = N_("<{n} characters>") if found[2] == "characters" else N_("<{n} digits>")
    return _(message, n=found[1])


def mask_numbers(text: str, phone: str = "") -> str:
    """The text with every mainland number in it masked, and *phone* too if it has 5 or more digits."""
    masked = _MAINLAND.sub(r"\1\2****\4", text)
    return masked.replace(phone, mask_phone(phone)) if len(phone) >= 5 else masked


def mask_value(value: Any, name: str = "", phone: str = "") -> Any:
    """A JSON value with every phone number and text masked; *name* is the name of its field."""
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
    """A field may have several numbers, separated by commas."""
    return ",".join(mask_phone(number) for number in numbers.split(","))
