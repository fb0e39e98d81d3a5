"""Reads the sheets of an .xlsx file, a row at a time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, BinaryIO

from smsreceipt.errors import UsageError
from smsreceipt.extras import install_command
from smsreceipt.language import _
from smsreceipt.ledger.rows import TableRow

_LARGEST = 4 << 30  # bytes, unpacked
_ERRORS = (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError, SyntaxError, OSError)


def sheets(stream: BinaryIO) -> Iterator[tuple[str, Iterator[TableRow]]]:
    """The sheets with their names and rows. Raises UsageError if the file is no .xlsx, or openpyxl is not installed."""
    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    try:
        with zipfile.ZipFile(stream) as archive:
            known = {each.filename: each.file_size for each in archive.infolist()}
    except _ERRORS as exc:
        raise UsageError(
            _("the list is a spreadsheet or an archive that is damaged"), hint=_("Save it again.")
        ) from exc
    if "xl/workbook.xml" not in known:
        raise UsageError(
            _("the list is a spreadsheet or an archive that cannot be read"),
            hint=_("Save the sheet as .xlsx or CSV (UTF-8), or unpack the archive."),
        )
    if sum(known.values()) > _LARGEST:
        raise UsageError(_("the spreadsheet is too large"), hint=_("Save the sheet as CSV (UTF-8)."))
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise UsageError(
            _("the list is a spreadsheet, and openpyxl is not installed"),
            hint=_("Install it: {command}. Or save the sheet as CSV (UTF-8).", command=install_command("xlsx")),
        ) from None
    stream.seek(0)
    try:
        book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        found = book.worksheets
        for sheet in found:
            sheet.reset_dimensions()  # some programs write a wrong one
    except _ERRORS as exc:
        raise _damaged() from exc
    if not found:
        raise _damaged()
    for sheet in found:
        yield sheet.title, _rows(sheet)


def _damaged() -> UsageError:
    return UsageError(_("the spreadsheet is damaged"), hint=_("Save the sheet as CSV (UTF-8)."))


def _rows(sheet: Any) -> Iterator[TableRow]:
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    while True:
        try:
            number, values = next(rows, (0, ()))
        except _ERRORS as exc:
            raise _damaged() from exc
        if not number:
            return
        yield number, [_cell(value) for value in values]


def _cell(value: object) -> str:
    if value is None or isinstance(value, time):
        return "" if value is None else value.isoformat()
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
