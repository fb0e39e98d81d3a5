"""Reads one list of sends: detects its format and yields an entry for each send."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO, NamedTuple, cast

from smsreceipt.errors import UsageError
from smsreceipt.ledger.logs import Logs
from smsreceipt.ledger.names import columns
from smsreceipt.ledger.values import UNDECODABLE, WRONG_ENCODING, InvalidValue, RawSend, send_of
from smsreceipt.model import Send

_LONGEST_LINE = 1 << 20  # characters; a request with a thousand numbers takes a tenth of it
_DELIMITERS = ",;\t|"
_UNSUPPORTED = {
    b"PK": ("a spreadsheet or an archive", "Save the sheet as CSV (UTF-8), or unpack the archive."),
    b"BZ": ("compressed with bzip2", "Unpack it on the way: bzcat FILE | smsreceipt sends import -"),
    b"\xfd7": ("compressed with xz", "Unpack it on the way: xzcat FILE | smsreceipt sends import -"),
    b"\x28\xb5": ("compressed with zstd", "Unpack it on the way: zstdcat FILE | smsreceipt sends import -"),
}


class BadRow(NamedTuple):
    """A row that is no valid send, and why; the reason quotes nothing from it."""

    line: int  #: the first of the row, counted from 1
    reason: str


class Declined(NamedTuple):
    """A number in a request that the provider did not accept, so nothing was sent to it."""

    line: int


Entry = Send | BadRow | Declined


@dataclass(frozen=True, slots=True)
class Form:
    """What the reader of a list cannot detect by itself."""

    names: Mapping[str, str] = field(default_factory=dict)  #: field -> the name of its column
    day: int | None = None  #: Beijing day of the rows without a time
    encoding: str = "utf-8"


def entries(stream: BinaryIO, form: Form = Form()) -> Iterator[Entry]:
    """Yield the entries of *stream* while reading it: CSV with a header, or JSON lines, plain or gzipped.

    Raises UsageError for a list that cannot be read at all.
    """
    lines = _lines(_decompressed(stream), form.encoding)
    number, first = next(((n, line) for n, line in enumerate(lines, 1) if line.strip()), (0, ""))
    if not first:
        return
    _refuse_encoding(first)
    begin = first.lstrip()[0]
    if begin == "[":
        raise UsageError(
            "the list is one JSON array, not an object a line", hint="Take it apart: jq -c '.[]' FILE | … import -"
        )
    rest = chain([first], lines)
    if begin == "{":
        yield from _from_logs(rest, number, form)
    else:
        yield from _from_rows(rest, number, form)


def _decompressed(stream: BinaryIO) -> BinaryIO:
    """The stream, decompressed where it is gzipped. Raises UsageError for other formats."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    magic = buffered.peek(2)[:2]
    if magic in _UNSUPPORTED:
        what, hint = _UNSUPPORTED[magic]
        raise UsageError(f"the list is {what}", hint=hint)
    if magic == b"\x1f\x8b":
        return cast("BinaryIO", gzip.GzipFile(fileobj=buffered))
    return buffered


def _lines(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """The lines as text, cut at 1 MiB. Bytes that are invalid in the encoding become characters of UNDECODABLE."""
    utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}
    try:
        text = io.TextIOWrapper(
            stream,
            encoding="utf-8-sig" if utf8 else encoding,
            errors="surrogateescape" if utf8 else "replace",
            newline="",
        )
    except LookupError:
        raise UsageError(f"no encoding is called {encoding!r}", hint="For example gb18030 or utf-16.") from None
    try:
        while line := text.readline(_LONGEST_LINE):
            yield line
    except UnicodeError as exc:
        raise UsageError(
            f"the list is not in {encoding}, or not to its end",
            hint="Of UTF-16 without a mark: utf-16-le or utf-16-be.",
        ) from exc
    except (EOFError, gzip.BadGzipFile, OSError) as exc:
        if isinstance(exc, OSError) and not isinstance(exc, gzip.BadGzipFile):
            raise UsageError(f"the list cannot be read: {exc.strerror}") from exc
        raise UsageError(
            "the list ends in the middle, or is damaged",
            hint="What was read so far is in the ledger; importing the whole file later changes nothing of it.",
        ) from exc
    finally:
        with contextlib.suppress(ValueError):  # the caller has closed it
            text.detach()


