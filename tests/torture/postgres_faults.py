"""What a server can do to a store: refuse, hang, fill up, be another one than before. Each has its error and line."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import psycopg

from smsreceipt.errors import SmsReceiptError, StoreDamaged, StoreFull, StoreLocked, StoreUnavailable
from smsreceipt.store.postgres import faults
from smsreceipt.store.postgres.writer import Writer
from tests.store.statements import decoded, report
from tests.torture.disk import small_disk
from tests.torture.postgres_server import ALL, Figures, Server, opened, show

#: Planted: a transaction that cannot be counted is made all the same.
CARELESS = {"IF NOT FOUND THEN": "IF false THEN"}
_END_ALL = (
    "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_numbers = itertools.count()


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _next() -> Any:
    return [decoded(report(f"f-{next(_numbers)}"))]


def row_lost(server: Server, rounds: int, *, bug: bool = False) -> Figures:
    """A writer's row goes, or is that of an older backup, between commits and in doubt: the next commit must fail."""
    figures = Figures()
    commit = Writer._commit
    for turn in range(rounds):
        url = server.store(**(CARELESS if bug else {}))
        name = _name(url)
        with closing(opened(url, lock_wait=5)) as store:
            store.keep(_next())
            if turn % 2:
                server.execute(_END_ALL, database=name)
                server.execute(f"CREATE DATABASE {name}_backup TEMPLATE {name}")
                store.keep(_next())

            def harm(name: str = name, turn: int = turn) -> None:
                if not turn % 2:
                    server.execute("DELETE FROM smsreceipt.writer", database=name)
                    return
                server.execute(f"DROP DATABASE {name} WITH (FORCE)", f"ALTER DATABASE {name}_backup RENAME TO {name}")

            def unheard(db: psycopg.Connection[Any], harm: Callable[[], None] = harm) -> None:
                commit(db)
                harm()
                db.close()
                raise psycopg.OperationalError("the answer is lost")

            figures.hits += 1
            with ExitStack() as stack:
                if turn % 4 < 2 and not bug:
                    stack.enter_context(patch.object(Writer, "_commit", staticmethod(unheard)))
                else:
                    harm()
                try:
                    store.keep(_next())
                    figures.lost += 1
                    figures.faults.append("acked over a store that was put back")
                except StoreDamaged:
                    figures.recognised += 1
                except Exception as exc:  # noqa: BLE001 - shown by the harness
                    figures.faults.append(f"{type(exc).__name__}: {exc}")
    return figures


class Case(NamedTuple):
    """Something that a server does, and what must come of it."""

    name: str
    wanted: type[SmsReceiptError]
    code: int
    words: str  #: in the message


_CASES = (
    Case("a database that is read-only", StoreUnavailable, 6, "read-only"),
    Case("statement_timeout", StoreLocked, 6, "in time"),
    Case("lock_timeout", StoreLocked, 6, "locked"),
    Case("transaction_timeout", StoreUnavailable, 6, "too long"),
    Case("temp_file_limit", StoreUnavailable, 6, "limit"),
    Case("no connection left", StoreUnavailable, 6, "connection left"),
    Case("a newer schema", StoreDamaged, 7, "schema 99"),
    Case("a standby", StoreUnavailable, 6, "standby"),
    Case("a server that is gone", StoreUnavailable, 6, "cannot be reached"),
)


@contextmanager
def _done(server: Server, case: Case) -> Iterator[tuple[str, Callable[[str], None]]]:
    """The server does it. Yields a URL, and what then must fail."""
    url = server.store()
    name = _name(url)

    def keep(url: str) -> None:
        with closing(opened(url, lock_wait=0.5)) as store:
            store.keep(_next())

    keep(url)
    setting = {
        "a database that is read-only": "default_transaction_read_only = on",
        "statement_timeout": "statement_timeout = '200ms'",
        "transaction_timeout": "transaction_timeout = '200ms'",
        "temp_file_limit": "temp_file_limit = 0",
    }.get(case.name)
    with ExitStack() as stack:
        if setting:
            server.execute(f"ALTER DATABASE {name} SET {setting}")
        if case.name in ("statement_timeout", "lock_timeout", "transaction_timeout"):
            holder = stack.enter_context(closing(psycopg.connect(url)))
            holder.execute("SET statement_timeout = 0; SET transaction_timeout = 0; ")
            holder.commit()
            holder.execute("LOCK TABLE smsreceipt.statement")
        if case.name == "temp_file_limit":

            def keep(url: str) -> None:
                with closing(opened(url)) as store:
                    store.keep([decoded(*(report(f"t-{n}", err_msg="x" * 900) for n in range(20_000)))])

        if case.name == "a newer schema":
            server.execute("UPDATE smsreceipt.meta SET version = 99", database=name)
        if case.name == "no connection left":
            server.execute("CREATE ROLE nobody LOGIN CONNECTION LIMIT 0")
            stack.callback(server.execute, "DROP ROLE nobody")
            url = url.replace("postgres@", "nobody@")
        if case.name == "a standby":
            url = stack.enter_context(standby(server)).url(name)
        if case.name == "a server that is gone":
            url = url.replace(f"port={server.port}", "port=1")
        yield url, keep


