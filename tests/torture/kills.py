"""kill -9 at random moments of pulls under load. Then plain pulls, nothing else: everything must be there, once."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

from tests.torture.world import Verdict, World, kill, until

_BURST = 16
_ROUND = 20  # kills on one store


def torture(kills: int, messages: int, *, seed: int = 1, bug: str = "", lanes: int = 2) -> tuple[int, Verdict]:
    """Kill so often while so many messages arrive; return how many runs were killed in time, and the verdict.

    With a bug planted it ends as soon as the bug is found.
    """
    dice = random.Random(seed)
    rounds = [min(_ROUND, kills - first) for first in range(0, kills, _ROUND)]
    total, killed = Verdict(), 0
    with ThreadPoolExecutor(lanes) as pool:
        each = [(count, count * messages // kills, dice.random(), bug) for count in rounds]
        for done, verdict in pool.map(lambda one: _round(*one), each):
            killed += done
            total += verdict
            if bug and not total.good:
                pool.shutdown(cancel_futures=True)
                break
    return killed, total


def _round(kills: int, messages: int, seed: float, bug: str) -> tuple[int, Verdict]:
    """Kill so often on one fresh store, then drain and judge."""
    dice = random.Random(seed)
    with World(bug=bug) as world:
        killed = sum(_kill_one(world, dice, messages // kills) for _ in range(kills))
        world.drain()
        return killed, world.judge()


def _kill_one(world: World, dice: random.Random, messages: int) -> bool:
    """Run under load, and kill: uniformly within 250 ms of its first call, or of its start for one in five."""
    calls = world.calls
    left = _burst(world, messages)
    process = world.start(world.pull_words("-f"))
    if dice.random() < 0.2:
        moment = time.monotonic() + dice.uniform(0, 0.7)
    else:
        until(lambda: world.calls > calls or process.poll() is not None)
        moment = time.monotonic() + dice.uniform(0, 0.25)
    while (rest := moment - time.monotonic()) > 0:
        left = _burst(world, left)
        time.sleep(min(rest, 0.012))
    in_time = process.poll() is None
    if not in_time:
        world.faults.append(f"a run ended by itself with {process.returncode}")
    kill(process)
    world.put(left)
    return in_time


def _burst(world: World, left: int) -> int:
    now = min(_BURST, left)
    world.put(now)
    return left - now


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for bug in ("delete-before-commit", "no-unique-key"):
        killed, verdict = torture(200, 200 * 100, bug=bug)
        print(f"kills, planted {bug}: {'caught' if not verdict.good else 'NOT CAUGHT'} after {killed} kills: {verdict}")
        good &= not verdict.good
    began = time.monotonic()
    killed, verdict = torture(*((500, 100_000) if full else (40, 8_000)), lanes=3)
    print(f"kills: killed={killed} {verdict} seconds={time.monotonic() - began:.0f}")
    return good and verdict.good
