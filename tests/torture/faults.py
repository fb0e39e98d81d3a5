"""A provider that fails one request in ten, in each of its ways and in all at once: everything arrives, once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.torture.world import Verdict, World

FAULTS = ("500", "drop-before", "drop-after", "truncate", "throttle", "token", "duplicate", "stale")


def suffer(faults: tuple[str, ...], messages: int, share: float = 0.1, bug: str = "") -> tuple[float, Verdict]:
    """One pull against these faults. It must end by itself, with 0 (3: for new rejects), and leave nothing."""
    with World(bug=bug, faults=dict.fromkeys(faults, share), seed=7, visibility=2) as world:
        world.put(1, poison=1.0)  # the dice alone may bring none
        world.put(messages - 1)
        began = time.monotonic()
        ended = world.pull(expect=(3,))  # there is poison among them
        seconds = time.monotonic() - began
        left = world.count("queued") + world.count("invisible")
        if left:
            world.faults.append(f"{left} messages left")
        if not bug and ended.summary.get("rejected", 0) < 1:
            world.faults.append("no rejects in the summary")
        return seconds, world.judge()


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for bug in ("give-up", "no-unique-key"):
        _, verdict = suffer(("duplicate", "stale"), 500, bug=bug)
        print(f"faults, planted {bug}: {'caught' if not verdict.good else 'NOT CAUGHT'}: {verdict}", flush=True)
        good &= not verdict.good
    messages = 2_000 if full else 500
    sets = [*((fault,) for fault in (*FAULTS, "page")), FAULTS]
    with ThreadPoolExecutor(3) as pool:
        for faults, (seconds, verdict) in zip(sets, pool.map(lambda some: suffer(some, messages), sets), strict=True):
            name = faults[0] if len(faults) == 1 else "all together"
            print(f"faults, {name} at 10 %: {verdict} seconds={seconds:.1f}", flush=True)
            good &= verdict.good
    return good
