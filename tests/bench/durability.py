"""Whether a program stores what it acknowledges: the rows of a peer's database, and the fsyncs that strace counts.

strace slows a program down, so the counts come from a short run of their own, never from a timed one.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Syncs:
    """What one short run called."""

    calls: int
    receipts: int
    least: float = 1  #: the fewest calls with which each receipt can have been on disk when it was acknowledged

    @property
    def per_thousand(self) -> float:
        """Calls per 1,000 receipts."""
        return self.calls / self.receipts * 1000

    @property
    def durable(self) -> bool:
        """False: some of the receipts were acknowledged without being flushed."""
        return self.calls >= self.least


def calls_in(summary: str) -> int:
    """The calls that the table of `strace -c` counts. Raises ValueError where *summary* is no such table."""
    if summary and "calls" not in summary:
        raise ValueError(f"no table of strace: {summary[:200]!r}")
    rows = [line.split() for line in summary.splitlines()]
    return sum(int(row[3]) for row in rows if row and row[-1] in {"fsync", "fdatasync"})


def count(run: Callable[[tuple[str, ...]], tuple[int, float]]) -> Syncs | None:
    """Let *run* start a command with these words before it; None without strace.

    It returns how many receipts were stored, and the fewest calls that can have flushed them.
    """
    if shutil.which("strace") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder, "summary")
        # With -o, strace itself ignores the signal that ends the program, and ends with it.
        receipts, least = run(("strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(summary)))
        return Syncs(calls_in(summary.read_text()), receipts, least)


def check_rows(database: Path, least: int, most: int) -> None:
    """Exit unless a peer's database, where there is one, has so many receipts: a fast peer must not lose any."""
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM receipt").fetchone()
    if not least <= rows <= most:
        raise SystemExit(f"a peer stored {rows:,} receipts instead of {least:,} to {most:,}")


def cell(syncs: Syncs | None) -> str:
    """What a table shows."""
    return f"{syncs.per_thousand:.1f}" if syncs else "?"


def tell(found: Mapping[str, Syncs | None]) -> None:
    """Print who is not durable, and whether anybody was not checked."""
    if None in found.values():
        print("not checked: durability (strace is absent)")
    for name, syncs in found.items():
        if syncs and not syncs.durable:
            print(f"NOT DURABLE: {name}: {syncs.calls} fsyncs for {syncs.receipts:,} receipts")
