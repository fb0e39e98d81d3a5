"""What is counted in advance is what a count of everything finds, after any history. More: STORE_EXAMPLES=1000."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec import structs

from smsreceipt.errors import StoreUnavailable
from smsreceipt.insight.answer import readers_of
from smsreceipt.model import Send
from smsreceipt.store import SendQuery, Store, tallies
from smsreceipt.store.counts import By, CountQuery, Subject
from smsreceipt.store.postgres.tallies import Tallies as OfPostgres
from smsreceipt.store.sqlite.batch import WIDTH
from smsreceipt.store.sqlite.call_tallies import TRIGGERS as OF_CALLS
from smsreceipt.store.sqlite.rows import number
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store
from smsreceipt.store.sqlite.tallies import Tallies as OfSqlite
from smsreceipt.store.sqlite.tally_changes import TRIGGERS
from tests.insight.naive import Places, grouped, messages
from tests.store import test_attribution as attribution
from tests.store.engines import ENGINES, Engine
from tests.store.statements import FAILED, anything, decoded, report

EXAMPLES = int(os.environ.get("STORE_EXAMPLES", "25"))
DICE = random.Random(20261129)
KINDS = ("SmsReport", "DypnsSmsVerifyReport")
REPORTS = [anything(DICE, KINDS) for _ in range(200)]
#: Receipts, answers of queries and sends of two numbers: answers are attributed, and the attribution is taken back.
EVENTS = [
    structs.replace(event, template_code=f"SMS_{event.biz_id[0]}", sign_name="Sign", parts=2)
    if isinstance(event, Send)
    else event
    for event in attribution.POOL
]

#: What is asked for: one of each view, several that no view has, and sums of all.
ASKED: Sequence[tuple[By, ...]] = (
    (),
    (By.DAY, By.OUTCOME, By.SECONDS),
    (By.KIND, By.HOUR, By.OUTCOME, By.CODE),
    (By.DAY, By.CARRIER, By.HOUR, By.OUTCOME),
    (By.CARRIER, By.SECONDS),
    (By.DAY, By.PROVINCE, By.OUTCOME),
    (By.PROVINCE, By.CARRIER),
    (By.TEMPLATE, By.SIGN, By.OUTCOME),
    (By.ORIGIN, By.CODE),
)


def check(store: Store, version: str = "1", *, exact: bool = False) -> None:
    """Compare every answer with that of plain means."""
    found = messages(store, exact=exact)
    for by in ASKED:
        query = CountQuery(subject=Subject.MESSAGES, first_day=0, last_day=40_000, by=by, exact=exact)
        answer = store.counts(query, readers_of(Places(version)))
        counts, parts = grouped(found, by)
        assert {each.values: each.count for each in answer} == dict(counts), by
        assert {each.values: each.parts for each in answer} == dict(parts), by


class History(RuleBasedStateMachine):
    """A store that learns things one after another, and is looked at now and then."""

    engine = ENGINES["sqlite"]

    def __init__(self) -> None:
        super().__init__()
        self.store = self.engine.empty()
        self.version = "1"  # of the table that decides

    def teardown(self) -> None:
        self.look()
        assert self.store.fold(readers_of(Places(self.version))).complete
        self.look()
        check(self.store, self.version, exact=True)
        self.store.close()

    @rule(numbers=st.lists(st.integers(0, len(REPORTS) - 1), min_size=1, max_size=6))
    def receive(self, numbers: list[int]) -> None:
        self.store.keep([REPORTS[each] for each in numbers])

    @rule(numbers=st.lists(st.integers(0, len(EVENTS) - 1), min_size=1, max_size=4))
    def learn(self, numbers: list[int]) -> None:
        attribution.give(self.store, [EVENTS[each] for each in numbers])

    @rule()
    def forget_the_sends(self) -> None:
        self.store.forget_sends(SendQuery())

    @rule(size=st.integers(1, 7))
    def fold(self, size: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tallies, "SLICE", size)
            assert self.store.fold(readers_of(Places(self.version))).complete

    @rule(version=st.sampled_from("023"), anew=st.booleans())
    def fold_with_another_table(self, version: str, anew: bool) -> None:
        if anew or version > self.version or not self.store.folded().to_seq:
            self.version = version
        self.store.fold(readers_of(Places(version)), anew=anew)

    @rule()
    def look(self) -> None:
        check(self.store, self.version)
        check(self.store, "another")


class HistoryOnPostgres(History):
    """The same in PostgreSQL, with fewer examples."""

    engine = ENGINES["postgres"]


History.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=15)
HistoryOnPostgres.TestCase.settings = settings(max_examples=max(EXAMPLES // 5, 1), stateful_step_count=15)
TestHistory = pytest.mark.slow(History.TestCase)
TestHistoryOnPostgres = pytest.mark.slow(pytest.mark.needs("postgres")(HistoryOnPostgres.TestCase))


@pytest.mark.parametrize("machine", [History, pytest.param(HistoryOnPostgres, marks=pytest.mark.needs("postgres"))])
def test_the_harness_would_notice_a_change_that_is_not_noted(
    machine: type[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: the state of a message changes, and the tallies do not."""
    history = machine()
    history.store.keep([decoded(report("1", **FAILED))])
    history.store.fold(readers_of(Places()))
    if isinstance(history.store, SqliteStore):
        history.store._db.execute("DROP TRIGGER tally_changed")
    monkeypatch.setattr("smsreceipt.store.postgres.tallies.note", lambda *_: None)
    history.store.keep([decoded(report("1", report_time="2026-11-22 00:00:00"))])
    with pytest.raises(AssertionError):
        check(history.store)
    history.store.close()


