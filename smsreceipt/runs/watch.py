"""Looks for what is wrong, prints the changes, and tells robots: once, or again and again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, StoreDamaged, UsageError
from smsreceipt.insight.alarms import telling, texts
from smsreceipt.insight.alarms.rules import Rule, thresholds
from smsreceipt.insight.alarms.state import Alarm
from smsreceipt.insight.alarms.step import stepped
from smsreceipt.language import _, listed
from smsreceipt.notify.message import Attachment
from smsreceipt.output import terminal
from smsreceipt.output.objects.alarms import ALARMS
from smsreceipt.output.printer import LinePrinter
from smsreceipt.runs import report, watch_robots
from smsreceipt.runs.folding import fold
from smsreceipt.runs.places import places
from smsreceipt.runs.signals import GracefulStop, counters_on_request
from smsreceipt.runs.supervisor import Supervisor
from smsreceipt.runs.watch_figures import Gatherer
from smsreceipt.runs.watch_robots import TOPIC, Teller
from smsreceipt.store import Store
from smsreceipt.waiting import wait_for

_LOOK = 120.0  # seconds that a look may take, with those who are told
WINDOW = 900.0  #: seconds of the messages that are compared with the usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to watch, and whom to tell."""

    rules: Mapping[Rule, float]
    notify: Sequence[str] = ()
    repeat: float = 3600.0  #: seconds after which an alarm that still fires is told again
    window: float = WINDOW


def once(app: App, options: Options, *, nagios: bool = False) -> None:
    """Look once. Exit code 3 if an alarm fires, 5 if a robot could not be told, 4 to 8 as every command.

    *nagios*: print one line for it instead, and end with 0, 1, 2 or 3 as its plugins do.
    """
    watch = _Watch(app, options, threading.Event())
    if nagios:
        _for_nagios(app, watch)
        return
    watch.look()
    watch.report_failures()
    watch.count_ahead()
    if watch.firing:
        app.needs_a_look(summary(watch.firing, chinese=app.chinese))
    elif app.stderr_is_tty and not watch.failures:  # a mail of cron about nothing would be one too many
        app.say(_("no alarm: {rules}", rules=listed(options.rules)))


def follow(app: App, options: Options, every: float) -> None:
    """Look again and again, *every* so many seconds, until a signal comes. What fails is told and tried again."""
    stop = threading.Event()
    watch = _Watch(app, options, stop)
    rules = listed(options.rules)
    app.say(_("watching every {seconds:g} s, until stopped: {rules}", seconds=every, rules=rules))
    supervisor = Supervisor(app.environ)
    supervisor.allow(2 * every + _LOOK)
    with GracefulStop(app, stop.set), counters_on_request(app, lambda: {"alarms": len(watch.firing)}):
        while not stop.is_set():
            try:
                watch.look()
                watch.report_failures(end=False)
                supervisor.ready()
                supervisor.beat()
                watch.count_ahead()  # takes minutes where a large store was never counted
            except (StoreDamaged, UsageError):
                raise
            except SmsReceiptError as exc:
                app.error(exc)
            supervisor.ready()
            supervisor.beat()  # it has looked; what failed would fail after a restart too
            supervisor.status(lambda: f"alarms={len(watch.firing)}")
            wait_for(stop, every)
        supervisor.stopping()


def check(app: App, store: Store) -> list[Alarm]:
    """The alarms that fire by the rules of the configuration, without noting them and without telling anybody."""
    table = app.config.table(("watch",))
    rules = thresholds(table.get("rule", ()))
    gatherer = Gatherer(app, rules.keys(), WINDOW)
    alarms = watch_robots.read_alarms(dict(store.notes(TOPIC)))
    changed = stepped(gatherer.figures(store), rules, alarms)
    for exc in gatherer.failures:
        app.error(exc)
        app.end_with(exc.exit_code)
    return _firing({**alarms, **changed}, rules)


def summary(firing: Sequence[Alarm], *, chinese: bool) -> str:
    """One line about the alarms that fire."""
    if chinese:
        return f"{len(firing)} 项告警：{'；'.join(map(texts.chinese, firing))}"
    return f"{len(firing)} alarm{'s' * (len(firing) > 1)}: {'; '.join(map(texts.english, firing))}"


