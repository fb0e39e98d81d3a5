"""Finds the phone numbers that bytes mention, in whatever form they are encoded."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from smsreceipt.model.phones import normalise_phone

SHORTEST, LONGEST = 7, 15  #: digits of a phone number in its normal form
_DIGITS = re.compile(rb"[0-9]{7,}")
_MOST = 19  # digits of a number with 00 and 86 before it
#: A mobile number of the mainland as people write it. It begins with what is rare, so that it is found fast.
_SPACED = re.compile(rb"1[0-9]{2}[ -][0-9]{4}[ -][0-9]{4}(?![0-9])")
_PREFIX = re.compile(rb"(?:\A|[^0-9])(?:(?:00)?86)?\Z")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")
_ESCAPE = re.compile(rb"\\u00([0-7][0-9A-Fa-f])")
_LEVELS = 4  # of encodings in each other


def mentioned(text: bytes) -> set[str]:
    """The phone numbers in a text, in their normal form; and whatever else has as many digits.

    They may stand in UTF-8 or UTF-16, as JSON escapes, percent-encoded, or in base64.
    """
    found: set[str] = set()
    for form in _forms(text, _LEVELS):
        found.update(digits.decode() for digits in _DIGITS.findall(form) if len(digits) <= _MOST)
        for spaced in _SPACED.finditer(form):
            if _PREFIX.search(form, max(0, spaced.start() - 5), spaced.start()):
                found.add(spaced[0].decode())
    numbers = {normalise_phone(each) for each in found}
    return {each for each in numbers if SHORTEST <= len(each) <= LONGEST}


def _forms(text: bytes, levels: int) -> Iterator[bytes]:
    """The text, and what it is an encoding of."""
    yield text
    if not levels:
        return
    if b"\0" in text:
        yield from _forms(text.replace(b"\0", b""), levels - 1)
    if b"\\u00" in text:
        yield from _forms(_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text), levels - 1)
    if b"%" in text and (plain := unquote_to_bytes(text)) != text:
        yield from _forms(plain, levels - 1)
    for run in _BASE64.findall(text):
        if not (run.isdigit() or run.islower() or run.isupper()):  # names of fields, codes: no base64 of digits
            yield from _decoded(run, levels - 1)


def _decoded(run: bytes, levels: int) -> Iterator[bytes]:
    """What a run of letters and digits means in base64. Few are base64; others decode to bytes that hold no digits."""
    bare = run.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    try:
        plain = base64.b64decode(bare + b"=" * (-len(bare) % 4))
    except binascii.Error:
        return
    if (
        _DIGITS.search(plain)
        or _SPACED.search(plain)
        or b"\0" in plain
        or b"\\u00" in plain
        or _BASE64.fullmatch(plain)
    ):
        yield from _forms(plain, levels)
