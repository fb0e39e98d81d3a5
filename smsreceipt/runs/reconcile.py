"""Compares sends with receipts, queries the provider about missing receipts, and stores its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError
from smsreceipt.ingest import LockRetry
from smsreceipt.matching import SMS_REPORT
from smsreceipt.model import Instant
from smsreceipt.output import terminal
from smsreceipt.output.columns import mapping
from smsreceipt.output.printer import print_rows
from smsreceipt.reconcile import (
    Calendar,
    Class,
    ClassCounts,
    Finding,
    Run,
    Survey,
    do_job,
    end_of,
    start_of,
    survey_days,
)
from smsreceipt.reconcile.ask import unasked
from smsreceipt.reconcile.summary import summary
from smsreceipt.runs import day_totals
from smsreceipt.runs.details import Details
from smsreceipt.runs.queries import asking
from smsreceipt.runs.receiving import report_failures
from smsreceipt.runs.signals import GracefulStop
from smsreceipt.sources.query.client import QueryClient
from smsreceipt.store import Query, SendQuery, SendState, Store

_DAYS = {"date", "from", "to"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to compare."""

    min_age: float  #: seconds; younger sends are not queried
    dry_run: bool  #: make no query
    qps: float  #: calls per second, at most
    workers: int  #: calls at the same time, at most
    details: str | None  #: the file for the details, an object per send; "-": standard output
    fail_on_missing: bool  #: exit code 3 if the outcome of any send is still unknown


def run(app: App, first: int, last: int, options: Options, *, totals: bool) -> None:
    """Compare the Beijing days from *first* to *last*; print the summary, and details if they are wanted.

    With *totals*, or if the ledger has no sends of these days, only totals of days are compared. The comparison can be
    stopped at any time, also by a crash: the answers so far are stored, and the next run asks only about the others.
    """
    with app.open_store(readonly=True) as store:
        known = totals or store.count_sends(first, last)
    if not known:
        app.say("no sends of these days are known, so only their sums are compared: see `smsreceipt sends import`")
    if known and not totals:
        _compare_sends(app, first, last, options)
        return
    if options.details:
        app.say("--details needs what was sent: see `smsreceipt sends import`")
    if options.dry_run:
        day_totals.run_plan(app, first, last, qps=options.qps)
    else:
        day_totals.run_gaps(app, first, last, qps=options.qps, fail_on_missing=options.fail_on_missing)


def _compare_sends(app: App, first: int, last: int, options: Options) -> None:
    details = Details(app, options.details, Calendar(app.now(), round(options.min_age * 1000)))
    try:
        with app.open_store(readonly=options.dry_run) as store:
            comparison = _Comparison(app, store, first, last, options, details)
            if options.dry_run:
                comparison.plan()
            else:
                comparison.compare()
    finally:
        details.close()


