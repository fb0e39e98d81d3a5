"""Whether the process that wrote a note still lives; process numbers are used again, so its birth is compared too."""

from __future__ import annotations

import os
from pathlib import Path


def current() -> tuple[int, str]:
    """This process's number and when it began, as its system tells it ("" where it does not)."""
    return os.getpid(), _born(os.getpid())


def alive(pid: int, born: str) -> bool:
    """Whether the process that began at *born* still runs on this machine."""
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
