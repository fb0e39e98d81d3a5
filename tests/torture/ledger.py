"""A program that notes what it sends is killed again and again: the store has every send that it was told is noted."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.torture.world import ROOT, kill

_PROGRAM = "tests.api.noting"


@dataclass
class Verdict:
    """What was noted, beside what the store holds."""

    kills: int = 0
    noted: int = 0
    lost: int = 0
    twice: int = 0

    @property
    def good(self) -> bool:
        return self.noted > 0 and not self.lost and not self.twice


def torture(kills: int, *, seed: int = 1, bug: str = "") -> Verdict:
    """Kill so often on one store. *bug*: `note-later` notes nothing before the next look into the file."""
    dice, noted = random.Random(seed), set[str]()
    with tempfile.TemporaryDirectory(prefix="smsreceipt-torture-") as folder:
        store = Path(folder) / "receipts.db"
        for number in range(kills):
            words = [sys.executable, "-m", _PROGRAM, str(store), str(number * 1_000_000), *dice.choice([[], ["batch"]])]
            process = subprocess.Popen(
                [*words, bug] if bug else words, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
            )
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(dice.uniform(0, 0.15))
            kill(process)
            noted.update((first + process.stdout.read()).decode().rpartition("\n")[0].split())
            process.stdout.close()
        found = _listed(store)
        return Verdict(kills, len(noted), len(noted - set(found)), len(found) - len(set(found)))


def _listed(store: Path) -> list[str]:
    """The numbers in the ledger, after a program has brought in what the last one left."""
    script = f"import smsreceipt; smsreceipt.Ledger({str(store)!r}).flush()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, env=environment)
    words = [sys.executable, "-m", "smsreceipt", "--store", str(store), "sends", "list", "--json"]
    done = subprocess.run(words, check=True, cwd=ROOT, env=environment, capture_output=True)
    return [json.loads(line)["phone"] for line in done.stdout.splitlines()]


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    planted = torture(5, bug="note-later")
    print(f"ledger, planted note-later: {'caught' if planted.lost else 'NOT CAUGHT'}: {planted}")
    verdict = torture(200 if full else 10)
    print(f"ledger: {verdict}")
    return bool(planted.lost) and verdict.good
