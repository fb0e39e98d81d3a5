"""Take the JSON objects out of a frame, byte for byte as they were sent."""

from __future__ import annotations

import msgspec

from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import BACKSLASH, MAX_DEPTH, SPACE, cut, parse, too_deep
from smsreceipt.model import Reason

MAX_BYTES = 1 << 20  #: what a push can hold: the transcript of a long call is larger than a queue message

_BOM = b"\xef\xbb\xbf"
OBJECT, OBJECT_END, _ARRAY = b"{", b"}", b"["
_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_bytes = msgspec.json.Decoder(bytes).decode


def unwrap(frame: bytes) -> bytes:
    """The JSON text in *frame*, without base64, byte order mark and space around it; else *frame* as it is.

    Never raises. Base64 counts only if it is valid as a whole: a lenient decoder drops the bytes it does not know.
    """
    if frame[:1] == OBJECT and frame[-1:] == OBJECT_END:
        return frame
    text = _trim(frame)
    if text[:1] in (OBJECT, _ARRAY):
        return text
    try:
        inner = unbase64(text)
    except ValueError:
        return text
    if inner[:1] == OBJECT and inner[-1:] == OBJECT_END:
        return inner
    inner = _trim(inner)
    return inner if inner[:1] in (OBJECT, _ARRAY) or not _is_json(text) else text


def elements(text: bytes) -> list[bytes] | Reason:
    """The objects of an unwrapped frame as they are written: one, or those of an array; or why there are none.

    An element need not be valid itself. One of no bytes stands for all commas with nothing between them.
    """
    head = text[:1]
    if head == OBJECT:
        return [text]
    if head != _ARRAY:
        return _no_object(text)
    try:
        return list(map(bytes, _raw(text)))
    except (ValueError, RecursionError):
        pass
    try:
        return cut(text)
    except Refused:
        return _no_array(text)


def no_receipt(body: bytes) -> Reason | None:
    """Why an element can hold no receipt, by its size and first byte alone: cheap, since there may be many."""
    if len(body) > MAX_BYTES:
        return Reason.SIZE
    head = body[:1]
    if head == OBJECT:
        return None
    if head == _ARRAY and too_deep(body, MAX_DEPTH):
        return Reason.DEPTH
    return Reason.NOT_OBJECT if body else Reason.JSON


def _trim(text: bytes) -> bytes:
    text = text.strip(SPACE)
    return text[3:].lstrip(SPACE) if text[:3] == _BOM else text


def unbase64(text: bytes) -> bytes:
    """The bytes of *text* in base64 as RFC 4648, section 4, defines it. Raises ValueError.

    The alphabet has no other characters, and the padding completes the last group of four: binascii's strict mode
    takes one "=" too many ("0000="), and needs twice the time.
    """
    if BACKSLASH in text:
        raise ValueError
    return _bytes(b'"%b"' % text)


def _is_json(text: bytes) -> bool:
    try:
        parse(text)
    except Refused:
        return False
    return True


def _no_object(text: bytes) -> Reason:
    if not text:
        return Reason.EMPTY
    try:
        parse(text)
    except Refused as refused:
        return Reason.BASE64 if refused.reason is Reason.JSON else refused.reason
    return Reason.NOT_OBJECT


def _no_array(text: bytes) -> Reason:
    if b"\0" in text[:2]:
        return Reason.UTF8
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return Reason.UTF8
    return Reason.DEPTH if too_deep(text, MAX_DEPTH + 1) else Reason.JSON
