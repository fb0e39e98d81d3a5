"""kill -9 in the middle of `prune` and `forget`, again and again, while others write; each is then run to its end.

Nothing may be half gone at any time, the archive and the store together hold everything once, no byte of a forgotten
number is left, and those who write meanwhile hardly wait.
"""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from smsreceipt.decode import decode, reread
from smsreceipt.model import BEIJING, Delivery, Instant, Kind, Source
from smsreceipt.store import Query, opening
from tests.torture.world import ROOT, kill, until

PHONE = "13912345678"  #: the number that is forgotten
_EVERY = 0.02  # seconds between two commits of the one who writes meanwhile


@dataclass
class Figures:
    """What became of one store."""

    kills: int = 0
    half: int = 0  #: identities of which only a part was there after a kill
    lost: int = 0  #: old ones that are neither in the store nor in the archive
    left: int = 0  #: old ones that are still in the store at the end
    harmed: int = 0  #: new ones, or those of others, that are gone
    residue: int = 0  #: files with a byte of the forgotten number
    waits: list[float] = field(default_factory=list)  #: seconds that each commit of the other writer took
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.half or self.lost or self.left or self.harmed or self.residue or self.faults)

    @property
    def p99(self) -> float:
        """Milliseconds within which 99 of 100 commits of the other writer ended."""
        return sorted(self.waits)[int(len(self.waits) * 0.99)] * 1000 if self.waits else 0.0

    def __str__(self) -> str:
        names = ("kills", "half", "lost", "left", "harmed", "residue", "faults")
        told = " ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"{told} commits={len(self.waits)} p99={self.p99:.0f}ms"


def said(biz_id: str, days: int, phone: str = "13800008000", **more: Any) -> bytes:
    """An SmsReport of so many days ago."""
    at = (datetime.now(BEIJING) - timedelta(days=days)).strftime("%Y-%m-%d 10:00:00")
    fields = {"phone_number": phone, "send_time": at, "report_time": at, "success": True, "err_code": "DELIVERED",
              "biz_id": biz_id, "out_id": "order-1", "sms_size": "1", **more}  # fmt: skip
    return json.dumps(fields, separators=(",", ":")).encode()


