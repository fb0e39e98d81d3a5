"""What can be tested of Citus without it: functions of its names that do nothing, on one server."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from smsreceipt.errors import StoreLocked
from smsreceipt.store import Query
from tests import postgres
from tests.store.statements import decoded, report

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres")]
if postgres.available():
    from tests import citus
    from tests.torture.postgres_server import Server, opened

_CITUS = """
CREATE FUNCTION create_distributed_table(name regclass, "column" text, colocate_with text) RETURNS void
    LANGUAGE sql AS 'SELECT';
CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION citus_total_relation_size(name regclass) RETURNS bigint
    LANGUAGE sql AS 'SELECT pg_total_relation_size(name)';
CREATE TABLE away (n int);
CREATE FUNCTION run_command_on_workers(command text, OUT nodename text, OUT nodeport int, OUT success bool,
    OUT result text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    nodename := 'one'; nodeport := 5432; success := true;
    EXECUTE command INTO result;
    RETURN NEXT;
    nodename := 'two'; success := NOT EXISTS (SELECT FROM away);
    result := CASE WHEN success THEN '' ELSE 'connection refused' END;
    RETURN NEXT;
END $$;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(max_prepared_transactions="9") as server:
        yield server


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    server.execute("DROP DATABASE IF EXISTS cluster WITH (FORCE)", "CREATE DATABASE cluster")
    server.execute(_CITUS, database="cluster")
    citus.prepare(server.url("cluster"))
    yield server.url("cluster")
    server.execute("ROLLBACK PREPARED 'citus_0_1_2_3'", database="cluster") if prepared(server) else None


def prepared(server: Server) -> bool:
    with closing(psycopg.connect(server.url())) as db:
        return db.execute("SELECT FROM pg_prepared_xacts").fetchone() is not None


def prepare_one(url: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as db:
        db.execute("BEGIN")
        db.execute("CREATE TABLE on_a_worker ()")
        db.execute("PREPARE TRANSACTION 'citus_0_1_2_3'")


def test_without_a_url_the_check_says_what_is_not_checked() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.citus", ""], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "NOT CHECKED" in done.stdout


def test_a_store_of_somebody_is_not_emptied(server: Server) -> None:
    url = server.store()
    with pytest.raises(citus.Refused, match="no Citus"):
        citus.prepare(url)
    postgres.execute(url, _CITUS)
    with pytest.raises(citus.Refused, match="holds a store"):
        citus.prepare(url)


def test_the_check_runs_the_suites_and_the_stress(url: str) -> None:
    assert citus.check(url, 1.0, "-x", "-k", "test_notes or repeat and Postgres")


def test_nothing_is_shown_before_what_was_prepared_on_a_worker_has_ended(url: str) -> None:
    with closing(opened(url)) as store:
        store.keep([decoded(report("1"))])
        prepare_one(url)
        timer = threading.Timer(1.0, postgres.execute, [url, "COMMIT PREPARED 'citus_0_1_2_3'"])
        timer.start()
        began = time.monotonic()
        assert len(list(store.list(Query()))) == 1
        assert time.monotonic() - began > 0.8
        timer.join()
        began = time.monotonic()
        assert store.facts().size > 0
        assert store.facts().last_seq == 1
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("cause", ["a transaction that does not end", "a worker that is away"])
def test_what_does_not_end_is_an_error_with_the_next_step(url: str, cause: str) -> None:
    if cause == "a worker that is away":
        postgres.execute(url, "INSERT INTO away VALUES (1)")
    else:
        prepare_one(url)
    with closing(opened(url)) as store, pytest.raises(StoreLocked, match="workers") as caught:
        list(store.list(Query()))
    assert caught.value.exit_code == 6
    assert "recover_prepared_transactions" in caught.value.hint


def test_what_is_prepared_later_is_not_waited_for(url: str, server: Server) -> None:
    """Under constant commits there is always one."""
    with closing(opened(url)) as store:
        store.keep([decoded(report("1"))])
        stop = threading.Event()

        def commit() -> None:
            with closing(psycopg.connect(url, autocommit=True)) as db:
                n = 0
                while not stop.is_set():
                    n += 1
                    db.execute(f"BEGIN; SELECT txid_current(); PREPARE TRANSACTION 'citus_0_0_{n}_0'")
                    time.sleep(0.02)
                    if n > 1:
                        db.execute(f"COMMIT PREPARED 'citus_0_0_{n - 1}_0'")
                db.execute(f"COMMIT PREPARED 'citus_0_0_{n}_0'")

        thread = threading.Thread(target=commit)
        thread.start()
        time.sleep(0.2)
        began = time.monotonic()
        assert len(list(store.list(Query()))) == 1
        took = time.monotonic() - began
        stop.set()
        thread.join()
    assert took < 2
