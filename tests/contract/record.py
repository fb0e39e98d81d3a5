"""Records what the commands of all scenarios print: `python -m tests.contract.record DIR` writes a file a step."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tests.contract.recorder import Recorder
from tests.contract.scenarios import SCENARIOS

_AT_ONCE = 2  # scenarios: tests with deadlines may run beside them


def record(out: Path) -> None:
    """Run all scenarios and write what each step prints to *out*/SCENARIO/STEP.txt; earlier recordings are removed."""
    with tempfile.TemporaryDirectory(prefix="contract-") as folder, ThreadPoolExecutor(_AT_ONCE) as pool:
        running = []
        for name, scenario in SCENARIOS.items():
            shutil.rmtree(out / name, ignore_errors=True)
            running.append(pool.submit(_run, scenario, out / name, Path(folder, name)))
        for each in running:
            each.result()


def _run(scenario: Callable[[Recorder], None], out: Path, folder: Path) -> None:
    with closing(Recorder(out, folder)) as recorder:
        scenario(recorder)


if __name__ == "__main__":
    record(Path(sys.argv[1]))
