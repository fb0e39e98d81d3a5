"""Signals at random moments, and into a long poll: the right exit code, in time, with a summary, and nothing lost."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.torture.world import KINDS, Verdict, World, kill, until

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@dataclass
class Stops:
    """How long the stops took."""

    idle: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"idle={len(self.idle)} (slowest {max(self.idle, default=0):.2f} s)"
            f" busy={len(self.busy)} (slowest {max(self.busy, default=0):.2f} s)"
        )


def torture(times: int, *, seed: int = 1, bug: str = "") -> tuple[Stops, Verdict]:
    """Stop so many runs with each signal, and freeze some in between; then drain and judge."""
    dice, stops = random.Random(seed), Stops()
    with World(bug=bug) as world:
        for signum, code in [*CODES.items()] * times:
            idle = dice.random() < 0.4
            seconds, ended, err = _stop(world, dice, signum, idle=idle)
            (stops.idle if idle else stops.busy).append(seconds)
            what = f"{signum.name} {'idle' if idle else 'busy'}"
            if ended != code:
                world.faults.append(f"{what}: exit {ended}")
            if "Traceback" in err or not re.search(r"^received=", err, re.MULTILINE):
                world.faults.append(f"{what}: no summary: {err[-100:]}")
            if seconds > (2 if idle else 10):
                world.faults.append(f"{what}: took {seconds:.1f} s")
        world.drain()
        return stops, world.judge()


def _stop(world: World, dice: random.Random, signum: signal.Signals, *, idle: bool) -> tuple[float, int, str]:
    """Start a run, wait for the moment, signal; seconds until it ended, its code, what it said."""
    calls = world.calls
    err = world.folder / "err"
    err.unlink(missing_ok=True)
    process = world.start(world.pull_words("-f", "--no-settle", wait=30))
    until(lambda: world.calls > calls + 3 * len(KINDS) - 1 or process.poll() is not None)
    if idle:
        until(lambda: not world.count("queued") + world.count("invisible"), 20)
        time.sleep(dice.uniform(0.2, 1.0))
    else:
        _load(world, dice, process)
    began = time.monotonic()
    kill(process, signum)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        kill(process)
    return time.monotonic() - began, process.returncode, err.read_text(errors="replace")


def _load(world: World, dice: random.Random, process: subprocess.Popen[bytes]) -> None:
    """Some bursts of messages, and now and then a freeze that outlasts their visibility."""
    for _ in range(dice.randint(1, 15)):
        world.put(16)
        time.sleep(dice.uniform(0, 0.02))
    if dice.random() < 0.15:
        kill(process, signal.SIGSTOP)
        time.sleep(2.2)
        kill(process, signal.SIGCONT)


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    _, verdict = torture(3, bug="deaf")
    print(f"signals, planted deaf: {'caught' if not verdict.good else 'NOT CAUGHT'}: {verdict}", flush=True)
    good = not verdict.good
    with ThreadPoolExecutor(3) as pool:
        for stops, verdict in pool.map(lambda seed: torture(34 if full else 4, seed=seed), range(3)):
            print(f"signals: {stops} {verdict}", flush=True)
            good &= verdict.good
    return good
