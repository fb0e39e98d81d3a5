"""PostgreSQL's errors as those of every store, each with its exit code and a hint.

The text of an error may quote values, so messages are made here: of the driver's only what names no value is used.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import psycopg

from smsreceipt.errors import SmsReceiptError, StoreDamaged, StoreFull, StoreLocked, StoreUnavailable
from smsreceipt.language import N_, _

COUNTED_ALREADY = "SR001"  #: see begin_write() in the schema
LOCKED = "55P03"  #: a lock was waited for as long as may be
_RETRIED = {"40001", "40P01"}
_OTHER = N_("Was it upgraded by a newer smsreceipt? Use that one. Else restore a backup, or name another database.")
#: SQLSTATE --> class of the error, what is wrong with the store, and a hint; the longest prefix counts.
_STATES: dict[str, tuple[type[SmsReceiptError], str, str]] = {
    "25006": (StoreUnavailable,
              N_("the store {store} is read-only: a standby, or a role or database that may not write"),
              N_("Name the primary server in the URL, or add target_session_attrs=read-write to it.")),
    "28": (StoreUnavailable, N_("the store {store} refused the user or the password"),
           N_("Check PGPASSWORD, ~/.pgpass, the URL.")),
    "3D": (StoreUnavailable, N_("the store {store} does not exist: the server has no such database"),
           N_("Make it: createdb.")),
    "42501": (StoreUnavailable, N_("the store {store} may not be used for this by this user"),
              N_("The owner of the database has to grant the rights, or to run this command once.")),
    "SR002": (StoreLocked,
              N_("the store {store} has transactions on its workers that do not end,"
                 " or workers that cannot be reached"),
              N_("Are all workers up? Citus ends such transactions each minute;"
                 " SELECT recover_prepared_transactions().")),
    "40": (StoreLocked, N_("the store {store} is used by others at the same time"), ""),
    LOCKED: (StoreLocked, N_("the store {store} is locked by another process"),
             N_("Run this again; if it happens often, raise the server's lock_timeout for this user.")),
    "57014": (StoreLocked, N_("the store {store} did not answer in time"),
              N_("Raise the server's statement_timeout for this user, or run this again while less is going on.")),
    "53100": (StoreFull, N_("the store {store} has no space left on its disk"),
              N_("Free space on the server's disk, then run this again.")),
    "53400": (StoreUnavailable, N_("the store {store} came to a limit of its server's configuration"),
              N_("The server's log names it: raise it there, then run this again.")),
    "53": (StoreUnavailable, N_("the store {store} has no connection or memory left"),
           N_("Raise max_connections, or use a connection pooler.")),
    "25P03": (StoreUnavailable, N_("the store {store} ended a transaction of this program that took too long"), ""),
    "25P04": (StoreUnavailable, N_("the store {store} ended a transaction of this program that took too long"),
              N_("Raise the server's transaction_timeout for this user.")),
    "57P": (StoreUnavailable, N_("the store {store} is shutting down or starting"),
            N_("Wait until the server is up, then run this again.")),
    "58": (StoreUnavailable, N_("the store {store} has a fault of its disk or its system"),
           N_("Look into the server's log.")),
    "08": (StoreUnavailable, N_("the store {store} cannot be reached"), N_("Is the server up, and the address right?")),
    "XX001": (StoreDamaged, N_("the store {store} is damaged"),
              N_("Look into the server's log; restore a backup if pages are corrupted.")),
    "XX002": (StoreDamaged, N_("the store {store} has a damaged index"),
              N_("REINDEX the database, then run this again.")),
    "42P01": (StoreDamaged, N_("the store {store} has not the tables of this program"), _OTHER),
    "42703": (StoreDamaged, N_("the store {store} has not the columns of this program"), _OTHER),
    "42883": (StoreDamaged, N_("the store {store} has not the functions of this program"), _OTHER),
    "3F": (StoreDamaged, N_("the store {store} has not the schema of this program"), _OTHER),
}  # fmt: skip
_LOST = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
#: Sentences of libpq about a connection that failed, which have no SQLSTATE, and what they mean.
_REASONS = (
    (r"could not translate host name|failed to resolve host", N_("no server has that name")),
    (r"[Cc]onnection refused|No such file or directory", N_("no server listens there")),
    (r"timeout expired|timed out", N_("the server did not answer in time")),
    (r"does not support SSL|server closed the connection.*SSL", N_("the server offers no TLS")),
    (r"does not match host name", N_("the certificate of the server is for another name than the one in the URL")),
    (r"root certificate file|sslrootcert|root\.crt",
     N_("the file of certificate authorities, sslrootcert or ~/.postgresql/root.crt, is missing or cannot be read")),
    (r"certificate verify failed|self.signed certificate|unknown ca",
     N_("the certificate of the server is signed by no authority in sslrootcert, or has expired")),
    (r"certificate|SSL", N_("no TLS connection as sslmode asks for it")),
    (r"password authentication failed|no password supplied|fe_sendauth", N_("the user or the password was refused")),
    (r"no pg_hba\.conf entry", N_("the server lets this user in from here only otherwise: see its pg_hba.conf")),
    (r"too many (clients|connections)|remaining connection slots", N_("the server has no connection left")),
    (r'database ".*" does not exist', N_("the server has no such database")),
    (r'role ".*" does not exist', N_("the server has no such user")),
    (r"starting up|shutting down", N_("the server is starting or shutting down")),
    (r"read-write|read-only|in hot standby mode", N_("no server there can be written to")),
    (r"not currently accepting connections", N_("the database lets nobody in")),
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
    hint = _("Check the address, the server and the rights; psql with the same URL says more.")
    if not reason:
        return StoreUnavailable(_("the store {store} cannot be reached", store=location), hint=hint)
    return StoreUnavailable(
        _("the store {store} cannot be reached: {reason}", store=location, reason=_(reason)), hint=hint
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
            reason = _("it holds a value that was never written")
            raise StoreDamaged(_("the store {store} is damaged: {reason}", store=location, reason=reason)) from exc


def error_of(location: str, exc: psycopg.Error) -> SmsReceiptError:
    """The error of every store for one of PostgreSQL."""
    state = exc.sqlstate or ("08" if isinstance(exc, psycopg.OperationalError) else "")
    for length in (5, 3, 2):
        if found := _STATES.get(state[:length]):
            kind, sentence, hint = found
            return kind(_(sentence, store=location), hint=hint)
    return StoreUnavailable(
        _("the store {store} refused a statement ({code})", store=location, code=state or type(exc).__name__),
        hint=_("Nothing was acked that is not stored. Look into the server's log."),
    )
