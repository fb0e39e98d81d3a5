"""`smsreceipt reconcile`: find what has no receipt, fetch it, report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.app import App
from smsreceipt.cli.options import command as make
from smsreceipt.cli.types import Duration, When, since
from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.model import Instant, beijing_day
from smsreceipt.output.records import csv_lines, json_line
from smsreceipt.runs.reporter import tell_failures
from smsreceipt.runs.stop import Stop

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from smsreceipt.ingest import LockRetry
    from smsreceipt.reconcile import Calendar, ClassCounts, Finding, Run, Survey
    from smsreceipt.runs.details import Details
    from smsreceipt.sources.query.client import QueryClient
    from smsreceipt.store import Store


def _complete_day(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The days that have names."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in ("yesterday", "today") if word.startswith(incomplete)]


@make("reconcile")
@click.option(
    "--date",
    type=When(),
    metavar="DAY",
    shell_complete=_complete_day,
    help="This Beijing day: 2026-11-20, today, yesterday, 3d (ago).",
)
@click.option("--from", type=When(), metavar="DAY", shell_complete=_complete_day, help="From this day on, up to --to.")
@click.option(
    "--to",
    type=When(),
    metavar="DAY",
    shell_complete=_complete_day,
    help="Up to and with this day; default yesterday.",
)
@click.option(
    "--min-age", type=Duration(), default="3h", show_default=True, metavar="AGE", help="Ask about nothing younger."
)
@click.option("--dry-run", is_flag=True, help="Ask nobody: tell how many calls it takes, and how long.")
@click.option(
    "--qps",
    type=click.FloatRange(0.1, 5000),
    default=50,
    show_default=True,
    metavar="N",
    help="Calls a second; the provider allows an account 5000.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=16, show_default=True, metavar="N", help="Calls at once."
)
@click.option(
    "--details",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE|-",
    help="Write an object per send: its class, what was learnt, days left.",
)
@click.option("--fail-on-missing", is_flag=True, help="End with 3 when any is left whose end nobody knows.")
@click.option("--totals", is_flag=True, help="Compare only the sums of the days; needs no list of what was sent.")
@click.option("--calls", is_flag=True, help="List calls through privacy numbers whose end was never reported.")
def command(app: App, **chosen: Any) -> None:
    """Find what has no receipt, fetch it, report.

    Compares what was sent (smsreceipt sends import) with the receipts in the store, asks the provider about what is
    missing with the fewest calls, and stores what it answers. Stop it at any time and run it again: it goes on where
    it was. Days are Beijing's; the provider answers for 30 days back.

    \b
      smsreceipt reconcile --date yesterday
      smsreceipt reconcile --from 2026-11-01 --to 2026-11-20 --dry-run --json
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    first, last = _days(app, chosen)
    if chosen["calls"]:
        from smsreceipt.runs.call_gaps import report_gaps

        report_gaps(app, first, last, chosen)
        return
    with app.open_store(readonly=True) as store:
        known = chosen["totals"] or store.count_sends(first, last)
    if not known:
        app.say("no sends of these days are known, so only their sums are compared: see `smsreceipt sends import`")
    if chosen["totals"] or not known:
        from smsreceipt.runs.day_totals import report_totals

        report_totals(app, first, last, chosen)
    else:
        _Comparison(app, chosen, first, last).run()


def _days(app: App, chosen: dict[str, Any]) -> tuple[int, int]:
    """The first and the last Beijing day that are asked for, by number."""
    date, begin, end = chosen["date"], chosen["from"], chosen["to"]
    if bool(date) == bool(begin):
        raise UsageError("which day? say --date DAY, or --from DAY --to DAY", hint="For example --date yesterday.")
    if date and end:
        raise UsageError("--date is one day; it cannot go with --to")
    now = app.now()
    first, last = (beijing_day(since(text, now)) for text in ((date, date) if date else (begin, end or "yesterday")))
    if first > last:
        raise UsageError("--from comes after --to")
    if last > beijing_day(now):
        raise UsageError("a day that has not come yet has no receipts", hint="Days are Beijing's: try --date today.")
    return first, last


