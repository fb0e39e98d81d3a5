"""Commands as robots."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from smsreceipt.notify.command import Command
from smsreceipt.notify.robots import NotTold
from tests.notify.test_robots import message


def test_a_command_gets_the_objects_on_its_standard_input(tmp_path: Path) -> None:
    Command.of(f"tee '{tmp_path / 'a b'}'", shell=False).send(message(2))
    assert [json.loads(line)["n"] for line in (tmp_path / "a b").read_text().splitlines()] == [0, 1]


def test_only_shell_has_a_shell(tmp_path: Path) -> None:
    marked = tmp_path / "marked"
    Command.of(f"cat ; touch {marked}", shell=True).send(message())  # noqa: S604 - not of subprocess
    assert marked.exists()
    marked.unlink()
    with pytest.raises(NotTold, match="cat ended with 1"):
        Command.of(f"cat ; touch {marked}", shell=False).send(message())
    assert not marked.exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/nowhere/canary --token canary", "canary cannot be started: No such file"),
        (f"{sys.executable} -c 'raise SystemExit(7)'", "ended with 7"),
        (f"{sys.executable} -c 'import os; os.kill(os.getpid(), 9)'", "ended with -9"),
    ],
)
def test_what_fails_is_told(text: str, told: str) -> None:
    with pytest.raises(NotTold, match=told) as refused:
        Command.of(text, shell=False).send(message())
    assert "--token" not in str(refused.value)


def test_a_command_that_does_not_read_is_no_failure() -> None:
    Command.of("true", shell=False).send(message(5000))


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    late = tmp_path / "late"
    began = time.monotonic()
    with pytest.raises(NotTold, match=r"sh did not end within 0.3 s"):
        Command(("/bin/sh", "-c", f"(sleep 2; touch {late}) & sleep 60"), limit=0.3).send(message())
    assert time.monotonic() - began < 2
    time.sleep(max(0.0, began + 2.3 - time.monotonic()))
    assert not late.exists()
