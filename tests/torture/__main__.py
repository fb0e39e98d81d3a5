"""`python -m tests.torture [NAME…] [--full]`: run the harnesses and print their figures."""

from __future__ import annotations

import importlib
import platform
import sys
import time

import apsw

HARNESSES = (
    "powercut",
    "order",
    "syscalls",
    "cuts",
    "kills",
    "disk",
    "faults",
    "signals",
    "concurrency",
    "damage",
    "derived",
    "clocks",
    "push",
    "forward",
    "ledger",
    "reconcile",
    "replay",
    "removal",
    "inputs",
    "postgres",
)


def main() -> int:
    full = "--full" in sys.argv
    names = [word for word in sys.argv[1:] if word != "--full"] or [*HARNESSES]
    bad = []
    print(f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}, {platform.system()}", flush=True)
    for name in names:
        began = time.monotonic()
        good = importlib.import_module(f"tests.torture.{name}").main(full)
        print(f"== {name}: {'ok' if good else 'FAILED'} ({time.monotonic() - began:.0f} s)", flush=True)
        bad += [] if good else [name]
    return len(bad)


if __name__ == "__main__":
    sys.exit(main())
