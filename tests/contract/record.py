"""Records what a fixed story of command lines prints: `python -m tests.contract.record DIR` writes one file a step."""

from __future__ import annotations

import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.contract.story import CHAPTERS, tell


def record(out: Path) -> None:
    """Run the story and write what each step printed into *out*, in place of what an earlier run wrote there."""
    for name in CHAPTERS:
        shutil.rmtree(out / name, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix="contract-") as folder,
        ThreadPoolExecutor(len(CHAPTERS)) as pool,
    ):
        told = [pool.submit(tell, name, out, Path(folder)) for name in CHAPTERS]
        for chapter in told:
            chapter.result()


if __name__ == "__main__":
    record(Path(sys.argv[1]))