@contextmanager
def standby(server: Server) -> Iterator[Server]:
    """A standby that follows the server."""
    copy = Server(wal_level="replica", hot_standby="on")
    copy.folder.chmod(0o777)
    words = [str(copy._engine.bin_path / "pg_basebackup"), "-h", str(server.folder), "-p", str(server.port)]
    words += ["-U", "postgres", "-D", str(copy.folder / "data"), "-R", "-c", "fast"]
    subprocess.run(words, check=True, capture_output=True, user=copy._engine.system_user)
    try:
        copy.start()
        yield copy
    finally:
        copy.__exit__()


def refusals(server: Server, *, bug: bool = False) -> list[str]:
    """what is wrong with the errors of all that a server may do (planted: of four); [] when each is as promised."""
    found = []
    for case in _CASES[:4] if bug else _CASES:
        with ExitStack() as stack:
            url, act = stack.enter_context(_done(server, case))
            if bug:
                stack.enter_context(patch.dict(faults._STATES, clear=True))
            try:
                act(url)
                found.append(f"{case.name}: no error")
            except SmsReceiptError as exc:
                told = f"{type(exc).__name__}, exit {exc.exit_code}: {exc} | {exc.hint}"
                fits = isinstance(exc, case.wanted) and exc.exit_code == case.code and case.words in str(exc)
                if not fits or not exc.hint or "\n" in str(exc) or "refused a statement" in str(exc):
                    found.append(f"{case.name}: {told}")
            except Exception as exc:  # noqa: BLE001 - shown by the harness
                found.append(f"{case.name}: {type(exc).__name__} {exc}")
    return found


def full_disk(*, swallow: bool = False) -> Figures | None:
    """Keep until a disk of 40 MB is full, free some, and go on; None where nothing can be mounted."""
    with small_disk("48m") as small:
        if small is None:
            return None
        with Server() as server:
            small.chmod(0o777)
            space = small / "space"
            space.mkdir()
            subprocess.run(["chown", server._engine.system_user or "", str(space)], check=False)
            url = server.store()
            name = _name(url)
            server.execute(f"CREATE TABLESPACE small LOCATION '{space}'", f"ALTER DATABASE {name} SET TABLESPACE small")
            ballast = small / "ballast"
            ballast.write_bytes(bytes(12 << 20))
            figures, acked = Figures(), []
            with closing(opened(url)) as store:
                for turn in range(2_000):
                    said = [f"d-{turn}-{n}" for n in range(200)]
                    try:
                        store.keep([decoded(*(report(each) for each in said))])
                        acked += said
                    except StoreFull:
                        figures.hits += 1
                        acked += said if swallow else []
                        if figures.hits == 3:
                            ballast.unlink()
                        if figures.hits > 3:
                            break
                    except Exception as exc:  # noqa: BLE001 - shown by the harness
                        figures.faults.append(f"{type(exc).__name__}: {exc}")
                        break
                else:
                    figures.faults.append("the disk was never full")
                found = [each.receipt.biz_id for each in store.list(ALL)]
            figures.acked, figures.statements = len(acked), len(found)
            figures.lost, figures.twice = len(set(acked) - set(found)), len(found) - len(set(acked) & set(found))
            return figures


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    with Server(max_wal_senders="4", wal_level="replica") as server:
        careless, figures = row_lost(server, 4, bug=True), row_lost(server, 40 if full else 8)
        good = show("a writer's row lost", [("careless", careless.lost > 0, careless)], figures, figures.good)
        vague, found = refusals(server, bug=True), refusals(server)
        good &= show("refusals", [("vague", len(vague) == 4, f"{len(vague)} found")], found or "none found", not found)
    figures_ = full_disk()
    if figures_ is None:
        print("disk full: NOT CHECKED: nothing can be mounted", flush=True)
        return good
    swallowed = full_disk(swallow=True)
    assert swallowed is not None
    return show("disk full", [("swallow", swallowed.lost > 0, swallowed)], figures_, figures_.good) and good
