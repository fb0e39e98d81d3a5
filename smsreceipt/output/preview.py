"""Previews of rejects: the first bytes, or only their structure."""

from __future__ import annotations

import re

from smsreceipt.output.mask import mask_numbers
from smsreceipt.output.safe import safe

_PREVIEWED = 2000  #: characters
_PIECES = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.){0,64}"\s*:)|(?P<string>"(?:[^"\\]|\\.)*(?:"|\Z))|(?P<mark>[][{},:]+)'
    r"|(?P<word>true|false|null)|(?P<number>-?\d+(?:\.\d+)?)|(?P<blank>\s+)|(?P<other>[^][{},:\"\s]+)",
    re.DOTALL,
)


def preview(body: bytes) -> str:
    """The first 2,000 characters, active characters and bytes that are not UTF-8 as escapes."""
    cut = body[: _PREVIEWED * 4].decode("utf-8", "backslashreplace")[:_PREVIEWED]
    return safe(cut) + ("…" if len(body) > len(cut.encode("utf-8", "replace")) else "")


def outline(body: bytes) -> str:
    """The structure of the first bytes without their content.

    Names of fields, punctuation, numbers below 5 digits and true, false, null stay; a text is replaced by its length.
    """
    text = body[: _PREVIEWED * 4].decode("utf-8", "backslashreplace")
    shown = "".join(_outlined(match) for match in _PIECES.finditer(text))
    return safe(shown[:_PREVIEWED]) + ("…" if len(shown) > _PREVIEWED or len(body) > _PREVIEWED * 4 else "")


def _outlined(match: re.Match[str]) -> str:
    piece = match[0]
    match match.lastgroup:
        case "name":
            return mask_numbers(piece) if piece.isascii() else f'"<{len(piece) - 3} characters>":'
        case "string":
            end = '"' if len(piece) > 1 and piece.endswith('"') else ""
            return f'"<{len(piece) - 1 - len(end)} characters>{end}' if len(piece) > 2 else piece
        case "number":
            return piece if len(piece) < 5 else f"<{len(piece)} digits>"
        case "blank":
            return " "
        case "other":
            return f"<{len(piece)} characters>"
        case _:
            return piece
