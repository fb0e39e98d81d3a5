"""Shows facts about the store, and checks whether receipts still arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from smsreceipt.app import App
from smsreceipt.model import Instant, Kind, iso_beijing
from smsreceipt.output import terminal
from smsreceipt.output.objects.alarms import ALARMS
from smsreceipt.output.objects.status import KINDS, STATUS
from smsreceipt.output.printer import print_whole
from smsreceipt.runs import watch
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.store import StoreFacts


def run(app: App, kinds: Sequence[Kind], max_age: float | None, *, check: bool = False) -> None:
    """Print facts about the store; of message types only those in *kinds*, if there are any.

    Exit code 3 if no receipt, or none of one of the kinds, was received within *max_age* seconds. Raises StoreDamaged
    where a check finds damage. *check*: exit code 3 if an alarm of `watch` fires; JSON has the key `alarms` then.
    """
    with app.open_store(readonly=True) as store:
        alarms = watch.check(app, store) if check else []
        facts = replace(store.facts(), checked=store.check())
        say_unknown_kinds(app, kinds, store)
    if kinds:
        facts = replace(facts, kinds=tuple(one for one in facts.kinds if one.kind in kinds))
    view = STATUS.with_value("alarms", [ALARMS.record(alarm) for alarm in alarms]) if check else STATUS
    print_whole(app, view, facts, (KINDS, facts.kinds), lambda display: terminal.status.status(facts, display))
    if max_age is not None:
        _check_age(app, facts, kinds, max_age)
    if alarms:
        app.needs_a_look(watch.summary(alarms, chinese=app.chinese))


def _check_age(app: App, facts: StoreFacts, kinds: Sequence[Kind], max_age: float) -> None:
    last = {kind.kind: kind.last_received_at for kind in facts.kinds}
    newest = [last.get(kind) for kind in kinds] if kinds else [max(last.values(), default=None)]
    for name, at in zip(kinds or ("receipt",), newest, strict=True):
        if at is None or app.now() - at > max_age * 1000:
            app.needs_a_look(f"no {name} came " + ("yet" if at is None else f"since {_beijing(at)} Beijing time"))


def _beijing(at: Instant) -> str:
    """Beijing time in the form 2026-11-21 12:00:00."""
    return iso_beijing(at).removesuffix("+08:00").replace("T", " ")
