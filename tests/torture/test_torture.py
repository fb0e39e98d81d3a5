"""A sample of each harness, and that it finds a planted bug. The full figures: `python -m tests.torture --full`.

Most of what they do is wait, so the runs of one harness wait together.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from smsreceipt.store.sqlite import connect
from tests import postgres
from tests.torture import (
    clocks,
    cuts,
    damage,
    disk,
    faults,
    forward,
    inputs,
    kills,
    order,
    powercut,
    push,
    reconcile,
    removal,
    replay,
    siege,
    signals,
    syscalls,
)

pytestmark = pytest.mark.slow
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


def test_kills_of_receiver_and_forwarder_lose_nothing() -> None:
    early, skipping, verdict = together(
        lambda: forward.torture(4, bug="cursor-first"),
        lambda: forward.torture(1, bug="skip-refused"),
        lambda: forward.torture(4),
    )
    assert early.lost
    assert skipping.lost
    assert verdict.good, verdict
    assert verdict.kills == 4


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
def test_every_200_follows_the_flush_of_what_it_answers() -> None:
    planted, figures = together(
        lambda: order.torture_listen(0.5, "ok-before-commit"), lambda: order.torture_listen(0.5)
    )
    assert not planted.good
    assert planted.acks
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
        assert damage.foreign(bug=True)
    assert not damage.foreign()
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


def test_a_comparison_finds_all_that_is_lost_and_goes_on_after_a_kill() -> None:
    guessed, marked, whole, killed, failed = together(
        lambda: reconcile.caught("guess", 600),
        lambda: reconcile.caught("mark-first", 600),
        lambda: reconcile.day(1_500),
        lambda: reconcile.killed(3, 600, lost=0.3),
        # A call that is never answered takes its time: it has its place in the full figures.
        lambda: reconcile.failing(("throttle", "500", "repeat", "shift", "short"), 600, lost=0.3),
    )
    assert not guessed.good
    assert not marked.good
    for judged in (whole, killed, failed):
        assert judged.good, judged


def test_a_replay_that_is_killed_goes_on_where_it_was() -> None:
    planted, sound = together(lambda: replay.torture(2, bug="place-first"), lambda: replay.torture(2, seed=2))
    assert planted.lost
    assert sound.good, sound
    assert (sound.kills, sound.again) == (2, 0)


def test_what_is_answered_200_is_there_once_after_a_kill() -> None:
    # One of them kills; the lock of the other is waited for meanwhile.
    planted, killed, stalled = together(
        lambda: push.load(3, bug="ok-before-commit", connections=32),
        lambda: push.load(3, receipts=3, connections=16),
        lambda: push.stall(1),
    )
    assert planted.lost
    assert killed.good, killed
    assert stalled.good, stalled


def test_garbage_costs_a_listener_nothing() -> None:
    stood = siege.garbage(400, idle=100)
    assert not stood.faults, stood
    assert stood.answered
    assert (stood.refused, max(stood.leaked, 0)) == (0, 0), stood


@pytest.mark.needs("strace")
def test_a_failing_disk_ends_a_listener_with_6_and_costs_nothing() -> None:
    planted, figures = together(
        lambda: push.failing_disk("fdatasync", "swallow"), lambda: push.failing_disk("fdatasync")
    )
    assert planted.lost
    assert figures.good, figures


@pytest.mark.needs("strace")
def test_a_listener_and_a_replay_that_die_at_a_system_call_lose_nothing() -> None:
    _, planted = cuts.listen_dies("pwrite64", 7, "ok-before-commit")
    killed, figures = cuts.sample()
    assert not planted.good
    assert (killed, figures.good) == (len(cuts.SAMPLE), True), figures


def test_mixed_inputs_are_counted_and_nothing_is_lost_for_a_side_field() -> None:
    with inputs.planted():
        assert not inputs.torture(1_000).good
    figures = inputs.torture(2_000)
    assert figures.good, figures.faults
    assert figures.receipts > 1_000
    assert figures.sends > 300


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def test_what_is_pruned_and_forgotten_is_never_half_gone(engine: str) -> None:
    # How fast pushes are answered meanwhile has its place in the full figures.
    if engine == "postgres":
        postgres.server()  # it is started once, by one thread
    planted, pruned, forgotten = together(
        lambda: removal.prune(12, 3_000, engine=engine, bug="half-removal", alone=True),
        lambda: removal.prune(3, 2_000, engine=engine),
        lambda: removal.forget(3, 4_000, engine=engine),
    )
    assert planted.half
    assert pruned.whole, pruned
    assert forgotten.whole, forgotten
    for figures in (pruned, forgotten):
        assert figures.kills == 3
        assert figures.pushed
