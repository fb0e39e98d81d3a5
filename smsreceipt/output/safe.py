"""Escapes active characters in text from outside: control codes, bidirectional overrides, hidden characters."""

from __future__ import annotations

import re

#: Characters that act on a terminal, hide, or reorder what is read: C0, DEL, C1, separators, bidirectional controls,
#: zero-width and filler characters, lone surrogates, tags.
ACTIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def safe(text: str) -> str:
    """The text with every active character as a visible escape, fit for a terminal, a log line or a table."""
    return text if text.isprintable() else ACTIVE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def json_escape(match: re.Match[str]) -> str:
    """One active character as JSON escapes it."""
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
