"""How many billed parts an SMS had, by its receipt's body. The provider's statistics count these."""

from __future__ import annotations

import msgspec

from smsreceipt.model import billed_parts


class _Body(msgspec.Struct):
    """The fields that hold the number, of three dialects, and the text in a row of QuerySendDetails."""

    sms_size: str | int | None = None
    SmsSize: str | int | None = None
    SmsQuantity: str | int | None = None
    Content: str | None = None


_read = msgspec.json.Decoder(_Body).decode


def parts_of(body: bytes) -> int:
    """The billed parts; 0 where the body holds neither a number nor the text."""
    try:
        found = _read(body)
    except (msgspec.DecodeError, ValueError):
        return 0
    for size in (found.sms_size, found.SmsSize, found.SmsQuantity):
        text = str(size or "")
        if text.isascii() and text.isdigit():
            return min(int(text[:6]), 1_000)
    return billed_parts(len(found.Content)) if found.Content else 0
