"""JSON lines and CSV rows as bytes, without active characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec

from smsreceipt.output.safe import ACTIVE, json_escape, safe

#: The bytes that the UTF-8 of active characters starts with; most Chinese text has none of them.
_SUSPECT = bytes([*range(0x20), 0x7F, 0xC2, 0xCD, 0xD8, 0xE1, 0xE2, 0xE3, 0xED, 0xEF, 0xF3])
_SUSPICIOUS = re.compile(b"[" + re.escape(_SUSPECT.replace(b"\n", b"")) + b"]")  # in several lines
#: Spreadsheets take a field that starts with one of these for a formula; some normalise the full-width forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Texts that Excel takes for a number, a date or a time: it rounds long ids, drops leading zeros, and makes another
#: value of 1e5 and 3-4. A whole date (2026-11-20) keeps its meaning.
_NUMBER_LIKE = re.compile(r"(?!\d{4}-\d\d-\d\d\Z)\d[\d .,/:%eE+-]*", re.ASCII)

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


def json_line(value: object) -> bytes:
    """The value as one line of JSON with its newline, without active characters.

    A :class:`msgspec.Raw` inside is not changed, except that a line with escapes loses its blanks between tokens.
    """
    try:
        line = _encode(value)
    except UnicodeEncodeError:  # the name of a file, or a variable, that is no UTF-8
        line = _encode(_readable(msgspec.to_builtins(value)))
    # Few lines have active characters, and this is the cheapest test.
    if len(line.translate(None, _SUSPECT)) == len(line) or line.decode("utf-8", "replace").isprintable():
        return line + b"\n"
    return _escaped(_compact(line)) + b"\n"


def json_lines(values: Sequence[object]) -> bytes:
    """One line of JSON for each value; cheaper than one call of json_line per value."""
    with suppress(UnicodeEncodeError):  # json_line writes such texts too
        lines = _encode_lines(values)
        if not _SUSPICIOUS.search(lines) and lines.count(b"\n") == len(values):
            return lines
    return b"".join([json_line(value) for value in values])


def _readable(value: object) -> object:
    """The same with escapes in place of what is no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_readable(key): _readable(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(member) for member in value]
    return value


def _compact(text: bytes) -> bytes:
    """The JSON text without blanks between its tokens; numbers and strings are not changed."""
    return msgspec.json.format(text, indent=-1)


def _escaped(line: bytes) -> bytes:
    """Valid JSON on one line has active characters only in strings, where an escape means the same."""
    text = line.decode("utf-8", "surrogatepass")
    return line if text.isprintable() else ACTIVE.sub(json_escape, text).encode()


def csv_lines(rows: Iterable[Iterable[object]], *, guard: bool = True, excel: bool = False) -> bytes:
    """CSV in UTF-8 with LF line ends.

    *guard*: no field is a formula for a spreadsheet. *excel*: with CRLF line ends; a text that Excel would take for a
    number or a date starts with a tab, in quotes, and so stays a text.
    """
    end = "\r\n" if excel else "\n"
    lines = [",".join([_quoted(_field(value, guard, excel), excel) for value in row]) or '""' for row in rows]
    return "".join([line + end for line in lines]).encode()


def _quoted(field: str, always: bool) -> str:
    """The field as the csv module writes it, which takes five times as long for a body."""
    if '"' in field:
        return '"' + field.replace('"', '""') + '"'
    return f'"{field}"' if always or "," in field or "\n" in field or "\r" in field else field


def cell_text(value: object) -> str:
    """The text of a value in a cell of CSV, without active characters; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return safe(value) if isinstance(value, str) else _escaped(_compact(_encode(value))).decode()


def _field(value: object, guard: bool, excel: bool) -> str:
    text = cell_text(value)
    if not isinstance(value, str):
        return text
    if excel and _NUMBER_LIKE.fullmatch(value):
        return f"\t{text}"
    return f"'{text}" if guard and value.startswith(_FORMULA) else text
