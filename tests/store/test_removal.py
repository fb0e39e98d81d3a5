"""What is deleted goes as a whole, and leaves the store as if it had never come."""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from smsreceipt.decode import decode
from smsreceipt.insight.answer import readers_of
from smsreceipt.model import Decoded, Delivery, Kind, Source
from smsreceipt.model.receipts import Reached
from smsreceipt.store import Query, SendQuery, Store
from smsreceipt.store.removal import UNATTRIBUTED, At, Removal, Removals, Space, Whole
from smsreceipt.store.sqlite.store import open_store
from tests import postgres
from tests.store import test_attribution as attribution
from tests.store.engines import ENGINES, Engine
from tests.store.statements import FAILED, NOW, decoded, pool, report
from tests.torture import derived

POOL = pool()


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    with closing(engine.empty()) as opened:
        yield opened


def wholes(store: Store) -> list[Whole]:
    """All wholes of a store, found as `prune` finds them, a few at a time."""
    removals, at, found = store.removals(), At(), dict[tuple[int, ...], Whole]()
    while page := removals.old(1 << 30, at, 7):
        assert page == sorted(page)
        found |= {whole.seqs: whole for whole in removals.wholes([each.seq for each in page])}
        at = page[-1]
    return [*found.values()]


def removed(store: Store, removal: Removal) -> bool:
    """Whether a removal was made; what it leaves is attributed."""
    done = store.removals().remove(removal)
    attribute(store)
    return done


def attribute(store: Store) -> None:
    """As at the end of a run."""
    while store.removals().attribute(2):
        pass
    assert not store.notes(UNATTRIBUTED)


def contents(store: Store) -> dict[str, Any]:
    """All that a store tells, without the numbers that it gives."""
    kinds = {each.kind: (each.count, each.tests, each.statements) for each in store.facts().kinds if each.statements}

    def shown(**query: Any) -> list[Any]:
        found = store.list(Query(bodies=True, **query))
        return sorted([structs.replace(each, seq=0) for each in found], key=repr)

    return {
        "state": shown(),
        "history": shown(history=True),
        "conflicts": shown(conflicts=True),
        "phones": {phone: shown(phones=[phone], history=True) for phone in ("13800008000", "13900001111")},
        "sends": [*store.sends(SendQuery())],
        "kinds": kinds,
        "open": store.facts().open_sends,
        "listed": store.facts().sends,
        "days": {each.day: (each.messages, each.parts) for each in store.day_parts(0, 1 << 30) if each.messages},
    }


def expected(engine: Engine, events: Sequence[Decoded]) -> dict[str, Any]:
    with closing(engine.empty()) as other:
        other.keep(events)
        return contents(other)


def without(events: Sequence[Decoded], gone: Collection[tuple[str, tuple[str, ...]]]) -> list[Decoded]:
    """The events without the receipts of some identities."""
    return [
        replace(event, receipts=tuple(each for each in event.receipts if (each.kind, each.identity) not in gone))
        for event in events
    ]


def identities(store: Store, whole: Whole) -> set[tuple[str, tuple[str, ...]]]:
    return {(e.receipt.kind, e.receipt.identity) for e in store.list(Query(history=True, seqs=whole.seqs))}


