"""Four pulls and two readers on one store, while another process holds the write lock for seconds now and then."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time

from tests.torture.world import Verdict, World, kill

PULLS, READERS = 4, 2
#: Takes the write lock for so many seconds, in a process of its own.
_LOCKER = """
import sys, time, apsw
db = apsw.Connection(sys.argv[1])
db.set_busy_timeout(20000)
db.execute("BEGIN IMMEDIATE")
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
"""


def torture(seconds: float, rate: int, *, longest: float = 6.0, bug: str = "") -> tuple[int, float, Verdict]:
    """Run for so long at so many messages a second; reads made, seconds locked, verdict."""
    with World(bug=bug, visibility=8, faults={"duplicate": 0.05}) as world:
        world.pull("--no-settle")  # makes the store
        pulls = [world.start(world.pull_words("-f")) for _ in range(PULLS)]
        over = time.monotonic() + seconds
        reads: list[str] = []
        readers = [threading.Thread(target=_read, args=(world, over, reads)) for _ in range(READERS)]
        locked = [0.0]
        locker = threading.Thread(target=_lock, args=(world, over, longest, locked))
        for thread in (*readers, locker):
            thread.start()
        while time.monotonic() < over:
            world.put(rate // 10)
            time.sleep(0.1)
        for thread in (*readers, locker):
            thread.join()
        _stop(world, pulls)
        world.bug = ""
        world.drain()
        return len(reads), locked[0], world.judge()


def _read(world: World, over: float, reads: list[str]) -> None:
    while time.monotonic() < over:
        ended = world.run(world.words("list", "--json", "--history"))
        reads.append(ended.err)
        if ended.code:
            world.faults.append(f"list: exit {ended.code}: {ended.err.strip()[-200:]}")


def _lock(world: World, over: float, longest: float, locked: list[float]) -> None:
    dice = random.Random(3)
    while (left := over - time.monotonic()) > 1:
        seconds = min(dice.uniform(0.1, longest), left)
        subprocess.run([sys.executable, "-c", _LOCKER, str(world.store), str(seconds)], check=True)
        locked[0] += seconds
        time.sleep(dice.uniform(0.5, 2))


def _stop(world: World, pulls: list[subprocess.Popen[bytes]]) -> None:
    for process in pulls:
        if process.poll() is not None:
            world.faults.append(f"a pull ended early with {process.returncode}")
        kill(process, signal.SIGTERM)
    for process in pulls:
        if process.wait(20) not in {143, 6, 1}:
            world.faults.append(f"a stopped pull ended with {process.returncode}")
    said = (world.folder / "err").read_text()
    for line in said.splitlines():
        if "Traceback" in line or line.startswith("error:"):
            world.faults.append(line)


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    _, _, verdict = torture(15, 200, bug="impatient")
    print(f"concurrency, planted impatient: {'caught' if not verdict.good else 'NOT CAUGHT'}: {verdict}", flush=True)
    good = not verdict.good
    reads, locked, verdict = torture(75 if full else 20, 500)
    print(f"concurrency: pulls={PULLS} readers={READERS} reads={reads} locked for {locked:.0f} s {verdict}")
    return good and verdict.good
