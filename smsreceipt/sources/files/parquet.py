"""Reads rows of Parquet files: archives of `prune`, and exports of receipts. The memory needed is that of some rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.extras import install_command
from smsreceipt.language import _

MAGIC = b"PAR1"  #: how a Parquet file begins
_ROWS = 500  # that are held in memory; a body has up to 1 MiB
_OF_RECEIPTS = ("seq", "kind", "identity", "biz_id", "body")  # what is read of a line of `list --json`

_encode = msgspec.json.encode
_read = msgspec.json.Decoder(msgspec.Raw).decode  # as it is written


class ParquetDamaged(SmsReceiptError):
    """A file is no whole Parquet file, or has not the columns that are asked for."""

    exit_code = 3


def rows(file: Path | BinaryIO, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of these columns, row by row.

    Raises UsageError where pyarrow is not installed, and ParquetDamaged.
    """
    for _share, batch in _batches(file, columns, str(file)):
        yield from batch


def lines(file: BinaryIO, named: str) -> Iterator[tuple[float, bytes]]:
    """Yield the receipts as lines of `list --json` with the keys that a replay needs, some at a time.

    Before each, the share of the file that has been read. Raises as rows().
    """
    seen = 0
    for total, batch in _batches(file, _OF_RECEIPTS, named):
        seen += len(batch)
        yield seen / total, b"".join(map(_line, batch))


def _line(row: tuple[Any, ...]) -> bytes:
    seq, kind, identity, biz_id, body = row
    head = _encode({"seq": seq, "kind": kind or "", "identity": identity or [], "biz_id": biz_id})
    return head[:-1] + b',"body":' + _on_one_line(body) + b"}\n"


def _on_one_line(body: object) -> bytes:
    """The body as JSON in a line; as a JSON string where it is no JSON, so that it becomes a reject."""
    raw = body.encode() if isinstance(body, str) else _encode(body)
    try:
        _read(raw)
        return msgspec.json.format(raw, indent=-1) if b"\n" in raw else raw
    except msgspec.DecodeError:
        return _encode(body)


def _batches(file: Path | BinaryIO, columns: Sequence[str], named: str) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    """Yield the number of all rows, and some of them."""
    if find_spec("pyarrow") is None:
        raise UsageError(
            _("Parquet files need pyarrow, which is not installed"),
            hint=_("Install it: {command}", command=install_command("parquet")),
        )
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            if missing := [name for name in columns if name not in opened.schema_arrow.names]:
                raise ParquetDamaged(
                    _("{named} has no column {name}", named=named, name=missing[0]),
                    hint=_("Archives of `prune` and exports of receipts have it."),
                )
            for batch in opened.iter_batches(_ROWS, columns=[*columns]):
                cells = [batch.column(name).to_pylist() for name in columns]
                yield opened.metadata.num_rows, [*zip(*cells, strict=True)]
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise ParquetDamaged(
            _("{named} is no whole Parquet file", named=named), hint=_("What was read before is kept.")
        ) from exc
