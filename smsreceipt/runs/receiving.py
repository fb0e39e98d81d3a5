"""The shared part of `pull`, `listen` and `replay`: committer, reporter, signals, failures, summary.

The three differ in where their deliveries come from; everything after that is here.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, StoreUnavailable
from smsreceipt.exits import gravest, worst
from smsreceipt.ingest import LOCK_BUDGET, Committer, LockRetry, TurnCommitter
from smsreceipt.language import _, listed
from smsreceipt.model import Decoded, Delivery, Reason, StoredReceipt, Tally
from smsreceipt.output.columns import View
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.runs.reporter import Reporter
from smsreceipt.runs.signals import GracefulStop, counters_on_request
from smsreceipt.runs.supervisor import Progress, Supervisor
from smsreceipt.runs.unguarded import say_unguarded
from smsreceipt.store import Kept, Store, opening

T = TypeVar("T")

_CLOSE = 3.0  # seconds for the last commit after a stop


class Receiving(Generic[T]):
    """One receiving run: it commits deliveries, prints what is new, stops on signals, and prints the summary.

    Deliveries are acknowledged after their commit, so a crash at any time loses nothing.
    """

    def __init__(
        self,
        app: App,
        decode: Callable[[T], Decoded],
        *,
        read: Callable[[], tuple[int, int]] | None = None,
        rows: bool = True,
        view: View[StoredReceipt] = RECEIPTS,
        awaited: tuple[str, str] = ("", ""),
        lock_budget: float = LOCK_BUDGET,
    ) -> None:
        """*decode* decodes what the committer is given, in the committer's thread.

        *rows*: print new statements, in this *view*; else only the counters are shown. *awaited*: what the run waits
        for when nothing comes, in English and Chinese.

        *read* returns the bytes read so far and their total, if the run knows them.

        *lock_budget*: seconds for which a store that another process has locked is tried again.
        """
        gc.set_threshold(50_000)  # receipts form no reference cycles, so frequent collections only cost time
        self.app = app
        self._decode = decode
        self.reporter = Reporter(app, read=read, view=view if rows else None, awaited=awaited)
        self.lock_retry = LockRetry(app.say, budget=lock_budget)
        self._committer: Committer[T] | TurnCommitter[T] | None = None
        self.supervisor = Supervisor(app.environ)
        self.progress = Progress(self.supervisor, self.counters)
        self.figures: Callable[[], Mapping[str, object]] = dict  #: counters of the run beside those of the commits
        self.stopping: GracefulStop  #: set by signals
        self._finished = True
        self._warned = False
        self.reasons: Counter[Reason] = Counter()  #: of the rejects so far that were not stored before

    @property
    def tally(self) -> Tally:
        """The counters of what is committed so far."""
        return self._committer.tally if self._committer else Tally()

    def counters(self) -> dict[str, object]:
        """All counters so far, by their names in the summary."""
        seconds = f"{self.reporter.seconds:.1f}"
        return {**self.tally.counters(), **self.figures(), "seconds": seconds}

    def _on_kept(self, kept: Kept) -> None:
        if kept.unguarded and not self._warned:
            self._warned = True
            say_unguarded(self.app)
        if kept.reasons:
            self.reasons = self.reasons + Counter(kept.reasons)  # another one: other threads may read the last
        self.reporter.kept(kept)
        self.progress.committed(kept)

    @contextmanager
    def signals(self, stop: Callable[[], None]) -> Iterator[GracefulStop]:
        """Inside, the first signal calls *stop* and ends the waiting for the store; a second one ends the process.

        SIGUSR1 prints the counters.
        """

        def first() -> None:
            self.supervisor.stopping()
            self.lock_retry.stop()
            stop()

        with GracefulStop(self.app, first) as self.stopping, counters_on_request(self.app, self.counters):
            yield self.stopping

    def start(self, store: Store, *, on_failure: Callable[[], None]) -> Committer[T]:
        """Start the committer of *store*, which hands its commits to the reporter. *on_failure*: it has given up."""
        self._committer = committer = Committer(
            store, self._decode, lock_retry=self.lock_retry, on_kept=self._on_kept, on_failure=on_failure
        )
        self.progress.commits = committer
        return committer

    def start_in_turns(
        self, store: Store, *, on_failure: Callable[[], None], on_full: Callable[[Sequence[Delivery]], None]
    ) -> TurnCommitter[T]:
        """As start, with a committer that has no thread. *on_full* gets the deliveries that did not fit on the disk."""
        self._committer = committer = TurnCommitter(
            store,
            self._decode,
            lock_retry=self.lock_retry,
            on_kept=self._on_kept,
            on_failure=on_failure,
            on_full=on_full,
        )
        self.progress.commits = committer
        return committer

    def close(
        self, release: Callable[[], Iterable[BaseException]] = tuple, *, stopped: bool | None = None
    ) -> list[BaseException]:
        """Commit and print the rest; return the failures.

        *release* is called once everything is committed, and returns failures of its own. *stopped* limits the time
        that store and standard output have for the rest; None: if a signal came.
        """
        self.supervisor.stopping()
        bounded = self.stopping.requested if stopped is None else stopped
        committed, failures = True, []
        if self._committer is not None:
            committed = self._committer.close(_CLOSE if bounded else None)
            failures = [*filter(None, [self._committer.failure])]
        if committed and not failures:
            failures += release()
        printed = self.reporter.close(lambda: bool(stopped or self.stopping.requested))
        self._finished = committed and printed
        return failures

    def end(
        self,
        failures: Sequence[BaseException],
        figures: Mapping[str, object] | None = None,
        more: Mapping[str, object] | None = None,
        *,
        deletes: tuple[int, int] | None = None,
        told: str = "",
    ) -> None:
        """Print failures and the summary: the counters, *figures*, seconds and rate, then *more*.

        A terminal gets it as a sentence, and *told* after it. *deletes*: messages deleted, and not deleted.

        If a thread still hangs in the store or in standard output, this ends the process without waiting for it.
        """
        report_failures(self.app, failures)
        if self.reasons:
            self.app.needs_a_look(rejects_kept(self.reasons))
        seconds = self.reporter.seconds
        timing = {"seconds": f"{seconds:.1f}", "rate": round(self.tally.received / max(seconds, 0.001))}
        sentence = self.reporter.sentence(self.tally, deletes) + told
        if deletes is not None:
            figures = {"deleted": deletes[0], "undeleted": deletes[1], **(figures or {})}
        self.app.summary({**self.tally.counters(), **(figures or {}), **timing, **(more or {})}, sentence)
        if not self._finished:
            os._exit(worst(self.app.exit_codes))


def refuse_full_disk(location: str, least: int) -> None:
    """Raise StoreUnavailable when fewer than *least* bytes are free for the store."""
    free = opening.free_bytes(location)
    if free is not None and free < least:
        raise StoreUnavailable(
            _("only {kib} KiB are free for the store {store}, less than --min-free", kib=free // 1024, store=location),
            hint=_("Nothing was received. Free space on that disk and run the same command again."),
        )


def report_failures(app: App, failures: Sequence[BaseException]) -> None:
    """Print each failure and the hint of the worst; set their exit codes. Raises the worst if it is a bug of ours."""
    worst_failure = gravest(failures)
    if worst_failure is not None and not isinstance(worst_failure, SmsReceiptError):
        raise worst_failure
    for exc in failures:
        if isinstance(exc, SmsReceiptError):
            app.error(exc)
            app.end_with(exc.exit_code)
    if worst_failure is not None and worst_failure.hint:
        app.say("hint: " + _(worst_failure.hint))


def rejects_kept(reasons: Mapping[Reason, int]) -> str:
    """The sentence about new rejects: how many, and their reasons by the names that `rejects list` has."""
    ordered = sorted(reasons, key=lambda reason: (-reasons[reason], reason))
    several = [_("{what}: {reason}", what=reason, reason=reasons[reason]) for reason in ordered]
    return _(
        "what could not be read is kept ({n} new, {reasons}): smsreceipt rejects list",
        n=sum(reasons.values()),
        reasons=listed(several if len(several) > 1 else ordered),
    )
