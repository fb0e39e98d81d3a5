"""Makes what happened in a folder durable."""

from __future__ import annotations

import os
from pathlib import Path


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk: files made, renamed or deleted there survive a power cut.

    Raises OSError, also where the file system cannot do it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
