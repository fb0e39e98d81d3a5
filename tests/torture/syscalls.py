"""A kill at every system call of a small pull (strace --inject), then one plain pull: it must give exactly the ledger.

strace counts per thread, and with several calls in one set it always fires on the first: so one run per call and n.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from tests.torture.world import Ended, Verdict, World

KINDS = ("SmsReport", "SecretReport", "SmsUp")
#: What such a pull does to sockets and files. No rename and no fsync occur: SQLite flushes with fdatasync. Locks and
#: reads leave nothing behind: a kill there is a kill at the next write.
#: The loop writes to its sockets and reads from them; sendto and recvfrom are those of the calls that ask for tokens.
CALLS = (
    "write", "read", "sendto", "recvfrom", "connect", "pwrite64", "fdatasync", "ftruncate", "unlink", "chmod", "fchown",
)  # fmt: skip
COMMITTERS = ("pwrite64", "fdatasync", "write")  #: what the committing thread does
_MESSAGES = 48  # three batches, one from each queue


@dataclass(frozen=True)
class Point:
    """Where one run dies."""

    call: str
    n: int
    fresh: bool  #: on the first run ever, which makes the store
    committer: bool = False  #: counted in the thread that commits, where all threads would hide it behind the first


def strace(world: World, inject: str, call: str, *, committer: bool = False) -> Ended:
    """A pull under strace, which does *inject* to *call* in all threads, or in the one that commits."""
    words = world.pull_words(kinds=KINDS)
    log = world.folder / "strace.log"
    tracer = ["strace", "-qq", f"--output={log}", f"--trace={call}", f"--inject={call}:{inject}"]
    if not committer:
        tracer.append("-f")
    elif call == "pwrite64":  # locks take their time: who does not wait for the commit gets on with its work
        tracer[-2:] = [f"--trace=fcntl,{call}", "--inject=fcntl:delay_enter=20000", tracer[-1]]
    traced = [*words[:2], "tests.torture.traced", " ".join(tracer), world.bug, *words[words.index("pull") :]]
    return world.run(traced)


def die(point: Point, bug: str = "") -> tuple[bool, Verdict]:
    """Kill one run there, let one plain pull follow; whether it was killed, and the verdict."""
    with World(bug=bug, visibility=1) as world:
        if not point.fresh:
            _begin_with_a_store(world)
        for kind in KINDS:
            world.put(_MESSAGES // len(KINDS), kinds=(kind,), poison=0.05, repeats=0)
        ended = strace(world, f"signal=KILL:when={point.n}", point.call, committer=point.committer)
        killed = ended.code in {-9, 137}
        if not killed and ended.code not in {0, 3}:
            world.faults.append(f"{point.call} {point.n}: ended with {ended.code}")
        world.pull()
        left = world.count("queued") + world.count("invisible")
        if left:
            world.faults.append(f"{point.call} {point.n}: one plain pull left {left} messages")
        return killed, world.judge()


@cache
def _earlier(bug: str) -> tuple[bytes, dict[str, str]]:
    """A store of some receipts, as a clean run leaves it, and its ledger."""
    with World(bug=bug, visibility=1) as world:
        world.put(8, kinds=KINDS, repeats=0)  # the kill must bring the bugs to light, not this
        world.pull()
        assert world.judge().good or bug
        return world.store.read_bytes(), world.ledger


def _begin_with_a_store(world: World) -> None:
    content, ledger = _earlier(world.bug)
    world.store.write_bytes(content)
    world.ledger.update(ledger)


def every(fresh: bool, committer: bool, lanes: int = 8) -> tuple[Counter[str], Verdict]:
    """Die at the first, second, … of each call until a run survives it; how many points each call had."""
    points: Counter[str] = Counter()
    total = Verdict()
    with ThreadPoolExecutor(lanes) as pool:
        for call in COMMITTERS if committer else CALLS:
            for some in _chunks(call, fresh, committer, lanes):
                results = list(pool.map(die, some))
                for killed, verdict in results:
                    points[call] += killed
                    total += verdict
                if not all(killed for killed, _ in results):
                    break
    return points, total


def _chunks(call: str, fresh: bool, committer: bool, size: int) -> Iterator[list[Point]]:
    for first in itertools.count(1, size):
        yield [Point(call, first + n, fresh, committer) for n in range(size)]


def sample(count: int, seed: int = 1) -> list[Point]:
    """Some points, the telling calls first."""
    dice = random.Random(seed)
    last = {("write", False): 8, ("pwrite64", True): 30, ("fdatasync", True): 1, ("read", False): 8,
            ("pwrite64", False): 60, ("fdatasync", False): 6, ("unlink", False): 1, ("write", True): 1}  # fmt: skip
    chosen = [*last] * (count // len(last) + 1)
    return [
        Point(call, dice.randint(1, last[call, committer]), dice.random() < 0.5, committer)
        for call, committer in chosen[:count]
    ]


def caught(bug: str, points: list[Point]) -> Verdict:
    """The verdict of the first of these points that finds the bug, or a good one."""
    for point in points:
        _, verdict = die(point, bug)
        if not verdict.good:
            return verdict
    return Verdict()


#: Where the planted bugs must show: while the journal is written (what is written whole survives a kill, flushed or
#: not: the flush is the power cuts' affair), and at the deletes of what was stored.
TELLING = {
    "delete-before-commit": [Point("pwrite64", n, fresh=False, committer=True) for n in (5, 1, 9)],
    "no-unique-key": [Point("write", n, fresh=False) for n in (14, 12, 15, 16, 13, 17, 11, 10)],
}


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for bug, points in TELLING.items():
        verdict = caught(bug, points)
        print(f"syscalls, planted {bug}: {'caught' if not verdict.good else 'NOT CAUGHT'}: {verdict}", flush=True)
        good &= not verdict.good
    began = time.monotonic()
    if not full:
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(die, sample(20)))
        total = Verdict()
        for _, verdict in results:
            total += verdict
        print(f"syscalls: killed={sum(killed for killed, _ in results)} of {len(results)} {total}")
        return good and total.good
    for fresh, committer in ((False, True), (True, True), (False, False), (True, False)):
        points_of, total = every(fresh, committer)
        print(
            f"syscalls, {'first run' if fresh else 'existing store'}, {'committer' if committer else 'all threads'}:"
            f" points={points_of.total()} {dict(points_of)}"
            f" {total} seconds={time.monotonic() - began:.0f}",
            flush=True,
        )
        good &= total.good
    return good
