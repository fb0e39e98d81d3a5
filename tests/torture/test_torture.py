"""A sample of each harness, and that it finds a planted bug. The full figures: `python -m tests.torture --full`.

Most of what they do is wait, so the runs of one harness wait together.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from smsreceipt.store import connect
from tests.torture import clocks, damage, disk, faults, kills, order, powercut, signals, syscalls

T = TypeVar("T")


def together(*runs: Callable[[], T]) -> list[T]:
    """What each of *runs* gives, all run at once."""
    with ThreadPoolExecutor(len(runs)) as pool:
        return [run.result() for run in [pool.submit(run) for run in runs]]


def test_a_power_cut_takes_no_acked_receipt() -> None:
    with powercut.normal():
        assert powercut.torture(400, stop=lambda figures: figures.lost > 0).lost
    assert powercut.torture(400, lying=True, stop=lambda figures: figures.lost > 0).lost
    figures = powercut.torture(120)
    assert figures.good, figures
    assert figures.acked > 1_000


def test_kills_lose_and_double_nothing() -> None:
    (_, planted), (killed, verdict) = together(
        lambda: kills.torture(3, 300, bug="no-unique-key"), lambda: kills.torture(3, 450)
    )
    assert planted.duplicated
    assert killed == 3
    assert verdict.good, verdict
    assert verdict.acked >= 450


@pytest.mark.needs("strace")
def test_a_kill_at_a_system_call_needs_no_repair() -> None:
    bug = "delete-before-commit"
    planted, *verdicts = together(
        lambda: syscalls.caught(bug, syscalls.TELLING[bug]),
        *(lambda point=point: syscalls.die(point)[1] for point in syscalls.sample(2)),
    )
    assert planted.lost
    for verdict in verdicts:
        assert verdict.good, verdict


@pytest.mark.needs("strace")
def test_every_delete_follows_the_flush_of_what_it_deletes() -> None:
    (planted, _), (figures, sound) = together(lambda: order.torture(30, "normal"), lambda: order.torture(60))
    assert not planted.good
    assert planted.acks
    assert sound
    assert figures.good, figures


@pytest.mark.needs("strace")
def test_a_failing_disk_ends_the_run_with_6() -> None:
    (_, _, planted), (code, hit, verdict) = together(
        lambda: disk.fail(disk.Failure("fdatasync", "EIO", 1, committer=True), "swallow"),
        lambda: disk.fail(disk.Failure("pwrite64", "ENOSPC", 9, committer=True)),
    )
    assert planted.lost
    assert (code, hit) == (6, True)
    assert verdict.good, verdict


def test_faults_of_the_provider_cost_nothing() -> None:
    (_, planted), (_, verdict) = together(
        lambda: faults.suffer(("duplicate",), 60, bug="give-up"),
        # Throttling takes 5 s each time: it has its place in the full figures.
        lambda: faults.suffer(("drop-after", "truncate", "token", "duplicate", "stale"), 100),
    )
    assert not planted.good
    assert verdict.good, verdict


def test_signals_stop_in_time_and_say_what_was_done() -> None:
    (_, planted), (_, verdict) = together(lambda: signals.torture(1, bug="deaf"), lambda: signals.torture(1))
    assert not planted.good
    assert verdict.good, verdict


def test_damaged_foreign_and_newer_stores_are_refused_untouched() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connect, "_refuse_foreign", lambda *_: None)
        assert damage.strangers(bug=True)
    assert not damage.strangers()
    figures = damage.mutate(80)
    assert not figures.faults
    assert figures.refused > 20


def test_clocks_that_are_wrong_and_tokens_that_end() -> None:
    zone = "America/New_York"
    planted, *verdicts = together(
        lambda: clocks.expired(zone, "zone-naive", life=2, seconds=4),
        lambda: clocks.expired(zone, life=2, seconds=4),
        lambda: clocks.pull(zone, -11 * 3600, 3600),
        lambda: clocks.pull(zone, 13 * 3600, 3600),
    )
    assert not planted.good
    for verdict in verdicts:
        assert verdict.good, verdict