def _firing(alarms: Mapping[str, Alarm | None], rules: Mapping[Rule, float]) -> list[Alarm]:
    return [alarm for alarm in alarms.values() if alarm is not None and alarm.firing and alarm.rule in rules]


class _Watch:
    """The looks of one run."""

    def __init__(self, app: App, options: Options, stop: threading.Event) -> None:
        self._app, self._options = app, options
        self._gatherer = Gatherer(app, options.rules.keys(), options.window)
        self._teller = Teller(
            app,
            watch_robots.robots(app, options.notify),
            options.rules.keys(),
            repeat=options.repeat,
            report=self._report,
            wait=stop.wait,
        )
        self._printer = LinePrinter(
            app, ALARMS, lambda alarm, display, _head: terminal.alarms.change(alarm, display), write=app.report
        )
        self._uncounted = 0  # statements that no figure is counted of yet
        self.firing: list[Alarm] = []
        self.failures: list[SmsReceiptError] = []

    def _report(self, store: Store) -> Attachment | None:
        """The page for e-mail; None, and a warning, where it cannot be made: the alarm is told all the same."""
        try:
            return report.attachment(self._app, store)
        except SmsReceiptError as exc:
            self._app.warn(_("the report could not be attached: {reason}", reason=exc))
            return None

    def look(self, *, printing: bool = True) -> None:
        """Look once: note changes, print them, tell robots. Receiving is never waited for, nor kept waiting."""
        with self._app.open_store(readonly=True) as store:
            notes = dict(store.notes(TOPIC))
            alarms = watch_robots.read_alarms(notes)
            self._uncounted = store.folded().rest
            changed = dict(stepped(self._gatherer.figures(store), self._options.rules, alarms))
        self.failures = [*self._gatherer.failures]
        now: dict[str, Alarm] = {key: alarm for key, alarm in {**alarms, **changed}.items() if alarm is not None}
        if changed or self._teller.pending(notes, now):
            with self._app.open_store(readonly=False, backfill=False) as store:
                if watch_robots.write_alarms(store, alarms, changed):
                    self._print(changed, alarms, printing=printing)
                else:  # another process has looked meanwhile: what it noted counts
                    now = watch_robots.read_alarms(dict(store.notes(TOPIC)))
                self.failures += self._teller.tell(store, now)
        self.firing = _firing(now, self._options.rules)

    def count_ahead(self) -> None:
        """Count what arrived since the last look, so that `stats` and `status` need not.

        Nothing happens where the store cannot be written now, or the file of number ranges cannot be read: `stats` and
        `status` tell so.
        """
        if self._uncounted:
            with contextlib.suppress(UsageError):
                fold(self._app, places(self._app))

    def _print(self, changed: Mapping[str, Alarm | None], before: Mapping[str, Alarm], *, printing: bool) -> None:
        for key, alarm in changed.items():
            was = before.get(key)
            if printing and alarm is not None and alarm.firing != (was is not None and was.firing):
                self._printer.print(alarm)

    def report_failures(self, *, end: bool = True) -> None:
        """Print what failed; with *end*, set its exit codes."""
        for exc in self.failures:
            self._app.error(exc)
            if end:
                self._app.end_with(exc.exit_code)
        if end and self.failures and self.failures[-1].hint:
            self._app.say(f"hint: {_(self.failures[-1].hint)}")


_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


def _for_nagios(app: App, watch: _Watch) -> None:
    try:
        watch.look(printing=False)
    except SmsReceiptError as exc:
        watch.failures = [exc]
    told = [str(exc) for exc in watch.failures]
    if watch.firing:
        code = 2 if any(alarm.rule in telling.CRITICAL for alarm in watch.firing) else 1
        told.insert(0, summary(watch.firing, chinese=app.chinese))
    else:
        code = 3 if watch.failures else 0
    text = "; ".join(told).replace("|", "/") or _("no alarm")
    app.write(app.encode(f"SMSRECEIPT {_STATES[code]} - {text} | alarms={len(watch.firing)}\n"))
    app.exit_codes.clear()
    app.end_with(code)