@pytest.mark.parametrize("seed", range(6))
def test_what_is_left_is_what_would_be_there_if_the_rest_had_never_come(engine: Engine, seed: int) -> None:
    dice = random.Random(seed)
    events = dice.sample(POOL, 80)
    with closing(engine.empty()) as store:
        store.keep(events)
        store.fold(readers_of(derived.PLACE))
        found = wholes(store)
        assert sorted(seq for whole in found for seq in whole.seqs) == [e.seq for e in store.list(Query(history=True))]
        chosen = dice.sample(found, len(found) // 2)
        gone = set[Any]().union(*(identities(store, whole) for whole in chosen))
        assert removed(store, Removal(wholes=chosen))
        assert contents(store) == expected(engine, without(events, gone))
        assert store.check()
        assert not derived.faults(store)


@pytest.mark.parametrize("seed", range(10))
def test_answers_go_with_the_receipts_to_which_they_are_attributed(engine: Engine, seed: int) -> None:
    dice = random.Random(seed)
    events = [dice.choice(attribution.POOL) for _ in range(12)]
    with closing(engine.empty()) as store:
        attribution.give(store, events)
        found = wholes(store)
        chosen = dice.sample(found, len(found) // 2)
        gone = set[Any]().union(*(identities(store, whole) for whole in chosen))
        for whole in chosen:
            assert store.removals().remove(Removal(wholes=[whole]))
            assert not derived.faults(store)  # a kill leaves a sound store
        attribute(store)
        assert not derived.faults(store)
        with closing(engine.empty()) as other:
            other.keep(without([event for event in events if isinstance(event, Decoded)], gone))
            attribution.give(other, [event for event in events if not isinstance(event, Decoded)])
            assert contents(store) == contents(other)
        attribution.check_counters(store)
        while found := wholes(store):  # what is attributed changes with each
            assert removed(store, Removal(wholes=found[:1]))
        assert not [*store.list(Query(history=True))]
        attribution.check_counters(store)


def test_what_stays_of_a_number_is_attributed_once_in_the_end(store: Store) -> None:
    day = attribution.DAY
    attribution.give(store, [attribution.send("1^0", f"{day} 09:59:59"), attribution.row(f"{day} 10:00:00")])
    attribution.give(store, [attribution.report("2^0", f"{day} 10:00:40")])  # it may be either's
    attribution.give(store, [attribution.row(f"{day} 10:00:00", phone=attribution.OTHER)])
    (report_,) = store.list(Query(biz_ids=["2^0"]))
    assert store.removals().remove(Removal(wholes=store.removals().wholes([report_.seq or 0])))
    assert [kind for kind, *_ in attribution.states(store)] == ["SendDetail", "SendDetail"]
    assert [*store.notes(UNATTRIBUTED)] == [attribution.PHONE]
    assert not derived.faults(store)
    attribute(store)
    assert sorted(kind for kind, *_ in attribution.states(store)) == ["SendDetail", "SmsReport"]
    assert not derived.faults(store)


def test_what_goes_as_a_whole_is_not_attributed(store: Store) -> None:
    day = attribution.DAY
    attribution.give(store, [attribution.send("1^0", f"{day} 09:59:59"), attribution.row(f"{day} 10:00:00")])
    assert store.removals().remove(Removal(wholes=wholes(store)))
    assert not store.notes(UNATTRIBUTED)
    assert not derived.faults(store)


def test_nothing_is_deleted_if_more_has_come_about_it(store: Store) -> None:
    store.keep([decoded(report("1^0")), decoded(report("2^0"))])
    found = wholes(store)
    store.keep([decoded(report("1^0", **FAILED))])
    assert not store.removals().remove(Removal(wholes=found))
    assert len([*store.list(Query(history=True))]) == 3
    found = wholes(store)
    store.keep([decoded(report("2^0", extra="another body"))])
    assert not store.removals().remove(Removal(wholes=found))
    store.keep([decoded(report("2^0", extra="another body"))])  # a repeat adds nothing
    assert store.removals().remove(Removal(wholes=wholes(store)))


def test_sends_stay_and_count_as_answered_or_go(store: Store) -> None:
    store.add_sends([attribution.send("1^0", attribution.DAY), attribution.send("2^0", attribution.DAY)])
    store.keep([decoded(report("1^0"))])
    assert store.removals().remove(Removal(wholes=wholes(store), settle=True))
    assert [each.send.biz_id for each in store.missing(0, 1 << 30)] == ["2^0"]
    assert store.facts().open_sends == 1
    assert store.removals().remove(Removal(sends=[("1^0", attribution.PHONE), ("0^0", "1")]))
    assert [each.send.biz_id for each in store.sends(SendQuery())] == ["2^0"]
    assert (store.facts().sends, store.facts().open_sends) == (1, 1)


def test_notes_and_rejects_go_in_the_same_transaction(store: Store) -> None:
    store.keep([decoded(b'{"phone_number":')])
    (reject,) = store.rejects()
    store.write_notes("a", {"x": "1", "y": "2"})
    store.keep([decoded(report("1^0"))])
    stale = wholes(store)
    store.keep([decoded(report("1^0", **FAILED))])
    assert not store.removals().remove(Removal(wholes=stale, rejects=[reject.id], notes={"a": {"x": None}}))
    assert [*store.rejects()] == [reject]
    assert store.removals().remove(Removal(rejects=[reject.id], notes={"a": {"x": None}, "b": {"z": "3"}}))
    assert [*store.rejects()] == []
    assert (store.notes("a"), store.notes("b")) == ({"y": "2"}, {"z": "3"})


def test_every_text_is_read(store: Store) -> None:
    store.keep([decoded(report("1^0")), decoded(report("1^0", extra="further")), decoded(report("2^0"))])
    found = [*store.removals().texts()]
    assert len(found) == 3
    assert sum(b'"further"' in body for _, _, body in found) == 1
    assert {seq for seq, *_ in found} == {each.seq for each in store.list(Query(history=True))}
    assert all(b"13800008000" in told for _, told, body in found if told)


def rewritten(removals: Removals) -> Space:
    """What a store takes once it is written anew: tests on other databases of the server may keep that waiting."""
    for _ in range(12):
        space = removals.reclaim(rewrite=True)
        if not space.held_by:
            break
    return space


def test_space_is_given_back(engine: Engine, tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "a.db") if engine.name == "sqlite" else engine.empty()) as store:
        store.keep([decoded(report(f"{number}^0", extra="x" * 2_000)) for number in range(2_000)])
        removals = store.removals()
        before = removals.reclaim(rewrite=False)
        for _ in range(4):
            assert removals.remove(Removal(wholes=wholes(store)[:500]))
        after = rewritten(removals)
        assert after.size < before.size / 2
        store.keep([decoded(report("1^0"))])
        assert len([*store.list(Query())]) == 1


@pytest.fixture
def crowded() -> Iterator[tuple[Store, Space]]:
    """A store on a server with 2,000 statements, and what it takes."""
    with closing(ENGINES["postgres"].empty()) as store:
        store.keep([decoded(report(f"{number}^0", extra="x" * 2_000)) for number in range(2_000)])
        yield store, store.removals().reclaim(rewrite=False)


def reading(store: Any) -> Any:
    """A session that sees what the store holds now."""
    session = store._connections.connect()
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    session.execute("SELECT 1")
    return session


def writing(_store: Any) -> Any:
    """A session that writes to another database of the server."""
    import psycopg

    session = psycopg.connect(postgres.server(), application_name="elsewhere")
    session.execute("CREATE TEMPORARY TABLE something (x int)")
    return session


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("begin", [reading, writing])
def test_who_may_still_read_what_was_deleted_is_waited_for_and_named(
    crowded: tuple[Store, Space], begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, before = crowded
    removals = store.removals()
    with closing(begin(store)) as session:
        assert removals.remove(Removal(wholes=wholes(store)))
        monkeypatch.setattr("smsreceipt.store.postgres.removal._PATIENCE", 0.3)
        held = removals.reclaim(rewrite=True)
        assert held.held_by.startswith("session ")
        monkeypatch.undo()
        ending = threading.Timer(0.5, session.rollback)
        ending.start()
        after = rewritten(removals)
        ending.join()
    assert not after.held_by
    assert after.size < min(before.size / 2, held.size)


@pytest.mark.needs("postgres")
def test_the_name_of_a_file_that_was_forgotten_leaves_the_files_of_the_server() -> None:
    reached = Reached("13912345678.json", 7, "mark", done=False)
    begun = decode(Delivery((), Kind("SmsReport"), Source.REPLAY, "", NOW, reached=reached))
    size = "SELECT pg_relation_size('smsreceipt.replay')"
    with closing(ENGINES["postgres"].empty()) as store:
        store.keep([begun])
        assert store.removals().remove(Removal(origins={reached.file: "forgotten 1"}))
        assert not rewritten(store.removals()).held_by
        with closing(store._connections.connect()) as session:  # type: ignore[attr-defined]  # one on a server
            assert session.execute(size).fetchall() == [(0,)]


def test_a_file_that_was_rewritten_once_gives_space_back_in_small_steps(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "a.db")) as store:
        removals = store.removals()
        removals.reclaim(rewrite=True)
        store.keep([decoded(report(f"{number}^0", extra="x" * 2_000)) for number in range(2_000)])
        full = removals.reclaim(rewrite=False)
        assert removals.remove(Removal(wholes=wholes(store)))
        assert removals.reclaim(rewrite=False).size < full.size / 4
        store.keep([decoded(report("1^0"))])
        assert store.check()


def test_bytes_of_what_was_deleted_are_found_until_the_file_is_written_anew(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "a.db")) as store:
        store.keep([decoded(report("1^0", extra="canary"))])
        removals = store.removals()
        assert removals.traces([b"canary", b"absent"])
        assert removals.remove(Removal(wholes=wholes(store)))
        assert removals.traces([b"canary"])  # in the journal
        removals.reclaim(rewrite=False)
        assert not removals.traces([b"canary"])
