"""Power cuts at random moments of commits: each batch that keep() returned for must be there, the others whole or not.

A workload runs once on a disk that notes every step; then the disk is cut at many moments of that history.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from smsreceipt.decode import decode
from smsreceipt.errors import SmsReceiptError
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.store import Query
from smsreceipt.store.sqlite import connect
from smsreceipt.store.sqlite.store import SqliteStore, open_store
from tests.torture.crashdisk import Disk, Recorder
from tests.torture.world import message, serial_of, unsound

_names = iter(f"recorder-{n}" for n in range(1_000_000))


@dataclass
class Figures:
    """What the cuts showed."""

    cuts: int = 0
    in_checkpoint: int = 0  #: cuts while the journal was being written back, or the first run made the file
    acked: int = 0  #: receipts in batches that were acked before a cut, summed over the cuts
    lost: int = 0
    torn: int = 0  #: batches that are there in part
    duplicated: int = 0
    unexpected: int = 0
    recovered: int = 0  #: receipts of batches whose keep() had not returned, and that are there whole
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return not (self.lost or self.torn or self.duplicated or self.unexpected or self.faults)

    def __str__(self) -> str:
        return (
            f"cuts={self.cuts} (in first run or checkpoint {self.in_checkpoint}) acked={self.acked} lost={self.lost}"
            f" torn={self.torn} duplicated={self.duplicated} unexpected={self.unexpected} recovered={self.recovered}"
            f" integrity={dict(self.faults) or 'ok'}"
        )


@dataclass
class _History:
    """A workload: what the disk was told, and after which step which batch had been acked."""

    recorder: Recorder
    batches: list[list[str]] = field(default_factory=list)
    acked: list[tuple[int, int]] = field(default_factory=list)  #: (steps taken, batches acked)


def delivery(serials: list[str]) -> Delivery:
    """A batch of reports, some in need of more than one page."""
    bodies = [{**message("SmsReport", serial), "note": "x" * (int(serial[1:]) % 7 * 700)} for serial in serials]
    frames = tuple(json.dumps(body).encode() for body in bodies)
    return Delivery(frames, Kind("SmsReport"), Source.MNS, "q", Instant(1_790_000_000_000))


def _work(folder: Path, dice: random.Random) -> _History:
    """Keep some batches, closing and opening the store now and then; checkpoints come often."""
    history = _History(Recorder(next(_names)))
    settings = connect._SETTINGS.replace(
        "wal_autocheckpoint = 4000", f"wal_autocheckpoint = {dice.choice((8, 25, 90))}"
    )
    with patch.object(connect, "_SETTINGS", settings):
        store = open_store(folder / "receipts.db", vfs=history.recorder.name)
        serial = 0
        for _ in range(dice.randint(8, 24)):
            batch = [f"T{serial + n:09}" for n in range(1, dice.randint(2, 17))]
            serial += len(batch)
            history.batches.append(batch)
            store.keep([decode(delivery(batch))])
            history.acked.append((len(history.recorder.log), len(history.batches)))
            if dice.random() < 0.15:
                store.close()
                store = open_store(folder / "receipts.db", vfs=history.recorder.name)
        store.close()
    return history


def torture(cuts: int, *, seed: int = 1, lying: bool = False, stop: Callable[[Figures], bool] | None = None) -> Figures:
    """Cut so often; return the figures. With *stop*, as soon as that is true of them."""
    dice, figures = random.Random(seed), Figures()
    while figures.cuts < cuts and not (stop and stop(figures)):
        with _folder() as folder:
            history = _work(folder, dice)
        log = history.recorder.log
        moments = sorted(dice.sample(range(len(log) + 1), min(60, len(log), cuts - figures.cuts)))
        disk, done = Disk(lying=lying), 0
        for moment in moments:
            for step in log[done:moment]:
                disk.play(step)
            done = moment
            _cut(disk, history, moment, dice, figures)
    return figures


def _cut(disk: Disk, history: _History, moment: int, dice: random.Random, figures: Figures) -> None:
    figures.cuts += 1
    around = history.recorder.log[max(0, moment - 2) : moment + 2]
    first = history.acked[0][0]
    figures.in_checkpoint += moment < first or any(not step.file.endswith("-wal") for step in around)
    acked = max((batches for steps, batches in history.acked if steps <= moment), default=0)
    with _folder() as folder:
        disk.cut(folder, dice)
        found = _found(folder / "receipts.db", figures)
    figures.acked += sum(len(batch) for batch in history.batches[:acked])
    figures.duplicated += sum(times - 1 for times in found.values())
    figures.unexpected += len(found.keys() - {serial for batch in history.batches for serial in batch})
    for number, batch in enumerate(history.batches):
        there = sum(serial in found for serial in batch)
        if number < acked:
            figures.lost += len(batch) - there
        elif there:
            figures.torn += there < len(batch)
            figures.recovered += there


def _found(path: Path, figures: Figures) -> Counter[str]:
    """Open what is left as any run would, read it, and go on with it."""
    try:
        store = open_store(path)
        found = Counter(serial_of(receipt.receipt.body) for receipt in store.list(Query(history=True)))
        _go_on(store)
    except SmsReceiptError as exc:
        figures.faults[type(exc).__name__] += 1
        return Counter()
    figures.faults.update(unsound(path))
    return found


def _go_on(store: SqliteStore) -> None:
    """The next run keeps more, as if nothing had happened."""
    kept = store.keep([decode(delivery(["T999999999"]))])
    assert kept.tally.new == 1
    store.close()


@contextmanager
def _folder() -> Iterator[Path]:
    """A directory in memory where there is one: nothing here depends on a real flush."""
    where = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a name of its own is made in it
    folder = Path(tempfile.mkdtemp(prefix="smsreceipt-torture-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def normal() -> Iterator[None]:
    """Plant a bug: commits are not flushed."""
    with patch.object(connect, "_SETTINGS", connect._SETTINGS.replace("synchronous = FULL", "synchronous = NORMAL")):
        yield


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    with normal():
        unsynced = torture(1_000, stop=lambda figures: figures.lost > 0)
    print(f"powercut, planted synchronous=NORMAL: {'caught' if unsynced.lost else 'NOT CAUGHT'}: {unsynced}")
    lying = torture(1_000, lying=True, stop=lambda figures: figures.lost > 0)
    print(f"powercut, a lying disk: {'caught' if lying.lost else 'NOT CAUGHT'}: {lying}")
    began = time.monotonic()
    figures = torture(2_000 if full else 300)
    print(f"powercut: {figures} seconds={time.monotonic() - began:.0f}")
    return bool(unsynced.lost and lying.lost and figures.good)
