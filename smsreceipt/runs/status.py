"""How the store is doing, and whether receipts still arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from smsreceipt.app import App
from smsreceipt.model import Instant, Kind, iso_beijing
from smsreceipt.output.look import Look
from smsreceipt.output.objects.status import KINDS, STATUS
from smsreceipt.output.printer import print_whole
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.store import StoreFacts


def run(app: App, kinds: Sequence[Kind], max_age: float | None) -> None:
    """Print the store's facts, those of *kinds* only where any are given.

    Exit code 3 when nothing, or nothing of one of the kinds, came within *max_age* seconds.
    """
    with app.open_store(readonly=True) as store:
        facts = store.facts()
        say_unknown_kinds(app, kinds, store)
    if kinds:
        facts = replace(facts, kinds=tuple(one for one in facts.kinds if one.kind in kinds))

    def draw(look: Look) -> str:
        from smsreceipt.output.terminal.status import status

        return status(facts, look)

    print_whole(app, STATUS, facts, (KINDS, facts.kinds), draw)
    if max_age is not None:
        _check_age(app, facts, kinds, max_age)


def _check_age(app: App, facts: StoreFacts, kinds: Sequence[Kind], max_age: float) -> None:
    last = {kind.kind: kind.last_received_at for kind in facts.kinds}
    newest = [last.get(kind) for kind in kinds] if kinds else [max(last.values(), default=None)]
    for name, at in zip(kinds or ("receipt",), newest, strict=True):
        if at is None or app.now() - at > max_age * 1000:
            app.attention()
            app.say(f"no {name} came " + ("yet" if at is None else f"since {_beijing(at)} Beijing time"))


def _beijing(at: Instant) -> str:
    """2026-11-21 12:00:00, as people read it."""
    return iso_beijing(at).removesuffix("+08:00").replace("T", " ")
