"""Commands of the user, started for as long as this program waits for them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence

_running: set[int] = set()


class NotStarted(Exception):
    """The system does not start a command; the OSError is its cause."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextlib.contextmanager
def started(
    words: Sequence[str], *, stdin: int, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs inside the context: at its end it is killed, with all that it started, where it runs on.

    One that must not be killed, since another user runs it as with sudo, is waited for. It has a process group of its
    own, its output is dropped, and it writes errors where this program does. *stdin* as for Popen. Raises NotStarted.
    """
    try:
        running = subprocess.Popen(
            words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=None, env=environ, start_new_session=True
        )
    except OSError as exc:
        raise NotStarted(exc) from None
    _running.add(running.pid)
    with running:
        try:
            yield running
        finally:
            if running.poll() is None:
                _kill(running.pid)
            _running.discard(running.pid)


def kill_all() -> None:
    """Kill every command that runs, for a program that is about to end at once."""
    for pid in list(_running):
        _kill(pid)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # one of another user, as with sudo, runs on
        os.killpg(pid, signal.SIGKILL)
