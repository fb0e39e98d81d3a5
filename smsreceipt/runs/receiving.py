"""What every receiving run shares: one committer, one reporter, one answer to signals, one summary.

`pull`, `listen` and `replay` differ in where deliveries come from. Everything behind that is here.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, StoreUnavailable
from smsreceipt.exits import gravest, worst
from smsreceipt.ingest import LOCK_BUDGET, Committer, Patience
from smsreceipt.model import Delivery, Tally
from smsreceipt.runs.reporter import Reporter
from smsreceipt.runs.signals import Stop
from smsreceipt.store import Kept, Store, opening

_CLOSE = 3.0  # seconds for the last commit after a stop


class Receiving:
    """One run that receives: what it commits, what it prints, how it stops, how it ends."""

    def __init__(
        self,
        app: App,
        store: Store,
        *,
        read: Callable[[], tuple[int, int]] | None = None,
        lock_budget: float = LOCK_BUDGET,
    ) -> None:
        """*read* returns how many bytes of how many are read, for runs that know.

        *lock_budget*: seconds that a store which another process has locked is waited for.
        """
        gc.set_threshold(50_000)  # receipts form no cycles: looking at each of them again and again only costs
        self.app, self.store = app, store
        self.reporter = Reporter(app, read=read)
        self.patience = Patience(self.reporter.say, budget=lock_budget)
        self.committer: Committer  #: see start
        self.stopping: Stop  #: inside signals
        self._finished = True

    @property
    def tally(self) -> Tally:
        """Counters of what is committed so far."""
        return self.committer.tally

    @contextmanager
    def signals(self, stop: Callable[[], None]) -> Iterator[Stop]:
        """Inside, the first signal ends the waiting for the store and calls *stop*; a second one ends the process."""

        def first() -> None:
            self.patience.end()
            stop()

        with Stop(self.app, first) as self.stopping:
            yield self.stopping

    def start(
        self,
        *,
        on_failure: Callable[[], None],
        on_kept: Callable[[Kept], None] | None = None,
        on_full: Callable[[Sequence[Delivery]], None] | None = None,
    ) -> Committer:
        """Start the committer; what it keeps goes to the reporter. The callbacks come from its thread."""

        def kept(kept: Kept) -> None:
            if on_kept is not None:
                on_kept(kept)
            self.reporter.kept(kept)

        self.committer = Committer(
            self.store, patience=self.patience, on_kept=kept, on_failure=on_failure, on_full=on_full
        )
        return self.committer

    def close(
        self, release: Callable[[], Iterable[BaseException]] = tuple, *, stopped: bool | None = None
    ) -> list[BaseException]:
        """Commit and print what is left; return the failures.

        *release* is called once everything is committed; it returns failures of its own. *stopped*: the run was
        stopped, so that neither a store nor a reader that hangs may hold it up for long; None: if a signal came.
        """
        bounded = self.stopping.requested if stopped is None else stopped
        committed = self.committer.close(_CLOSE if bounded else None)
        failures = [*filter(None, [self.committer.failure])]
        if committed and not failures:
            failures += release()
        printed = self.reporter.close(lambda: bool(stopped or self.stopping.requested))
        self._finished = committed and printed
        return failures

    def end(
        self,
        failures: Sequence[BaseException],
        figures: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Print failures and the summary: the counters, *figures*, seconds and rate, then *more*.

        If a thread hangs in the store or in standard output, this ends the process: it would hold up the exit.
        """
        report_failures(self.app, failures)
        point_to_rejects(self.app, self.tally)
        seconds = self.reporter.seconds
        timing = {"seconds": f"{seconds:.1f}", "rate": round(self.tally.received / max(seconds, 0.001))}
        self.app.summary({**self.tally.counters(), **(figures or {}), **timing, **(more or {})}.items())
        if not self._finished:
            os._exit(worst(self.app.codes))


def refuse_full_disk(location: str, least: int) -> None:
    """Raise StoreUnavailable when fewer than *least* bytes are free for the store."""
    free = opening.free_bytes(location)
    if free is not None and free < least:
        raise StoreUnavailable(
            f"only {free // 1024} KiB are free for the store {location}, less than --min-free",
            hint="Nothing was received. Free space on that disk and run the same command again.",
        )


def report_failures(app: App, failures: Sequence[BaseException]) -> None:
    """Print a line for each and the hint of the worst; note their exit codes. A bug of ours is raised."""
    last = gravest(failures)
    if last is not None and not isinstance(last, SmsReceiptError):
        raise last
    for exc in failures:
        if isinstance(exc, SmsReceiptError):
            app.error(exc)
            app.attention(exc.exit_code)
    if last is not None and last.hint:
        app.say(f"hint: {last.hint}")


def point_to_rejects(app: App, tally: Tally) -> None:
    """Name the command that lists what could not be read; exit code 3 if any of it was not seen before."""
    if tally.fresh_rejects:
        app.say(f"what could not be read is kept ({tally.fresh_rejects} new): smsreceipt rejects list")
        app.attention()
