"""How many billed parts a message had, by its receipt's body: what the provider's statistics count."""

from __future__ import annotations

import msgspec

from smsreceipt.model import billed_parts


class _Body(msgspec.Struct):
    """The fields that tell it: those of three dialects, and the text that an answer of QuerySendDetails quotes."""

    sms_size: str | int | None = None
    SmsSize: str | int | None = None
    SmsQuantity: str | int | None = None
    Content: str | None = None


_read = msgspec.json.Decoder(_Body).decode


def parts_of(body: bytes) -> int:
    """The billed parts; 0 where the body does not tell."""
    try:
        found = _read(body)
    except (msgspec.DecodeError, ValueError):
        return 0
    for said in (found.sms_size, found.SmsSize, found.SmsQuantity):
        text = str(said or "")
        if text.isascii() and text.isdigit():
            return min(int(text[:6]), 1_000)
    return billed_parts(len(found.Content)) if found.Content else 0
