"""What every command prints stays the same, byte for byte: JSON, CSV, tables, messages, exit codes.

`expected/` holds the recorded output. After an intended change, record it again and review the diff:

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

EXPECTED = Path(__file__).with_name("expected")
#: Keys of a receipt that are accepted although the recorded output lacks them.
ADDED = frozenset({"parts", "talk_seconds"})
_SHOWN = 40  # lines of a step's diff

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@pytest.mark.slow
def test_every_command_prints_what_it_printed(tmp_path: Path) -> None:
    record(tmp_path)  # in one test, so that no test runner does it twice
    before, now = recorded(EXPECTED), recorded(tmp_path)
    changed = [f"{step}: not recorded" for step in before.keys() - now.keys()]
    changed += [f"{step}: new" for step in now.keys() - before.keys()]
    changed += [difference(step, before[step], now[step]) for step in before.keys() & now.keys()]
    if report := "\n\n".join(sorted(filter(None, changed))):
        pytest.fail(report, pytrace=False)


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


def recorded(folder: Path) -> dict[str, bytes]:
    """What each step printed: SCENARIO/STEP and the content of its file."""
    return {str(file.relative_to(folder).with_suffix("")): file.read_bytes() for file in folder.rglob("*.txt")}


def difference(step: str, before: bytes, now: bytes) -> str:
    """A diff of what a step printed, cut to a readable length; "" if only the added keys differ."""
    now = without(ADDED - receipt_keys(before), now)
    if now == before:
        return ""
    lines = list(unified_diff(readable(before), readable(now), f"{step} (expected)", f"{step} (now)", n=2, lineterm=""))
    more = [f"… and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    return "\n".join([*lines[:_SHOWN], *more]) or f"{step}: bytes that are no text differ"


def receipt_keys(text: bytes) -> set[str]:
    """The keys of all receipt objects and the columns of all receipt rows."""
    return {key for line in text.split(b"\n") if line.startswith(b'{"seq":') for key in _fields(line)} | {
        name for line in text.split(b"\n") if line.startswith(b"seq,kind,") for name in _cells(line)
    }


def without(keys: AbstractSet[str], text: bytes) -> bytes:
    """The text without these keys of receipts; every other byte stays."""
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
    if _object(fields) != line:  # not in the compact form: the comparison shall show it
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
    """The lines of the text, JSON objects with one key a line, so that a diff shows the keys that differ."""
    lines = text.decode("utf-8", "backslashreplace").split("\n")
    return [part for line in lines for part in (re.split(r'(?<=,)(?=")', line) if line.startswith("{") else [line])]
