"""Calls and replies counted in advance are what a count of the log finds, whatever came. More: STORE_EXAMPLES=1000."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from smsreceipt.decode.facts import word_of
from smsreceipt.errors import StoreUnavailable
from smsreceipt.insight.answer import readers_of
from smsreceipt.model import Decoded, StoredReceipt, beijing_day
from smsreceipt.store import Query, Store, call_tallies
from smsreceipt.store.counts import By, CountQuery, Readers, Subject
from smsreceipt.store.postgres.call_tallies import CallTallies as OfPostgres
from smsreceipt.store.removal import Removal
from smsreceipt.store.sqlite.call_tallies import _BODIES
from smsreceipt.store.sqlite.call_tallies import CallTallies as OfSqlite
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store
from tests.insight.naive import Places
from tests.store.engines import ENGINES, Engine
from tests.store.statements import call, mixed, pool, reply, report
from tests.store.test_removal import wholes

EXAMPLES = int(os.environ.get("STORE_EXAMPLES", "25"))
SIDES = {"0": "platform", "1": "caller", "2": "callee"}
DAYS = ("2026-11-19", "2026-11-20")


def read(version: str = "1") -> Readers:
    return replace(readers_of(Places()), version=version)


def said(dice: random.Random) -> Decoded:
    """Something about one of a few calls and replies; the same call is told differently the next time."""
    kind = dice.choice(("SecretReport", "SecretReport", "SecretReport", "SecretRecording", "SmsUp"))
    day = dice.choice(DAYS)
    if kind == "SmsUp":
        text = dice.choice(("退订", "td", "收到", "T" * 20))
        (found,) = mixed(reply(str(dice.randrange(3)), text, sign_name=dice.choice("AB"), send_time=f"{day} 16:01:00"))
        return found
    fields: dict[str, Any] = {
        "call_time": f"{day} 10:00:00",
        "ring_time": f"{day} 10:00:0{dice.choice((3, 5))}",
        "call_out_time": f"{day} 10:00:03",
        "start_time": f"{day} 10:00:12",
        "release_time": f"{day} 10:0{dice.choice((0, 3))}:{dice.choice((12, 17))}",
        "release_cause": dice.choice((16, 31)),
        "release_dir": dice.choice((0, 1, 2, 9)),
        "call_type": dice.choice((0, 1, 4, 2)),
    }
    for name in dice.sample(sorted(fields.keys() - {"call_time"}), dice.choice((0, 0, 1))):
        del fields[name]
    if dice.random() < 0.2:
        fields["record_url"] = "https://example.com/r.mp3"
    told = dict(call(f"call-{dice.randrange(4)}", dice.choice(("FC1", "FC2")), **fields)[1])
    if kind == "SecretRecording":
        told["subs_id"] = 1
    (recorded,) = mixed((kind, told))
    return recorded


DICE = random.Random(20261129)
EVENTS = [said(DICE) for _ in range(200)]


def seconds(fields: dict[str, Any], begin: str, end: str) -> int | None:
    if not fields.get(begin) or not fields.get(end):
        return None
    took = datetime.fromisoformat(fields[end]) - datetime.fromisoformat(fields[begin])
    return round(took.total_seconds()) if took.total_seconds() >= 0 else None


def values(stored: StoredReceipt) -> dict[str, Any]:
    """What one state tells, read from its body by plain means."""
    fields = json.loads(stored.receipt.body)
    talk = seconds(fields, "start_time", "release_time") or None
    rang = None
    if fields.get("ring_time") != fields.get("call_out_time"):
        rang = seconds(fields, "ring_time", "start_time" if talk else "release_time")
    return {
        By.DAY: beijing_day(stored.happened_at),
        By.OUTCOME: stored.receipt.outcome or "",
        By.CODE: str(fields.get("release_cause", "")),
        By.POOL: fields.get("pool_key", ""),
        By.SIDE: SIDES.get(str(fields.get("release_dir", "")), "unknown"),
        By.CALL_TYPE: str(fields.get("call_type", "")),
        By.SECONDS: talk,
        By.RING: rang,
        By.WORD: word_of(fields.get("content", "")),
        By.SIGN: fields.get("sign_name", ""),
        "call_id": stored.receipt.call_id,
        "recorded": bool(fields.get("record_url")),
    }


#: What is asked for: what is counted in advance, and what is not.
ASKED: Sequence[tuple[Subject, tuple[By, ...]]] = (
    (Subject.CALLS, ()),
    (Subject.CALLS, (By.OUTCOME, By.CODE, By.SIDE, By.CALL_TYPE, By.SECONDS)),
    (Subject.CALLS, (By.DAY, By.CALL_TYPE, By.RING)),
    (Subject.CALLS, (By.POOL, By.OUTCOME)),
    (Subject.CALLS, (By.SECONDS, By.RING)),
    (Subject.REPLIES, (By.WORD,)),
    (Subject.REPLIES, (By.DAY, By.SIGN)),
    (Subject.RECORDINGS, ()),
    (Subject.RECORDINGS, (By.DAY,)),
    (Subject.RECORDINGS, (By.POOL,)),
    (Subject.UNRECORDED, (By.DAY,)),
)
KINDS = {Subject.CALLS: "SecretReport", Subject.REPLIES: "SmsUp", Subject.RECORDINGS: "SecretRecording"}


def check(store: Store, version: str = "1") -> None:
    """Compare every answer with that of plain means."""
    found = {
        subject: [values(each) for each in store.list(Query(kinds=(kind,))) if not each.receipt.test]
        for subject, kind in KINDS.items()
    }
    found[Subject.UNRECORDED] = list(unrecorded(found[Subject.CALLS], found[Subject.RECORDINGS]))
    for subject, by in ASKED:
        query = CountQuery(subject=subject, first_day=20_000, last_day=21_000, by=by)
        answer = {each.values: each.count for each in store.counts(query, read(version))}
        assert answer == Counter(tuple(each[name] for name in by) for each in found[subject]), (subject, by)


def unrecorded(calls: list[dict[str, Any]], recordings: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    pools = {(each[By.DAY], each[By.POOL]) for each in recordings}
    known = {(each[By.DAY], each["call_id"]) for each in recordings}
    for each in calls:
        expects = each["recorded"] or (each[By.DAY], each[By.POOL]) in pools
        talked = each[By.SECONDS] is not None and each[By.CALL_TYPE] != "2"
        if talked and expects and (each[By.DAY], each["call_id"]) not in known:
            yield each


class History(RuleBasedStateMachine):
    """A store that learns of calls, forgets some, and is looked at now and then."""

    engine = ENGINES["sqlite"]

    def __init__(self) -> None:
        super().__init__()
        self.store = self.engine.empty()

    def teardown(self) -> None:
        self.look()
        self.store.fold(read("9"))
        assert not waiting(self.store)
        check(self.store, "9")
        self.store.close()

    @rule(numbers=st.lists(st.integers(0, len(EVENTS) - 1), min_size=1, max_size=6))
    def receive(self, numbers: list[int]) -> None:
        self.store.keep([EVENTS[each] for each in numbers])

    @rule(number=st.integers(0, 20))
    def forget(self, number: int) -> None:
        if found := wholes(self.store):
            assert self.store.removals().remove(Removal(wholes=[found[number % len(found)]]))

    @rule(size=st.integers(1, 7), version=st.sampled_from("112"), anew=st.booleans())
    def fold(self, size: int, version: str, *, anew: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(call_tallies, "SLICE", size)
            patch.setattr(call_tallies, "_FEW", 1)
            self.store.fold(read(version), anew=anew)

    @rule()
    def look(self) -> None:
        check(self.store, "1")
        check(self.store, "2")


class HistoryOnPostgres(History):
    """The same in PostgreSQL, with fewer examples."""

    engine = ENGINES["postgres"]


History.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=15)
HistoryOnPostgres.TestCase.settings = settings(max_examples=max(EXAMPLES // 5, 1), stateful_step_count=15)
TestHistory = pytest.mark.slow(History.TestCase)
TestHistoryOnPostgres = pytest.mark.slow(pytest.mark.needs("postgres")(HistoryOnPostgres.TestCase))


def waiting(store: Store) -> int:
    """Days that are to be counted again."""
    if isinstance(store, SqliteStore):
        return len(store._db.execute("SELECT * FROM call_change").fetchall())
    with store._connections.lend() as db:  # type: ignore[attr-defined]
        return len(db.execute("SELECT * FROM smsreceipt.call_change").fetchall())


@pytest.mark.parametrize("machine", [History, pytest.param(HistoryOnPostgres, marks=pytest.mark.needs("postgres"))])
@pytest.mark.parametrize("forgets", [True, False])
def test_the_harness_would_notice_a_change_that_is_not_noted(
    machine: type[History], monkeypatch: pytest.MonkeyPatch, *, forgets: bool
) -> None:
    """A planted bug: the state of a call changes or is deleted, and the tallies do not."""
    history = machine()
    history.store.keep(mixed(call("1", release_cause=16)))
    history.store.fold(read())
    if isinstance(history.store, SqliteStore):
        history.store._db.execute(f"DROP TRIGGER {'call_deleted' if forgets else 'call_changed'}")
    monkeypatch.setattr("smsreceipt.store.postgres.call_tallies.note_changed", lambda *_: None)
    if forgets:
        history.forget(0)
    else:
        history.store.keep(mixed(call("1", release_cause=31, release_time="2026-11-20 10:09:17")))
    with pytest.raises(AssertionError):
        check(history.store)
    history.store.close()


@pytest.mark.parametrize("kind", [OfSqlite, pytest.param(OfPostgres, marks=pytest.mark.needs("postgres"))])
@pytest.mark.parametrize("folded", [True, False])
def test_a_change_between_the_two_steps_of_a_fold_is_counted(
    kind: type[OfSqlite | OfPostgres], monkeypatch: pytest.MonkeyPatch, *, folded: bool
) -> None:
    """Another process changes a statement after its day was read, and before its tally is written."""
    advance = kind.advance

    def late(self: Any, *written: Any) -> None:
        monkeypatch.undo()
        store.keep(mixed(call("1", release_cause=31, release_time="2026-11-20 10:09:17")))
        advance(self, *written)

    with closing(ENGINES["sqlite" if kind is OfSqlite else "postgres"].empty()) as store:
        store.keep(mixed(call("1"), call("2")))
        if folded:
            store.fold(read())
            store.keep(mixed(call("1", release_cause=17, release_time="2026-11-20 10:08:17")))
        monkeypatch.setattr(kind, "advance", late)
        store.fold(read())
        check(store)
        store.fold(read())
        assert not waiting(store)
        check(store)


@pytest.mark.parametrize("kind", [OfSqlite, pytest.param(OfPostgres, marks=pytest.mark.needs("postgres"))])
def test_two_folds_at_once_count_once(kind: type[OfSqlite | OfPostgres], monkeypatch: pytest.MonkeyPatch) -> None:
    advance = kind.advance

    def late(self: Any, *written: Any) -> None:
        monkeypatch.undo()
        store.fold(read())
        advance(self, *written)

    with closing(ENGINES["sqlite" if kind is OfSqlite else "postgres"].empty()) as store:
        store.keep(mixed(call("1"), call("2"), reply("1")))
        monkeypatch.setattr(kind, "advance", late)
        store.fold(read())
        check(store)


def test_what_is_folded_is_read_no_more(engine: Engine) -> None:
    """A day that is counted needs no body; one in which something changed is read, and the others are not."""
    bodies: list[bytes] = []

    def noting(body: bytes) -> Any:
        bodies.append(body)
        return readers_of(Places()).call(body)

    def asked() -> int:
        bodies.clear()
        query = CountQuery(subject=Subject.CALLS, first_day=20_000, last_day=21_000, by=(By.SECONDS,))
        store.counts(query, replace(read(), call=noting))
        return len(bodies)

    with closing(engine.empty()) as store:
        store.keep(mixed(*(call(str(n)) for n in range(5))))
        store.keep(mixed(*(call(str(n), call_time="2026-11-19 10:00:00") for n in range(5, 12))))
        assert asked() == 12
        store.fold(read())
        assert asked() == 0
        store.keep(mixed(call("20")))
        assert asked() == 1
        store.keep(mixed(call("0", release_cause=31, release_time="2026-11-20 10:09:17")))
        assert asked() == 6
        store.fold(read())
        assert asked() == 0


@pytest.mark.needs("postgres")
def test_changes_are_not_noted_where_nobody_has_counted() -> None:
    noted = "SELECT kind, day FROM smsreceipt.call_change"
    with closing(ENGINES["postgres"].empty()) as opened:
        store: Any = opened
        store.keep(mixed(call("1")))
        store.keep(mixed(call("1", release_cause=31, release_time="2026-11-20 10:09:17")))
        assert store._reader.rows(noted) == []
        store.fold(read())
        store.keep(mixed(call("1", release_cause=31, release_time="2026-11-20 10:19:17")))
        assert {kind for kind, _ in store._reader.rows(noted)} == {"SecretReport"}


def test_another_reading_of_bodies_is_not_mixed_with_this_one(engine: Engine) -> None:
    with closing(engine.empty()) as store:
        store.keep(mixed(call("1"), reply("1")))
        store.fold(read("2"))
        store.keep(mixed(call("2")))
        store.fold(read("1"))  # an older program, which counts nothing
        assert store._tallies().calls.state().version == "2"  # type: ignore[attr-defined]
        for version in "12":
            check(store, version)


def test_a_store_that_is_read_only_answers_the_same(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(open_store(path)) as store:
        store.keep(mixed(call("1"), reply("1")))
        store.fold(read())
        store.keep(mixed(call("1", release_cause=31), call("2"), reply("2")))
    with closing(open_reader(path)) as store:
        store.fold(read())
        check(store)
        with pytest.raises(StoreUnavailable):
            store.fold(read(), anew=True)


def test_nothing_stays_of_a_reply_that_is_deleted(tmp_path: Path) -> None:
    """Its text is counted as a word, and may be a number."""
    number = "13912345678"
    with closing(open_store(tmp_path / "store.db")) as store:
        store.keep(mixed(reply("1", number), reply("2")))
        store.fold(read())
        assert store._db.execute("SELECT counts FROM call_tally WHERE counts LIKE ?", (f"%{number}%",)).fetchall()
        found = [each for each in wholes(store) if number in str([e.receipt.body for e in listed(store, each.seqs)])]
        assert len(found) == 1
        assert store.removals().remove(Removal(wholes=found))
        store.removals().reclaim(rewrite=False)
        assert not store.removals().traces([number.encode()])
        check(store)


def listed(store: Store, seqs: Sequence[int]) -> list[StoredReceipt]:
    return list(store.list(Query(seqs=seqs, history=True)))


def test_messages_are_not_read_for_calls(tmp_path: Path) -> None:
    """The rows of a store with many messages and few calls are found by the index of days and kinds."""
    with closing(open_store(tmp_path / "store.db")) as store:
        store.keep([*pool(20, ("SmsReport",)), *mixed(report("1"), call("1"))])
        plan = " ".join(str(row[3]) for row in store._db.execute(f"EXPLAIN QUERY PLAN {_BODIES}", (0, 9)))
        assert "INDEX statement_day (day=? AND kind=? AND rowid>? AND rowid<?)" in plan
        assert "SCAN statement" not in plan
