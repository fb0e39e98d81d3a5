"""Deleting while another connection writes about the same messages: counters, tallies and states stay right."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from smsreceipt.decode import decode, reread
from smsreceipt.insight.answer import readers_of
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.store import Query, Store, opening
from smsreceipt.store.forgotten import TOPIC, TURN, digest_of, key_of
from smsreceipt.store.removal import Removal
from tests import postgres
from tests.store.engines import Engine
from tests.store.statements import FAILED, NOW, decoded, frame, report
from tests.store.test_attribution import check_counters
from tests.store.test_removal import wholes
from tests.torture import derived

pytestmark = pytest.mark.slow
_ROUNDS = 120


@pytest.fixture
def location(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if engine.name == "sqlite":
        yield str(tmp_path / "a.db")
    else:
        with postgres.database() as url:
            yield url


def opened(location: str) -> Store:
    return opening.open_store(location, readonly=False, reread=reread, lock_wait=30)


def test_counters_and_states_stay_right(location: str) -> None:
    stop = threading.Event()
    faults: list[BaseException] = []

    def write(seed: int) -> None:
        dice = random.Random(seed)
        try:
            with closing(opened(location)) as store:
                while not stop.is_set():
                    said = [report(f"{dice.randrange(30)}^0", **dice.choice([{}, FAILED])) for _ in range(5)]
                    said += [report(f"{dice.randrange(30)}^0", extra=str(dice.randrange(3)))]
                    kept = store.keep([decoded(*said)])
                    assert kept.tally.received == len(said)
        except BaseException as exc:  # noqa: BLE001 - raised below
            faults.append(exc)

    with closing(opened(location)) as store:
        store.keep([decoded(report("0^0"))])
        store.fold(readers_of(derived.PLACE))
        threads = [threading.Thread(target=write, args=(seed,)) for seed in (1, 2)]
        for thread in threads:
            thread.start()
        dice, done = random.Random(3), 0
        for _ in range(_ROUNDS):
            found = wholes(store)
            if found:
                done += store.removals().remove(Removal(wholes=dice.sample(found, min(3, len(found)))))
        stop.set()
        for thread in threads:
            thread.join()
        assert not faults
        assert done
        check_counters(store)
        assert store.check()
        assert not derived.faults(store)
        while found := wholes(store):
            assert store.removals().remove(Removal(wholes=found))
        assert sum(each.statements + each.count + each.tests for each in store.facts().kinds) == 0


def test_who_writes_already_hears_of_a_forgetting(location: str) -> None:
    """Whatever began to write before is waited for; whatever begins afterwards knows of it."""
    number, written = "13912345678", 0
    stop = threading.Event()

    def write() -> None:
        nonlocal written
        with closing(opened(location)) as store:
            while not stop.is_set():
                body = frame(report(f"{written}^0", number)[1])
                kept = store.keep([decode(Delivery((body,), Kind("SmsReport"), Source.MNS, "q", NOW))])
                assert kept.tally.balanced
                written += 1

    with closing(opened(location)) as store:
        writer = threading.Thread(target=write)
        writer.start()
        while written < 30:
            stop.wait(0.01)
        removals = store.removals()
        key = key_of(removals.key_file(), make=True)
        assert key is not None
        stone = f'{{"at":{Instant(NOW + 10**12)}}}'
        removals.remove(Removal(notes={TOPIC: {digest_of(key, number): stone}, TURN[0]: {TURN[1]: "1"}}))
        there = len([*store.list(Query(history=True))])
        before = written
        while written < before + 30:
            stop.wait(0.01)
        stop.set()
        writer.join()
        assert len([*store.list(Query(history=True))]) == there
