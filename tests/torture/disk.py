"""A disk that is full or fails: at every write and flush of a pull, and on a file system of 3 MB."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.torture.syscalls import KINDS, strace
from tests.torture.world import Verdict, World


@dataclass(frozen=True)
class Failure:
    """Which call fails with what, from the n-th on."""

    call: str
    error: str
    n: int
    committer: bool = False


def fail(failure: Failure, bug: str = "") -> tuple[int, bool, Verdict]:
    """Pull on a disk that fails, then on one that works: the first exit code, whether it came to it, the verdict."""
    with World(bug=bug, visibility=1) as world:
        for kind in KINDS:
            world.put(16, kinds=(kind,), poison=0.05, repeats=0)
        inject = f"error={failure.error}:when={failure.n}+"
        ended = strace(world, inject, failure.call, committer=failure.committer)
        log = world.folder / "strace.log"
        hit = log.exists() and "(INJECTED)" in log.read_text()
        what = f"{failure.call} {failure.error} {failure.n}"
        if hit and ended.code != 6:
            world.faults.append(f"{what}: exit {ended.code}")
        if not hit and ended.code not in {0, 3}:
            world.faults.append(f"{what}: exit {ended.code} though nothing failed")
        if hit and "error: " not in ended.err:
            world.faults.append(f"{what}: no word of it")
        early = world.judge(drained=False)
        if early.lost:
            world.faults.append(f"{what}: {early.lost} deleted and not stored")
        world.bug = ""
        world.pull()
        if world.count("queued") + world.count("invisible"):
            world.faults.append(f"{what}: the next run left messages")
        return ended.code, hit, world.judge()


def every(call: str, error: str, *, committer: bool, lanes: int = 4) -> tuple[int, Counter[int], Verdict]:
    """Fail at the first, second, … until a run does not come to it: points, exit codes, verdict."""
    points, codes, total = 0, Counter[int](), Verdict()
    with ThreadPoolExecutor(lanes) as pool:
        for first in itertools.count(1, lanes):
            results = list(pool.map(fail, [Failure(call, error, first + n, committer) for n in range(lanes)]))
            for code, hit, verdict in results:
                points += hit
                codes[code] += hit
                total += verdict
            if not all(hit for _, hit, _ in results):
                return points, codes, total
    raise AssertionError("it never ends")


@contextmanager
def small_disk(size: str) -> Iterator[Path | None]:
    """A file system of its own; None where we may not mount one."""
    folder = Path(tempfile.mkdtemp(prefix="smsreceipt-torture-"))
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=False, capture_output=True
    ).returncode
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def full_disk(bug: str = "") -> tuple[int, Verdict] | None:
    """Pull more than 3 MB hold: exit 6, then, with more room, all there. None where nothing can be mounted."""
    with small_disk("3m") as small:
        if small is None:
            return None
        with World(bug=bug, visibility=1) as world:
            home, world.store = world.store, small / "receipts.db"
            world.put(6_000)
            ended = world.run(world.pull_words())
            if ended.code != 6:
                world.faults.append(f"exit {ended.code}")
            if ended.err.count("\n") > 8:
                world.faults.append(f"{ended.err.count(chr(10))} lines of errors")
            early = world.judge(drained=False)
            if early.lost:
                world.faults.append(f"{early.lost} deleted and not stored")
            for path in small.glob("receipts.db*"):  # the disk grows
                (home.parent / path.name).write_bytes(path.read_bytes())
            world.store, world.bug = home, ""
            world.drain()
            return ended.code, world.judge()


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    swallowed = fail(Failure("fdatasync", "EIO", 1, committer=True), "swallow")[2]
    print(f"disk, planted swallow: {'caught' if not swallowed.good else 'NOT CAUGHT'}: {swallowed}")
    good = not swallowed.good
    filled = full_disk()
    print(f"disk, 3 MB: {'NOT CHECKED: nothing can be mounted' if filled is None else f'exit={filled[0]} {filled[1]}'}")
    good &= filled is None or filled[1].good
    if not full:
        with ThreadPoolExecutor(4) as pool:
            some = [Failure("pwrite64", "ENOSPC", n, committer) for n in (1, 20) for committer in (False, True)]
            some += [Failure("fdatasync", "EIO", n, committer) for n, committer in ((1, False), (3, False), (1, True))]
            results = list(pool.map(fail, some))
        for failure, (code, hit, verdict) in zip(some, results, strict=True):
            print(f"disk, {failure}: exit={code} hit={hit} {verdict}")
            good &= verdict.good
        return good
    for call, error in itertools.product(("pwrite64", "fdatasync"), ("ENOSPC", "EIO")):
        for committer in (True, False):
            points, codes, verdict = every(call, error, committer=committer)
            where = "committer" if committer else "all threads"
            print(f"disk, {call} {error}, {where}: points={points} exits={dict(codes)} {verdict}", flush=True)
            good &= verdict.good
    return good
