"""Reads a list of phone numbers: one a line, or the column of a table, or what sends import reads."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO

from smsreceipt.language import _
from smsreceipt.ledger.cells import InvalidValue, cell, whole_number
from smsreceipt.ledger.entries import BadRow
from smsreceipt.ledger.logs import NOT_JSON, Logs, decode, items
from smsreceipt.ledger.names import columns
from smsreceipt.ledger.rows import delimiter_of, says_nothing
from smsreceipt.ledger.sheets import sheets
from smsreceipt.ledger.text import is_sheet, lines, unpacked
from smsreceipt.ledger.values import number_of
from smsreceipt.model import visible

_HEADING_WITHIN = 20  # rows

_Row = tuple[int, Sequence[str]]


def numbers(stream: BinaryIO) -> Iterator[str | BadRow]:
    """Yield the phone numbers of *stream* in their normal form, and a BadRow for each row that has none.

    Empty lines, lines that begin with #, and a heading are no rows. Raises UsageError for a list that cannot be read.
    """
    opened = unpacked(stream)
    if is_sheet(opened):
        for _sheet, rows in sheets(opened):
            yield from _numbers((line, row) for line, row in rows if row and any(row))
    else:
        yield from _numbers(_rows(lines(opened, None)))


def _rows(text: Iterator[str]) -> Iterator[_Row]:
    """The rows of a text; an object or an array of JSON is a row of its numbers."""
    logs = Logs({})
    for number, line in enumerate(text, 1):
        line = visible(line)  # noqa: PLW2901
        if not line.strip("[] ,") or line.startswith("#"):
            continue
        try:
            if line.startswith("{"):
                value = decode(line.rstrip(","))
                yield number, [phone for row in logs.rows(value) for phone in items(row.found.get("phone", ""))]
            elif line.startswith("["):
                yield number, items(line)
            else:
                yield number, next(csv.reader([line.rstrip(",")], delimiter=delimiter_of(line)), [])
        except (InvalidValue, csv.Error, *NOT_JSON):
            yield number, [line]


def _numbers(rows: Iterator[_Row]) -> Iterator[str | BadRow]:
    ahead = list(islice(rows, _HEADING_WITHIN))
    place = None
    for index, (_line, names) in enumerate(ahead):
        if (place := columns(names, {}).get("phone")) is not None:
            ahead = ahead[index + 1 :]
            break
    for line, row in chain(ahead, rows):
        cells = row if place is None else row[place : place + 1]
        try:
            found = [number for text in cells if text.strip() for number in _of_cell(text)]
        except InvalidValue as exc:
            if not says_nothing(row):
                yield BadRow(line, str(exc))
        else:
            yield from found
            if not found:
                yield BadRow(line, _("no phone number"))


def _of_cell(text: str) -> list[str]:
    """The numbers of a cell, which may be separated by blanks. Raises InvalidValue."""
    found = items(whole_number(cell(text)))
    try:
        return [number_of(each) for each in found]
    except InvalidValue:
        words = text.split()
        if len(words) < 2:
            raise
        return [number_of(word) for word in words]
