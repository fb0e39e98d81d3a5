"""Finds the phone numbers that bytes mention, in whatever form they are encoded."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from urllib.parse import unquote_to_bytes

from smsreceipt.model.phones import normalise_phone

SHORTEST, LONGEST = 7, 15  #: digits of a phone number in its normal form
_DIGIT = re.compile(rb"[0-9]")
_DIGITS = re.compile(rb"[0-9]{7,}")
_MOST = 19  # digits of a number with 00 and 86 before it
#: What people write between the digits of a number: blanks, also wide ones, hyphens, dots, brackets.
_GAP = rb"(?:[ \t\r\n.()/_-]|\\[nrt]|\xc2\xa0|\xe2\x80[\x80-\x95]|\xe3\x80\x80|\xef\xbc[\x88\x89\x8d]){1,3}"
#: A number of the mainland with gaps. Each begins with what is rare, so that it is found fast.
_SPACED = (
    re.compile(rb"1[3-9][0-9](?=[0-9]{0,7}[^0-9\"])(?:" + _GAP + rb")?[0-9](?:(?:" + _GAP + rb")?[0-9]){7}(?![0-9])"),
    re.compile(rb"1(?:" + _GAP + rb"[0-9]){10}(?![0-9])"),
    re.compile(rb"0(?<![0-9]0)[0-9]{2,3}" + _GAP + rb"[0-9](?:(?:" + _GAP + rb")?[0-9]){6,7}(?![0-9])"),
)
#: Any number with gaps, after a +.
_ABROAD = re.compile(rb"\+(?:" + _GAP + rb")?[0-9](?:(?:" + _GAP + rb")?[0-9]){6,18}")
_SIGNS = re.compile(rb"[^0-9]+")
_PREFIX = re.compile(rb"(?:\A|[^0-9])(?:(?:00)?86)?\Z")
_TRUNK = re.compile(r"01[3-9][0-9]{9}")  # a mobile number as it is dialled from another city
_WIDE = re.compile(rb"\xef\xbc([\x90-\x99\x8b])")  # full-width digits and plus
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")
_ESCAPE = re.compile(rb"\\+u(?:00([0-7][0-9A-Fa-f])|[Ff][Ff]([01][0-9AaBb]))")  # deeper ones have more backslashes
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GZIP = b"\x1f\x8b\x08"
_LARGEST = 1 << 24  # bytes that are unpacked
_LEVELS = 4  # of encodings in each other


def mentioned(text: bytes) -> set[str]:
    """The phone numbers in a text, in their normal form; and whatever else has as many digits.

    They may stand in UTF-8 or UTF-16, in full-width digits, with blanks, hyphens, dots or brackets between the digits,
    as JSON escapes, percent-encoded, in base64, or compressed with gzip.
    """
    found: set[str] = set()
    for form in _forms(text, _LEVELS):
        found.update(digits.decode() for digits in _DIGITS.findall(form) if len(digits) <= _MOST)
        for spaced in _spaced(form):
            if _PREFIX.search(form, max(0, spaced.start() - 5), spaced.start()):
                found.add(_SIGNS.sub(b"", spaced[0]).decode())
        if b"+" in form:
            for spaced in _ABROAD.finditer(form):
                found.update(_beginnings(spaced[0]))
    numbers = {normalise_phone(each) for each in found}
    numbers |= {each[1:] for each in numbers if each[:2] == "01" and _TRUNK.fullmatch(each)}
    return {each for each in numbers if SHORTEST <= len(each) <= LONGEST}


def _spaced(text: bytes) -> Iterator[re.Match[bytes]]:
    return chain.from_iterable([pattern.finditer(text) for pattern in _SPACED])


def _beginnings(text: bytes) -> Iterator[str]:
    """The numbers that a run of groups of digits may begin with: what follows a number may be something else."""
    digits = ""
    for group in _SIGNS.split(text):
        digits += group.decode()
        if len(digits) >= SHORTEST:
            yield f"+{digits}"


def _forms(text: bytes, levels: int) -> Iterator[bytes]:
    """The text, and what it is an encoding of."""
    yield text
    if not levels:
        return
    if text.startswith(_UTF16):
        yield from _forms(text.decode("utf-16", "replace").encode("utf-8", "replace"), levels - 1)
    elif b"\0" in text:
        yield from _forms(text.replace(b"\0", b""), levels - 1)
    if b"\\u" in text and (plain := _ESCAPE.sub(_unescaped, text)) != text:
        yield from _forms(plain, levels - 1)
    if b"\xef\xbc" in text and (plain := _WIDE.sub(lambda found: bytes([found[1][0] - 0x60]), text)) != text:
        yield from _forms(plain, levels - 1)
    if text.startswith(_GZIP) and (plain := _unpacked(text)):
        yield from _forms(plain, levels - 1)
    if b"%" in text and (plain := unquote_to_bytes(text)) != text:
        yield from _forms(plain, levels - 1)
    for run in _BASE64.findall(text):
        if not (run.isdigit() or run.islower() or (run.isupper() and not _DIGIT.search(run))):  # names of fields, codes
            yield from _decoded(run, levels - 1)


def _unescaped(found: re.Match[bytes]) -> bytes:
    """The character of a JSON escape, narrow."""
    return bytes([int(found[1], 16) if found[1] else (int(found[2], 16) + 0x20) & 0x7F])


def _unpacked(text: bytes) -> bytes:
    """What was compressed with gzip, as far as it can be read."""
    try:
        return zlib.decompressobj(wbits=31).decompress(text, _LARGEST)
    except zlib.error:
        return b""


def _decoded(run: bytes, levels: int) -> Iterator[bytes]:
    """What a run of letters and digits means in base64. Few are base64; others decode to bytes that hold no digits."""
    bare = run.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    try:
        plain = base64.b64decode(bare + b"=" * (-len(bare) % 4))
    except binascii.Error:
        return
    if (
        _DIGITS.search(plain)
        or any(_spaced(plain))
        or b"\0" in plain
        or b"\\u" in plain
        or b"\xef\xbc" in plain
        or plain.startswith(_GZIP)
        or _BASE64.fullmatch(plain)
    ):
        yield from _forms(plain, levels)