class Home:
    """A store that one process prunes, and another one writes to."""

    def __init__(self, folder: Path, bug: str) -> None:
        self.folder, self.store = folder, folder / "receipts.db"
        self.figures = Figures()
        self._bug = bug
        self._stop = threading.Event()
        self._written = 0

    def fill(self, receipts: list[bytes]) -> None:
        with closing(self._open()) as store:
            for first in range(0, len(receipts), 2_000):
                store.keep([_decoded(receipts[first : first + 2_000])])

    def _open(self) -> Any:
        return opening.open_store(str(self.store), readonly=False, reread=reread)

    def run(self, dice: random.Random, kills: int, *words: str) -> None:
        """Run the command while another process writes; kill it so often, then let it come to its end."""
        writer = threading.Thread(target=self._write)
        writer.start()
        try:
            while True:
                process = self._start(words)
                if self.figures.kills >= kills:
                    process.wait(120)
                    break
                if dice.random() < 0.3:
                    time.sleep(dice.uniform(0.1, 1.0))
                else:  # while it deletes
                    before = self._old()
                    until(lambda: self._old() < before or process.poll() is not None, 60)  # noqa: B023
                    time.sleep(dice.uniform(0, 0.1))
                if process.poll() is not None:
                    if process.returncode == 0:
                        break
                    self.figures.faults.append(f"it ended with {process.returncode}")
                    break
                kill(process)
                self.figures.kills += 1
                self.figures.half += self._half()
            if process.returncode:
                self.figures.faults.append(f"it ended with {process.returncode}")
        finally:
            self._stop.set()
            writer.join()

    def _start(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        program = ["-m", "tests.torture.planted", self._bug] if self._bug else ["-m", "smsreceipt"]
        with (self.folder.parent / f"{self.folder.name}.err").open("ab") as err:
            return subprocess.Popen(
                [sys.executable, *program, *words, "--store", str(self.store), "--yes"],
                cwd=ROOT, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True,
            )  # fmt: skip

    def _write(self) -> None:
        with closing(self._open()) as store:
            while not self._stop.wait(_EVERY):
                began = time.monotonic()
                store.keep([_decoded([said(f"during-{self._written}^0", 1)])])
                self._written += 1
                self.figures.waits.append(time.monotonic() - began)

    def _old(self) -> int:
        """How many statements there are that were there at the beginning, about."""
        with closing(opening.open_store(str(self.store), readonly=True, reread=reread)) as store:
            return store.facts().statements - self._written

    def statements(self) -> dict[str, int]:
        """How many statements there are of each BizId."""
        found: dict[str, int] = {}
        with closing(opening.open_store(str(self.store), readonly=True, reread=reread)) as store:
            for each in store.list(Query(history=True)):
                found[each.receipt.biz_id] = found.get(each.receipt.biz_id, 0) + 1
        return found

    def _half(self) -> int:
        return sum(count != 2 for biz_id, count in self.statements().items() if biz_id.startswith("pair-"))

    @property
    def written(self) -> set[str]:
        return {f"during-{number}^0" for number in range(self._written)}


def _decoded(bodies: list[bytes]) -> Any:
    at = Instant(time.time_ns() // 1_000_000)
    return decode(Delivery(tuple(bodies), Kind("SmsReport"), Source.MNS, "a-queue", at))


def pairs(count: int, days: int, phone: str = "13800008000") -> list[bytes]:
    """Two statements about each of so many messages."""
    failed = {"success": False, "err_code": "MOBILE_IN_BLACK"}
    return [said(f"pair-{days}-{phone}-{n}^0", days, phone, **more) for n in range(count) for more in ({}, failed)]


def prune(kills: int, messages: int, *, seed: int = 1, bug: str = "") -> Figures:
    """Prune so many messages with an archive, killed so often."""
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name) / "home", bug)
        home.folder.mkdir()
        home.fill([*pairs(messages, 100), *pairs(50, 1)])
        everything = set(home.statements())
        path = home.folder / "old.ndjson.gz"
        home.run(random.Random(seed), kills, "prune", "--older-than", "90d", "--archive", str(path))
        there = home.statements()
        archived = {json.loads(line)["biz_id"] for line in gzip.decompress(path.read_bytes()).splitlines()}
        old = {biz_id for biz_id in everything if biz_id.startswith("pair-100-")}
        home.figures.lost = len(old - archived)
        home.figures.left = len(old & there.keys())
        home.figures.harmed = len((everything - old | home.written) - there.keys())
        home.figures.half += home._half()
        return home.figures


def forget(kills: int, messages: int, *, seed: int = 1, bug: str = "") -> Figures:
    """Forget a number with so many messages among as many of others, killed so often."""
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name) / "home", bug)
        home.folder.mkdir()
        mixed = [*pairs(messages, 10, PHONE), *pairs(messages, 10)]
        random.Random(seed).shuffle(mixed)
        home.fill(mixed)
        home.run(random.Random(seed), kills, "forget", PHONE)
        there = home.statements()
        home.figures.left = sum(PHONE in biz_id for biz_id in there)
        others = {json.loads(body)["biz_id"] for body in mixed if PHONE.encode() not in body}
        home.figures.harmed = len((others | home.written) - there.keys())
        home.figures.half += home._half()
        home.figures.residue = sum(PHONE.encode() in file.read_bytes() for file in home.folder.iterdir())
        return home.figures


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    planted = prune(60, 4_000, bug="half-removal")
    print(f"removal, planted half-removal: {'NOT CAUGHT' if planted.good else 'caught'}: {planted}")
    kills, messages = (100, 30_000) if full else (10, 4_000)
    pruned, forgotten = prune(kills, messages), forget(kills, messages)
    print(f"prune: {pruned}\nforget: {forgotten}")
    return not planted.good and pruned.good and forgotten.good
