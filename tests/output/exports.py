"""Exported files as other programs read them, brought back to the objects of --json."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from smsreceipt.model import BEIJING, Instant, iso_beijing, iso_utc

Objects = list[dict[str, Any]]

_LISTS = ("identity", "unread")
_NUMBERS = ("seq", "times_seen", "parts", "talk_seconds")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_csv(text: str) -> Objects:
    """The objects of a CSV; a cell that was guarded keeps its guard."""
    return [{key: _of_text(key, cell) for key, cell in row.items()} for row in csv.DictReader(io.StringIO(text))]


def _of_text(key: str, cell: str) -> Any:
    if cell == "":
        return None
    if key in (*_LISTS, *_NUMBERS, "body", "test"):
        return json.loads(cell)
    return cell


def from_parquet_by_pandas(path: Path) -> Objects:
    """The objects of a Parquet file, read by pandas."""
    frame = pd.read_parquet(path)
    columns = {key: frame[key].tolist() for key in frame.columns}
    return _typed(dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))


def from_parquet_by_duckdb(path: Path | str) -> Objects:
    """The objects of Parquet files, read by DuckDB."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        found = db.execute("SELECT * FROM read_parquet(?)", [str(path)])
        keys = [column[0] for column in found.description]
        return _typed(dict(zip(keys, row, strict=True)) for row in found.fetchall())


def from_xlsx(path: Path) -> Objects:
    """The objects of the sheets with rows, read by openpyxl."""
    book = load_workbook(path)
    found: Objects = []
    for sheet in book.worksheets:
        if sheet.title != "about":
            heads, *rows = ([cell.value for cell in row] for row in sheet.iter_rows())
            found += [_of_cells(dict(zip(heads, row, strict=True))) for row in rows]
    book.close()
    return found


def _of_cells(row: dict[Any, Any]) -> dict[str, Any]:
    made = {}
    for key, cell in row.items():
        value = cell
        if isinstance(cell, datetime):
            value = _time(key, cell.replace(tzinfo=BEIJING))
        elif isinstance(cell, str):
            text = unescape(cell)  # as Excel does
            value = json.loads(text) if key in (*_LISTS, "body") else text
        made[key] = value
    return made


def _typed(rows: Iterable[dict[str, Any]]) -> Objects:
    return [{key: _of_typed(key, value) for key, value in row.items()} for row in rows]


def _of_typed(key: str, value: Any) -> Any:
    if key in _LISTS:
        return list(value)
    if value is None or value != value or value is pd.NaT:
        return None
    if isinstance(value, datetime):
        return _time(key, value)
    if key == "body":
        return json.loads(value)
    return int(value) if isinstance(value, float) else value


def _time(key: str, value: datetime) -> str:
    at = Instant(round((value - _EPOCH).total_seconds() * 1000))
    return iso_utc(at) if key == "received_at" else iso_beijing(at)