class _Comparison:
    """One comparison of sends in an open store."""

    def __init__(self, app: App, store: Store, first: int, last: int, options: Options, details: Details) -> None:
        self._app, self._store, self._options, self._details = app, store, options, details
        self._first, self._last = first, last
        self._calendar = details.calendar
        self._progress = app.progress()
        self._lock_retry = LockRetry(app.say)
        self._run: Run | None = None  # None: there was nothing to query

    def plan(self) -> None:
        """Compare without queries: sends to be queried are counted as unasked."""
        survey, counts = self._survey(self._calendar.now)
        for job in survey.plan:
            self._enter(counts, unasked(job.sends))
        counts.check(survey.sent, survey.missing)
        calls = survey.plan.calls
        seconds = round(calls / self._options.qps, 1)
        figures: dict[str, object] = {
            "conflicts": self._conflicts(),
            "api_calls": 0,
            "planned_calls": calls,
            "seconds": seconds,
        }
        self._report(counts, figures)

    def compare(self) -> None:
        """Compare, and query the provider about missing receipts until there are no more, or a signal comes."""
        app, store = self._app, self._store
        begin = partial(store.begin_comparison, self._first, self._last, self._calendar.now)
        # There was no query yet, so until here a signal ends the process at once.
        survey, counts = self._survey(self._lock_retry.call(begin))
        with GracefulStop(app, self._stop) as stopping:
            calls = self._ask(survey, counts, stopping)
            failures = [*self._run.failures] if self._run else []
            if not failures and not stopping.requested:
                self._lock_retry.call(partial(store.end_comparison, self._first, self._last))
            conflicts = None
            try:
                conflicts = self._conflicts()
            except SmsReceiptError as exc:
                failures.append(exc)
            if unasked := counts.count(Class.UNASKED):
                app.needs_a_look(f"sends that could not be asked about: {unasked:,}; run the same command again")
            self._report_problems(failures)
            self._report(counts, {"conflicts": conflicts, "api_calls": calls})

    def _stop(self) -> None:
        self._lock_retry.stop()
        if self._run is not None:
            self._run.stop()

    def _ask(self, survey: Survey, counts: ClassCounts, stopping: GracefulStop) -> int:
        """Make the planned queries; return the number of calls."""
        calls = 0
        if len(survey.plan):
            with asking(self._app, qps=self._options.qps, workers=self._options.workers) as client:
                self._run = run = self._made(client, survey, counts)
                if stopping.requested:  # before the run was there to be stopped
                    run.stop()
                run.go(survey.plan)
                calls = client.rate.calls
        self._app.live_line.clear()
        counts.check(survey.sent, survey.missing)
        return calls

    def _survey(self, begun: Instant) -> tuple[Survey, ClassCounts]:
        with self._store.snapshot():
            if self._details.wanted:
                self._write_with_receipt()
            survey = survey_days(self._store, self._first, self._last, self._calendar, begun)
        self._details.add(survey.settled)
        return survey, survey.counts()

    def _write_with_receipt(self) -> None:
        query = SendQuery(states=[SendState.WITH_RECEIPT], since=start_of(self._first), until=end_of(self._last))
        self._details.add(Finding(row.send, Class.WITH_RECEIPT, row.outcome) for row in self._store.sends(query))

    def _made(self, client: QueryClient, survey: Survey, counts: ClassCounts) -> Run:
        def on_findings(findings: Sequence[Finding]) -> None:
            self._enter(counts, findings)
            found = counts.count(Class.DELIVERED, Class.FAILED)
            self._progress.asked(client.rate.calls, survey.plan.calls, found)

        return Run(
            self._store,
            lambda job: do_job(job, client, self._app.now),
            client.rate,
            workers=min(self._options.workers, len(survey.plan)),
            lock_retry=self._lock_retry,
            on_findings=on_findings,
        )

    def _enter(self, counts: ClassCounts, findings: Sequence[Finding]) -> None:
        counts.add_all(findings)
        self._details.add(findings)

    def _conflicts(self) -> int:
        """The number of messages of these days with receipts that contradict each other."""
        query = Query(kinds=[SMS_REPORT], conflicts=True, since=start_of(self._first), until=end_of(self._last))
        return len({receipt.receipt.identity for receipt in self._store.list(query)})

    def _report_problems(self, failures: Sequence[BaseException]) -> None:
        """Print failures, new rejects and contradictory answers, and set their exit codes."""
        app, run = self._app, self._run
        if run is not None and run.tally.fresh_rejects:
            app.needs_a_look(f"{run.tally.fresh_rejects} rows could not be decoded: see `smsreceipt rejects list`")
        if run is not None and run.unstable:
            app.needs_a_look(f"{run.unstable} answers contradicted themselves to the end: run the same command again")
        report_failures(app, failures)

    def _report(self, counts: ClassCounts, figures: dict[str, object]) -> None:
        """Print the summary on both streams and warnings; set the exit code of --fail-on-missing."""
        app = self._app
        values = summary(counts, self._first, self._last, figures)
        for note, count in counts.notes.items():
            app.say(f"{count} could not be asked about: {note}")
        if counts.pressing:
            app.warn(f"{counts.pressing} open sends can be asked about for at most 5 more days, the oldest for"
                     f" {counts.days_left}: afterwards nobody can tell how they ended")  # fmt: skip
        if not self._details.on_stdout:
            print_rows(
                app,
                mapping("Summary", values),
                [values],
                lambda display: terminal.comparison.comparison(counts, values, display),
                write=app.report,
            )
        if self._options.fail_on_missing and counts.left:
            app.needs_a_look(f"sends whose outcome is still unknown: {counts.left:,}")
        app.summary({name: "-" if value is None else value for name, value in values.items() if name not in _DAYS})
