"""What the bodies of calls and replies tell beside their receipts. Fields that cannot be read count as absent."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.times import instant
from smsreceipt.model import Instant
from smsreceipt.model.facts import UNKNOWN, CallFacts, ReplyFacts

VERSION = "1"  #: of what is read here; raise it with every change that reads a body differently
_SIDES = {"0": "platform", "1": "caller", "2": "callee"}
_WORD = 16  #: characters of the longest text that is compared with words
_AROUND = "。.!！回复"  #: what senders of a word add to it
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def call_facts(body: bytes) -> CallFacts:
    """What a SecretReport tells."""
    fields = _fields(body)
    start, end, ring = _at(fields, "start_time"), _at(fields, "release_time"), _at(fields, "ring_time")
    connected = start is not None and end is not None and end > start
    if ring == _at(fields, "call_out_time"):
        ring = None
    answered = start if connected else end
    return CallFacts(
        _text(fields, "pool_key") or _text(fields, "partner_key"),
        _text(fields, "call_type"),
        _SIDES.get(_text(fields, "release_dir"), UNKNOWN),
        _seconds(start, end) if connected else None,
        _seconds(ring, answered),
        bool(_text(fields, "record_url")),
    )


def reply_facts(body: bytes) -> ReplyFacts:
    """What an SmsUp tells."""
    fields = _fields(body)
    return ReplyFacts(word_of(_text(fields, "content")), _text(fields, "sign_name"))


def word_of(text: str) -> str:
    """A text in the form in which words are compared: NFKC, upper case, without what stands around a word.

    "" for a longer text.
    """
    word = unicodedata.normalize("NFKC", text[: 4 * _WORD]).upper()
    word = "".join(char for char in word if char not in _AROUND).strip()
    return word if len(word) <= _WORD else ""


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        return _decode(body)
    except (msgspec.DecodeError, ValueError):
        return {}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if type(value) is str:
        return value.strip()
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _at(fields: Mapping[str, Any], name: str) -> Instant | None:
    try:
        return instant(text) if (text := _text(fields, name)) else None
    except Refused:
        return None


def _seconds(begin: Instant | None, end: Instant | None) -> int | None:
    return None if begin is None or end is None or end < begin else (end - begin) // 1000
