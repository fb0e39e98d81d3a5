"""Whether the process that wrote a note still runs. A pid is used again, so the process's start is compared too."""

from __future__ import annotations

import os
from pathlib import Path


def current() -> tuple[int, str]:
    """The pid of this process and when it started; "" where the system does not tell."""
    return os.getpid(), _born(os.getpid())


def alive(pid: int, born: str) -> bool:
    """Whether the process that started at *born* still runs on this machine."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _born(pid) == born


def _born(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
    state, *_, start = text.rpartition(")")[2].split()[:20]
    return "" if state == "Z" else f"{boot} {start}"
