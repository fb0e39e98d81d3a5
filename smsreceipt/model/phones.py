"""The normal form of phone numbers."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"\d+", re.ASCII)
_MAINLAND = re.compile(r"(?:0086|86)(1\d{10})", re.ASCII)
_INTERNATIONAL = re.compile(r"00([1-9]\d{6,14})", re.ASCII)
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)  # soft hyphen, zero-width characters, direction marks, byte order mark
_NARROW: dict[int, int | str] = {
    **{wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)},
    **dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "),
    **dict.fromkeys(map(ord, "‐‑‒–—―−"), "-"),
}  # full-width characters, blanks and hyphens, as ASCII has them
_SEPARATED = re.compile(r"(?:tel:)?(?:\(?\+?|\+\()\d+\)?(?:[ .()-]+\d+)*\)?", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"(\d+)\.0+", re.ASCII)
_EQUATION = re.compile(r'="([^"]*)"')
_APOSTROPHE = re.compile(r"'[\d=+@(\t-]", re.ASCII)


def normalise_phone(text: str) -> str:
    """The normal form of a phone number: digits, without + or 00, and without 86 before a mainland mobile number.

    Undoes what programs add to numbers: separators, brackets, invisible characters, full-width digits, ``.0``, and
    what keeps a spreadsheet from rounding them. Returns text that is no phone number as it is, without the space
    around it.
    """
    text = text.strip()
    digits = text if _DIGITS.fullmatch(text) else _digits(text)
    if digits is None:
        return text
    if len(digits) == 11 or digits[:2] not in {"86", "00"}:
        return digits
    national = _MAINLAND.fullmatch(digits) or _INTERNATIONAL.fullmatch(digits)
    return national[1] if national else digits


def is_mainland(phone: str) -> bool:
    """Whether a number in its normal form is a mobile number of the mainland. Some of the USA look like one."""
    return len(phone) == 11 and phone[0] == "1" and phone[1] in "3456789"


def _digits(text: str) -> str | None:
    """The digits of a phone number with anything that may stand around and between them; None for other text."""
    text = unguarded(narrow(visible(text)))
    if whole := _WHOLE.fullmatch(text):
        return whole[1] if len(whole[1]) <= 15 else None  # a longer one was rounded
    return "".join(filter(str.isdigit, text)) if _SEPARATED.fullmatch(text) else None


def visible(text: str) -> str:
    """The text without zero-width characters and direction marks, and without the space around it."""
    return text.strip() if text.isascii() else text.translate(_INVISIBLE).strip()


def narrow(text: str) -> str:
    """The text with full-width characters, blanks and hyphens as ASCII has them."""
    return text if text.isascii() else text.translate(_NARROW)


def unguarded(text: str) -> str:
    """The text without what keeps a spreadsheet from changing it: a leading apostrophe, or ="…" around it."""
    if found := _EQUATION.fullmatch(text):
        return found[1].strip()
    return text[1:].strip() if _APOSTROPHE.match(text) else text
