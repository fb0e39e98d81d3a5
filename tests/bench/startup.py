"""What `smsreceipt --help` costs, against importing click alone.

    python -m tests.bench.startup [--runs 20]

Both are whole processes that take turns. Modules are read from compiled files, as after an ordinary installation.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import smsreceipt

OURS = (sys.executable, "-m", "smsreceipt", "--help")
PEER = (sys.executable, "-c", "import click")


def cpu(command: tuple[str, ...]) -> float:
    """Milliseconds of CPU that a process takes: a busy machine does not lengthen it as it does the clock's time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def main() -> None:
    """Medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    asked = parser.parse_args()
    compileall.compile_dir(Path(smsreceipt.__file__).parent, quiet=2)
    pairs = [(cpu(OURS), cpu(PEER)) for _ in range(asked.runs + 1)][1:]
    ours, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"smsreceipt --help {ours:.1f} ms CPU, import click {peer:.1f} ms: {ratio:.2f} × (goal: below 1.5)")


if __name__ == "__main__":
    main()
