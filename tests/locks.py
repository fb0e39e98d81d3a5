"""Another user of a store, who holds its write lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the write lock of *store*, which is made if there is none."""
    other = apsw.Connection(str(store))
    other.set_busy_timeout(10_000)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
