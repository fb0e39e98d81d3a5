"""A commit whose answer is lost, and then more goes wrong: still neither lost nor made twice, and its receipts told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from smsreceipt.errors import StoreDamaged, StoreLocked, StoreUnavailable
from smsreceipt.model import Decoded
from smsreceipt.store import Query
from smsreceipt.store.postgres import schema, writer
from smsreceipt.store.postgres.store import PostgresStore
from smsreceipt.store.postgres.writer import Writer
from tests import postgres
from tests.store.statements import bad, decoded, report
from tests.store.test_postgres_sessions import lose, opened

pytestmark = pytest.mark.needs("postgres")
Db = psycopg.Connection[Any]


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with closing(opened(url, lock_wait=0.2)) as store:
        store.keep([decoded(report("1"))])
        yield store


def once(monkeypatch: pytest.MonkeyPatch, act: Callable[[Callable[[Db], None], Db], None]) -> None:
    """The next COMMIT is *act*, which gets the original one."""
    commit = Writer._commit
    acted: list[int] = []

    def hooked(db: Db) -> None:
        if not acted:
            acted.append(1)
            act(commit, db)
        commit(db)

    monkeypatch.setattr(Writer, "_commit", staticmethod(hooked))


def committed_unheard(commit: Callable[[Db], None], db: Db) -> None:
    commit(db)
    lose(db)


def told(store: PostgresStore) -> list[tuple[str, int]]:
    return [(each.receipt.biz_id, each.times_seen) for each in store.list(Query(history=True))]


def test_the_receipts_of_a_recognised_commit_are_told_as_new(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(monkeypatch, committed_unheard)
    kept = store.keep([decoded(report("1"), report("2"), report("3"))])
    assert [(each.receipt.biz_id, each.seq) for each in kept.new] == [
        (each.receipt.biz_id, each.seq) for each in store.list(Query(history=True)) if each.receipt.biz_id != "1"
    ]
    assert len(kept.new) == kept.tally.new == 2


def test_a_connection_that_is_lost_again_while_the_outcome_is_asked_for(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(monkeypatch, committed_unheard)
    outcome: Callable[..., Any] = Writer._outcome
    asked: list[int] = []

    def lost_again(writer: Writer, attempt: Any) -> Any:
        asked.append(1)
        if len(asked) == 1:
            with pytest.raises(psycopg.OperationalError):
                lose(writer._db)  # type: ignore[arg-type]
        return outcome(writer, attempt)

    monkeypatch.setattr(Writer, "_outcome", lost_again)
    assert store.keep([decoded(report("1"), report("2"))]).tally.new == 1
    assert store.keep([decoded(report("2"))]).tally.duplicate == 1
    assert len(asked) == 2
    assert told(store) == [("1", 2), ("2", 2)]


def test_the_lock_of_a_commit_that_is_still_under_way_is_waited_for(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may still be at the first COMMIT when the client comes again: it holds the row of the writer."""
    busy = psycopg.connect(url)

    def held(_commit: Callable[[Db], None], db: Db) -> None:
        with pytest.raises(psycopg.OperationalError):
            lose(db)
        busy.execute("UPDATE smsreceipt.writer SET host = host")
        threading.Timer(1.0, busy.close).start()

    once(monkeypatch, held)
    assert store.keep([decoded(report("1"), report("2"))]).tally.new == 1
    assert told(store) == [("1", 2), ("2", 1)]


