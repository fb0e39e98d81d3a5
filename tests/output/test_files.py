"""Writers of files: what no store holds, but a writer may be given, costs no export."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook

from smsreceipt.model import Instant, StoredReceipt
from smsreceipt.output.files.formats import About
from smsreceipt.output.files.lines import CsvWriter, NdjsonWriter
from smsreceipt.output.files.parquet import ParquetWriter
from smsreceipt.output.files.xlsx import XlsxWriter
from smsreceipt.output.objects.receipts import RECEIPTS
from tests.output.test_records import receipt

ABOUT = About("receipts", {"filter": "=1"})
Made = Callable[[StoredReceipt], bytes]


def written(make: Callable[[io.BytesIO], Any]) -> Made:
    """What a writer makes of one receipt."""

    def made(row: StoredReceipt) -> bytes:
        stream = io.BytesIO()
        writer = make(stream)
        writer.write([row])
        writer.close()
        return stream.getvalue()

    return made


@pytest.fixture
def xlsx(tmp_path: Path) -> Made:
    return written(lambda stream: XlsxWriter(RECEIPTS, stream, ABOUT, str(tmp_path)))


parquet = written(lambda stream: ParquetWriter(RECEIPTS, stream, ABOUT))
csv = written(lambda stream: CsvWriter(RECEIPTS, stream.write, excel=True))
ndjson = written(lambda stream: NdjsonWriter(RECEIPTS, stream.write))


def of_parquet(data: bytes, key: str) -> Any:
    return pq.read_table(io.BytesIO(data)).column(key).to_pylist()[0]


def of_xlsx(data: bytes, key: str) -> Any:
    heads, values = load_workbook(io.BytesIO(data))["receipts"].iter_rows(values_only=True)
    return dict(zip(heads, values, strict=True))[key]


def test_half_a_character_is_an_escape(xlsx: Made) -> None:
    row = receipt(out_id="a\ud800")
    assert of_parquet(parquet(row), "out_id") == "a\\ud800"
    assert of_xlsx(xlsx(row), "out_id") == "a\\ud800"
    assert b"a\\ud800" in csv(row)


@pytest.mark.parametrize("at", [-62_135_596_800_000, -2_300_000_000_000, 253_402_271_999_000])
def test_a_time_that_excel_has_no_day_for_is_a_text(xlsx: Made, at: int) -> None:
    row = receipt(sent_at=Instant(at))
    found = of_xlsx(xlsx(row), "sent_at")
    assert str(found).replace(" ", "T")[:19] == json.loads(ndjson(row))["sent_at"][:19]


def test_a_row_without_values_has_empty_cells(xlsx: Made) -> None:
    row = receipt(outcome=None, sent_at=None, seq=None, phone="")
    for key in ("outcome", "sent_at", "seq", "phone", "parts"):
        assert of_parquet(parquet(row), key) is None
        assert of_xlsx(xlsx(row), key) is None
