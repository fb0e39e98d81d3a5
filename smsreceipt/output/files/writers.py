"""Chooses the writer of a format. A package that one needs is imported only if it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from smsreceipt.output.columns import View
from smsreceipt.output.files.formats import About, Format, Writer
from smsreceipt.output.files.parts import Part

T = TypeVar("T")


def line_writer_of(
    wanted: Format, view: View[T], put: Callable[[bytes], object], *, excel: bool = False, chinese: bool = False
) -> Writer[T]:
    """The writer of a format that streams; *put* takes the bytes. *excel*: CSV as Excel wants it, *chinese* titles."""
    from smsreceipt.output.files.lines import CsvWriter, NdjsonWriter

    return CsvWriter(view, put, excel=excel, chinese=chinese) if wanted is Format.CSV else NdjsonWriter(view, put)


def writer_of(
    wanted: Format, view: View[T], part: Part, about: About, *, excel: bool = False, chinese: bool = False
) -> Writer[T]:
    """The writer of a format into this part of a file; *excel* and *chinese* as for line_writer_of()."""
    if wanted is Format.XLSX:
        from smsreceipt.output.files.xlsx import XlsxWriter

        return XlsxWriter(view, part.stream, about, part.temporary_folder())
    if wanted is Format.PARQUET:
        from smsreceipt.output.files.parquet import ParquetWriter

        return ParquetWriter(view, part.stream, about)
    return line_writer_of(wanted, view, part.stream.write, excel=excel, chinese=chinese)
