"""What a receipt costs from its bytes to its commit: `python -m tests.bench.ingest [RECEIPTS] [--dir DIRECTORY]`.

SmsReports as the service sends them, one a frame, go through the steps of the ingest pipeline into a fresh store file.
The named floor is the same rows written by a plain executemany of apsw into the same schema: no decoding, no checking,
no answer. Every figure is microseconds per receipt; CPU is that of all threads, SQLite's included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from queue import Queue
from typing import TypeVar

from smsreceipt.decode import decode
from smsreceipt.ingest import take
from smsreceipt.model import Decoded, Delivery, Instant, Kind, Source
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.records import json_line
from smsreceipt.store import Query
from smsreceipt.store.sqlite.connect import connect
from smsreceipt.store.sqlite.files import prepare_file
from smsreceipt.store.sqlite.store import open_store
from tests.bench.provider import bodies

FRAMES = (16, 100, 1_000, 4_000, 10_000)  #: a commit
COMMITS = 2_000  #: with small commits so many are enough; they are bound by the disk's flushes
ORIGIN = "2026-11-20.ndjson"
AT = Instant(1_795_000_000_000)

T = TypeVar("T")
Batches = Sequence[Sequence[Delivery]]


def deliveries(frames: list[bytes], together: int, source: Source = Source.REPLAY) -> list[Delivery]:
    cuts = range(0, len(frames), together)
    return [Delivery(tuple(frames[at : at + together]), Kind("SmsReport"), source, ORIGIN, AT) for at in cuts]


def batches(frames: list[bytes], commit: int) -> Batches:
    """As the pipeline gets them: deliveries of at most 1,000 frames, as many as fill a commit."""
    each = min(commit, 1_000)
    every = iter(deliveries(frames[: commit * COMMITS], each))
    return list(iter(lambda: list(islice(every, commit // each)), []))


def costs(work: Callable[[], None], receipts: int) -> tuple[float, float]:
    """CPU and wall time of one receipt."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return (time.process_time() - cpu) / receipts * 1e6, (time.perf_counter() - wall) / receipts * 1e6


def say(name: str, cost: tuple[float, float]) -> None:
    cpu, wall = cost
    sys.stdout.write(f"{name:32} {cpu:6.2f} cpu  {wall:6.2f} wall  {1e6 / wall:9,.0f}/s\n")
    sys.stdout.flush()


def in_sequence(path: Path, batches: Batches) -> None:
    store = open_store(path)
    for batch in batches:
        take([decode(delivery) for delivery in batch], store)
    store.close()


def overlapped(path: Path, batches: Batches) -> None:
    """Decode in one thread while another keeps what came before."""
    ready: Queue[list[Decoded] | None] = Queue(2)

    def keep() -> None:
        store = open_store(path)
        for decoded in iter(ready.get, None):
            store.keep(decoded)
        store.close()

    keeper = threading.Thread(target=keep)
    keeper.start()
    for batch in batches:
        ready.put([decode(delivery) for delivery in batch])
    ready.put(None)
    keeper.join()


def executemany(path: Path, like: Path, commit: int) -> Callable[[], None]:
    """The floor: what the store *like* holds, row by row into one at *path*."""
    done = connect(like, writable=False)
    first, *rest = done.execute("SELECT * FROM statement").fetchall()
    rows = chain([first], rest)
    done.close()
    prepare_file(path)
    db = connect(path, writable=True)
    db.execute("ATTACH ? AS done", (str(like),))
    db.execute("INSERT INTO kind SELECT * FROM done.kind; INSERT INTO road SELECT * FROM done.road; DETACH done")
    insert = "INSERT INTO statement VALUES (" + ", ".join("?" * len(first)) + ")"  # noqa: S608 - nothing from outside

    def work() -> None:
        while piece := list(islice(rows, commit)):
            db.execute("BEGIN IMMEDIATE")
            db.executemany(insert, piece)
            db.execute("COMMIT")
        db.close()

    return work


def steps(frames: list[bytes], folder: Path) -> None:
    """The steps that can be measured apart: decoding, in a frame each and in arrays, storing, and printing."""
    arrays = [b"[" + b",".join(frames[at : at + 100]) + b"]" for at in range(0, len(frames), 100)]
    queued = [b64encode(frame) for frame in frames]
    ways = {
        "decode, a frame each": deliveries(frames, 1_000),
        "decode, base64, 16 a delivery": deliveries(queued, 16, Source.MNS),
        "decode, arrays of 100": deliveries(arrays, 1, Source.PUSH),
    }
    for name, given in ways.items():
        best(name, partial(consume, decode, given), len(frames))
    store = open_store(folder / "steps")
    for name in ("keep what is new", "keep repeats"):
        decoded = [decode(delivery) for delivery in ways["decode, a frame each"]]
        say(name, costs(partial(consume, lambda item: store.keep([item]), decoded), len(frames)))
    new = list(store.list(Query()))
    store.close()
    best("record line", partial(consume, lambda stored: json_line(RECEIPTS.record(stored)), new), len(frames))


def best(name: str, work: Callable[[], None], receipts: int) -> None:
    say(name, min(costs(work, receipts) for _ in range(5)))


def consume(work: Callable[[T], object], items: Iterable[T]) -> None:
    for item in items:
        work(item)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("receipts", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--dir", type=Path, help="where the stores are made (default: the system's temporary place)")
    parser.add_argument("--frames", type=int, nargs="+", default=FRAMES, help="frames a commit")
    asked = parser.parse_args()
    frames = [b64decode(body) for body in bodies(asked.receipts)]
    with tempfile.TemporaryDirectory(dir=asked.dir) as name:
        folder = Path(name)
        steps(frames[:50_000], folder)
        for commit in asked.frames:
            given = batches(frames, commit)
            count = sum(len(delivery.frames) for batch in given for delivery in batch)
            paths = [folder / f"{commit}-{way}" for way in ("sequence", "overlapped", "floor")]
            say(f"{commit:6,} a commit, in sequence", costs(partial(in_sequence, paths[0], given), count))
            say(f"{commit:6,} a commit, overlapped", costs(partial(overlapped, paths[1], given), count))
            say(f"{commit:6,} a commit, executemany", costs(executemany(paths[2], paths[0], commit), count))
            for path in folder.iterdir():
                path.unlink()


if __name__ == "__main__":
    main()
