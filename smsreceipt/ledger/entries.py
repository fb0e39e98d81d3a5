"""One list of sends, row by row: which form it has, and what each row says."""

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
from smsreceipt.ledger.values import NOT_TEXT, TORN, Refused, Said, send_of
from smsreceipt.model import Send

_LONGEST_LINE = 1 << 20  # characters; a thousand numbers with their values take a tenth of it
_DELIMITERS = ",;\t|"
_UNFIT = {
    b"PK": ("a spreadsheet or an archive", "Save the sheet as CSV (UTF-8), or unpack the archive."),
    b"BZ": ("compressed with bzip2", "Unpack it on the way: bzcat FILE | smsreceipt sends import -"),
    b"\xfd7": ("compressed with xz", "Unpack it on the way: xzcat FILE | smsreceipt sends import -"),
    b"\x28\xb5": ("compressed with zstd", "Unpack it on the way: zstdcat FILE | smsreceipt sends import -"),
}


class Bad(NamedTuple):
    """A row that tells of no send, and why; the reason quotes nothing of it."""

    line: int  #: that it begins on, from 1
    reason: str


class Declined(NamedTuple):
    """A request that the provider did not accept: nothing was sent to this number."""

    line: int


Entry = Send | Bad | Declined


@dataclass(frozen=True, slots=True)
class Form:
    """How a list is to be read, beyond what it tells itself."""

    names: Mapping[str, str] = field(default_factory=dict)  #: field -> the name it goes by in this list
    day: int | None = None  #: Beijing day of the rows that tell no time
    encoding: str = "utf-8"


def entries(stream: BinaryIO, form: Form = Form()) -> Iterator[Entry]:
    """Yield what each row of *stream* says, while it is read: CSV with a header, or JSON lines; plain or gzipped.

    Raises UsageError for a list that cannot be read at all.
    """
    lines = _lines(_unpacked(stream), form.encoding)
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


def _unpacked(stream: BinaryIO) -> BinaryIO:
    """The stream itself, or what is compressed in it."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    magic = buffered.peek(2)[:2]
    if magic in _UNFIT:
        what, hint = _UNFIT[magic]
        raise UsageError(f"the list is {what}", hint=hint)
    if magic == b"\x1f\x8b":
        return cast("BinaryIO", gzip.GzipFile(fileobj=buffered))
    return buffered


def _lines(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """The lines as text. Bytes that the encoding lacks become marks that no field may hold; no line is endless."""
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
        with contextlib.suppress(ValueError):  # closed by its owner
            text.detach()


# --- CSV --------------------------------------------------------------------------------------------------------------


class _Rows:
    """The rows of a CSV, each with the line it begins on; None for one that breaks the rules of quoting.

    A quote that is never closed swallows what follows: those lines are then read again, each for itself.
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
                yield from self._apart()
            else:
                if row is None:
                    return
                yield self._line, row
            self._line += len(self._taken)

    def _apart(self) -> Iterator[tuple[int, list[str] | None]]:
        for number, line in enumerate(self._taken, self._line):
            try:
                yield number, next(csv.reader([line], delimiter=self._delimiter, strict=True), [])
            except csv.Error:
                yield number, None


def _from_rows(lines: Iterator[str], first: int, form: Form) -> Iterator[Entry]:
    header = next(lines)
    if re.fullmatch(r"sep=.\s*", header, re.IGNORECASE):  # what some spreadsheets write before the header
        header, first = next(lines, ""), first + 1
    rows = iter(_Rows(chain([header], lines), first, max(_DELIMITERS, key=header.count)))
    _, names = next(rows, (first, None))
    pick, width = _picker(names or [], form)
    day = form.day
    for line, row in rows:
        if row is None:
            yield Bad(line, "a quoted field that does not end where a field ends")
        elif len(row) >= width:
            said = pick(row)
            if "," in said.phone or said.code:
                yield from _entries_of(said, line, form)
            else:
                yield _entry(said, line, day)
        elif any(row):
            yield Bad(line, "fewer columns than the header has")


def _refuse_encoding(first: str) -> None:
    if "\0" in first:
        raise UsageError("the list is not UTF-8, but likely UTF-16", hint="Say --encoding utf-16.")
    if TORN.search(first):
        raise UsageError(
            "the list is not in the encoding that was named (UTF-8 unless told)",
            hint="Lists from Chinese spreadsheets often are in GBK: say --encoding gb18030.",
        )


def _picker(names: list[str], form: Form) -> tuple[Callable[[list[str]], Said], int]:
    """From a row to what it says, by the columns' names, and how many columns that takes.

    Raises UsageError when the names do not tell enough.
    """
    found = columns(names, form.names)
    for wanted, name in form.names.items():
        if wanted not in found:
            raise UsageError(f"the list has no column {name!r}, which is to be {wanted}", hint=_columns(names))
    lacking = [name for name in ("phone", "biz_id") if name not in found]
    if "sent_at" not in found and form.day is None:
        lacking.append("sent_at")
    if lacking:
        told = ",".join(f"{name}=COLUMN" for name in lacking)
        days = ", or --date DAY if all were sent on one" if "sent_at" in lacking else ""
        raise UsageError(
            f"the first line names no column for {', '.join(lacking)}",
            hint=f"Say which: --map {told}{days}. {_columns(names)}",
        )
    places = [found.get(name, -1) for name in Said._fields]

    def pick(row: list[str]) -> Said:
        row.append("")  # what a column that is not there says
        return Said._make([row[place].strip() for place in places])

    return pick, 1 + max(places)


def _columns(names: list[str]) -> str:
    """The names that a header has, but for what looks like data: a list may have no header."""
    likely = [name.strip() for name in names if name.strip() and not re.search(r"\d{4}", name) and len(name) < 40]
    return f"Its columns: {', '.join(likely[:20])}" if likely else "It needs a first line with the columns' names."


# --- JSON lines -------------------------------------------------------------------------------------------------------


def _from_logs(lines: Iterator[str], first: int, form: Form) -> Iterator[Entry]:
    logs = Logs(form.names)
    cut = False
    for number, line in enumerate(lines, first):
        if cut or not line.strip():
            cut = cut and not line.endswith("\n")
            continue
        cut = len(line) == _LONGEST_LINE and not line.endswith("\n")
        try:
            said = logs.read(line)
        except UnicodeError:
            yield Bad(number, NOT_TEXT)
        except Refused as refused:
            yield Bad(number, "longer than 1 MiB" if cut else str(refused))
        else:
            for each in said:
                if each.code:
                    yield from _entries_of(each, number, form)
                else:
                    yield _entry(each, number, form.day)


def _entries_of(said: Said, line: int, form: Form) -> Iterator[Entry]:
    """A row names one number, or several that were sent to together."""
    phones = [each for each in said.phone.split(",") if each.strip()] or [""]
    if said.code and said.code.upper() != "OK" and not said.code.isdigit():
        for _ in phones:
            yield Declined(line)
        return
    for phone in phones:
        yield _entry(said._replace(phone=phone), line, form.day)


def _entry(said: Said, line: int, day: int | None) -> Send | Bad:
    try:
        return send_of(said, day)
    except Refused as refused:
        return Bad(line, str(refused))
