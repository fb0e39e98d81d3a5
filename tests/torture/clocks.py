"""Host zones, clocks that are wrong, tokens that end: it works up to 12 hours, and says so beyond."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

from tests.torture.world import Verdict, World

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu", "Pacific/Pago_Pago")
HOURS = 3600
SKEWS = (1, 60, 890, 910, 4 * HOURS, 11 * HOURS, 13 * HOURS, 24 * HOURS)  # seconds, either way
LIVES = (3.0, 30.0, 3600.0)  # seconds a token is good for


def pull(zone: str, skew: float, life: float, bug: str = "") -> Verdict:
    """One pull in *zone*, by a provider whose clock is *skew* seconds ahead and whose tokens live for *life*."""
    with World(bug=bug, skew=skew, token_life=life, latency=20) as world:
        world.put(60, poison=0, repeats=0)
        what = f"{zone} {skew:+g} s, tokens of {life:g} s"
        ended = world.run(world.pull_words(), TZ=zone)
        if abs(skew) > 12 * HOURS:
            if ended.code != 4 or "clock" not in ended.err:
                world.faults.append(f"{what}: exit {ended.code}, {ended.err[-200:]}")
            return Verdict(faults=world.faults)
        if ended.code:
            world.faults.append(f"{what}: exit {ended.code}, {ended.err[-200:]}")
        if (abs(skew) > 120) != ("the local clock is" in ended.err):
            world.faults.append(f"{what}: warned wrongly: {ended.err[-200:]}")
        world.faults += [f"{what}: {fault}" for fault in _tokens(world, life, ended.seconds)]
        return world.judge()


def _tokens(world: World, life: float, seconds: float) -> list[str]:
    """Whether tokens were asked for no more often than they end."""
    calls = world.sandbox.state()["calls"]
    assert isinstance(calls, dict)
    asked, queues = calls.get("QueryTokenForMnsQueue", 0), 4
    renewals = 1 + seconds // (max(life - 120, life / 2))
    # One more each: the first answer may be the first to tell the time.
    if asked > queues * (renewals + 1):
        return [f"{asked} tokens asked for {queues} queues in {seconds:.0f} s"]
    return []


def expired(zone: str, bug: str = "", *, life: int = 4, seconds: int = 13) -> Verdict:
    """A follower of so many seconds whose tokens live for fewer: it renews them in time."""
    with World(bug=bug, token_life=life) as world:
        world.put(40)
        ended = world.run(world.pull_words("-f", "--for", f"{seconds}s"), TZ=zone)
        if ended.code not in {0, 3}:
            world.faults.append(f"{zone}: exit {ended.code}: {ended.err[-200:]}")
        calls = world.sandbox.state()["calls"]
        assert isinstance(calls, dict)
        if calls["QueryTokenForMnsQueue"] > 4 * (2 + 2 * seconds // life):
            world.faults.append(f"{zone}: {calls['QueryTokenForMnsQueue']} tokens in {seconds} s")
        if world.expired_calls > 1:
            world.faults.append(f"{zone}: {world.expired_calls} calls with tokens that had ended")
        world.bug = ""
        world.drain()
        return world.judge()


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    planted = expired("America/New_York", "zone-naive")
    print(f"clocks, planted zone-naive: {'caught' if not planted.good else 'NOT CAUGHT'}: {planted}", flush=True)
    good = not planted.good
    skews = [sign * skew for skew in SKEWS for sign in (1, -1)]
    cases = [(zone, skew, 3600.0) for zone, skew in itertools.product(ZONES if full else ZONES[2:4], skews)]
    cases += [(zone, 0.0, life) for zone, life in itertools.product(ZONES, LIVES)]
    total = Verdict()
    with ThreadPoolExecutor(4) as pool:
        for verdict in pool.map(lambda case: pull(*case), cases):
            total += verdict
        for verdict in pool.map(expired, ZONES if full else ZONES[2:4]):
            total += verdict
    print(f"clocks: runs={len(cases) + (len(ZONES) if full else 2)} {total}")
    return good and total.good
