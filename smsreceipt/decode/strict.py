"""JSON as RFC 8259 defines it; what parsers usually tolerate beyond that (NaN, repeated names, …) is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite

import msgspec

from smsreceipt.decode.refusal import Refused
from smsreceipt.model import Reason

Fields = Mapping[str, object]

MAX_DEPTH = 32
_MAX_DIGITS = 4300  #: what CPython converts; fixed here so that an interpreter setting changes nothing
SPACE = b" \t\r\n"
BACKSLASH, QUOTE = 0x5C, b'"'
#: An unterminated string runs to the end: looking at its rest once more would be quadratic.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*(?:"|\\?\Z)'
_STRINGS = re.compile(_STRING, re.DOTALL)
_STRUCTURE = re.compile(_STRING + rb"|[\[\]{},]", re.DOTALL)
_flat = msgspec.json.Decoder(dict[str, str | int | bool | None]).decode


class Number(str):
    """A number with a fraction or an exponent, as exact decimal text: 123456.0 is "123456"."""

    __slots__ = ()


def members(body: bytes) -> dict[str, object]:
    """The members of one JSON object. Raises Refused with the reason, whatever the bytes are."""
    found = flat_members(body)
    return any_members(body) if found is None else found


def flat_members(body: bytes) -> dict[str, object] | None:
    """The members of a flat object without escapes and fractions, in a third of the time; None for any other bytes.

    It never accepts what any_members refuses, nor reads it differently: a test compares the two. In such an object
    every quote belongs to a name or to a text, so the number of quotes shows a repeated name, which the parser drops.
    """
    if BACKSLASH in body:
        return None
    try:
        fields: dict[str, object] = _flat(body)  # type: ignore[assignment]  # dict is invariant, ours is read only
    except (ValueError, RecursionError):
        return None
    texts = list(map(type, fields.values())).count(str)
    return fields if body.count(QUOTE) == 2 * (len(fields) + texts) else None


def any_members(body: bytes) -> dict[str, object]:
    """As members, for every object there is."""
    value = parse(body)
    if not isinstance(value, dict):
        raise Refused(Reason.NOT_OBJECT)
    return value


def parse(body: bytes) -> object:
    """Any JSON value: int, Number, str, bool, None, list, dict. Raises Refused with the reason."""
    text = _utf8(body)
    if too_deep(body, MAX_DEPTH):
        raise Refused(Reason.DEPTH)
    try:
        value: object = _decoder.decode(text)
    except ValueError:
        raise Refused(Reason.JSON) from None
    if "\\u" in text:
        _refuse_surrogates(value)
    return value


def _utf8(body: bytes) -> str:
    if b"\0" in body[:2]:  # UTF-16 and UTF-32 without a byte order mark are valid UTF-8, but no JSON starts so
        raise Refused(Reason.UTF8)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(Reason.UTF8) from None


def too_deep(body: bytes, limit: int) -> bool:
    """Whether brackets outside of texts nest deeper than *limit*; needs no valid JSON and no recursion."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    depth = 0
    for char in _STRINGS.sub(b"", body):
        if char in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif char in b"]}":
            depth -= 1
    return False


def cut(array: bytes) -> list[bytes]:
    """The elements of an array as they are written, even where they are no JSON themselves.

    Raises Refused where brackets and quotes do not tell where elements end. Commas with nothing between them leave one
    element of no bytes in all, however many they are.
    """
    pieces, depth, start, end = [], 0, 1, len(array) - 1
    for token in _STRUCTURE.finditer(array):
        char = token.group()
        if char in (b"[", b"{"):
            depth += 1
        elif char in (b"]", b"}"):
            depth -= 1
            if depth == 0 and (char != b"]" or token.start() != end):
                break
        elif char == b"," and depth == 1:
            pieces.append(array[start : token.start()].strip(SPACE))
            start = token.end()
    else:
        if depth == 0:
            last = array[start:end].strip(SPACE)
            return _without_gaps([*pieces, last] if pieces or last else [])
    raise Refused(Reason.JSON)


def _without_gaps(pieces: list[bytes]) -> list[bytes]:
    return [piece for piece in pieces if piece] + [b""] * (b"" in pieces)


def canonical(value: object) -> str:
    """One spelling for all JSON texts that mean the same: sorted keys, no space, numbers by value."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value)


def _refuse_surrogates(value: object) -> None:
    """A lone surrogate can be neither stored nor printed."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise Refused(Reason.SURROGATE) from None
    elif isinstance(value, dict):
        for key, member in value.items():
            _refuse_surrogates(key)
            _refuse_surrogates(member)
    elif isinstance(value, list):
        for member in value:
            _refuse_surrogates(member)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refused(Reason.DUP_KEY)
    return members


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise Refused(Reason.NUMBER)
    return int(digits)


def _fraction(literal: str) -> Number:
    if not isfinite(float(literal)):
        raise Refused(Reason.NUMBER)
    exponent = literal.lower().partition("e")[2]
    if len(literal) > _MAX_DIGITS or len(exponent) > 4:  # exact arithmetic would build numbers of that many digits
        return Number(literal)
    value = Decimal(literal)
    whole = value.to_integral_value()
    return Number(int(whole) if value == whole else f"{value:f}".rstrip("0"))


def _constant(_: str) -> None:
    """NaN and Infinity are JavaScript, not JSON."""
    raise Refused(Reason.JSON)


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
