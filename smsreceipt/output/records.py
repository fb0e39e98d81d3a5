"""JSON lines and CSV rows as bytes, without active characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from smsreceipt.output.safe import ACTIVE, json_escape, safe

#: The bytes that the UTF-8 of active characters starts with; most Chinese text has none of them.
_SUSPECT = bytes([*range(0x20), 0x7F, 0xC2, 0xCD, 0xD8, 0xE1, 0xE2, 0xE3, 0xED, 0xEF, 0xF3])
_SUSPICIOUS = re.compile(b"[" + re.escape(_SUSPECT.replace(b"\n", b"")) + b"]")  # in several lines
_BLANKS = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', re.DOTALL)
#: Spreadsheets take a field that starts with one of these for a formula; some normalise the full-width forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LONG_DIGITS = re.compile(r"0[0-9]+|[0-9]{12,}")  #: numbers in which each digit counts; Excel keeps 15

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


def json_line(value: object) -> bytes:
    """The value as one line of JSON with its newline, without active characters.

    A :class:`msgspec.Raw` inside is not changed, except that a line with escapes loses its blanks between tokens.
    """
    line = _encode(value)
    # Few lines have active characters, and this is the cheapest test.
    if len(line.translate(None, _SUSPECT)) == len(line) or line.decode("utf-8", "replace").isprintable():
        return line + b"\n"
    return _escaped(_compact(line)) + b"\n"


def json_lines(values: Sequence[object]) -> bytes:
    """One line of JSON for each value; cheaper than one call of json_line per value."""
    lines = _encode_lines(values)
    if not _SUSPICIOUS.search(lines) and lines.count(b"\n") == len(values):
        return lines
    return b"".join([json_line(value) for value in values])


def _compact(text: bytes) -> bytes:
    """The JSON text without blanks between its tokens; numbers and strings are not changed."""
    return _BLANKS.sub(lambda match: match[1] or b"", text)


def _escaped(line: bytes) -> bytes:
    """Valid JSON on one line has active characters only in strings, where an escape means the same."""
    return ACTIVE.sub(json_escape, line.decode("utf-8", "surrogatepass")).encode()


def csv_lines(rows: Iterable[Iterable[object]], *, guard: bool = True, excel: bool = False) -> bytes:
    """CSV in UTF-8 with LF line ends.

    *guard*: no field is a formula for a spreadsheet. *excel*: digits that Excel would round, or strip of zeros, are
    written as a formula whose value is their text.
    """
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_field(value, guard, excel) for value in row] for row in rows)
    return text.getvalue().encode()


def _field(value: object, guard: bool, excel: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else _escaped(_compact(_encode(value))).decode()
    if excel and _LONG_DIGITS.fullmatch(text):
        return f'="{text}"'
    escaped = safe(text)
    return f"'{escaped}" if guard and text.startswith(_FORMULA) else escaped
