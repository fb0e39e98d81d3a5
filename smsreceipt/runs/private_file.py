"""Writes a file that only its owner can read, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from smsreceipt.folders import flush_folder


def write_private(path: Path, content: bytes, *, replace: bool) -> None:
    """Write the file under another name, then rename it; it is on the disk when this returns. Its mode is 0600.

    Raises OSError if it cannot be written, FileExistsError if it is there and *replace* is False. After a crash the
    file is either whole or as it was before.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            new.replace(path)
        else:
            os.link(new, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
    flush_folder(path.parent)
