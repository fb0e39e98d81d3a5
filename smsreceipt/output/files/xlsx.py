"""Writes .xlsx: ids as text, real times, a frozen heading with filters, as many sheets as needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format as CellFormat
from xlsxwriter.worksheet import Worksheet

from smsreceipt.model import DAY_MS, Instant, iso_beijing
from smsreceipt.output.columns import Column, Type, View
from smsreceipt.output.files.formats import About
from smsreceipt.output.records import cell_text

T = TypeVar("T")

MOST_ROWS = 1_048_575  #: of a sheet, beside its heading
LONGEST = 32_767  #: of a cell, in UTF-16 units
_OPTIONS = {
    "constant_memory": True,
    "strings_to_numbers": False,
    "strings_to_formulas": False,
    "strings_to_urls": False,
}
_BEIJING_MS = 8 * 3_600_000
_UNIX_DAY = 25_569  # 1970-01-01, as Excel counts days
_FIRST_DAY, _LAST_DAY = 61, 2_958_466  # Excel has a day too many in February 1900, and ends with the year 9999
_WIDTHS = {Type.SECOND: 19, Type.MILLISECOND: 23, Type.INTEGER: 9, Type.BOOLEAN: 7, Type.JSON: 60}


class _Sheet(Worksheet):  # type: ignore[misc]  # the package has no types
    """A sheet in which every text is a text."""

    def _xml_rich_inline_string(self, string: str, attributes: Any) -> None:
        """Write a text between <r> and </r> as the text it is; else it would be taken for markup."""
        self._xml_inline_string(string, True, attributes)


class XlsxWriter(Generic[T]):
    """One workbook: a sheet with the rows, one about the export, and further sheets for further rows."""

    def __init__(self, view: View[T], stream: BinaryIO, about: About, folder: str, most_rows: int = MOST_ROWS) -> None:
        """*folder* is empty, and gets the sheets until close() packs them. *most_rows* go on one sheet."""
        self.shortened = 0
        self._view, self._about, self._most = view, about, most_rows
        self._book = Workbook(stream, {**_OPTIONS, "tmpdir": folder})
        self._book.use_zip64()
        self._bold = self._book.add_format({"bold": True})
        self._seconds = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._milliseconds = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._row = 0  # the last one that was written, after the heading
        self._sheets = 0
        self._sheet = self._new_sheet()
        self._told = self._book.add_worksheet("about", worksheet_class=_Sheet)

    def write(self, rows: Sequence[T]) -> None:
        """Write a row for each."""
        typed = self._view.typed
        for row in rows:
            if self._row == self._most:
                self._end_sheet()
                self._sheet = self._new_sheet()
            self._row += 1
            for number, value in enumerate(typed(row)):
                if value is not None:
                    self._put[number](self._row, number, value)

    def close(self) -> None:
        """Tell about the export, and pack the sheets into the file."""
        self._end_sheet()
        self._tell()
        try:
            self._book.close()
        except FileCreateError as exc:
            cause = exc.args[0]
            raise cause from None

    def abandon(self) -> None:
        """Close the files of the sheets."""
        for sheet in self._book.worksheets():
            with contextlib.suppress(OSError):  # what is buffered may not fit on the disk
                sheet._opt_close()
        self._book.fileclosed = True

    def _new_sheet(self) -> Worksheet:
        self._sheets += 1
        self._row = 0
        name = self._about.subject if self._sheets == 1 else f"{self._about.subject} {self._sheets}"
        sheet = self._book.add_worksheet(name, worksheet_class=_Sheet)
        sheet.freeze_panes(1, 0)
        for number, column in enumerate(self._view.keyed):
            sheet.set_column(number, number, max(_WIDTHS.get(column.type, 14), len(column.key) + 4))
            sheet.write_string(0, number, column.key, self._bold)
        self._put = [self._cell(sheet, column) for column in self._view.keyed]
        return sheet

    def _end_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._row, len(self._view.keyed) - 1)

    def _cell(self, sheet: Worksheet, column: Column[T]) -> Callable[[int, int, Any], object]:
        """What writes a value of a column into its cell."""
        plain: dict[Type, Callable[[int, int, Any], object]] = {
            Type.INTEGER: sheet.write_number,
            Type.REAL: sheet.write_number,
            Type.BOOLEAN: sheet.write_boolean,
        }
        if column.type in plain:
            return plain[column.type]
        if column.type is Type.SECOND:
            return self._time(sheet, self._seconds, 1000)
        if column.type is Type.MILLISECOND:
            return self._time(sheet, self._milliseconds, 1)
        return lambda row, number, value: self._text(sheet, row, number, _text_of(value))

    def _text(self, sheet: Worksheet, row: int, number: int, text: str) -> None:
        # The writer cuts what is too long, and returns -2.
        if sheet.write_string(row, number, text) == -2:
            self.shortened += 1

    @staticmethod
    def _time(sheet: Worksheet, style: CellFormat, unit: int) -> Callable[[int, int, int], object]:
        """What writes an instant as Beijing time, in whole units of so many milliseconds."""

        def put(row: int, number: int, at: int) -> None:
            day = (at // unit * unit + _BEIJING_MS) / DAY_MS + _UNIX_DAY
            if _FIRST_DAY <= day < _LAST_DAY:
                sheet.write_number(row, number, day, style)
            else:
                sheet.write_string(row, number, iso_beijing(Instant(at)))

        return put

    def _tell(self) -> None:
        """Fill the sheet about the export."""
        self._told.set_column(0, 0, 18)
        self._told.set_column(1, 2, 60)
        facts = [(name, cell_text(fact)) for name, fact in self._about.facts.items()]
        columns = [(column.key, *column.meaning) for column in self._view.keyed]
        for row, (name, *texts) in enumerate([*facts, ("", ""), *columns]):
            self._told.write_string(row, 0, name, self._bold)
            for number, text in enumerate(texts, 1):
                self._told.write_string(row, number, text)


def _text_of(value: Any) -> str:
    if isinstance(value, bytes):
        return cell_text(msgspec.Raw(value))
    return cell_text(list(value) if isinstance(value, tuple) else value)
