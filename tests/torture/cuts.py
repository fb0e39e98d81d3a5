"""A kill at every system call of a small listen and of a small replay, then a run that is left alone.

What was answered 200 must be there once whatever followed, and a file must be stored as one clean run stores it. The
calls are counted in the thread that commits: in a listener, that is the thread that reads and answers too.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.bench.pusher import body_of
from tests.torture import replay
from tests.torture.listener import Figures, Listener, stored_by_number
from tests.torture.world import ROOT, kill, unsound

LISTEN = ("pwrite64", "fdatasync", "sendto", "recvfrom", "accept4", "epoll_wait")
REPLAY = ("pwrite64", "fdatasync", "write", "ftruncate")
_PUSHES = 6
_RECEIPTS = 3  # a push
_LINES = 2_500  # three blocks of a file: the place that was reached is noted between them
_LANES = 6

Die = Callable[[str, int, str], tuple[bool, Figures]]  #: a call, which of its times, a planted bug


def _tracer(folder: Path, call: str, n: int) -> str:
    log = folder / "strace.log"
    return f"strace -qq --output={log} --trace={call} --inject={call}:signal=KILL:when={n}"


def listen_dies(call: str, n: int, bug: str = "") -> tuple[bool, Figures]:
    """Push to a listener that dies there, then again what got no 200; whether it died, and the figures."""
    with Listener(bug=bug) as listener:
        listener.stop()  # the store is made
        words = listener.words()
        traced = ["tests.torture.traced", _tracer(listener.folder, call, n), bug]
        with suppress(AssertionError):  # it may die before it answers anything
            listener.start([*words[:2], *traced, *words[words.index("listen") :]])
        answered = Counter[int]()
        acked: set[int] = set()
        for number in range(_PUSHES):
            status = listener.push(body_of(number, _RECEIPTS))
            answered[status] += 1
            if status == 200:
                acked.add(number)
        died = answered[0] > 0
        kill(listener.process)
        listener.look_for_tracebacks()
        early = stored_by_number(listener.store)
        lost = sum(_RECEIPTS - early[number] for number in acked if early[number] < _RECEIPTS)
        listener.start()
        for number in range(_PUSHES):
            if number not in acked and listener.push(body_of(number, _RECEIPTS)) != 200:
                listener.faults.append(f"{call} {n}: push {number} was refused by a sound listener")
        listener.stop()
        stored = stored_by_number(listener.store)
        return died, Figures(
            statuses=answered,
            acked=_PUSHES * _RECEIPTS,
            lost=lost + sum(max(0, _RECEIPTS - stored[number]) for number in range(_PUSHES)),
            duplicated=sum(max(0, count - _RECEIPTS) for count in stored.values()),
            faults=listener.faults + unsound(listener.store),
        )


@cache
def _clean() -> Counter[str]:
    """What one clean run stores."""
    with replay.File(_LINES, seed=3, bug="") as file:
        file.clean("clean")
        return _stored(file, "clean")


def _stored(file: replay.File, name: str) -> Counter[str]:
    """What the store of that name holds; the origin of a reject names the file, and its folder is another each time."""
    found = replay.statements(file.store(name))
    return Counter({said.replace(str(file.folder), ""): count for said, count in found.items()})


def replay_dies(call: str, n: int, bug: str = "") -> tuple[bool, Figures]:
    """Replay a file with a run that dies there and one that is left alone; whether it died, and the figures."""
    wanted = _clean()
    with replay.File(_LINES, seed=3, bug=bug) as file:
        words = [sys.executable, "-m", "tests.torture.traced", _tracer(file.folder, call, n), bug,
                 "replay", str(file.path), "--json", "--store", str(file.store("killed"))]  # fmt: skip
        ended = subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        died = ended.returncode == -9
        if not died and ended.returncode not in {0, 3}:
            file.figures.faults.append(f"{call} {n}: ended with {ended.returncode}: {ended.stderr[-200:]!r}")
        file.clean("killed")
        found = _stored(file, "killed")
        return died, Figures(
            acked=_LINES,
            lost=(wanted - found).total(),
            duplicated=(found - wanted).total(),
            faults=file.figures.faults + unsound(file.store("killed")),
        )


def every(die: Die, calls: tuple[str, ...]) -> tuple[Counter[str], Figures]:
    """Die at the first, second, … of each call until a run survives it; how many points each call had."""
    points: Counter[str] = Counter()
    total = Figures()
    with ThreadPoolExecutor(_LANES) as pool:
        for call in calls:
            for some in _chunks():
                results = list(pool.map(lambda n, call=call: die(call, n, ""), some))
                points[call] += sum(died for died, _ in results)
                total = sum((figures for _, figures in results), total)
                if not all(died for died, _ in results):
                    break
    return points, total


def _chunks() -> Iterator[range]:
    return (range(first, first + _LANES) for first in itertools.count(1, _LANES))


#: Where planted bugs must show: a listener that answers before it commits dies while it writes its journal; a replay
#: that notes how far it has read before it stores dies between the two.
PLANTED: tuple[tuple[str, str, Die, str, range], ...] = (
    ("listen", "ok-before-commit", listen_dies, "pwrite64", range(4, 40, 3)),
    ("replay", "place-first", replay_dies, "pwrite64", range(40, 400, 60)),
)
#: Points of a sample.
SAMPLE: tuple[tuple[Die, str, int], ...] = (
    (listen_dies, "pwrite64", 9), (listen_dies, "fdatasync", 2), (listen_dies, "sendto", 3),
    (replay_dies, "pwrite64", 30), (replay_dies, "fdatasync", 2),
)  # fmt: skip


def caught(die: Die, bug: str, call: str, points: range) -> Figures:
    """The figures of the first of these points that finds the bug, or good ones."""
    figures = Figures(acked=1)
    for n in points:
        _, figures = die(call, n, bug)
        if not figures.good:
            break
    return figures


def sample() -> tuple[int, Figures]:
    """How many of the points of the sample killed, and their figures together."""
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda point: point[0](point[1], point[2], ""), SAMPLE))
    return sum(died for died, _ in results), sum((figures for _, figures in results), Figures())


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for name, bug, die, call, points in PLANTED:
        figures = caught(die, bug, call, points)
        print(f"cuts of {name}, planted {bug}: {'caught' if not figures.good else 'NOT CAUGHT'}: {figures}", flush=True)
        good &= not figures.good
    if not full:
        killed, figures = sample()
        print(f"cuts: killed={killed} of {len(SAMPLE)} {figures}", flush=True)
        return good and figures.good and killed == len(SAMPLE)
    for name, die_at, calls in (("listen", listen_dies, LISTEN), ("replay", replay_dies, REPLAY)):
        began = time.monotonic()
        found, figures = every(die_at, calls)
        seconds = time.monotonic() - began
        print(f"cuts of {name}: points={found.total()} {dict(found)} {figures} seconds={seconds:.0f}", flush=True)
        good &= figures.good
    return good
