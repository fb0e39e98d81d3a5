"""Pushes under load, on a stalled store and on a bad disk: nothing answered 200 is ever missing, or there twice."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from contextlib import nullcontext, suppress

from tests.bench.pusher import body_of
from tests.locks import locked
from tests.torture.disk import small_disk
from tests.torture.listener import Figures, Listener, stored_by_number
from tests.torture.siege import garbage
from tests.torture.world import kill, unsound, until

_LATE = 0.65  # seconds after which a 503 came too late


def load(seconds: float, *, receipts: int = 1, kills: int = 2, bug: str = "", connections: int = 64) -> Figures:
    """Push for so long; kill the listener so often on the way, and start it again.

    Every second time it is killed while it waits for a store that another process holds: what it has in hand then is
    there to be lost.
    """
    with Listener(bug=bug) as listener:
        before = listener.written
        pusher = listener.pusher(seconds + 600, "--receipts", str(receipts), "--connections", str(connections))
        until(lambda: listener.written > before or pusher.poll() is not None)
        for number in range(kills):
            time.sleep(seconds / (kills + 1))
            with locked(listener.store) if number % 2 else nullcontext():
                time.sleep(0.3)  # some pushes are waiting for the store then
                kill(listener.process)
            listener.look_for_tracebacks()
            listener.start()
        time.sleep(seconds / (kills + 1))
        pusher.terminate()
        pusher.wait(30)
        listener.stop()
        return listener.judge(pusher, receipts)


def stall(seconds: float, *, bug: str = "") -> Figures:
    """Push while another process holds the store, then send again what was refused."""
    with Listener(bug=bug) as listener:
        with locked(listener.store):
            pusher = listener.pusher(seconds, "--connections", "16")
            pusher.wait(seconds + 30)
            healthy = listener.status("GET", "/healthz")
        figures = listener.judge(pusher, 1)
        ledger = [line.split() for line in (listener.folder / "ledger").read_text().splitlines()]
        refused = [int(number) for number, status in ledger if status == "503"]
        # The listener wakes up as late as the pusher, and each of them twice for a push.
        late = figures.slowest - 2 * figures.lag > _LATE * 1000
        if set(figures.statuses) != {503} or late or healthy != 503:
            listener.faults.append(f"not only 503s in time: {figures}, health {healthy}")
        landed = _send_again(listener, refused)
        listener.stop()
        stored = stored_by_number(listener.store)
        figures.acked = landed
        figures.lost = sum(1 for number in refused if not stored[number])
        figures.duplicated = sum(count - 1 for count in stored.values())
        figures.faults = listener.faults + unsound(listener.store)
        return figures


def _send_again(listener: Listener, numbers: list[int]) -> int:
    return sum(listener.push(body_of(number, 1)) == 200 for number in numbers)


def full_disk(bug: str = "") -> Figures | None:
    """Push until a disk of 8 MB is full, free some, and push on. None where nothing can be mounted."""
    with small_disk("8m") as small:
        if small is None:
            return None
        ballast = small / "ballast"
        ballast.write_bytes(bytes(5 << 20))
        with Listener(bug=bug, disk=small) as listener:
            acked: list[int] = []
            refused = _push_until(listener, range(1_000), acked, wanted=503)
            healthy = listener.status("GET", "/healthz")
            alive = listener.process.poll() is None
            ballast.unlink()
            _push_until(listener, range(refused, refused + 200), acked, wanted=200)
            recovered = listener.status("GET", "/healthz")
            acked += [number for number in range(20_000, 20_020) if listener.push(body_of(number, 20)) == 200]
            listener.stop()
            stored = stored_by_number(listener.store)
            if (healthy, alive, recovered) != (503, True, 200) or acked[-1] != 20_019:
                listener.faults.append(f"full: health {healthy}, alive {alive}; then health {recovered}")
            return Figures(
                statuses=Counter({200: len(acked)}),
                acked=len(acked) * 20,
                lost=sum(20 - stored[number] for number in acked),
                duplicated=sum(max(0, count - 20) for count in stored.values()),
                faults=listener.faults + unsound(listener.store),
            )


def _push_until(listener: Listener, numbers: range, acked: list[int], *, wanted: int) -> int:
    """Push twenties until the answer is the one that is waited for; the number of the push that got it."""
    for number in numbers:
        status = listener.push(body_of(number, 20))
        if status == 200:
            acked.append(number)
        if status == wanted:
            return number
    listener.faults.append(f"no push was answered {wanted}")
    return numbers.stop


def failing_disk(call: str, bug: str = "") -> Figures:
    """Push while *call* fails with EIO from its second time on: 503 and exit 6; then, on a sound disk, push again."""
    with Listener() as listener:
        acked = [number for number in range(5) if listener.push(body_of(number, 1)) == 200]
        listener.stop()
        words = listener.words()
        tracer = f"strace -qq -o {listener.folder / 'log'} --trace={call} --inject={call}:error=EIO:when=2+"
        listener.start([*words[:2], "tests.torture.traced", tracer, bug, *words[words.index("listen") :]])
        refused: list[int] = []
        for number in range(10, 20):
            status = listener.push(body_of(number, 1))
            (acked if status == 200 else refused).append(number)
        with suppress(subprocess.TimeoutExpired):
            listener.process.wait(10)
        if listener.process.returncode != 6 or "the disk failed under the store" not in listener.talk or not refused:
            listener.faults.append(f"{call} EIO: exit {listener.process.returncode}, {len(refused)} refused")
        if listener.process.returncode is None:
            kill(listener.process)
        listener.look_for_tracebacks()
        early = stored_by_number(listener.store)
        lost = {number for number in acked if not early[number]}
        listener.start()
        acked += [number for number in refused if listener.push(body_of(number, 1)) == 200]
        listener.stop()
        stored = stored_by_number(listener.store)
        return Figures(
            statuses=Counter({200: len(acked), 503: len(refused)}),
            acked=len(acked),
            lost=len(lost | {number for number in acked if not stored[number]}),
            duplicated=sum(count - 1 for count in stored.values()),
            faults=listener.faults + unsound(listener.store),
        )


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    figures = load(6, bug="ok-before-commit")
    print(f"push, planted ok-before-commit: {'caught' if not figures.good else 'NOT CAUGHT'}: {figures}", flush=True)
    good = not figures.good
    for receipts in (1, 10):
        figures = load(60 if full else 8, receipts=receipts)
        print(f"push, 64 connections, {receipts} a push, killed twice: {figures}", flush=True)
        good &= figures.good
    figures = stall(9 if full else 3)
    print(f"push, store locked: {figures}", flush=True)
    good &= figures.good
    if (filled := full_disk()) is not None:
        swallowed = full_disk("swallow")
        caught = swallowed is not None and not swallowed.good
        print(f"push, disk full, planted swallow: {'caught' if caught else 'NOT CAUGHT'}: {swallowed}", flush=True)
        good &= caught and filled.good
    print(f"push, disk full: {filled or 'NOT CHECKED: nothing can be mounted'}", flush=True)
    swallowed = failing_disk("fdatasync", "swallow")
    print(f"push, EIO, planted swallow: {'caught' if not swallowed.good else 'NOT CAUGHT'}: {swallowed}", flush=True)
    good &= not swallowed.good
    for call in ("fdatasync", "pwrite64"):
        figures = failing_disk(call)
        print(f"push, {call} fails with EIO: {figures}", flush=True)
        good &= figures.good
    siege = garbage(50_000, warm=15) if full else garbage(3_000, idle=300, warm=3)
    print(f"push, garbage: {siege}", flush=True)
    return good and siege.good
