"""The engines that the tests of the store run on: each gives empty stores."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Protocol

import apsw

from smsreceipt.model import Claim, Instant, Outcome, leg_of
from smsreceipt.store import Store
from smsreceipt.store.sqlite.migrations import migrate
from smsreceipt.store.sqlite.rows import rows
from smsreceipt.store.sqlite.store import SqliteStore
from tests import postgres

Flags = tuple[Claim, bool, bool]  #: of a statement: what decides, whether it is current, whether in conflict
_COLUMNS = "kind, outcome, code, signed, reported_at, detail, numbers, current, conflict"


class Engine(Protocol):
    """One engine."""

    name: str

    def empty(self) -> Store:
        """A new empty store."""

    def log(self, store: Store) -> dict[tuple[Any, ...], list[Flags]]:
        """All statements, by their identities."""

    def settled(self, store: Store) -> set[tuple[str, str]]:
        """BizId and phone of the sends that are noted to have a final receipt."""


class Sqlite:
    """SQLite, in memory."""

    name = "sqlite"

    def empty(self) -> SqliteStore:
        connection = apsw.Connection(":memory:")
        with connection.backup("main", _template(), "main") as copying:
            copying.step()
        return SqliteStore(Path("there-is-no-such-file.db"), connection)

    def log(self, store: Store) -> dict[tuple[Any, ...], list[Flags]]:
        assert isinstance(store, SqliteStore)
        return _grouped(rows(store._db, f"SELECT id1, id2, id3, id4, {_COLUMNS} FROM statement"))  # noqa: S608

    def settled(self, store: Store) -> set[tuple[str, str]]:
        assert isinstance(store, SqliteStore)
        return set(rows(store._db, "SELECT biz_id, phone FROM send WHERE settled = 1"))


class Postgres:
    """PostgreSQL."""

    name = "postgres"

    def empty(self) -> Store:
        from smsreceipt.decode import reread
        from smsreceipt.store.postgres.address import Address
        from smsreceipt.store.postgres.session import Connections
        from smsreceipt.store.postgres.store import PostgresStore

        url = postgres.take()

        class Borrowed(PostgresStore):
            closed = False

            def close(self) -> None:
                super().close()
                if not self.closed:
                    postgres.give_back(url)
                self.closed = True

        return Borrowed(Connections(Address.parse(url), insecure=False), reread, readonly=False)

    def log(self, store: Store) -> dict[tuple[Any, ...], list[Flags]]:
        log = f"SELECT place, ident::text, id1, identity, {_COLUMNS} FROM smsreceipt.statement"  # noqa: S608
        return _grouped(store._reader.rows(log))  # type: ignore[attr-defined]

    def settled(self, store: Store) -> set[tuple[str, str]]:
        return set(store._reader.rows("SELECT biz_id, phone FROM smsreceipt.send WHERE settled"))  # type: ignore[attr-defined]


ENGINES: dict[str, Engine] = {"sqlite": Sqlite(), "postgres": Postgres()}


@cache
def _template() -> apsw.Connection:
    """A database with the schema: a copy of it costs a tenth of what making it does."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    return connection


def _grouped(log: Any) -> dict[tuple[Any, ...], list[Flags]]:
    found: dict[tuple[Any, ...], list[Flags]] = {}
    for *identity, outcome, code, signed, reported, detail, numbers, current, conflict in log:
        settled = Outcome(outcome) if outcome else None
        at = None if reported < 0 else Instant(reported)
        claim = Claim(settled, code, bool(signed), at, detail, leg_of(numbers))
        found.setdefault(tuple(identity), []).append((claim, bool(current), bool(conflict)))
    return found
