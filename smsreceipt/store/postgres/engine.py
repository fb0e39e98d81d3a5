"""A store in a PostgreSQL database, before it is opened. Imports no database driver: most commands ask before."""

from __future__ import annotations

import contextlib
import importlib.util
from importlib import resources
from pathlib import Path

from smsreceipt.errors import UsageError
from smsreceipt.extras import install_command
from smsreceipt.language import _
from smsreceipt.store.postgres.address import Address, private_file
from smsreceipt.store.promise import Reread, Store


class PostgresDatabase:
    """The database at a URL, which need not hold a store yet."""

    is_server = True

    def __init__(self, url: str, *, insecure: bool = False) -> None:
        """*insecure*: plain text may be sent to other machines. Raises UsageError for a URL that cannot be read."""
        self._address = Address.parse(url)
        self._insecure = insecure
        self.location = self._address.shown
        self.has_password = self._address.has_password

    def exists(self) -> bool:
        """Whether the database has our tables. Raises UsageError where the driver is not installed."""
        _require_driver()
        from smsreceipt.store.postgres.ready import prepared
        from smsreceipt.store.postgres.session import Connections

        with contextlib.closing(Connections(self._address, insecure=self._insecure)) as connections:
            return prepared(connections, writable=False)

    def open(self, *, readonly: bool, reread: Reread, lock_wait: float) -> Store:
        """Open the database. Raises UsageError where the driver is not installed."""
        _require_driver()
        from smsreceipt.store.postgres.session import Connections
        from smsreceipt.store.postgres.store import PostgresStore

        connections = Connections(self._address, insecure=self._insecure)
        return PostgresStore(connections, reread, readonly=readonly, lock_wait=lock_wait)

    def upgrade(self, *, reread: Reread) -> tuple[int, int]:  # noqa: ARG002 - of every engine
        """Take every step to the newest schema, or make it. Raises UsageError where the driver is not installed."""
        _require_driver()
        from smsreceipt.store.postgres.ready import upgraded
        from smsreceipt.store.postgres.session import Connections

        with contextlib.closing(Connections(self._address, insecure=self._insecure)) as connections:
            return upgraded(connections)

    def free_bytes(self) -> int | None:
        """None: a server does not tell it."""
        return None

    def secret_file(self) -> Path:
        """A file of its own for each database, in the platform's data directory."""
        return private_file(self.location, "secret")

    def refuse_unwritable(self) -> None:
        """Do nothing: only writing would tell."""

    def refuse_folder(self) -> None:
        """Do nothing: a URL is no folder."""

    def exposed(self) -> str:
        """None: the server keeps the files."""
        return ""

    def occupies(self, path: Path) -> bool:  # noqa: ARG002 - of every engine
        """False: it is no file."""
        return False


def _require_driver() -> None:
    if importlib.util.find_spec("psycopg") is None:
        raise UsageError(_("a store in PostgreSQL needs the driver psycopg"), hint=install_command("postgres"))


def citus_sql() -> str:
    """The script that distributes the tables of a store over a Citus cluster."""
    return resources.files(__package__).joinpath("sql", "citus.sql").read_text("utf-8")
