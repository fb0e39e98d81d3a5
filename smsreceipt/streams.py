"""The standard streams of this process: usable from the start, and no failure of Python's own at the end."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any


def guard_streams() -> None:
    """Fill closed descriptors 0 to 2, so that no store or socket gets such a number and is written to as a terminal.

    Python has already noted which streams are absent (they are None). A stream that is there never raises for a
    character that its encoding lacks.
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


def discard(stream: Any) -> None:
    """Point a stream at /dev/null: what is left in its buffer cannot fail when Python flushes it at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def finish_streams() -> None:
    """Flush both streams now; discard one that cannot be flushed.

    Python flushes them once more when the interpreter ends, and would replace our exit code with 120 if that failed.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                discard(stream)