def test_a_program_that_was_stopped_for_longer_than_the_server_waits_goes_on(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that slept: the server has ended the transaction, and closed the connection."""

    def asleep(_commit: Callable[[Db], None], db: Db) -> None:
        db.execute("SET LOCAL idle_in_transaction_session_timeout = 1")
        threading.Event().wait(0.3)

    once(monkeypatch, asleep)
    monkeypatch.setattr(store._writer, "_lock_wait", 5.0)
    assert store.keep([decoded(report("2"))]).tally.new == 1
    assert told(store) == [("1", 1), ("2", 1)]


@pytest.mark.parametrize("committed", [True, False])
def test_a_batch_that_was_given_up_in_doubt_is_not_counted_twice_when_it_is_tried_again(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """As `listen` does, which waits for its server without end."""
    batch = [decoded(report("1"), report("2")), decoded(bad("x"))]
    with monkeypatch.context() as outage:
        given_up_in_doubt(outage, store, batch, committed=committed)
    kept = store.keep(batch)
    assert (kept.tally.new, kept.tally.duplicate, kept.tally.rejected) == (1, 1, 1)
    assert [each.receipt.biz_id for each in kept.new] == ["2"]
    assert told(store) == [("1", 2), ("2", 1)]
    assert store.keep(batch).tally.duplicate == 2  # it came once more


@pytest.mark.parametrize("committed", [True, False])
def test_another_batch_after_one_that_was_given_up_in_doubt_is_stored(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    with monkeypatch.context() as outage:
        given_up_in_doubt(outage, store, [decoded(report("1"), report("2"))], committed=committed)
    assert store.keep([decoded(report("3"))]).tally.new == 1
    assert store.keep([decoded(report("3"))]).tally.duplicate == 1
    assert told(store) == ([("1", 2), ("2", 1), ("3", 2)] if committed else [("1", 1), ("3", 2)])


def given_up_in_doubt(
    outage: pytest.MonkeyPatch, store: PostgresStore, batch: list[Decoded], *, committed: bool
) -> None:
    """The answer to a COMMIT is lost, and then the server cannot be reached for longer than is waited."""

    def unheard(commit: Callable[[Db], None], db: Db) -> None:
        if committed:
            commit(db)
        outage.setattr(store._connections, "connect", unreachable)
        lose(db)

    def unreachable() -> Db:
        raise StoreUnavailable("gone")

    outage.setattr(writer, "_IN_DOUBT", 0.1)
    once(outage, unheard)
    with pytest.raises(StoreLocked, match="cannot be reached any more"):
        store.keep(batch)


def test_a_writer_that_was_idle_for_months_may_have_lost_its_row(store: PostgresStore, url: str) -> None:
    postgres.execute(url, "DELETE FROM smsreceipt.writer")
    store._writer._wrote = time.time() - 40 * 86_400, time.monotonic()
    assert store.keep([decoded(report("2"))]).tally.new == 1


def test_a_clock_of_the_server_that_jumped_takes_no_writer_its_row(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.execute(url, "UPDATE smsreceipt.writer SET seen_at = 1")
    for remembered, rows in ((1_000, 2), (0, 1)):
        monkeypatch.setattr(writer, "_REMEMBERED", remembered)
        with closing(opened(url)) as other:
            other.keep([decoded(report("2"))])
            with closing(psycopg.connect(url)) as db:
                assert db.execute("SELECT count(*) FROM smsreceipt.writer").fetchone() == (rows,)


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_transaction_that_the_server_ends_for_another_is_made_again(
    store: PostgresStore, url: str, state: str
) -> None:
    """A deadlock, or what Citus cannot serialize: tried five times more, then the store is in use by others."""
    failing = (
        "CREATE OR REPLACE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF nextval('public.failures') < {} THEN RAISE EXCEPTION 'again' USING ERRCODE = '{}'; END IF;"
        " RETURN NULL; END $$"
    )
    postgres.execute(
        url, "CREATE SEQUENCE public.failures", failing.format(6, state),
        "CREATE TRIGGER fail AFTER INSERT ON smsreceipt.statement EXECUTE FUNCTION public.fail()",
    )  # fmt: skip
    try:
        assert store.keep([decoded(report("2"))]).tally.new == 1
        postgres.execute(url, failing.format(99, state))
        with pytest.raises(StoreLocked, match="used by others at the same time"):
            store.keep([decoded(report("3"))])
    finally:
        postgres.execute(
            url,
            "DROP TRIGGER fail ON smsreceipt.statement",
            "DROP FUNCTION public.fail",
            "DROP SEQUENCE public.failures",
        )
    assert told(store) == [("1", 1), ("2", 1)]


def test_a_lock_timeout_of_the_administrator_is_told(store: PostgresStore, url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    postgres.execute(url, f"ALTER DATABASE {name} SET lock_timeout = '50ms'")
    try:
        with closing(psycopg.connect(url)) as db, closing(opened(url)) as other:
            db.execute("LOCK TABLE smsreceipt.writer")
            with pytest.raises(StoreLocked, match="locked by another process") as caught:
                other.keep([decoded(report("2"))])
    finally:
        postgres.execute(url, f"ALTER DATABASE {name} RESET lock_timeout")
    assert "lock_timeout" in caught.value.hint
    assert caught.value.exit_code == 6


def test_a_statement_timeout_of_the_administrator_is_told(store: PostgresStore, url: str) -> None:
    store.keep([decoded(*(report(str(n)) for n in range(3_000)))])
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    postgres.execute(url, f"ALTER DATABASE {name} SET statement_timeout = '1ms'")
    try:
        with pytest.raises(StoreLocked, match="did not answer in time") as caught, closing(opened(url)) as reader:
            list(reader.list(Query(history=True)))
    finally:
        postgres.execute(url, f"ALTER DATABASE {name} RESET statement_timeout")
    assert "statement_timeout" in caught.value.hint
    assert caught.value.exit_code == 6


def test_a_program_that_runs_while_the_schema_is_upgraded_writes_nothing_more(store: PostgresStore, url: str) -> None:
    postgres.execute(url, "UPDATE smsreceipt.meta SET version = version + 1")
    try:
        with pytest.raises(StoreDamaged, match=r"has schema \d+, this program knows") as caught:
            store.keep([decoded(report("2"))])
    finally:
        postgres.execute(url, "UPDATE smsreceipt.meta SET version = version - 1")
    assert caught.value.exit_code == 7
    assert "newer smsreceipt" in caught.value.hint
    assert told(store) == [("1", 1)]


def test_an_upgrade_waits_for_transactions_that_are_under_way(store: PostgresStore, url: str) -> None:
    steps: list[int] = []

    def step(number: int) -> str:
        steps.append(number)
        return "SELECT 1"

    def upgrade() -> None:
        with closing(psycopg.connect(url, autocommit=True)) as db, contextlib.suppress(StoreDamaged):
            schema.upgrade(db, "x", to=schema.SCHEMA + 1, step=step)

    with closing(psycopg.connect(url)) as busy:
        busy.execute("SELECT smsreceipt.begin_write(id, batch + 1, 1, false, 5000) FROM smsreceipt.writer")
        thread = threading.Thread(target=upgrade)
        thread.start()
        thread.join(0.3)
        assert steps == []
        busy.rollback()
        thread.join()
    assert steps == [schema.SCHEMA + 1]
    postgres.execute(url, "UPDATE smsreceipt.meta SET version = version - 1")
