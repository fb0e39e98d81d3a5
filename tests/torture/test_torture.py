"""A sample of each harness, and that it finds planted bugs. The full figures: `python -m tests.torture --full`."""

import pytest

from tests.torture import clocks, damage, disk, faults, kills, order, powercut, signals, syscalls
from tests.torture.clocks import expired
from tests.torture.world import Verdict


def test_a_power_cut_takes_no_acked_receipt() -> None:
    figures = powercut.torture(120)
    assert figures.good, figures
    assert figures.acked > 1_000


def test_the_power_cut_finds_commits_that_are_not_flushed() -> None:
    with powercut.normal():
        assert powercut.torture(400, stop=lambda figures: figures.lost > 0).lost


def test_the_power_cut_finds_a_lying_disk() -> None:
    assert powercut.torture(400, lying=True, stop=lambda figures: figures.lost > 0).lost


def test_kills_lose_and_double_nothing() -> None:
    killed, verdict = kills.torture(6, 900)
    assert killed == 6
    assert verdict.good, verdict
    assert verdict.acked >= 900


def test_kills_find_a_store_without_a_key() -> None:
    assert kills.torture(5, 500, bug="no-unique-key")[1].duplicated


@pytest.mark.needs("strace")
@pytest.mark.parametrize("point", syscalls.sample(3), ids=str)
def test_a_kill_at_a_system_call_needs_no_repair(point: syscalls.Point) -> None:
    _, verdict = syscalls.die(point)
    assert verdict.good, verdict


@pytest.mark.needs("strace")
@pytest.mark.parametrize("bug", syscalls.TELLING)
def test_kills_at_system_calls_find(bug: str) -> None:
    assert not syscalls.caught(bug, syscalls.TELLING[bug]).good


@pytest.mark.needs("strace")
def test_every_delete_follows_the_flush_of_what_it_deletes() -> None:
    figures, sound = order.torture(150)
    assert sound
    assert figures.good, figures


@pytest.mark.needs("strace")
def test_the_order_check_finds_commits_that_are_not_flushed() -> None:
    assert not order.torture(100, "normal")[0].good


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    "failure", [disk.Failure("pwrite64", "ENOSPC", 9, committer=True), disk.Failure("fdatasync", "EIO", 1)], ids=str
)
def test_a_failing_disk_ends_the_run_with_6(failure: disk.Failure) -> None:
    code, hit, verdict = disk.fail(failure)
    assert (code, hit) == (6, True)
    assert verdict.good, verdict


def test_all_faults_of_the_provider_at_once() -> None:
    _, verdict = faults.suffer(faults.FAULTS, 150)
    assert verdict.good, verdict


def test_signals_stop_in_time_and_say_what_was_done() -> None:
    _, verdict = signals.torture(1)
    assert verdict.good, verdict


def test_damaged_stores_are_refused_untouched() -> None:
    figures = damage.mutate(80)
    assert not figures.faults
    assert figures.refused > 20


def test_foreign_and_newer_stores_are_refused_untouched() -> None:
    assert not damage.strangers()


@pytest.mark.parametrize("skew", [-11 * 3600, 13 * 3600])
def test_clocks_that_are_wrong(skew: int) -> None:
    verdict: Verdict = clocks.pull("America/New_York", skew, 3600)
    assert verdict.good, verdict


def test_tokens_are_renewed_in_time_whatever_the_zone() -> None:
    verdict = expired("America/New_York")
    assert verdict.good, verdict
