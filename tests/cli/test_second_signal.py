"""A second signal ends a run at once, and with it the command of the user that the run waits for."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.listening import until
from tests.cli.program import Program, report


@pytest.fixture
def endless(tmp_path: Path) -> tuple[str, Callable[[], list[str]]]:
    """A command that ignores signals and starts another one, as an address; and which of both run."""
    group, script = tmp_path / "group", tmp_path / "endless"
    script.write_text(
        f"#!/bin/sh\ntrap '' HUP INT TERM\nsleep 600 &\necho $$ > {shlex.quote(str(group))}\nwait\nsleep 600\n"
    )
    script.chmod(0o700)

    def left() -> list[str]:
        """The processes in the group of the command; none before it has started."""
        pid = group.read_text().strip() if group.exists() else "-"
        stats = [each.joinpath("stat") for each in Path("/proc").glob("[0-9]*")]
        found = []
        for stat in stats:
            with suppress(OSError):  # a process that ended meanwhile
                state, _parent, group_of = stat.read_text().rpartition(")")[2].split()[:3]
                found += [stat.parent.name] if group_of == pid and state != "Z" else []
        return found

    return f"exec:{script}", left


@pytest.mark.parametrize("words", [("forward", "--from", "0", "--timeout", "300s", "--to"), ("watch", "--notify")])
def test_it_takes_the_command_with_it(
    program: Program, endless: tuple[str, Callable[[], list[str]]], words: tuple[str, ...]
) -> None:
    to, left = endless
    program.keep("SmsReport", report())
    program.keep("SmsUp", b"{")
    command = [sys.executable, "-m", "smsreceipt", "--store", program.location, *words, to]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until(lambda: len(left()) > 1)
        began = time.monotonic()
        while running.poll() is None:  # two that come together are one
            assert time.monotonic() - began < 5
            running.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        assert running.returncode == 143
        until(lambda: left() == [], 5)


def test_it_ends_the_run_also_where_the_command_is_of_another_user(
    program: Program, endless: tuple[str, Callable[[], list[str]]]
) -> None:
    """As with sudo: the system does not let the program kill it."""
    to, left = endless
    program.keep("SmsReport", report())
    refused = (
        "import os, sys\n"
        "def refuse(group, signum): raise PermissionError(1, 'Operation not permitted')\n"
        "os.killpg = refuse\n"
        "from smsreceipt.cli.main import main\n"
        "main()\n"
    )
    words = ["--store", program.location, "forward", "--from", "0", "--timeout", "300s", "--to", to]
    command = [sys.executable, "-c", refused, *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until(lambda: len(left()) > 1)
        try:
            began = time.monotonic()
            while running.poll() is None:
                assert time.monotonic() - began < 5
                running.send_signal(signal.SIGTERM)
                time.sleep(0.1)
            assert running.returncode == 143
        finally:
            running.kill()
            for pid in left():
                os.kill(int(pid), signal.SIGKILL)
