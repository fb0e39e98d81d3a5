"""What a database must be before it is used as a store: the right server, and a schema that this program knows."""

from __future__ import annotations

from smsreceipt.errors import StoreUnavailable
from smsreceipt.language import _
from smsreceipt.store.postgres import schema
from smsreceipt.store.postgres.faults import translated
from smsreceipt.store.postgres.session import Connections, Db


def prepared(connections: Connections, *, writable: bool) -> bool:
    """Prove that the database is a store that can be used, making it if it is blank and *writable*.

    Returns whether there are tables.
    """
    location = connections.location
    with translated(location), connections.lend() as db:
        _refuse_unfit(db, location, writable=writable)
        version = schema.version_of(db, location)
        if not version and writable:
            schema.set_up(db, location)
            version = schema.version_of(db, location)
        if version:
            schema.require_known(version, location)
        return bool(version)


def upgraded(connections: Connections) -> tuple[int, int]:
    """Bring the schema up to date, or make it; return its version before, 0 where there was none, and after."""
    location = connections.location
    with translated(location), connections.lend() as db:
        _refuse_unfit(db, location, writable=True)
        return schema.upgrade(db, location), schema.SCHEMA


def _refuse_unfit(db: Db, location: str, *, writable: bool) -> None:
    row = db.execute("SELECT pg_is_in_recovery(), current_setting('fsync')").fetchone()
    if row and row[0]:
        raise StoreUnavailable(
            _("the store {store} is a standby, which does not tell how far it may be read", store=location),
            hint=_("Name the primary server in the URL, or add target_session_attrs=read-write to it."),
        )
    if row and row[1] == "off" and writable:
        raise StoreUnavailable(
            _(
                "the server of the store {store} runs with fsync=off: a power cut would lose confirmed receipts",
                store=location,
            ),
            hint=_("Set fsync=on in its configuration."),
        )
