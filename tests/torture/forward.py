"""Receiver and forwarder are killed again and again while receipts come: each arrives, in order, repeats at the cut."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from smsreceipt.decode import decode, reread
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.store import Query, opening
from tests import postgres
from tests.ports import free_port
from tests.torture.forward_receiver import POISON
from tests.torture.world import ROOT, kill, until

BATCH = 20
_ROUND = 25  # kills of each on one store
_BURST = 30  # receipts between two kills


@dataclass
class Verdict:
    """What arrived, beside what the store holds."""

    kills: int = 0
    stored: int = 0
    lost: int = 0  #: neither arrived nor parked
    repeated: int = 0
    parked: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.stored > 0 and not (self.lost or self.faults)

    def __iadd__(self, other: Verdict) -> Self:
        self.kills += other.kills
        self.stored += other.stored
        self.lost += other.lost
        self.repeated += other.repeated
        self.parked += other.parked
        self.faults += other.faults
        return self

    def __str__(self) -> str:
        said = "; ".join(sorted(set(self.faults))[:8])
        return (
            f"kills={self.kills} stored={self.stored} lost={self.lost} repeated={self.repeated} parked={self.parked}"
            f" order={said or 'ok'}"
        )


class World:
    """A store that receipts come into, a receiver and a forwarder, both of which are killed."""

    def __init__(self, location: str | None, bug: str, seed: float) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="smsreceipt-torture-"))
        self.location = location or str(self.folder / "receipts.db")
        self._log = self.folder / "log"
        self._log.touch()
        self._bug, self._port, self._dice = bug or "eager", free_port(), random.Random(seed)
        self._next = 0
        self.faults: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def put(self, count: int) -> None:
        """Store receipts that no one has seen; one of ten numbers ends with the digit that is refused."""
        first, self._next = self._next, self._next + count
        frames = tuple(
            json.dumps(
                {
                    "phone_number": f"138{number:08}", "send_time": "2026-11-20 15:49:55", "success": True,
                    "report_time": "2026-11-20 15:49:58", "err_code": "DELIVERED", "biz_id": f"{number:018}^0",
                }
            ).encode()
            for number in range(first, self._next)
        )  # fmt: skip
        delivery = Delivery(frames, Kind("SmsReport"), Source.MNS, "queue", Instant(1_795_000_000_000))
        with closing(opening.open_store(self.location, readonly=False, reread=reread)) as store:
            store.keep([decode(delivery)])

    def receiver(self) -> subprocess.Popen[bytes]:
        """Start a receiver on the port of the one before."""
        words = ["tests.torture.forward_receiver", str(self._port), str(self._log), str(self._dice.random())]
        return self._start(words)

    def forwarder(self, *more: str) -> subprocess.Popen[bytes]:
        """Start a forwarder, with its planted bug."""
        words = [
            *("tests.torture.planted", self._bug, "--store", self.location, "forward", "--from", "0", "--batch"),
            *(str(BATCH), "--on-refusal", "park", "--timeout", "0.4s", "--to", f"http://127.0.0.1:{self._port}/in"),
        ]
        return self._start([*words, *more])

    def _start(self, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "err").open("ab") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", *words], cwd=ROOT, stderr=err, stdout=err, start_new_session=True
            )
        self.processes.append(process)
        return process

    @property
    def arrived(self) -> int:
        """How many requests were accepted so far, by the size of the log."""
        return self._log.stat().st_size

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            kill(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def judge(self, kills: int) -> Verdict:
        """Compare what arrived with what is stored."""
        with closing(opening.open_store(self.location, readonly=True, reread=reread)) as store:
            stored = [each.seq for each in store.list(Query(history=True))]
            poisoned = {each.seq for each in store.list(Query(history=True)) if each.receipt.phone.endswith(POISON)}
            parked = {json.loads(text)["seq"] for text in store.notes("forward parked").values()}
        requests = [json.loads(line) for line in self._log.read_text().splitlines()]
        arrived = {seq for request in requests for seq in request}
        err = (self.folder / "err").read_text()
        faults = [*self.faults, *(["a traceback"] if "Traceback" in err or "error: internal" in err else [])]
        faults += [] if parked == poisoned or self._bug == "skip-refused" else ["parked is what was not poisoned"]
        return Verdict(
            kills=kills,
            stored=len(stored),
            lost=len(set(stored) - arrived - parked),
            repeated=sum(map(len, requests)) - len(arrived),
            parked=len(parked),
            faults=faults + _out_of_order(requests, [seq for seq in stored if seq not in poisoned]),
        )


def _out_of_order(requests: list[list[int]], expected: list[Any]) -> list[str]:
    """What is wrong with the order: each request begins with the next statement, or repeats from the last batch on."""
    place = {seq: number for number, seq in enumerate(expected)}
    reached, faults = 0, []
    for request in requests:
        numbers = [place.get(seq, -1) for seq in request]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] < 0:
            faults.append("a request that is no run of statements")
        if numbers[0] > reached:
            faults.append("a statement before others that had not arrived")
        if reached - numbers[0] > BATCH:
            faults.append("a repeat of more than the last batch")
        reached = max(reached, numbers[-1] + 1)
    return faults


@contextlib.contextmanager
def _world(engine: str, bug: str, seed: float) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        location = stack.enter_context(postgres.database()) if engine == "postgres" else None
        world = World(location, bug, seed)
        stack.callback(world.end)
        yield world


def _round(kills: int, engine: str, bug: str, seed: float) -> Verdict:
    """Kill each so often on one fresh store, then hand on the rest and judge."""
    dice = random.Random(seed)
    with _world(engine, bug, seed) as world:
        world.put(_BURST)
        receiver, done = world.receiver(), 0
        for _ in range(kills):
            forwarder, before = world.forwarder("-f"), world.arrived
            world.put(_BURST)
            until(lambda before=before: world.arrived > before, 10)  # type: ignore[misc]
            for victim in dice.sample(["receiver", "forwarder"], 2):
                time.sleep(dice.uniform(0, 0.12))
                if victim == "receiver":
                    kill(receiver)
                    receiver = world.receiver()
                else:
                    done += forwarder.poll() is None
                    kill(forwarder)
        last = world.forwarder("--retry-for", "30s")
        if last.wait(120) not in {0, 3}:
            world.faults.append(f"the last run ended with {last.returncode}")
        return world.judge(done)


def torture(kills: int, *, engine: str = "sqlite", bug: str = "", seed: int = 1, lanes: int = 2) -> Verdict:
    """Kill receiver and forwarder so often each. With a bug planted it ends as soon as the bug is found."""
    dice, total = random.Random(seed), Verdict()
    rounds = [(min(_ROUND, kills - first), engine, bug, dice.random()) for first in range(0, kills, _ROUND)]
    with ThreadPoolExecutor(lanes) as pool:
        for verdict in pool.map(lambda each: _round(*each), rounds):
            total += verdict
            if bug and not total.good:
                pool.shutdown(cancel_futures=True)
                break
    return total


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for bug in ("cursor-first", "skip-refused"):
        verdict = torture(25, bug=bug)
        print(f"forward, planted {bug}: {'caught' if not verdict.good else 'NOT CAUGHT'}: {verdict}")
        good &= not verdict.good
    for engine, kills in (("sqlite", 200), ("postgres", 200)) if full else (("sqlite", 10),):
        began = time.monotonic()
        verdict = torture(kills, engine=engine)
        print(f"forward, {engine}: {verdict} seconds={time.monotonic() - began:.0f}")
        good &= verdict.good and verdict.kills == kills
    return good
