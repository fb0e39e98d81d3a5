"""kill -9 in the middle of a replay, again and again, each run taken up where the last one was killed.

In the end the store must be that of one clean run, and nothing may have been read twice but what a kill cut off: every
receipt in the file is there once, so how often the store has seen them tells how many were.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import apsw

from tests.torture.world import KINDS, ROOT, kill, message, serials, unsound, until

AGAIN = 1_000  #: receipts that one kill may cost to be read again
_BETWEEN = 5_000  # statements printed from the start of a run to its kill, on average
_ATTEMPTS = 5  # fresh stores; a run that ends before its kill costs one
_LINE = 600  # bytes in which a statement is printed, about


def peak_of(pid: int) -> int:
    """The most MiB a process has held so far. What wait4 tells counts this harness in, as it was before the exec."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return 0


@dataclass
class Figures:
    """What a file went through, and what became of it."""

    receipts: int = 0
    kills: int = 0
    resumed: int = 0  #: runs that went on where an earlier one was killed
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    again: int = 0  #: receipts read more than once
    memory: int = 0  #: MiB at the peak of a clean run
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        wrong = self.lost or self.duplicated or self.unexpected or self.faults
        return not wrong and self.again <= AGAIN * self.kills

    def __str__(self) -> str:
        said = "; ".join(sorted(set(self.faults))[:8])
        return (
            f"receipts={self.receipts} kills={self.kills} resumed={self.resumed} lost={self.lost}"
            f" duplicated={self.duplicated} unexpected={self.unexpected} read-again={self.again}"
            f" peak={self.memory} MiB store={said or 'ok'}"
        )


class File:
    """A file of mixed kinds, a little of it broken, and two stores: one gets it cleanly."""

    def __init__(self, receipts: int, seed: int, bug: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="smsreceipt-torture-"))
        self.path = self.folder / "saved.ndjson"
        self.bug = bug
        self.figures = Figures(receipts)
        dice = random.Random(seed)
        with self.path.open("w", encoding="utf-8") as file:
            for n in range(receipts):
                serial = f"T{n:09}"
                body = json.dumps(message(dice.choice(KINDS), serial), ensure_ascii=False, separators=(",", ":"))
                file.write((body if dice.random() > 0.001 else f"!!!!{serial}!!!!") + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def store(self, name: str) -> Path:
        return self.folder / f"{name}.db"

    def start(self, name: str, bug: str = "") -> subprocess.Popen[bytes]:
        """Replay into the store of that name; what is printed goes to files of that name."""
        module = ["tests.torture.planted", bug] if bug else ["smsreceipt"]
        words = [sys.executable, "-m", *module, "replay", str(self.path), "--json", "--store", str(self.store(name))]
        with (self.folder / f"{name}.out").open("wb") as out, (self.folder / f"{name}.err").open("wb") as err:
            return subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=err, start_new_session=True)

    def clean(self, name: str) -> int:
        """One run to its end; return the MiB it took at the peak."""
        process = self.start(name)
        memory = 0
        while process.poll() is None:
            memory = max(memory, peak_of(process.pid))
            time.sleep(0.05)
        said = (self.folder / f"{name}.err").read_text(errors="replace")
        if process.returncode not in {0, 3} or "Traceback" in said:
            self.figures.faults.append(f"{name} ended with {process.returncode}: {said.strip()[-200:]}")
        self.figures.resumed += "taken up at byte" in said
        return memory

    def kill_all(self, kills: int, dice: random.Random) -> None:
        """Kill so many runs on one store; on a fresh one where a run had stored everything before its kill."""
        for _ in range(_ATTEMPTS):
            self.figures.kills = self.figures.resumed = 0
            while self.figures.kills < kills and self._kill_one(dice):
                pass
            if self.figures.kills == kills:
                return
            for path in self.folder.glob("killed.db*"):
                path.unlink()
        self.figures.faults.append("runs end before they can be killed")

    def _kill_one(self, dice: random.Random) -> bool:
        """Start a run and kill it after some statements; False if by then everything was stored."""
        out = self.folder / "killed.out"
        out.unlink(missing_ok=True)
        printed = dice.uniform(0, 2 * _BETWEEN) * _LINE
        process = self.start("killed", self.bug)
        until(lambda: process.poll() is not None or (out.exists() and out.stat().st_size > printed))
        kill(process)
        self.figures.resumed += b"taken up at byte" in (self.folder / "killed.err").read_bytes()
        in_time = self._stored() < self.figures.receipts
        self.figures.kills += in_time
        return in_time

    def _stored(self) -> int:
        """How many receipts and rejects are stored; of a copy, so that the next run recovers the journal itself."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for path in self.folder.glob("killed.db*"):
                if not path.name.endswith("-shm"):
                    shutil.copy(path, folder)
            return _sum(Path(folder) / "killed.db", "count(*)")

    def judge(self) -> Figures:
        """Compare the store that was killed over with the clean one."""
        figures, found = self.figures, serials(self.store("killed"))
        figures.lost = sum(f"T{n:09}" not in found for n in range(figures.receipts))
        figures.duplicated = sum(times - 1 for times in found.values())
        figures.unexpected = len(found) - (figures.receipts - figures.lost)
        figures.again = _sum(self.store("killed"), "total(times_seen)") - figures.receipts
        figures.faults += unsound(self.store("killed"))
        if statements(self.store("killed")) != statements(self.store("clean")):
            figures.faults.append("not the store of a clean run")
        return figures


def statements(store: Path) -> Counter[str]:
    """Everything that a statement or a reject says, without when and how often it was seen."""
    db = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        said = db.execute(
            "SELECT kind.name, id1, id2, outcome, code, reported_at, detail, sent_at, phone, current, conflict, digest"
            " FROM statement JOIN kind ON kind.id = statement.kind"
            " UNION ALL SELECT kind, reject.id, reason, origin, '', '', '', '', '', '', '', body"
            " FROM reject JOIN road ON road.id = reject.road"
        )
        return Counter(map(repr, said))
    finally:
        db.close()


def _sum(store: Path, column: str) -> int:
    """The sum of an aggregate over statements and rejects; 0 if the tables are not there yet."""
    db = apsw.Connection(str(store))
    try:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'statement'").fetchall():
            return 0
        both = f"SELECT {column} FROM statement UNION ALL SELECT {column} FROM reject"  # noqa: S608 - our own words
        return sum(round(float(str(value))) for (value,) in db.execute(both))
    finally:
        db.close()


def torture(kills: int, *, seed: int = 1, bug: str = "") -> Figures:
    """Kill so often over one file, run once to the end, and judge."""
    dice = random.Random(seed)
    with File(kills * _BETWEEN * 3, seed, bug) as file:
        file.kill_all(kills, dice)
        file.clean("killed")
        file.figures.memory = file.clean("clean")
        return file.judge()


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for bug in ("place-first", "no-place"):
        figures = torture(8, bug=bug)
        print(f"replay, planted {bug}: {'caught' if not figures.good else 'NOT CAUGHT'}: {figures}", flush=True)
        good &= not figures.good
    for seed in range(2 if full else 1):
        figures = torture(20, seed=seed)
        print(f"replay: {figures}", flush=True)
        good &= figures.good and figures.kills >= 15 and figures.memory <= 150
    return good
