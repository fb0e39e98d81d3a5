"""A sample of each harness, and that it finds planted bugs. The full figures: `python -m tests.torture --full`."""

import pytest

from smsreceipt.store import connect
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
    killed, verdict = kills.torture(3, 450)
    assert killed == 3
    assert verdict.good, verdict
    assert verdict.acked >= 450


def test_kills_find_a_store_without_a_key() -> None:
    assert kills.torture(3, 300, bug="no-unique-key")[1].duplicated


@pytest.mark.needs("strace")
@pytest.mark.parametrize("point", syscalls.sample(2), ids=str)
def test_a_kill_at_a_system_call_needs_no_repair(point: syscalls.Point) -> None:
    _, verdict = syscalls.die(point)
    assert verdict.good, verdict


@pytest.mark.needs("strace")
def test_kills_at_system_calls_find_a_store_without_a_key() -> None:
    assert syscalls.caught("no-unique-key", syscalls.TELLING["no-unique-key"]).duplicated


@pytest.mark.needs("strace")
def test_every_delete_follows_the_flush_of_what_it_deletes() -> None:
    figures, sound = order.torture(60)
    assert sound
    assert figures.good, figures


@pytest.mark.needs("strace")
def test_the_order_check_finds_commits_that_are_not_flushed() -> None:
    assert not order.torture(30, "normal")[0].good


@pytest.mark.needs("strace")
def test_a_full_disk_ends_the_run_with_6() -> None:
    code, hit, verdict = disk.fail(disk.Failure("pwrite64", "ENOSPC", 9, committer=True))
    assert (code, hit) == (6, True)
    assert verdict.good, verdict


@pytest.mark.needs("strace")
def test_the_failing_disk_finds_acks_of_what_it_did_not_take() -> None:
    assert disk.fail(disk.Failure("fdatasync", "EIO", 1, committer=True), "swallow")[2].lost


def test_all_faults_of_the_provider_at_once() -> None:
    _, verdict = faults.suffer(faults.FAULTS, 60)
    assert verdict.good, verdict


def test_faults_find_a_run_that_one_message_ends() -> None:
    assert not faults.suffer(("duplicate",), 60, bug="give-up")[1].good


def test_signals_stop_in_time_and_say_what_was_done() -> None:
    _, verdict = signals.torture(1)
    assert verdict.good, verdict


def test_signals_find_a_run_that_is_deaf_to_them() -> None:
    assert not signals.torture(1, bug="deaf")[1].good


def test_damaged_stores_are_refused_untouched() -> None:
    figures = damage.mutate(80)
    assert not figures.faults
    assert figures.refused > 20


def test_foreign_and_newer_stores_are_refused_untouched() -> None:
    assert not damage.strangers()


def test_damage_finds_a_store_that_trusts_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_refuse_foreign", lambda *_: None)
    assert damage.strangers(bug=True)


@pytest.mark.parametrize("skew", [-11 * 3600, 13 * 3600])
def test_clocks_that_are_wrong(skew: int) -> None:
    verdict: Verdict = clocks.pull("America/New_York", skew, 3600)
    assert verdict.good, verdict


def test_tokens_are_renewed_in_time_whatever_the_zone() -> None:
    verdict = expired("America/New_York", life=2, seconds=4)
    assert verdict.good, verdict


def test_that_finds_a_clock_of_the_wrong_zone() -> None:
    assert not expired("America/New_York", "zone-naive", life=2, seconds=4).good
