"""What every command prints stays the same, byte for byte: JSON, CSV, tables, messages, exit codes.

`expected/` holds the recorded output. After an intended change, record it again and review the diff:

    python -m tests.contract.record tests/contract/expected
"""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.contract.record import record

EXPECTED = Path(__file__).with_name("expected")
_SHOWN = 40  # lines of a step's diff


@pytest.mark.slow
def test_every_command_prints_what_it_printed(tmp_path: Path) -> None:
    record(tmp_path)  # in one test, so that no test runner does it twice
    before, now = recorded(EXPECTED), recorded(tmp_path)
    changed = [f"{step}: not recorded" for step in before.keys() - now.keys()]
    changed += [f"{step}: new" for step in now.keys() - before.keys()]
    changed += [difference(step, before[step], now[step]) for step in before.keys() & now.keys()]
    if report := "\n\n".join(sorted(filter(None, changed))):
        pytest.fail(report, pytrace=False)


def recorded(folder: Path) -> dict[str, bytes]:
    """What each step printed: SCENARIO/STEP and the content of its file."""
    return {str(file.relative_to(folder).with_suffix("")): file.read_bytes() for file in folder.rglob("*.txt")}


def difference(step: str, before: bytes, now: bytes) -> str:
    """A diff of what a step printed, cut to a readable length; "" if nothing differs."""
    if now == before:
        return ""
    lines = list(unified_diff(readable(before), readable(now), f"{step} (expected)", f"{step} (now)", n=2, lineterm=""))
    more = [f"… and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    return "\n".join([*lines[:_SHOWN], *more]) or f"{step}: bytes that are no text differ"


def readable(text: bytes) -> list[str]:
    """The lines of the text, JSON objects with one key a line, so that a diff shows the keys that differ."""
    lines = text.decode("utf-8", "backslashreplace").split("\n")
    return [part for line in lines for part in (re.split(r'(?<=,)(?=")', line) if line.startswith("{") else [line])]
