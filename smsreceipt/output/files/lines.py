"""Writes JSON lines and CSV, the same bytes as --json and -o csv print."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

from smsreceipt.output.columns import View
from smsreceipt.output.records import csv_lines, json_lines

T = TypeVar("T")


class NdjsonWriter(Generic[T]):
    """A JSON object a line."""

    shortened = 0

    def __init__(self, view: View[T], put: Callable[[bytes], object]) -> None:
        self._record, self._put = view.record, put

    def write(self, rows: Sequence[T]) -> None:
        """Write a line for each row."""
        self._put(json_lines([self._record(row) for row in rows]))

    def close(self) -> None:
        """There is no rest to write."""

    def abandon(self) -> None:
        """There is nothing to release."""


class CsvWriter(Generic[T]):
    """A line with the keys, then a line for each row; no cell is a formula."""

    shortened = 0

    def __init__(self, view: View[T], put: Callable[[bytes], object], *, excel: bool, chinese: bool = False) -> None:
        """*excel*: with a byte order mark, CRLF, and texts that Excel does not take for numbers.

        *chinese*: for Excel, the titles are Chinese.
        """
        self._record, self._put, self._excel = view.record, put, excel
        self._values = _values_of(view.keys)
        titles = view.titles(chinese=excel and chinese)
        put((BOM_UTF8 if excel else b"") + csv_lines([titles], guard=False, excel=excel))

    def write(self, rows: Sequence[T]) -> None:
        """Write a line for each row."""
        self._put(csv_lines([self._values(self._record(row)) for row in rows], excel=self._excel))

    def close(self) -> None:
        """There is no rest to write."""

    def abandon(self) -> None:
        """There is nothing to release."""


def _values_of(keys: Sequence[str]) -> Callable[[Any], Sequence[object]]:
    """The function that makes the values of a record, in the order of the keys."""
    if len(keys) > 1:
        return attrgetter(*keys)
    return lambda record: [getattr(record, keys[0])]
