"""A signal that the system hands to another thread than the main one stops a long run all the same."""

from __future__ import annotations

import ctypes
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.listening import Listen
from tests.cli.listening import until as eventually
from tests.cli.test_pull_stops import Pull, provider, reports, until

_TGKILL = {"x86_64": 234, "aarch64": 131}[platform.machine()]  #: the number of the system call


def terminate(process: subprocess.Popen[Any]) -> None:
    """Send SIGTERM to the newest thread of a process, as the system may when the main one is traced."""

    def threads() -> list[int]:
        return sorted(int(each.name) for each in Path(f"/proc/{process.pid}/task").iterdir())

    eventually(lambda: len(threads()) > 1)
    main, *others = threads()
    assert main == process.pid
    assert ctypes.CDLL(None).syscall(_TGKILL, process.pid, others[-1], signal.SIGTERM) == 0


def test_listen(tmp_path: Path) -> None:
    with Listen(tmp_path / "a.db") as listen:
        terminate(listen.process)
        assert listen.ended() == 143


def test_pull(tmp_path: Path) -> None:
    with provider() as sandbox:
        reports(sandbox, 3)
        pull = Pull(sandbox, tmp_path / "a.db", "-f", "--wait", "5")
        until(sandbox, deleted=3)
        terminate(pull.process)
        assert pull.ended()[0] == 143


def test_sandbox() -> None:
    command = [sys.executable, "-m", "smsreceipt", "sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert b"# ready\n" in iter(process.stdout.readline, b"")
        terminate(process)
        assert process.wait(20) == 143
