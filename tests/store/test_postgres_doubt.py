"""A commit whose answer is lost, and then more goes wrong: still neither lost nor made twice, and its receipts told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from smsreceipt.store import Query
from smsreceipt.store.postgres.session import Writer
from smsreceipt.store.postgres.store import PostgresStore
from tests import postgres
from tests.store.statements import decoded, report
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
