"""Writes Parquet: typed columns, compressed, in row groups of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from smsreceipt.output.columns import Column, Type, View
from smsreceipt.output.files.formats import About

T = TypeVar("T")

_GROUP_ROWS = 50_000
_GROUP_BYTES = 64 << 20  # of one row group in memory
_CATEGORY = pa.dictionary(pa.int32(), pa.string())
_INSTANT = pa.timestamp("ms", tz="UTC")
_TYPES = {
    Type.TEXT: pa.string(),
    Type.CATEGORY: _CATEGORY,
    Type.INTEGER: pa.int64(),
    Type.REAL: pa.float64(),
    Type.BOOLEAN: pa.bool_(),
    Type.SECOND: _INSTANT,
    Type.MILLISECOND: _INSTANT,
    Type.LIST: pa.list_(pa.string()),
    Type.JSON: pa.string(),
}


class ParquetWriter(Generic[T]):
    """One Parquet file: zstd, instants in milliseconds UTC, a dictionary for texts of which there are few."""

    shortened = 0

    def __init__(self, view: View[T], stream: BinaryIO, about: About) -> None:
        self._columns, self._values = view.keyed, view.typed
        told = {f"smsreceipt.{name}": fact for name, fact in about.facts.items()}
        self._schema = pa.schema([(column.key, _TYPES[column.type]) for column in self._columns], metadata=told)
        few = [column.key for column in self._columns if column.type is Type.CATEGORY]
        self._file = pq.ParquetWriter(
            stream, self._schema, compression="zstd", use_dictionary=few, coerce_timestamps="ms"
        )
        self._held: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write(self, rows: Sequence[T]) -> None:
        """Convert these rows, and write a row group if there are enough of them."""
        values = zip(*map(self._values, rows), strict=True)
        arrays = [_array(column, cells) for column, cells in zip(self._columns, values, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._held.append(batch)
        self._rows += len(rows)
        self._bytes += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._write_group()
        self._file.close()

    def abandon(self) -> None:
        """Forget the rows that are not written."""
        self._held = []
        self._file.is_open = False  # else the footer is written when the object is deleted

    def _write_group(self) -> None:
        if self._held:
            table = pa.Table.from_batches(self._held, self._schema).unify_dictionaries()
            self._file.write_table(table, row_group_size=self._rows)
        self._held, self._rows, self._bytes = [], 0, 0


def _array(column: Column[Any], cells: Sequence[Any]) -> pa.Array:
    if column.type is Type.SECOND:
        cells = [None if at is None else at // 1000 * 1000 for at in cells]
    elif column.type is Type.JSON:
        cells = [None if text is None else bytes(text).decode() for text in cells]
    try:
        return pa.array(cells, _TYPES[column.type])
    except UnicodeEncodeError:  # half a character, which UTF-8 has no bytes for
        return pa.array([_whole(text) for text in cells], _TYPES[column.type])


def _whole(text: Any) -> Any:
    """The text with each half of a character as an escape."""
    if isinstance(text, str):
        return text.encode(errors="backslashreplace").decode()
    return None if text is None else [_whole(part) for part in text]
