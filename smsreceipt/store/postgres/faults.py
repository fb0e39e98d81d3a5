"""PostgreSQL's errors as those of every store, each with its exit code and a hint.

The text of an error may quote values, so messages are made here: of the driver's only what names no value is used.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import psycopg

from smsreceipt.errors import SmsReceiptError, StoreDamaged, StoreFull, StoreLocked, StoreUnavailable

COUNTED_ALREADY = "SR001"  #: see begin_write() in the schema
LOCKED = "55P03"  #: a lock was waited for as long as may be
_RETRIED = {"40001", "40P01"}
_OTHER = "Was it upgraded by a newer smsreceipt? Use that one. Else restore a backup, or name another database."
#: SQLSTATE --> class of the error, what is wrong with the store, and a hint; the longest prefix counts.
_STATES: dict[str, tuple[type[SmsReceiptError], str, str]] = {
    "25006": (StoreUnavailable, "is read-only: a standby, or a role or database that may not write",
              "Name the primary server in the URL, or add target_session_attrs=read-write to it."),
    "28": (StoreUnavailable, "refused the user or the password", "Check PGPASSWORD, ~/.pgpass, the URL."),
    "3D": (StoreUnavailable, "does not exist: the server has no such database", "Make it: createdb."),
    "42501": (StoreUnavailable, "may not be used for this by this user",
              "The owner of the database has to grant the rights, or to run this command once."),
    "SR002": (StoreLocked, "has transactions on its workers that do not end, or workers that cannot be reached",
              "Are all workers up? Citus ends such transactions each minute; SELECT recover_prepared_transactions()."),
    "40": (StoreLocked, "is used by others at the same time", ""),
    LOCKED: (StoreLocked, "is locked by another process",
             "Run this again; if it happens often, raise the server's lock_timeout for this user."),
    "57014": (StoreLocked, "did not answer in time",
              "Raise the server's statement_timeout for this user, or run this again while less is going on."),
    "53100": (StoreFull, "has no space left on its disk", "Free space on the server's disk, then run this again."),
    "53400": (StoreUnavailable, "came to a limit of its server's configuration",
              "The server's log names it: raise it there, then run this again."),
    "53": (StoreUnavailable, "has no connection or memory left", "Raise max_connections, or use a connection pooler."),
    "25P03": (StoreUnavailable, "ended a transaction of this program that took too long", ""),
    "25P04": (StoreUnavailable, "ended a transaction of this program that took too long",
              "Raise the server's transaction_timeout for this user."),
    "57P": (StoreUnavailable, "is shutting down or starting", "Wait until the server is up, then run this again."),
    "58": (StoreUnavailable, "has a fault of its disk or its system", "Look into the server's log."),
    "08": (StoreUnavailable, "cannot be reached", "Is the server up, and the address right?"),
    "XX001": (StoreDamaged, "is damaged", "Look into the server's log; restore a backup if pages are corrupted."),
    "XX002": (StoreDamaged, "has a damaged index", "REINDEX the database, then run this again."),
    "42P01": (StoreDamaged, "has not the tables of this program", _OTHER),
    "42703": (StoreDamaged, "has not the columns of this program", _OTHER),
    "42883": (StoreDamaged, "has not the functions of this program", _OTHER),
    "3F": (StoreDamaged, "has not the schema of this program", _OTHER),
}  # fmt: skip
_LOST = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
#: Sentences of libpq about a connection that failed, which have no SQLSTATE, and what they mean.
_REASONS = (
    (r"could not translate host name|failed to resolve host", "no server has that name"),
    (r"[Cc]onnection refused|No such file or directory", "no server listens there"),
    (r"timeout expired|timed out", "the server did not answer in time"),
    (r"does not support SSL|server closed the connection.*SSL", "the server offers no TLS"),
    (r"does not match host name", "the certificate of the server is for another name than the one in the URL"),
    (r"root certificate file|sslrootcert|root\.crt",
     "the file of certificate authorities, sslrootcert or ~/.postgresql/root.crt, is missing or cannot be read"),
    (r"certificate verify failed|self.signed certificate|unknown ca",
     "the certificate of the server is signed by no authority in sslrootcert, or has expired"),
    (r"certificate|SSL", "no TLS connection as sslmode asks for it"),
    (r"password authentication failed|no password supplied|fe_sendauth", "the user or the password was refused"),
    (r"no pg_hba\.conf entry", "the server lets this user in from here only otherwise: see its pg_hba.conf"),
    (r"too many (clients|connections)|remaining connection slots", "the server has no connection left"),
    (r'database ".*" does not exist', "the server has no such database"),
    (r'role ".*" does not exist', "the server has no such user"),
    (r"starting up|shutting down", "the server is starting or shutting down"),
    (r"read-write|read-only|in hot standby mode", "no server there can be written to"),
    (r"not currently accepting connections", "the database lets nobody in"),
)  # fmt: skip


def is_lost(exc: psycopg.Error) -> bool:
    """Whether the connection is gone, so that another one may do."""
    if exc.sqlstate is None:
        return isinstance(exc, psycopg.OperationalError)
    return exc.sqlstate.startswith(_LOST)


def may_be_repeated(exc: psycopg.Error) -> bool:
    """Whether the server asks for the same transaction again: a deadlock, or one that cannot be serialized."""
    return exc.sqlstate in _RETRIED


def unreachable(location: str, exc: psycopg.Error) -> StoreUnavailable:
    """The error for a connection that could not be made. The driver's own text may quote parts of the URL."""
    text = str(exc)
    reason = next((reason for pattern, reason in _REASONS if re.search(pattern, text)), "")
    return StoreUnavailable(
        f"the store {location} cannot be reached{': ' if reason else ''}{reason}",
        hint="Check the address, the server and the rights; psql with the same URL says more.",
    )


@contextlib.contextmanager
def translated(location: str) -> Iterator[None]:
    """Raise PostgreSQL's errors as StoreLocked, StoreFull, StoreUnavailable or StoreDamaged."""
    try:
        yield
    except psycopg.Error as exc:
        raise error_of(location, exc) from exc


@contextlib.contextmanager
def reading(location: str) -> Iterator[None]:
    """As translated(); a value that this program never writes is StoreDamaged too."""
    with translated(location):
        try:
            yield
        except (ValueError, KeyError) as exc:
            raise StoreDamaged(f"the store {location} is damaged: it holds a value that was never written") from exc


def error_of(location: str, exc: psycopg.Error) -> SmsReceiptError:
    """The error of every store for one of PostgreSQL."""
    state = exc.sqlstate or ("08" if isinstance(exc, psycopg.OperationalError) else "")
    for length in (5, 3, 2):
        if found := _STATES.get(state[:length]):
            kind, sentence, hint = found
            return kind(f"the store {location} {sentence}", hint=hint)
    return StoreUnavailable(
        f"the store {location} refused a statement ({state or type(exc).__name__})",
        hint="Nothing was acked that is not stored. Look into the server's log.",
    )
