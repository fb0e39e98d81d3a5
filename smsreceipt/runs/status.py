"""Shows facts about the store, and checks whether receipts still arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.forward.lag import lags
from smsreceipt.insight.answer import unusual
from smsreceipt.insight.stats import Finding
from smsreceipt.language import _
from smsreceipt.model import DAY_MS, Instant, Kind, beijing_day, iso_beijing
from smsreceipt.output import terminal
from smsreceipt.output.formatting import elapsed
from smsreceipt.output.objects.alarms import ALARMS
from smsreceipt.output.objects.status import KINDS, STATUS, Health, Waiting
from smsreceipt.output.printer import print_whole
from smsreceipt.runs import watch
from smsreceipt.runs.figure_settings import day_of_interest, question_of_day
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.runs.places import places
from smsreceipt.store import Store, StoreFacts, opening
from smsreceipt.store.sums import growth

_NEWEST = 10_000  # statements among which the last one by each way is looked for
_LATELY = 7 * DAY_MS  # by which the growth of the store is measured


def run(app: App, kinds: Sequence[Kind], max_age: float | None, *, ask: bool = False, check: bool = False) -> None:
    """Print facts about the store; of message types only those in *kinds*, if there are any.

    *ask*: ask the provider what waits in the configured queues; nothing is received. *check*: judge by the rules of
    `watch`; JSON has the key `alarms` then. Exit code 3 if no receipt, or none of one of the kinds, was received within
    *max_age* seconds, where a queue does not answer, and where an alarm fires. Raises StoreDamaged where a check finds
    damage.
    """
    with app.open_store(readonly=True) as store:
        alarms = watch.check(app, store) if check else []
        facts = replace(store.facts(), checked=store.check())
        recent = store.recent(Instant(app.now() - _LATELY), _NEWEST)
        forwards = lags(store, app.now())
        findings, day = _findings(app, store)
        say_unknown_kinds(app, kinds, store)
    grows = growth(facts, recent.first_seq, Instant(app.now() - _LATELY), app.now(), _free(app, facts))
    if kinds:
        facts = replace(facts, kinds=tuple(one for one in facts.kinds if one.kind in kinds))
    waits = _backlog(app) if ask else None
    health = Health(
        facts=facts, growth=grows, origins=recent.origins, backlog=waits, forwards=forwards, findings=findings, day=day
    )
    view = STATUS.with_value("alarms", [ALARMS.record(alarm) for alarm in alarms]) if check else STATUS
    print_whole(app, view, health, (KINDS, facts.kinds), lambda display: terminal.status.status(health, display))
    if waits and (silent := [each for each in waits if each.waiting is None]):
        app.needs_a_look(_("queues that did not answer: {n}; smsreceipt doctor tells why", n=len(silent)))
    if max_age is not None:
        _check_age(app, facts, kinds, max_age)
    if alarms:
        app.needs_a_look(watch.summary(alarms, chinese=app.chinese))


def _findings(app: App, store: Store) -> tuple[Sequence[Finding] | None, str]:
    """What is unusual in the messages of the day, by the settings of `stats`; and the day as --date takes it."""
    now = app.now()
    day = day_of_interest(now)
    named = "today" if day == beijing_day(now) else "yesterday"
    try:
        place = places(app)
    except UsageError as exc:  # of a file of number ranges; the rest of the status is worth showing
        app.warn(str(exc))
        return None, named
    with store.snapshot():
        return unusual(store, question_of_day(app, day), now, place=place), named


def _backlog(app: App) -> list[Waiting]:
    from smsreceipt.runs.queues import backlog, configured_queues  # imports the SDK

    return backlog(app, configured_queues(app))


def _free(app: App, facts: StoreFacts) -> int | None:
    return opening.free_bytes(app.store_location) if facts.exists else None


def _check_age(app: App, facts: StoreFacts, kinds: Sequence[Kind], max_age: float) -> None:
    last = {kind.kind: kind.last_received_at for kind in facts.kinds}
    newest = [last.get(kind) for kind in kinds] if kinds else [max(last.values(), default=None)]
    limit = elapsed(round(max_age * 1000), chinese=app.chinese)
    for kind, at in zip(kinds or ("",), newest, strict=True):
        if at is None:
            app.needs_a_look(_("no {kind} came yet", kind=kind) if kind else _("no receipt came yet"))
        elif app.now() - at > max_age * 1000:
            age, time = elapsed(app.now() - at, chinese=app.chinese), _beijing(at)
            app.needs_a_look(
                _(
                    "no {kind} came since {time} Beijing time, {age} ago; the limit is {limit}",
                    kind=kind,
                    time=time,
                    age=age,
                    limit=limit,
                )
                if kind
                else _(
                    "no receipt came since {time} Beijing time, {age} ago; the limit is {limit}",
                    time=time,
                    age=age,
                    limit=limit,
                )
            )


def _beijing(at: Instant) -> str:
    """Beijing time in the form 2026-11-21 12:00:00."""
    return iso_beijing(at).removesuffix("+08:00").replace("T", " ")
