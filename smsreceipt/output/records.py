"""Records as bytes: JSON lines and CSV rows, without active characters."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

import msgspec

from smsreceipt.output.safe import ACTIVE, json_escape, safe

#: The bytes with which the UTF-8 of active characters begins; most Chinese text holds none of them.
_SUSPECT = bytes([*range(0x20), 0x7F, 0xC2, 0xCD, 0xD8, 0xE1, 0xE2, 0xE3, 0xED, 0xEF, 0xF3])
_SUSPICIOUS = re.compile(b"[" + re.escape(_SUSPECT.replace(b"\n", b"")) + b"]")  # in several lines
_BLANKS = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', re.DOTALL)
#: What a spreadsheet takes for a formula; the full-width forms are normalised by some of them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


def json_line(value: object) -> bytes:
    """Anything that JSON can say as one line, newline included, without active characters.

    A :class:`msgspec.Raw` inside stays as it is spelled; only if the line needs escapes, its blanks go.
    """
    line = _encode(value)
    # Nearly every line is harmless, and this is the cheapest way to know of most of them.
    if len(line.translate(None, _SUSPECT)) == len(line) or line.decode("utf-8", "replace").isprintable():
        return line + b"\n"
    return _harmless(compact(line)) + b"\n"


def json_lines(values: Sequence[object]) -> bytes:
    """A line for each. Many at once cost less, since nearly always all of them are harmless."""
    lines = _encode_lines(values)
    if not _SUSPICIOUS.search(lines) and lines.count(b"\n") == len(values):
        return lines
    return b"".join([json_line(value) for value in values])


def compact(text: bytes) -> bytes:
    """The JSON text without blanks between its tokens; every number and string spelled as before."""
    return _BLANKS.sub(lambda match: match[1] or b"", text)


def _harmless(line: bytes) -> bytes:
    """In valid JSON on one line, active characters can only stand in strings: there an escape means the same."""
    return ACTIVE.sub(json_escape, line.decode("utf-8", "surrogatepass")).encode()


def csv_lines(rows: Iterable[Iterable[object]], *, guard: bool = True) -> bytes:
    """CSV in UTF-8 with plain line ends. With *guard*, no field can start a formula in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_field(value, guard) for value in row] for row in rows)
    return text.getvalue().encode()


def _field(value: object, guard: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else _harmless(compact(_encode(value))).decode()
    escaped = safe(text)
    return f"'{escaped}" if guard and text.startswith(_FORMULA) else escaped