class _Comparison:
    """One comparison, from the ledger to the summary."""

    def __init__(self, app: App, chosen: dict[str, Any], first: int, last: int) -> None:
        from smsreceipt.reconcile import Calendar
        from smsreceipt.runs.details import Details

        self._app, self._chosen, self._first, self._last = app, chosen, first, last
        self._calendar: Calendar = Calendar(app.now(), round(chosen["min_age"] * 1000))
        self._details: Details = Details(app, chosen["details"], self._calendar)
        self._progress = app.progress()

    def run(self) -> None:
        try:
            if self._chosen["dry_run"]:
                self._plan_only()
            else:
                self._compare()
        finally:
            self._details.close()

    def _plan_only(self) -> None:
        """Everything but asking: what would be asked counts as unasked."""
        from smsreceipt.reconcile.ask import unasked

        with self._app.open_store(readonly=True) as store:
            days, books = self._survey(store, self._calendar.now)
            for job in days.plan:
                self._enter(books, unasked(job.sends))
            books.check(days.sent, days.missing)
            conflicts = self._conflicts(store)
        calls = days.plan.calls
        seconds = round(calls / self._chosen["qps"], 1)
        self._report(books, {"conflicts": conflicts, "api_calls": 0, "planned_calls": calls, "seconds": seconds})

    def _compare(self) -> None:
        from smsreceipt.ingest import LockRetry
        from smsreceipt.reconcile import Class

        app, lock_retry = self._app, LockRetry(self._say)
        runs: list[Run] = []

        def stop() -> None:
            lock_retry.stop()
            for run in runs:
                run.stop()

        with app.open_store(readonly=False) as store:
            begin = partial(store.begin_comparison, self._first, self._last, self._calendar.now)
            # Nobody has been asked yet, so until here a signal ends it at once.
            days, books = self._survey(store, lock_retry.call(begin))
            with Stop(app, stop) as stopping:
                calls = self._ask(store, days, books, lock_retry, (runs, stopping))
                failures = [failure for run in runs for failure in run.failures]
                if not failures and not stopping.requested:
                    lock_retry.call(partial(store.end_comparison, self._first, self._last))
                try:
                    conflicts = self._conflicts(store)
                except SmsReceiptError as exc:
                    conflicts, failures = None, [*failures, exc]
                if books.count(Class.UNASKED):
                    app.attention()
                self._attend(runs, failures)
                self._report(books, {"conflicts": conflicts, "api_calls": calls})

    def _ask(
        self, store: Store, days: Survey, books: ClassCounts, lock_retry: LockRetry, stoppable: tuple[list[Run], Stop]
    ) -> int:
        """Do what is planned; return how many calls it took. Whom a stop should reach is put among *stoppable*."""
        calls = 0
        runs, stopping = stoppable
        if len(days.plan):
            with self._asking() as asker:
                run = self._made(store, asker, days, books, lock_retry)
                runs.append(run)
                if stopping.requested:  # before there was anybody to be told
                    run.stop()
                run.go(days.plan)
                calls = asker.rate.calls
        self._progress.clear()
        books.check(days.sent, days.missing)
        return calls

    def _survey(self, store: Store, begun: Instant) -> tuple[Survey, ClassCounts]:
        from smsreceipt.reconcile import survey_days

        with store.snapshot():
            if self._details.wanted:
                self._write_with_receipt(store)
            days = survey_days(store, self._first, self._last, self._calendar, begun)
        self._details.add(days.settled)
        return days, days.counts()

    def _write_with_receipt(self, store: Store) -> None:
        from smsreceipt.reconcile import Class, Finding, end_of, start_of
        from smsreceipt.store import SendQuery, SendState

        query = SendQuery(states=[SendState.WITH_RECEIPT], since=start_of(self._first), until=end_of(self._last))
        self._details.add(Finding(row.send, Class.WITH_RECEIPT, row.outcome) for row in store.sends(query))

    def _asking(self) -> AbstractContextManager[QueryClient]:
        from smsreceipt.runs.asking import asking

        return asking(self._app, qps=self._chosen["qps"], workers=self._chosen["workers"])

    def _made(self, store: Store, asker: QueryClient, days: Survey, books: ClassCounts, lock_retry: LockRetry) -> Run:
        from smsreceipt.reconcile import Class, Run, do_job

        def on_learnt(learnt: Sequence[Finding]) -> None:
            self._enter(books, learnt)
            found = books.count(Class.DELIVERED, Class.FAILED)
            self._progress.asked(asker.rate.calls, days.plan.calls, found)

        return Run(
            store,
            lambda job: do_job(job, asker, self._app.now),
            asker.rate,
            workers=min(self._chosen["workers"], len(days.plan)),
            lock_retry=lock_retry,
            on_findings=on_learnt,
        )

    def _enter(self, books: ClassCounts, learnt: Sequence[Finding]) -> None:
        books.add_all(learnt)
        self._details.add(learnt)

    def _conflicts(self, store: Store) -> int | None:
        """How many messages of these days have receipts that contradict each other."""
        from smsreceipt.matching import SMS_REPORT
        from smsreceipt.reconcile import end_of, start_of
        from smsreceipt.store import Query

        query = Query(kinds=[SMS_REPORT], conflicts=True, since=start_of(self._first), until=end_of(self._last))
        return len({receipt.receipt.identity for receipt in store.list(query)})

    def _attend(self, runs: Sequence[Run], failures: Sequence[BaseException]) -> None:
        """What a person should look at, beside what the books tell."""
        app = self._app
        for run in runs:
            if run.tally.fresh_rejects:
                app.say(f"{run.tally.fresh_rejects} rows could not be decoded: see `smsreceipt rejects list`")
            if run.unstable:
                app.say(f"{run.unstable} answers contradicted themselves to the end: run the same command again")
            if run.unstable or run.tally.fresh_rejects:
                app.attention()
        tell_failures(app, failures)

    def _report(self, books: ClassCounts, figures: dict[str, object]) -> None:
        """The summary on both streams, and what the books say of the exit code."""
        from smsreceipt.reconcile.summary import summary

        app = self._app
        values = summary(books, self._first, self._last, figures)
        for note, count in books.notes.items():
            app.say(f"{count} could not be asked about: {note}")
        if books.pressing:
            app.warn(f"{books.pressing} open sends can be asked about for at most 5 more days, the oldest for"
                     f" {books.days_left}: afterwards nobody can tell how they ended")  # fmt: skip
        if not self._details.on_stdout:
            app.report(self._drawn(books, values))
        app.summary((name, "-" if value is None else value) for name, value in values.items() if name not in _DAYS)
        if self._chosen["fail_on_missing"] and books.left:
            app.attention()

    def _drawn(self, books: ClassCounts, values: dict[str, object]) -> bytes:
        app = self._app
        if app.output == "json":
            return json_line(values)
        if app.output == "csv":
            return csv_lines([values.keys(), values.values()])
        from smsreceipt.output.terminal.comparison import comparison

        return app.encode(comparison(books, values, app.look()))

    def _say(self, text: str) -> None:
        self._progress.clear()
        self._app.say(text)


_DAYS = {"date", "from", "to"}
