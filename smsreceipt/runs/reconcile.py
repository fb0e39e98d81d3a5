"""Compares sends with receipts, queries the provider about missing receipts, and stores its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError
from smsreceipt.ingest import LockRetry
from smsreceipt.language import _, n_
from smsreceipt.matching import GLOBE_REPORT, SMS_REPORT
from smsreceipt.model import WHOLE, Instant, Share, start_of_day
from smsreceipt.output import terminal
from smsreceipt.output.columns import mapping
from smsreceipt.output.printer import print_rows, tabular
from smsreceipt.reconcile import (
    Calendar,
    Class,
    ClassCounts,
    Finding,
    Run,
    Survey,
    do_job,
    end_of,
    survey_days,
)
from smsreceipt.reconcile.ask import unasked
from smsreceipt.reconcile.summary import Covered, summary
from smsreceipt.runs import day_totals
from smsreceipt.runs.details import Details
from smsreceipt.runs.list_check import ListCheck
from smsreceipt.runs.noted import absorb
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
    provider_total: bool = True  #: ask for the provider's totals of the days too
    share: Share = WHOLE  #: compare only the sends to these numbers; one that is not whole leaves the totals out


def run(app: App, first: int, last: int, options: Options, *, totals: bool) -> None:
    """Compare the Beijing days from *first* to *last*; print the summary, and details if they are wanted.

    With *totals*, only totals of days are compared, and a row is printed for each day; a dry run prints the summary.
    The comparison can be stopped at any time, also by a crash: the answers so far are stored, and the next run asks
    only about the others. Exit code 3 if the list of sends has none of a day, or falls short of the provider's total.
    """
    if totals and options.details:
        app.say(_("--details needs what was sent: see `smsreceipt sends import`"))
    if totals and not options.dry_run:
        day_totals.run_gaps(app, first, last, qps=options.qps, fail_on_missing=options.fail_on_missing)
        return
    share = options.share
    if options.provider_total and not share.is_whole:
        app.say(
            _(
                "share {share} of {shares}: the provider's totals are left out, since they are of all numbers",
                share=share.number,
                shares=share.total,
            )
        )
    details = Details(app, None if totals else options.details, Calendar(app.now(), round(options.min_age * 1000)))
    try:
        if not options.dry_run:
            absorb(app)
        with app.open_store(readonly=options.dry_run) as store:
            comparison = _Comparison(app, store, first, last, options, details)
            if options.dry_run:
                comparison.plan(totals=totals)
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
        self._client: QueryClient | None = None
        self._check: ListCheck  # made with the survey

    def plan(self, *, totals: bool) -> None:
        """Compare without queries: sends to be queried are counted as unasked.

        The planned calls are those about what the mode compares: sends, or totals of days. The time that the calls take
        includes the check of the list.
        """
        survey, counts = self._survey(self._calendar.now)
        for job in survey.plan:
            self._enter(counts, unasked(job.sends))
        counts.check(survey.sent, survey.missing)
        mode = "totals" if totals else self._check.mode
        sends = 0 if totals else survey.plan.calls
        days = day_totals.planned_calls(self._first, self._last) if totals else self._check.planned_calls
        qps = self._options.qps
        figures: dict[str, object] = {
            "conflicts": self._conflicts(),
            "api_calls": 0,
            "planned_calls": sends if mode == "sends" else days,
            "seconds": round(sends / qps + days / min(qps, day_totals.QPS), 1),
        }
        if not totals:
            self._check.tell()
        self._report(counts, figures, mode=mode)

    def compare(self) -> None:
        """Compare, and query the provider about missing receipts until there are no more, or a signal comes."""
        app, store = self._app, self._store
        begin = partial(store.begin_comparison, self._first, self._last, self._calendar.now)
        # There was no query yet, so until here a signal ends the process at once.
        survey, counts = self._survey(self._lock_retry.call(begin))
        with GracefulStop(app, self._stop) as stopping:
            calls = self._ask(survey, counts, stopping)
            failures = [*self._run.failures] if self._run else []
            self._check.tell()
            if not failures and not stopping.requested:
                self._lock_retry.call(partial(store.end_comparison, self._first, self._last))
            conflicts = None
            try:
                conflicts = self._conflicts()
            except SmsReceiptError as exc:
                failures.append(exc)
            if left := counts.count(Class.UNASKED):
                app.needs_a_look(_("sends that could not be asked about: {n:,}; run the same command again", n=left))
            self._report_problems(failures)
            self._report(counts, {"conflicts": conflicts, "api_calls": calls}, mode=self._check.mode)

    def _stop(self) -> None:
        self._lock_retry.stop()
        if self._run is not None:
            self._run.stop()
        if self._client is not None:
            self._client.rate.halt()

    def _ask(self, survey: Survey, counts: ClassCounts, stopping: GracefulStop) -> int:
        """Make the planned queries, and then ask for the totals of the days; return the number of calls."""
        planned = len(survey.plan)
        workers = min(self._options.workers, planned or 1)
        calls = 0
        try:
            if planned or self._check.wanted:
                with asking(self._app, qps=self._options.qps, workers=workers) as client:
                    self._client = client
                    if planned:
                        self._go(client, survey, counts, stopping)
                    if not stopping.requested and not (self._run and self._run.failures):
                        self._check.ask(client, self._store)
                    calls = client.rate.calls
        except SmsReceiptError as exc:  # no AccessKey, for example
            if planned:
                raise
            self._check.failed(exc)
        self._app.live_line.clear()
        counts.check(survey.sent, survey.missing)
        return calls

    def _go(self, client: QueryClient, survey: Survey, counts: ClassCounts, stopping: GracefulStop) -> None:
        self._run = run = self._made(client, survey, counts)
        if stopping.requested:  # before the run was there to be stopped
            run.stop()
        run.go(survey.plan)

    def _survey(self, begun: Instant) -> tuple[Survey, ClassCounts]:
        with self._store.snapshot():
            if self._details.wanted:
                self._write_with_receipt()
            survey = survey_days(self._store, self._first, self._last, self._calendar, begun, self._options.share)
            listed = self._store.sends_by_day(self._first, self._last)
        self._check = ListCheck(
            self._app, self._first, self._last, self._calendar.today, listed, wanted=self._wants_totals
        )
        self._details.add(survey.settled)
        return survey, survey.counts()

    @property
    def _wants_totals(self) -> bool:
        return self._options.provider_total and self._options.share.is_whole

    def _write_with_receipt(self) -> None:
        query = SendQuery(states=[SendState.WITH_RECEIPT], since=start_of_day(self._first), until=end_of(self._last))
        rows = (row for row in self._store.sends(query) if self._options.share.has(row.send.phone))
        self._details.add(Finding(row.send, Class.WITH_RECEIPT, row.outcome, row.code) for row in rows)

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
        query = Query(
            kinds=[SMS_REPORT, GLOBE_REPORT], conflicts=True, since=start_of_day(self._first), until=end_of(self._last)
        )
        found = (each.receipt for each in self._store.list(query))
        return len({(each.kind, each.identity) for each in found if self._options.share.has(each.phone)})

    def _report_problems(self, failures: Sequence[BaseException]) -> None:
        """Print failures, new rejects and contradictory answers, and set their exit codes."""
        app, run = self._app, self._run
        if run is not None and run.tally.fresh_rejects:
            app.needs_a_look(
                n_(
                    "{n} row could not be decoded: see `smsreceipt rejects list`",
                    "{n} rows could not be decoded: see `smsreceipt rejects list`",
                    run.tally.fresh_rejects,
                )
            )
        if run is not None and run.unstable:
            app.needs_a_look(
                n_(
                    "{n} answer contradicted itself to the end: run the same command again",
                    "{n} answers contradicted themselves to the end: run the same command again",
                    run.unstable,
                )
            )
        report_failures(app, failures)

    def _report(self, counts: ClassCounts, figures: dict[str, object], *, mode: str) -> None:
        """Print the summary on both streams and warnings; set the exit code of --fail-on-missing.

        A terminal that both streams lead to gets it once.
        """
        app = self._app
        covered = Covered(mode, self._check.total, self._check.unlisted)
        values = summary(counts, self._first, self._last, figures, covered)
        for note, count in counts.notes.items():
            app.say(_("{n} could not be asked about: {reason}", n=count, reason=_(note)))
        if counts.pressing:
            app.warn(
                _(
                    "{n} open sends can be asked about for at most 5 more days, the oldest for {days}: afterwards"
                    " nobody can tell how they ended",
                    n=counts.pressing,
                    days=counts.days_left,
                )
            )
        if not self._details.on_stdout:
            print_rows(
                app,
                mapping("Summary", values),
                [values],
                lambda display: terminal.comparison.comparison(counts, values, display),
                write=app.report,
            )
        if self._options.fail_on_missing and counts.left:
            app.needs_a_look(_("sends whose outcome is still unknown: {n:,}", n=counts.left))
        if self._details.on_stdout or not (tabular(app) and app.stdout_is_tty and app.stderr_is_tty):
            app.summary({name: "-" if value is None else value for name, value in values.items() if name not in _DAYS})
