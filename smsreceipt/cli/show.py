"""`smsreceipt show`: everything known about a message or a call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import click

from smsreceipt.cli.app import App
from smsreceipt.cli.filters import phones_of, read_dash, refuse_empty
from smsreceipt.cli.options import command as make
from smsreceipt.cli.printing import ReceiptPrinter
from smsreceipt.model import StoredReceipt
from smsreceipt.store import Query, Store


@dataclass(frozen=True, slots=True)
class _Found:
    statements: list[StoredReceipt]
    current: frozenset[int | None]  #: the seqs of those that are the state of their identity


@make("show", data=True)
@click.argument("subject", metavar="PHONE|BIZ_ID|OUT_ID|CALL_ID")
def command(app: App, subject: str) -> None:
    """Show everything known about a message or a call.

    Every statement about whatever carries this number or id, replies and calls included, in time order; on a terminal
    with the meaning of each code and what to do about it. A - reads the number or id from standard input.
    """
    words = read_dash(app, (subject,))
    refuse_empty(words, "PHONE|BIZ_ID|OUT_ID|CALL_ID")
    with app.open_store(readonly=True) as store:
        found = _find(store, words)
    if not found.statements:
        app.say("nothing is known about that number or id")
    elif app.output == "table":
        from smsreceipt import view

        app.write(app.encode(view.story(found.statements, found.current, app.look())))
    else:
        ReceiptPrinter(app).print(sorted(found.statements, key=_when))


def _find(store: Store, words: list[str]) -> _Found:
    """Every statement that carries one of the words, and all of the calls that these belong to."""
    queries = [Query(phones=phones_of(words)), Query(biz_ids=words), Query(out_ids=words), Query(call_ids=words)]
    direct = _collect(store, queries)
    calls = {receipt.call_id for receipt in direct.statements if receipt.call_id}
    if not calls - set(words):
        return direct
    related = _collect(store, [Query(call_ids=calls)])
    known = {receipt.seq for receipt in direct.statements}
    return _Found(
        direct.statements + [receipt for receipt in related.statements if receipt.seq not in known],
        direct.current | related.current,
    )


def _collect(store: Store, queries: Iterable[Query]) -> _Found:
    statements: dict[int | None, StoredReceipt] = {}
    current: set[int | None] = set()
    for query in queries:
        statements |= {receipt.seq: receipt for receipt in store.list(replace(query, history=True))}
        current |= {receipt.seq for receipt in store.list(query)}
    return _Found(list(statements.values()), frozenset(current))


def _when(receipt: StoredReceipt) -> tuple[int, int]:
    """Time order: when it was reported, else sent, else received."""
    at = next(at for at in (receipt.reported_at, receipt.sent_at, receipt.received_at) if at is not None)
    return at, receipt.seq or 0
