"""`smsreceipt status`: how the store is doing, and whether receipts still arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from smsreceipt.app import App
from smsreceipt.cli.filters import complete_kind, kinds_of, refuse_empty, say_unknown_kinds
from smsreceipt.cli.options import command as make
from smsreceipt.cli.types import Duration
from smsreceipt.model import Instant, Kind, iso_beijing, iso_utc
from smsreceipt.output.printer import print_objects
from smsreceipt.output.records import csv_lines
from smsreceipt.store import KindFacts, StoreFacts


@make("status", data=True)
@click.option(
    "--max-age", type=Duration(), metavar="AGE", help="End with 3 when nothing came for so long: 2h, 30m, 1d."
)
@click.option(
    "--kind",
    multiple=True,
    metavar="KIND",
    shell_complete=complete_kind,
    help="Only this message type; each must be fresh.",
)
def command(app: App, *, max_age: float | None, kind: tuple[str, ...]) -> None:
    """Tell how the store is doing, and whether receipts still arrive.

    With --max-age it is the dead-man check of a cron job: exit code 3 says that the road is silent.
    """
    refuse_empty(kind, "--kind")
    kinds = kinds_of(kind)
    with app.open_store(readonly=True) as store:
        facts = store.facts()
        say_unknown_kinds(app, kinds, store)
    if kinds:
        facts = replace(facts, kinds=tuple(one for one in facts.kinds if one.kind in kinds))
    if app.output == "csv":
        rows = [_kind(one) for one in facts.kinds]
        app.write(csv_lines([KIND_KEYS, *(row.values() for row in rows)]))
    else:
        print_objects(app, [_object(facts)], lambda: _draw(app, facts))
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


KIND_KEYS = ("kind", "count", "statements", "tests", "first_received_at", "last_received_at")


def _kind(kind: KindFacts) -> dict[str, object]:
    first, last = kind.first_received_at, kind.last_received_at
    return dict(
        zip(KIND_KEYS, (kind.kind, kind.count, kind.statements, kind.tests, iso_utc(first), iso_utc(last)), strict=True)
    )


def _object(facts: StoreFacts) -> dict[str, object]:
    last: Instant | None = max((kind.last_received_at for kind in facts.kinds), default=None)
    return {
        "store": facts.location,
        "exists": facts.exists,
        "engine": facts.engine,
        "schema": facts.schema,
        "size": facts.size,
        "last_seq": facts.last_seq,
        "last_received_at": None if last is None else iso_utc(last),
        "receipts": sum(kind.count for kind in facts.kinds),
        "sends": facts.sends,
        "open_sends": facts.open_sends,
        "conflicts": facts.conflicts,
        "rejects": facts.rejects,
        "kinds": [_kind(kind) for kind in facts.kinds],
    }


def _draw(app: App, facts: StoreFacts) -> str:
    from smsreceipt.output import terminal as view

    return view.status(facts, app.look(), app.now())
