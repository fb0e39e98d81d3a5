"""Lists receipts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from smsreceipt.app import App
from smsreceipt.errors import StoreUnavailable
from smsreceipt.language import N_, _
from smsreceipt.model import StoredReceipt
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.printer import Printer, tabular
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.runs.signals import counters_on_request
from smsreceipt.runs.supervisor import Supervisor
from smsreceipt.store import Query, Store

NEWEST = 50  #: rows of a table without --limit
COUNTED = 100_000  #: rows are counted up to this number
_POLL = 0.5  # seconds between two reads of the store
_PATIENCE = (1.0, 2.0, *[5.0] * 60)  # seconds before each further attempt to read a store that cannot be reached


def run(
    app: App, query: Query, limit: int | None, *, follow: bool, raw_csv: bool, newest: bool, body: bool = True
) -> None:
    """Print the receipts of the query in ascending seq, at most *limit*; a table has the newest ones if *newest*.

    *follow*: go on with new receipts until a signal ends the process; a store that cannot be reached any more is tried
    again for five minutes. *raw_csv*: do not escape formulas in CSV.
    *body*: print the bodies, in JSON and CSV.
    """
    view = RECEIPTS if body else RECEIPTS.without("body")
    printer = Printer(app, view, raw_csv=raw_csv, live=follow)
    _once(app, query, limit, printer, newest=newest)
    if follow:
        with ExitStack() as stack:
            _Follower(app, query, limit, printer, stack).run()


class _Follower:
    """Prints what comes after what was printed. A connection to a server is kept, a file is opened for each read."""

    def __init__(
        self, app: App, query: Query, limit: int | None, printer: Printer[StoredReceipt], stack: ExitStack
    ) -> None:
        """*stack* closes what is kept."""
        self._app, self._query, self._limit, self._printer, self._stack = app, query, limit, printer, stack
        self._kept: Store | None = None

    def run(self) -> None:
        """Until the limit is reached, or a signal. Raises StoreUnavailable after five minutes without the store."""
        supervisor = Supervisor(self._app.environ)
        supervisor.ready()
        try:
            with counters_on_request(self._app, lambda: {"printed": self._printer.printed}):
                self._go_on(supervisor)
        finally:
            supervisor.stopping()

    def _go_on(self, supervisor: Supervisor) -> None:
        while self._limit is None or self._printer.printed < self._limit:
            self._app.flush()
            self._app.sleep(_POLL)
            self._print_patiently()
            supervisor.beat()
            supervisor.status(lambda: f"printed={self._printer.printed}")

    def _print_patiently(self) -> None:
        for failures, pause in enumerate(_PATIENCE):
            try:
                self._print()
            except StoreUnavailable as exc:
                self._app.flush()
                self._app.say(_("{reason}; waiting", reason=exc), verbosity=1 if failures else 0)
                self._app.sleep(pause)
            else:
                return
        self._print()

    def _print(self) -> None:
        printer = self._printer
        seq = printer.last.seq if printer.last else None
        rest = None if self._limit is None else self._limit - printer.printed
        asked = replace(self._query, after=max(self._query.after, seq or 0), limit=rest)
        with self._store() as store:
            printer.print(store.list(asked))

    @contextmanager
    def _store(self) -> Iterator[Store]:
        if self._kept is None:
            self._kept = self._stack.enter_context(self._app.open_store(readonly=True))
        try:
            yield self._kept
        except BaseException:
            self._close()
            raise
        # Before something was printed, there may be no store yet.
        if not (self._printer.printed and self._app.store_is_server):
            self._close()

    def _close(self) -> None:
        self._kept = None
        self._stack.close()


def _once(app: App, query: Query, limit: int | None, printer: Printer[StoredReceipt], *, newest: bool) -> None:
    """Print the receipts that are stored now."""
    table = tabular(app)
    asked = replace(query, limit=limit or (NEWEST if table else None), newest=table and newest)
    with app.open_store(readonly=True) as store:
        printed = printer.print(store.list(asked))
        say_unknown_kinds(app, query.kinds, store)
        if not printed:
            printer.end()
            app.say(_nothing_found(app, store, query))
        elif table and printed == asked.limit:
            say_hidden_rows(app, store.count(query, COUNTED + printed) - printed)


def _nothing_found(app: App, store: Store, query: Query) -> str:
    if any(store.list(Query(limit=1))):
        from smsreceipt import codes  # only for a code that may be misspelt

        for code in sorted(query.codes):
            if near := codes.near(code):
                return _("no table knows the code {code}; did you mean {near}?", code=code, near=near)
        return _("no receipts found; what the store has: smsreceipt status")
    return _(
        "no receipts in {store} yet: receive them with smsreceipt pull or listen, or read saved ones with replay",
        store=app.store_location,
    )


def say_hidden_rows(app: App, hidden: int) -> None:
    """Print a message with the number of rows, counted up to COUNTED, that a table does not have; nothing for 0."""
    if hidden > 0:
        app.flush()
        many = N_("more than {n:,} more: --limit N shows more of them, --json all")
        app.say(_(many if hidden >= COUNTED else N_("{n:,} more: --limit N shows more of them, --json all"), n=hidden))