def test_what_is_folded_needs_no_scan_and_what_changes_is_noted_once(engine: Engine) -> None:
    with closing(engine.empty()) as store:
        store.keep([decoded(report("1"), report("2", **FAILED))])
        assert store.fold(readers_of(Places(""))).to_seq == 0  # a table without a version decides nothing that is kept
        folded = store.fold(readers_of(Places()))
        assert folded.complete
        store.keep([decoded(report("2", report_time="2026-11-22 00:00:00"))])
        check(store)
        assert store.fold(readers_of(Places())).to_seq > folded.to_seq
        check(store)


def test_two_tables_do_not_count_everything_in_turns(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(engine.empty()) as store:
        store.keep([decoded(report("1"), report("2", **FAILED))])
        counted = store.fold(readers_of(Places("1")))
        assert store.fold(readers_of(Places("2"))).complete  # the greater version decides from now on
        store.keep([decoded(report("3"))])
        assert not store.fold(readers_of(Places("1"))).complete
        assert store.fold(readers_of(Places("1"))).to_seq == counted.to_seq
        for version in "12":
            check(store, version)
        monkeypatch.setattr(tallies, "REST", 0)  # nobody has counted for long
        assert store.fold(readers_of(Places("1"))).complete
        for version in "12":
            check(store, version)


def test_two_tables_at_work_at_once_are_not_mixed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "SLICE", 2)
    with closing(engine.empty()) as store:
        store.keep([decoded(*(report(str(number)) for number in range(6)))])
        looks = iter([None])

        def another(_done: int, _total: int) -> None:
            for _ in looks:
                store.fold(readers_of(Places("2")))

        store.fold(readers_of(Places("1")), on_progress=another)
        assert store.fold(readers_of(Places("2"))).complete
        for version in "12":
            check(store, version)


def test_a_store_that_is_read_only_answers_the_same(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(open_store(path)) as store:
        store.keep([decoded(report("1"))])
        store.fold(readers_of(Places()))
        store.keep([decoded(report("2"), report("1", **FAILED))])
    with closing(open_reader(path)) as store:
        assert not store.fold(readers_of(Places())).complete
        check(store)
        with pytest.raises(StoreUnavailable):
            store.fold(readers_of(Places()), anew=True)


def test_counting_anew_can_be_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    monkeypatch.setattr(tallies, "SLICE", 2)
    with closing(open_store(path)) as store:
        store.keep([decoded(*(report(str(number)) for number in range(9)))])

        def stop(done: int, _total: int) -> None:
            if done == 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.fold(readers_of(Places()), anew=True, on_progress=stop)
        check(store)
    with closing(open_store(path)) as store:
        assert number(store._db, "SELECT tally_to FROM counter") == 4
        seen: list[tuple[int, int]] = []
        store.fold(readers_of(Places()), on_progress=lambda *progress: seen.append(progress))
        assert seen == [(6, 9), (8, 9), (9, 9)]
        check(store)


@pytest.mark.parametrize("kind", [OfSqlite, pytest.param(OfPostgres, marks=pytest.mark.needs("postgres"))])
def test_a_change_between_the_two_steps_of_a_fold_counts_once(
    kind: type[OfSqlite | OfPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process changes a statement after it was read and before its tally is written."""
    advance = kind.advance

    def late(self: Any, *values: Any) -> None:
        monkeypatch.undo()
        store.keep([decoded(report("1", report_time="2026-11-22 00:00:00"))])
        advance(self, *values)

    with closing(ENGINES["sqlite" if kind is OfSqlite else "postgres"].empty()) as store:
        store.keep([decoded(report("1", **FAILED), report("2"))])
        monkeypatch.setattr(kind, "advance", late)
        store.fold(readers_of(Places()))
        assert kind.advance is advance
        check(store)


def test_storing_receipts_takes_no_step_more_for_the_tallies(tmp_path: Path) -> None:
    """SQLite's own program for the insert of new receipts and plain repeats is the same without our triggers."""
    with closing(open_store(tmp_path / "store.db")) as store:
        count, insert = store._keeper._inserts[-1]
        steps = f"EXPLAIN {insert}", (None,) * (count * WIDTH)
        with_triggers = [row[1:6] for row in store._db.execute(*steps)]
        for name, _ in (*TRIGGERS, *OF_CALLS):
            store._db.execute(f"DROP TRIGGER {name}")
        assert [row[1:6] for row in store._db.execute(*steps)] == with_triggers
