"""Takes the JSON objects out of a list: an object a line, arrays, objects over several lines, lines of a log."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, NamedTuple

import msgspec

from smsreceipt.language import _
from smsreceipt.ledger.logs import NOT_JSON, decode
from smsreceipt.ledger.values import WRONG_ENCODING

LONGEST_VALUE = 16 << 20  #: characters of one object
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*"|["{}\[\]:,]')  # possessive: a string without an end costs one pass
_OPENING = {"}": "{", "]": "["}
_ARRAY = re.compile(r"\s*\[\s*(?=[{\]]|$)")
_EXPORT = re.compile(r'\{\s*"[^"]*"\s*:\s*\[\s*')
_TIME = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)?"
    r"|\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?",
    re.ASCII,
)
_PLACES = ("request", "response", "result")  # of the objects in a line of a log
_raw_decode = JSONDecoder(parse_float=str, parse_constant=str).raw_decode


class Found(NamedTuple):
    """An object of the list, or why there is none."""

    line: int  #: its first, counted from 1
    value: Any  #: None: no JSON
    reason: str = ""
    time: str = ""  #: what stands in its line of a log, before it
    in_log: bool = False  #: other text stands in its line


def in_log_line(line: str) -> tuple[dict[str, Any], str] | None:
    """The JSON object after the other text of a line, and the time in that text; None where there is no object.

    Two objects are a request and its answer.
    """
    begin = line.find("{")
    time = _TIME.search(line, 0, max(begin, 0))
    found: list[dict[str, Any]] = []
    for _step in range(20):
        if begin < 0 or len(found) == len(_PLACES):
            break
        end = begin + 1
        try:
            value, end = _raw_decode(line, begin)
        except (JSONDecodeError, RecursionError):
            value = None
        if isinstance(value, dict) and value:
            found.append(value)
        begin = line.find("{", end)
    if not found:
        return None
    whole = found[0] if len(found) == 1 else dict(zip(_PLACES, found, strict=False))
    return whole, time[0] if time else ""


class Objects:
    """The objects in the lines of a list. What is no JSON harms none of its neighbours."""

    def __init__(self, *, log: bool) -> None:
        """*log*: the lines are a log's, so that lines without an object are none of ours."""
        self._log = log
        self._clear()
        self._begin = 0  # the first line of the value
        self._start = 0  # where it, or its next piece, begins in the line
        self._first = True  # the value is the first of the list, so it may be what an export puts around its rows
        self._lost = False  # after something that was no JSON, the rest of it is left out

    def _clear(self) -> None:
        self._stack: list[str] = []
        self._pieces: list[str] = []
        self._size = 0
        self._before = ""  # the last token

    def read(self, lines: Iterator[str], first: int) -> Iterator[Found]:
        """The objects of *lines*, whose first is number *first*."""
        number, carried = first, ""
        for piece in lines:
            line = carried + piece
            cut = line[-1:] not in {"\n", "\r"}
            carried = yield from self._line(line, number, cut)
            if len(carried) > LONGEST_VALUE:
                self._size, carried = LONGEST_VALUE + 1, ""
            number += not cut
        if carried:
            yield from self._line(carried, number, cut=False)
        if self._stack:
            yield self._broken()

    def _line(self, line: str, number: int, cut: bool) -> Generator[Found, None, str]:
        """The objects that end in a line; returns the end of it that is to be read with the next piece."""
        if self._size > LONGEST_VALUE:  # the rest of the line belongs to it
            if not cut:
                yield self._broken()
            return ""
        if self._stack:
            return (yield from self._scan(line, 0, number, cut))
        text = line.strip().rstrip(",")
        if text.startswith("{"):
            try:
                yield Found(number, decode(text))
            except NOT_JSON:
                return (yield from self._scan(line, 0, number, cut))
            self._first = self._lost = False
            return ""
        if (array := _ARRAY.match(line)) and text:
            return (yield from self._scan(line, array.end(), number, cut))
        if text.startswith(("]", "}")) or not text:
            return (yield from self._scan(line, 0, number, cut)) if "{" in text else ""
        yield from self._other(line, text, number)
        return ""

    def _other(self, line: str, text: str, number: int) -> Iterator[Found]:
        """A line that begins with something else than an object."""
        if found := in_log_line(line):
            yield Found(number, found[0], time=found[1], in_log=True)
        elif not self._log and not self._lost:
            try:
                decode(text)
            except NOT_JSON:
                yield Found(number, None, _("not JSON"))
            else:
                yield Found(number, None, _("not a JSON object"))

    def _scan(self, line: str, begin: int, number: int, cut: bool) -> Generator[Found, None, str]:
        """Cut the objects of a line by their braces; returns the end of a piece that ends inside a string."""
        self._start = begin
        for token in _TOKEN.finditer(line, begin):
            mark = token[0][0]
            if token[0] == '"':  # a string that does not end
                if not cut:
                    break
                self._add(line[self._start : token.start()])
                return line[token.start() :]
            if mark == "{":
                yield from self._open(line, token.start(), number)
            elif mark == "[" and self._stack:
                if not self._may_begin():
                    break
                self._stack.append(mark)
            elif mark in "]}" and self._stack:
                if self._stack[-1] != _OPENING[mark]:
                    break
                self._stack.pop()
                if not self._stack:
                    yield self._value(line[self._start : token.end()])
            self._before = mark
        else:
            if self._stack:
                self._add(line[self._start :])
            return ""
        if self._stack:
            yield self._broken()
        return ""

    def _open(self, line: str, at: int, number: int) -> Iterator[Found]:
        """Take the brace that opens an object, and what it proves broken."""
        if not self._may_begin():
            yield self._broken()
        if not self._stack or self._is_export(line[self._start : at]):
            self._clear()
            self._begin, self._start = number, at
        self._stack.append("{")

    def _may_begin(self) -> bool:
        """Whether an object or an array may begin here, inside of another one."""
        if not self._stack:
            return True
        return self._before == ":" or (self._stack[-1] == "[" and self._before in {"[", ","})

    def _is_export(self, text: str) -> bool:
        """Whether all that came so far is what an export puts before its rows: {"RECORDS": [."""
        return self._first and self._stack == ["{", "["] and bool(_EXPORT.fullmatch("".join(self._pieces) + text))

    def _add(self, text: str) -> None:
        self._size += len(text)
        if self._size <= LONGEST_VALUE:
            self._pieces.append(text)

    def _value(self, text: str) -> Found:
        whole = "".join(self._pieces) + text
        self._clear()
        self._first = False
        try:
            value = decode(whole)
        except RecursionError:
            return Found(self._begin, None, _("nested too deeply"))
        except UnicodeError:
            return Found(self._begin, None, _(WRONG_ENCODING))
        except msgspec.DecodeError:
            return Found(self._begin, None, _("not JSON"))
        self._lost = False
        return Found(self._begin, value)

    def _broken(self) -> Found:
        long = self._size > LONGEST_VALUE
        self._clear()
        self._first, self._lost = False, True
        return Found(self._begin, None, _("longer than 16 MiB") if long else _("not JSON"))
