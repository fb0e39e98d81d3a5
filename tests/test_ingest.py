"""The ingest pipeline: keep, then ack; whatever fails, and wherever the power is cut."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt import ingest
from smsreceipt.decode import decode
from smsreceipt.errors import StoreDamaged, StoreFull, StoreLocked, StoreUnavailable
from smsreceipt.ingest import COMMIT_BYTES, Committer, LockRetry, TurnCommitter, take
from smsreceipt.model import Answer, Asked, Decoded, Delivery, Instant, Kind, Source, Tally
from smsreceipt.store import Kept, Query, Store
from smsreceipt.store.sqlite.store import open_reader, open_store
from tests.store.statements import NOW, bad, frame, report

NOWHERE = Path("there-is-no-such-file.db")


class PowerCut(BaseException):
    """No `except Exception` can hide it."""


class Recorder:
    """Notes what happens in which order; stands for a store and for acks."""

    def __init__(self, *answers: Exception | BaseException | None, kept: Kept | None = None) -> None:
        self.events: list[object] = []
        self.batches: list[int] = []
        self.asked: list[Asked] = []
        self.entered, self.gate, self.acked = threading.Event(), threading.Event(), threading.Event()
        self.gate.set()
        self._answers = list(answers)
        self._kept = kept

    def keep(
        self,
        decoded: Sequence[Decoded],
        *,
        resolves: Collection[str] = (),  # noqa: ARG002
        asked: Collection[Asked] = (),
    ) -> Kept:
        self.asked += asked
        self.entered.set()
        assert self.gate.wait(10)
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            self.events.append("refused")
            raise answer
        self.events.append("kept")
        self.batches.append(len(decoded))
        received = sum(len(item.receipts) for item in decoded)
        rejected = sum(len(item.rejects) for item in decoded)
        return self._kept or Kept(Tally(received + rejected, received, 0, rejected, rejected), ())

    def delivery(self, *frames: bytes, name: object = "acked") -> Delivery:
        def ack() -> None:
            self.events.append(name)
            self.acked.set()

        return Delivery(frames or (frame(report()[1]),), Kind("SmsReport"), Source.MNS, "q", NOW, ack)

    def consolidate(self) -> None:
        self.events.append("consolidated")

    @property
    def store(self) -> Store:
        return cast("Store", self)


def test_everything_is_kept_in_one_commit_before_anything_is_acked() -> None:
    seen = Recorder()
    kept = take(
        [*map(decode, (seen.delivery(name=1), seen.delivery(bad(), name=2), seen.delivery(name=3)))], seen.store
    )
    assert seen.events == ["kept", 1, 2, 3]
    assert (kept.tally.received, kept.tally.rejected) == (3, 1)


def test_what_was_asked_is_noted_with_what_it_brought() -> None:
    seen = Recorder()
    asked = Asked("900^0", "13800008000", NOW, Answer.ANSWERED)
    take([decode(seen.delivery())], seen.store, asked=[asked])
    assert seen.asked == [asked]


@pytest.mark.parametrize(
    "failure", [StoreLocked("x"), StoreFull("x"), StoreUnavailable("x"), StoreDamaged("x"), OSError(), PowerCut()]
)
def test_nothing_is_acked_when_it_could_not_be_kept(failure: BaseException) -> None:
    seen = Recorder(failure)
    with pytest.raises(type(failure)):
        take([decode(seen.delivery()), decode(seen.delivery())], seen.store)
    assert seen.events == ["refused"]


@pytest.mark.parametrize("tally", [Tally(), Tally(1, 1), Tally(2, 1, 0, 0), Tally(2, 2, 1, 0), Tally(3, 3)])
def test_counters_that_do_not_add_up_are_a_bug_and_nothing_is_acked(tally: Tally) -> None:
    seen = Recorder(kept=Kept(tally, ()))
    with pytest.raises(AssertionError, match="add up"):
        take([decode(seen.delivery()), decode(seen.delivery())], seen.store)
    assert seen.events == ["kept"]


def test_a_bad_element_is_acked_with_its_neighbours() -> None:
    store = open_reader(NOWHERE)
    seen = Recorder()
    frames = [frame(report(str(n))[1]) if n % 5 else bad(str(n) + "!") for n in range(16)]
    kept = take([decode(seen.delivery(*frames))], store)
    assert (kept.tally.new, kept.tally.rejected, kept.tally.fresh_rejects) == (12, 4, 4)
    assert seen.events == ["acked"]


@settings(max_examples=150)
@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=5),
    st.lists(st.integers(0, 12), max_size=6),
)
def test_acked_implies_stored_wherever_the_power_is_cut(groups: list[list[int]], cuts: list[int]) -> None:
    """Run after run, each cut at some step, redelivering what was not acked: none is lost, none is stored twice."""
    store = open_reader(NOWHERE)
    acked: set[int] = set()
    pending = dict(enumerate(groups))

    def stored() -> set[str]:
        return {each.receipt.biz_id or "" for each in store.list(Query(history=True))}

    for cut in [*cuts, -1]:
        steps = iter(range(1_000))

        def step(cut: int = cut, steps: Any = steps) -> None:
            if next(steps) == cut:
                raise PowerCut

        class Cutting:
            """The store, with a power cut before, in or after its commit."""

            def keep(self, decoded: Sequence[Decoded], step: Callable[[], None] = step, **_: object) -> Kept:
                step()

                class Items(list[Decoded]):
                    def __iter__(self) -> Any:
                        for item in list.__iter__(self):
                            step()
                            yield item

                kept = store.keep(Items(decoded))
                step()
                return kept

        def ack(number: int, step: Callable[[], None] = step) -> Callable[[], None]:
            def done() -> None:
                step()
                assert {str(each) for each in groups[number]} <= stored(), "acked, but not stored"
                acked.add(number)

            return done

        deliveries = [
            Delivery(
                tuple(frame(report(str(each))[1]) for each in group),
                Kind("SmsReport"),
                Source.MNS,
                "q",
                NOW,
                ack(number),
            )
            for number, group in pending.items()
        ]
        with contextlib.suppress(PowerCut):
            take([*map(decode, deliveries)], cast("Store", Cutting()))
        pending = {number: group for number, group in pending.items() if number not in acked}
    assert pending == {}
    everything = [each.receipt.biz_id for each in store.list(Query(history=True))]
    assert sorted(everything) == sorted({str(each) for group in groups for each in group})
    store.close()


def test_many_deliveries_that_wait_share_one_commit() -> None:
    seen = Recorder()
    seen.gate.clear()
    committer = Committer(seen.store, decode)
    committer.put(seen.delivery(name="first"))
    assert seen.entered.wait(10)
    for n in range(50):
        committer.put(seen.delivery(name=n))
    seen.gate.set()
    committer.close()
    assert seen.batches == [1, 50]
    assert seen.events == ["kept", "first", "kept", *range(50)]
    assert committer.tally == Tally(51, 51)
    assert committer.failure is None


def test_a_commit_takes_no_more_frames_than_it_should() -> None:
    seen = Recorder()
    seen.gate.clear()
    committer = Committer(seen.store, decode)
    committer.put(seen.delivery())
    assert seen.entered.wait(10)
    crowd = [frame(report(str(n))[1]) for n in range(1_000)]
    for _ in range(9):
        committer.put(seen.delivery(*crowd))
    seen.gate.set()
    committer.close()
    assert seen.batches == [1, 4, 4, 1]


def test_callbacks_come_after_commit_and_ack() -> None:
    seen = Recorder()
    committer = Committer(seen.store, decode, on_kept=lambda kept: seen.events.append(kept.tally.received))
    committer.put(seen.delivery())
    committer.close()
    committer.close()
    assert seen.events == ["kept", "acked", 1]


def test_closing_commits_what_waits() -> None:
    seen = Recorder()
    committer = Committer(seen.store, decode)
    for n in range(20):
        committer.put(seen.delivery(name=n))
    committer.close()
    assert [event for event in seen.events if event != "kept"] == list(range(20))


def test_a_failure_stops_everything_and_acks_nothing_more() -> None:
    failed = threading.Event()
    seen = Recorder(None, StoreUnavailable("no space left"))
    committer = Committer(seen.store, decode, on_failure=failed.set)
    committer.put(seen.delivery(name="first"))
    assert seen.acked.wait(10)
    committer.put(seen.delivery(name="second"))
    assert failed.wait(10)
    committer.put(seen.delivery(name="third"))
    committer.close()
    assert seen.events == ["kept", "first", "refused"]
    assert isinstance(committer.failure, StoreUnavailable)


def test_a_locked_store_is_waited_for() -> None:
    waits: list[str] = []
    seen = Recorder(StoreLocked("locked"), StoreLocked("locked"))
    seen.gate.clear()
    committer = Committer(seen.store, decode, lock_retry=LockRetry(waits.append))
    committer.put(seen.delivery())
    assert seen.entered.wait(10)
    seen.gate.set()
    assert seen.acked.wait(10)
    committer.close()
    assert seen.events == ["refused", "refused", "kept", "acked"]
    assert waits == ["locked; waiting, 0 s so far"]
    assert committer.failure is None


def test_a_delivery_is_decoded_once_however_often_its_commit_is_tried() -> None:
    seen = Recorder(StoreLocked("locked"), StoreLocked("locked"))
    frames: list[bytes] = []

    def counted(delivery: Delivery) -> Decoded:
        frames.extend(delivery.frames)
        return decode(delivery)

    committer = Committer(seen.store, counted)
    committer.put(seen.delivery(b"{}"))
    committer.close()
    assert (seen.events, frames) == (["refused", "refused", "kept", "acked"], [b"{}"])


def test_a_commit_takes_no_more_bytes_than_it_should() -> None:
    seen = Recorder()
    seen.gate.clear()
    committer = Committer(seen.store, decode)
    committer.put(seen.delivery())
    assert seen.entered.wait(10)
    large = b"[" + b" " * (COMMIT_BYTES // 2) + b"]"
    for _ in range(5):
        committer.put(seen.delivery(large))
    seen.gate.set()
    committer.close()
    assert seen.batches == [1, 2, 2, 1]


def test_on_a_full_disk_a_run_that_can_ask_again_goes_on() -> None:
    refused: list[Sequence[Delivery]] = []
    full = threading.Event()

    def on_full(batch: Sequence[Delivery]) -> None:
        refused.append(batch)
        full.set()

    seen = Recorder(StoreFull("no space left"))
    committer = Committer(seen.store, decode, on_full=on_full)
    first = seen.delivery(name="first")
    committer.put(first)
    assert full.wait(10)
    committer.put(seen.delivery(name="second"))
    committer.close()
    assert refused == [[first]]
    assert seen.events == ["refused", "kept", "second"]
    assert (committer.tally, committer.failure) == (Tally(1, 1), None)


def test_on_a_full_disk_any_other_run_gives_up() -> None:
    seen = Recorder(StoreFull("no space left"))
    committer = Committer(seen.store, decode)
    committer.put(seen.delivery())
    committer.close()
    assert isinstance(committer.failure, StoreFull)
    assert seen.events == ["refused"]


def test_a_store_that_stays_locked_is_given_up_after_the_budget() -> None:
    failed = threading.Event()
    seen = Recorder(*[StoreLocked("locked")] * 10_000_0)
    committer = Committer(seen.store, decode, lock_retry=LockRetry(budget=0.02), on_failure=failed.set)
    committer.put(seen.delivery())
    assert failed.wait(10)
    committer.close()
    assert isinstance(committer.failure, StoreLocked)
    assert "acked" not in seen.events


def test_after_a_stop_a_locked_store_is_not_waited_for() -> None:
    lock_retry = LockRetry()
    seen = Recorder(*[StoreLocked("locked")] * 3)
    lock_retry.stop()
    committer = Committer(seen.store, decode, lock_retry=lock_retry)
    committer.put(seen.delivery())
    assert committer.close(10)
    assert isinstance(committer.failure, StoreLocked)
    assert seen.events == ["refused"]


def test_a_close_that_may_not_wait_tells_that_a_commit_is_under_way() -> None:
    seen = Recorder()
    seen.gate.clear()
    committer = Committer(seen.store, decode)
    committer.put(seen.delivery())
    assert seen.entered.wait(10)
    assert not committer.close(0.01)
    seen.gate.set()
    assert committer.close(10)
    assert seen.events == ["kept", "acked"]


def test_a_commit_in_turn_is_made_by_whoever_calls_it() -> None:
    seen = Recorder()
    committer = TurnCommitter(seen.store, decode, on_kept=lambda _: seen.events.append(threading.get_ident()))
    assert committer.next_commit() is None
    for n in range(3):
        committer.put(seen.delivery(name=n))
    commit = committer.next_commit()
    assert seen.events == []
    assert commit is not None
    assert committer.next_commit() is None  # one at a time
    commit()
    assert seen.events == ["kept", 0, 1, 2, threading.get_ident()]
    assert committer.tally == Tally(3, 3)
    assert committer.next_commit() is None


def test_commits_in_turn_take_no_more_than_they_should() -> None:
    seen = Recorder()
    committer = TurnCommitter(seen.store, decode)
    crowd = [frame(report(str(n))[1]) for n in range(1_000)]
    for _ in range(9):
        committer.put(seen.delivery(*crowd))
    while commit := committer.next_commit():
        commit()
    assert seen.batches == [4, 4, 1]


def test_a_failure_of_a_commit_in_turn_is_raised_to_nobody_and_ends_them() -> None:
    seen = Recorder(StoreUnavailable("no space left"))
    failed = threading.Event()
    committer = TurnCommitter(seen.store, decode, on_failure=failed.set)
    committer.put(seen.delivery())
    commit = committer.next_commit()
    assert commit is not None
    commit()
    assert failed.is_set()
    assert isinstance(committer.failure, StoreUnavailable)
    committer.put(seen.delivery())
    assert committer.next_commit() is None
    assert committer.close(10)
    assert seen.events == ["refused"]


def test_closing_makes_the_commits_in_turn_that_are_left_or_tells_that_one_hangs() -> None:
    seen = Recorder()
    committer = TurnCommitter(seen.store, decode)
    committer.put(seen.delivery(name="first"))
    commit = committer.next_commit()
    assert commit is not None
    seen.gate.clear()
    hanging = threading.Thread(target=commit)
    hanging.start()
    assert seen.entered.wait(10)
    committer.put(seen.delivery(name="second"))
    assert not committer.close(0.01)
    seen.gate.set()
    assert committer.close(10)
    hanging.join()
    assert seen.events == ["kept", "first", "kept", "second"]


def test_on_a_full_disk_commits_in_turn_go_on() -> None:
    refused: list[Sequence[Delivery]] = []
    seen = Recorder(StoreFull("no space left"))
    committer = TurnCommitter(seen.store, decode, on_full=refused.append)
    first = seen.delivery(name="first")
    for each in (first, seen.delivery(name="second")):
        committer.put(each)
        commit = committer.next_commit()
        assert commit is not None
        commit()
    assert refused == [[first]]
    assert seen.events == ["refused", "kept", "second"]


def test_an_idle_store_is_consolidated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "_IDLE", 0.05)
    seen = Recorder()
    committer = TurnCommitter(seen.store, decode)
    committer.put(seen.delivery())
    made = 0
    deadline = time.monotonic() + 10
    while made < 2 and time.monotonic() < deadline:
        if commit := committer.next_commit():
            commit()
            made += 1
    assert seen.events == ["kept", "acked", "consolidated"]
    time.sleep(0.1)
    assert committer.next_commit() is None


def test_the_committer_and_a_real_store(tmp_path: Path) -> None:
    path = tmp_path / "s" / "receipts.db"
    store = open_store(path)
    committer = Committer(store, decode)
    acks: list[int] = []

    def receiver(lane: int) -> None:
        for n in range(25):
            frames = (frame(report(f"{lane}-{n}")[1]), frame(report("shared")[1]), bad(f"{lane}"))
            at = Instant(NOW + n)
            committer.put(Delivery(frames, Kind("SmsReport"), Source.MNS, "q", at, lambda: acks.append(lane)))

    threads = [threading.Thread(target=receiver, args=(lane,)) for lane in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    committer.close()
    store.close()
    assert committer.failure is None
    assert committer.tally == Tally(300, 101, 99, 100, 4)
    assert len(acks) == 100
    reader = open_reader(path)
    assert reader.count(Query(), 1_000) == 101
    reader.close()