class _Rows:
    """The rows of a CSV, each with its first line; None for a row with invalid quoting.

    A quote that is never closed makes one row of all that follows; those lines are then parsed one by one.
    """

    def __init__(self, lines: Iterator[str], first: int, delimiter: str) -> None:
        self._taken: list[str] = []
        self._line = first
        self._delimiter = delimiter
        self._reader = csv.reader(self._take(lines), delimiter=delimiter, strict=True)

    def _take(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self._taken.append(line)
            yield line

    def __iter__(self) -> Iterator[tuple[int, list[str] | None]]:
        while True:
            self._taken.clear()
            try:
                row = next(self._reader, None)
            except csv.Error:
                yield from self._line_by_line()
            else:
                if row is None:
                    return
                yield self._line, row
            self._line += len(self._taken)

    def _line_by_line(self) -> Iterator[tuple[int, list[str] | None]]:
        for number, line in enumerate(self._taken, self._line):
            try:
                yield number, next(csv.reader([line], delimiter=self._delimiter, strict=True), [])
            except csv.Error:
                yield number, None


def _from_rows(lines: Iterator[str], first: int, form: Form) -> Iterator[Entry]:
    header = next(lines)
    if re.fullmatch(r"sep=.\s*", header, re.IGNORECASE):  # some spreadsheets write this before the header
        header, first = next(lines, ""), first + 1
    rows = iter(_Rows(chain([header], lines), first, max(_DELIMITERS, key=header.count)))
    _, names = next(rows, (first, None))
    extract, width = _extractor(names or [], form)
    day = form.day
    for line, row in rows:
        if row is None:
            yield BadRow(line, "a quoted field that does not end where a field ends")
        elif len(row) >= width:
            raw = extract(row)
            if "," in raw.phone or raw.code:
                yield from _entries_of(raw, line, form)
            else:
                yield _entry(raw, line, day)
        elif any(row):
            yield BadRow(line, "fewer columns than the header has")


def _refuse_encoding(first: str) -> None:
    if "\0" in first:
        raise UsageError("the list is not UTF-8, but likely UTF-16", hint="Say --encoding utf-16.")
    if UNDECODABLE.search(first):
        raise UsageError(
            "the list is not in the encoding that was named (UTF-8 unless told)",
            hint="Lists from Chinese spreadsheets often are in GBK: say --encoding gb18030.",
        )


def _extractor(names: list[str], form: Form) -> tuple[Callable[[list[str]], RawSend], int]:
    """A function from a row to its fields, by the columns' names, and the number of columns that it needs.

    Raises UsageError when a required column is missing.
    """
    found = columns(names, form.names)
    for wanted, name in form.names.items():
        if wanted not in found:
            raise UsageError(f"the list has no column {name!r}, which is to be {wanted}", hint=_columns(names))
    lacking = [name for name in ("phone", "biz_id") if name not in found]
    if "sent_at" not in found and form.day is None:
        lacking.append("sent_at")
    if lacking:
        mapping = ",".join(f"{name}=COLUMN" for name in lacking)
        days = ", or --date DAY if all were sent on one" if "sent_at" in lacking else ""
        raise UsageError(
            f"the first line names no column for {', '.join(lacking)}",
            hint=f"Say which: --map {mapping}{days}. {_columns(names)}",
        )
    places = [found.get(name, -1) for name in RawSend._fields]

    def extract(row: list[str]) -> RawSend:
        row.append("")  # the value of a column that is absent
        return RawSend._make([row[place].strip() for place in places])

    return extract, 1 + max(places)


def _columns(names: list[str]) -> str:
    """The names in a header, without those that look like data, because a list may have no header."""
    likely = [name.strip() for name in names if name.strip() and not re.search(r"\d{4}", name) and len(name) < 40]
    return f"Its columns: {', '.join(likely[:20])}" if likely else "It needs a first line with the columns' names."


def _from_logs(lines: Iterator[str], first: int, form: Form) -> Iterator[Entry]:
    logs = Logs(form.names)
    cut = False
    for number, line in enumerate(lines, first):
        if cut or not line.strip():
            cut = cut and not line.endswith("\n")
            continue
        cut = len(line) == _LONGEST_LINE and not line.endswith("\n")
        try:
            found = logs.read(line)
        except UnicodeError:
            yield BadRow(number, WRONG_ENCODING)
        except InvalidValue as exc:
            yield BadRow(number, "longer than 1 MiB" if cut else str(exc))
        else:
            for raw in found:
                if raw.code:
                    yield from _entries_of(raw, number, form)
                else:
                    yield _entry(raw, number, form.day)


def _entries_of(raw: RawSend, line: int, form: Form) -> Iterator[Entry]:
    """The entries of a row, one for each number in it."""
    phones = [each for each in raw.phone.split(",") if each.strip()] or [""]
    if raw.code and raw.code.upper() != "OK" and not raw.code.isdigit():
        for _ in phones:
            yield Declined(line)
        return
    for phone in phones:
        yield _entry(raw._replace(phone=phone), line, form.day)


def _entry(raw: RawSend, line: int, day: int | None) -> Send | BadRow:
    try:
        return send_of(raw, day)
    except InvalidValue as exc:
        return BadRow(line, str(exc))
