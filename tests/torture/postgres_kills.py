"""The server is killed under writers, and connections end inside COMMIT: no commit is lost, none is made twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import patch

import psycopg

from smsreceipt.store.postgres.writer import Writer
from tests.torture.postgres_server import Figures, Server, Writers, fresh_batches, judged, show
from tests.torture.world import until

#: Planted: a session that does not wait for the disk is left so.
ASYNCHRONOUS = {"IF current_setting('synchronous_commit') = 'off' THEN": "IF false THEN"}
#: Planted: a transaction is not counted, so that it is made again when its answer was lost.
UNCOUNTED = {"WHERE id = me AND batch = number - 1;": "WHERE id = me;"}
#: COMMIT waits where a connection can be ended in it: before its record is written, or after.
_WAITS = """
CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.3 THEN
        PERFORM pg_sleep(0.1);
    ELSIF random() < 0.4 THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wait AFTER UPDATE ON smsreceipt.writer DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.wait();
"""
_IN_COMMIT = (
    "SELECT pid, wait_event = 'SyncRep' FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'"
    " AND wait_event IN ('SyncRep', 'PgSleep') AND datname = current_database()"
)


@contextmanager
def counting() -> Iterator[list[int]]:
    """Collects a number for each commit that was recognised although its answer was lost."""
    found: list[int] = []
    original: Callable[..., Any] = Writer._outcome

    def outcome(writer: Writer, attempt: Any) -> Any:
        result = original(writer, attempt)
        found.append(writer._number)
        return result

    with patch.object(Writer, "_outcome", outcome):
        yield found


def server_killed(server: Server, kills: int, *, bug: bool = False, seed: int = 1) -> Figures:
    """Kill the whole server so often under two writers."""
    url = server.store(**(ASYNCHRONOUS if bug else {}))
    if bug:
        server.execute(f"ALTER DATABASE {url.partition('?')[0].rpartition('/')[2]} SET synchronous_commit = off")
    dice = random.Random(seed)
    done = 0
    with counting() as recognised, Writers(url, 2, fresh_batches(), patience=120) as writers:
        while done < kills and not writers.ended:
            before = len(writers.given)
            until(lambda before=before: len(writers.given) > before or writers.ended, 10)  # type: ignore[misc]
            time.sleep(dice.random() * 0.2)
            server.kill()
            server.start()
            done += 1
        time.sleep(0.5)
        writers.stop()
    return judged(url, writers, hits=done, recognised=len(recognised))


def ended_in_commit(server: Server, times: int, *, bug: bool = False, writers: int = 3) -> tuple[Figures, int]:
    """End connections inside COMMIT so often, some before the commit is made and some after.

    Returns the figures, and how many were ended after it.
    """
    url = server.store(**(UNCOUNTED if bug else {}))
    name = url.partition("?")[0].rpartition("/")[2]
    server.execute(f"ALTER DATABASE {name} SET synchronous_commit = local")
    server.execute(_WAITS, database=name)
    server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
    before = after = 0
    dice = random.Random(2)
    try:
        with (
            counting() as recognised,
            closing(psycopg.connect(url, autocommit=True)) as db,
            Writers(url, writers, fresh_batches(most=10)) as running,
        ):
            while before + after < times and not running.ended:
                for pid, made in db.execute(_IN_COMMIT).fetchall():
                    if made or dice.random() < 0.5:
                        db.execute("SELECT pg_terminate_backend(%s, 2000)", (pid,))
                        after += made
                        before += not made
                threading.Event().wait(0.002)
            server.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
            running.stop()
    finally:
        server.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    return judged(url, running, hits=before + after, recognised=len(recognised)), after


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    with Server() as server:
        planted = server_killed(server, 10, bug=True)
        figures = server_killed(server, 50 if full else 8)
        good = show("server killed", [("asynchronous", not planted.good, planted)], figures, figures.good)
        again, _ = ended_in_commit(server, 20, bug=True)
        ended, after = ended_in_commit(server, 200 if full else 40)
        enough = ended.good and ended.recognised > 0
        good &= show(
            "ended in COMMIT",
            [("uncounted", again.twice > 0, again)],
            f"{ended}, {after} of them after the commit was made",
            enough,
        )
    return good
