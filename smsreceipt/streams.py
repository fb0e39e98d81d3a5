"""Prepares the standard streams of the process, and flushes them before it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO


def guard_streams() -> None:
    """Open /dev/null for closed descriptors 0 to 2; otherwise a store or a socket could get such a descriptor.

    Python has set the streams of closed descriptors to None before. The other streams escape characters that their
    encoding lacks instead of raising.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def discard(stream: IO[bytes] | IO[str] | None) -> None:
    """Redirect a stream to /dev/null, so that Python's flush of its buffer at exit cannot fail."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):  # it has no descriptor, or is closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def finish_streams() -> None:
    """Flush both output streams; discard one that cannot be flushed.

    Python flushes them again at exit, and would replace our exit code by 120 if that failed.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                discard(stream)
