"""What every command prints stays byte for byte what it was: JSON, CSV, tables, messages, exit codes.

`expected/` holds what the steps of the story printed. After a change that is meant, record them anew and read the diff:

    python -m tests.contract.record tests/contract/expected
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from difflib import unified_diff
from pathlib import Path

import msgspec
import pytest

from tests.contract.record import record

pytestmark = pytest.mark.xdist_group("contract")
EXPECTED = Path(__file__).with_name("expected")
STEPS = sorted(str(file.relative_to(EXPECTED).with_suffix("")) for file in EXPECTED.rglob("*.txt"))
#: Keys of a receipt that may be there though they are not in `expected/`.
ADDED = frozenset({"parts", "talk_seconds"})
_SHOWN = 80  # lines of a difference

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the steps of the story print now."""
    folder = tmp_path_factory.mktemp("contract")
    record(folder)
    return folder


def test_the_story_has_the_steps_that_were_recorded(printed: Path) -> None:
    assert sorted(str(file.relative_to(printed).with_suffix("")) for file in printed.rglob("*.txt")) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_step_prints_what_it_printed(step: str, printed: Path) -> None:
    before, now = ((folder / f"{step}.txt").read_bytes() for folder in (EXPECTED, printed))
    now = without(ADDED - receipt_keys(before), now)
    if now != before:
        changed = list(unified_diff(readable(before), readable(now), "before", "now", n=2, lineterm=""))
        more = [f"… and {len(changed) - _SHOWN} more lines"] if len(changed) > _SHOWN else []
        pytest.fail("\n".join([*changed[:_SHOWN], *more]), pytrace=False)


def test_only_the_added_keys_of_receipts_are_left_out() -> None:
    before = (
        b'{"seq":1,"kind":"SmsReport","test":false,"body":{"parts": 2, "x":"\\u00e4"}}\n'
        b'{"phone":"13800000001","parts":2}\n[stdout]\nseq,kind,body\n1,SmsReport,"{""parts"":2}"\n[exit 0]\nseq,a\n'
    )
    now = before.replace(b'"test":false,', b'"test":false,"parts":2,"talk_seconds":null,')
    now = now.replace(b"kind,body", b"kind,parts,body").replace(b"1,SmsReport,", b"1,SmsReport,2,")
    assert now != before
    assert without(ADDED, now) == before
    assert receipt_keys(now) >= ADDED
    assert not receipt_keys(before) & ADDED


def receipt_keys(text: bytes) -> set[str]:
    """Every key that a receipt has in what was printed."""
    return {key for line in text.split(b"\n") if line.startswith(b'{"seq":') for key in _fields(line)} | {
        name for line in text.split(b"\n") if line.startswith(b"seq,kind,") for name in _cells(line)
    }


def without(keys: AbstractSet[str], text: bytes) -> bytes:
    """What was printed, without these keys of the receipts in it; every other byte stays."""
    return b"\n".join(_lines_without(keys, text.split(b"\n")))


def _lines_without(keys: AbstractSet[str], lines: Sequence[bytes]) -> Iterator[bytes]:
    columns: set[int] = set()  # of the CSV whose rows are being read
    for line in lines:
        if line.startswith((b"[stderr]", b"[exit")):
            columns = set()
        elif line.startswith(b"seq,kind,"):
            columns = {index for index, name in enumerate(_cells(line)) if name in keys}
        if columns:
            yield _row_without(columns, line)
        else:
            yield _object_without(keys, line) if line.startswith(b'{"seq":') else line


def _object_without(keys: AbstractSet[str], line: bytes) -> bytes:
    fields = _fields(line)
    if _object(fields) != line:  # not spelled as the program spells objects: that is a difference itself
        return line
    return _object({key: value for key, value in fields.items() if key not in keys})


def _object(fields: dict[str, msgspec.Raw]) -> bytes:
    return b"{%s}" % b",".join(b'"%s":%s' % (key.encode(), bytes(value)) for key, value in fields.items())


def _row_without(columns: AbstractSet[int], line: bytes) -> bytes:
    cells = _cells(line)
    if _row(cells) != line:
        return line
    return _row([cell for index, cell in enumerate(cells) if index not in columns])


def _cells(line: bytes) -> list[str]:
    return next(csv.reader([line.decode()]), [])


def _row(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()


def readable(text: bytes) -> list[str]:
    """The lines, those of JSON objects with a key a line: so a difference shows the keys that differ."""
    lines = text.decode("utf-8", "backslashreplace").split("\n")
    return [part for line in lines for part in (re.split(r'(?<=,)(?=")', line) if line.startswith("{") else [line])]
