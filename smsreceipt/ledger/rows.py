"""The rows of a table: finds the heading, then takes the fields out of each row."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple

from smsreceipt.errors import UsageError
from smsreceipt.language import N_, _, listed
from smsreceipt.ledger.names import columns
from smsreceipt.ledger.refusals import is_status
from smsreceipt.ledger.values import UNDECODABLE, RawSend

_OPTIONAL = ("out_id", "template_code", "sign_name")  #: fields that figures and searches need
_DELIMITERS = ",;\t|"
_HEADING_WITHIN = 20  # lines; reports have a title above the heading
_LONGEST_FIELD = 1 << 24
_SEPARATOR_LINE = re.compile(r"sep=.\s*", re.IGNORECASE)
_BORDER = re.compile(r"[-+=|:\s]*")
_TOTAL = re.compile(
    r"(?:合计|总计|小计|共计|总数|汇总|(?:grand |sub)?total|sum)\b.*|共 ?\d+ ?[条行].*"
    r"|\(?\d[\d,]* rows?( selected| in set.*)?\.?\)?",
    re.IGNORECASE,
)

csv.field_size_limit(_LONGEST_FIELD)

TableRow = tuple[int, "list[str] | None"]  #: the number of its first line, and its cells; None: invalid quoting


class Wanted(NamedTuple):
    """What the heading of a table is to have."""

    fields: tuple[str, ...]
    names: Mapping[str, str]  #: field -> the name of its column


class Table(NamedTuple):
    """A table whose heading is found."""

    names: list[str]
    places: dict[str, int]  #: field -> the index of its column
    rows: Iterator[TableRow]


def csv_table(lines: Iterator[str], first: int, wanted: Wanted) -> Table:
    """The table in the lines of a CSV, the first of which is number *first*. Raises UsageError."""
    ahead: list[str] = []

    def from_line(start: int) -> Iterator[str]:
        """The lines from one on; those not read yet are kept for the next attempt."""
        yield from ahead[start:]
        for line in lines:
            ahead.append(line)
            yield line

    best: tuple[int, list[str], dict[str, int]] = (-1, [], {})
    for start in range(_HEADING_WITHIN):
        line = next(from_line(start), None)
        if line is None:
            break
        if not line.strip() or _SEPARATOR_LINE.fullmatch(line):
            continue
        names, used = _cells(islice(from_line(start), _HEADING_WITHIN), delimiter_of(line))
        places = columns(names, wanted.names)
        if all(field in places for field in wanted.fields):
            rest = _Rows(chain(ahead[start + used :], lines), first + start + used, delimiter_of(line))
            return Table(names, places, iter(rest))
        if len(places) > len(best[2]) or not best[1]:
            best = (start, names, places)
    raise _no_heading(best[1], best[2], wanted, any(map(UNDECODABLE.search, ahead[:1])))


def delimiter_of(line: str) -> str:
    """The delimiter of a CSV that has this line."""
    return max(_DELIMITERS, key=line.count)


def _cells(lines: Iterable[str], delimiter: str) -> tuple[list[str], int]:
    """The cells of the first row, which may have several lines, and how many those are."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        return next(reader, []), reader.line_num
    except csv.Error:
        return [], 1


def sheet_table(rows: Iterator[TableRow], wanted: Wanted) -> Table:
    """The table in the rows of a sheet. Raises UsageError."""
    best: tuple[list[str], dict[str, int]] = ([], {})
    for _line, names in islice(rows, _HEADING_WITHIN):
        if not names or not any(names):
            continue
        places = columns(names, wanted.names)
        if all(field in places for field in wanted.fields):
            return Table(names, places, rows)
        if len(places) > len(best[1]) or not best[0]:
            best = (names, places)
    raise _no_heading(*best, wanted, False)


def _no_heading(names: Sequence[str], places: Mapping[str, int], wanted: Wanted, undecodable: bool) -> UsageError:
    if undecodable:
        return UsageError(
            _("the list is not in the encoding that was named (UTF-8 unless told)"),
            hint=_("Lists from Chinese spreadsheets often are in GBK: say --encoding gb18030."),
        )
    for field, name in wanted.names.items():
        if field not in places:
            return UsageError(
                _("the list has no column {name!r}, which is to be {field}", name=name, field=field),
                hint=_columns(names),
            )
    lacking = [field for field in wanted.fields if field not in places]
    mapping = ",".join(_("{field}=COLUMN", field=field) for field in lacking)
    if "sent_at" in lacking:
        choice = N_("Say which: --map {mapping}, or --date DAY if all were sent on one. {columns}")
    else:
        choice = N_("Say which: --map {mapping}. {columns}")
    return UsageError(
        _("the first line names no column for {fields}", fields=", ".join(lacking)),
        hint=_(choice, mapping=mapping, columns=_columns(names)),
    )


def _columns(names: Sequence[str]) -> str:
    if likely := _likely(names):
        return _("Its columns: {columns}", columns=", ".join(likely[:20]))
    return _("It needs a first line with the columns' names.")


def _likely(names: Iterable[str]) -> list[str]:
    """The names in a header, without those that look like data, because a list may have no header."""
    return [name.strip() for name in names if name.strip() and not re.search(r"\d{4}", name) and len(name) < 40]


def left_out(table: Table) -> str:
    """What the table may have, though no column of a known name: a message for people, or nothing."""
    lacking = [field for field in _OPTIONAL if field not in table.places]
    used = set(table.places.values())
    unused = _likely(name for index, name in enumerate(table.names) if index not in used and not is_status(name))
    if not lacking or not unused:
        return ""
    return _(
        "no column is known for {fields}; not used: {columns}. If one of them is it: --map {mapping}",
        fields=listed(lacking),
        columns=listed(unused[:20]),
        mapping=_("{field}=COLUMN", field=lacking[0]),
    )


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

    def __iter__(self) -> Iterator[TableRow]:
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

    def _line_by_line(self) -> Iterator[TableRow]:
        for number, line in enumerate(self._taken, self._line):
            try:
                yield number, next(csv.reader([line], delimiter=self._delimiter, strict=True), [])
            except csv.Error:
                yield number, None


def extractor(places: Mapping[str, int]) -> Callable[[list[str]], RawSend]:
    """A function from the cells of a row, with one empty cell after them, to its fields."""
    cells_of = itemgetter(*[places.get(name, -1) for name in RawSend._fields])
    new: Callable[[Iterable[str]], RawSend] = partial(tuple.__new__, RawSend)  # _make() would count the fields again
    return lambda row: new(map(str.strip, cells_of(row)))


def says_nothing(row: Sequence[str]) -> bool:
    """Whether a row is no row of data: empty, the border of a table, or a total below it."""
    texts = [text.strip() for text in row if text.strip()]
    return not texts or _BORDER.fullmatch("".join(texts)) is not None or _TOTAL.fullmatch(texts[0]) is not None
