"""`smsreceipt show`: everything known about a message or a call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import click

from smsreceipt.app import App
from smsreceipt.cli.filters import phones_of, read_dash, refuse_empty
from smsreceipt.cli.options import command as make
from smsreceipt.model import DAY_MS, StoredReceipt
from smsreceipt.output.printer import ReceiptPrinter
from smsreceipt.output.records import json_line, send_record
from smsreceipt.store import Query, SendQuery, Store, StoredSend


@dataclass(frozen=True, slots=True)
class _Found:
    statements: list[StoredReceipt]
    current: frozenset[int | None]  #: the seqs of those that are the state of their identity
    sends: list[StoredSend] = field(default_factory=list)  #: what the ledger holds of them


@make("show", data=True)
@click.argument("subject", metavar="PHONE|BIZ_ID|OUT_ID|CALL_ID")
def command(app: App, subject: str) -> None:
    """Show everything known about a message or a call.

    What was sent and every statement about whatever carries this number or id, replies and calls included, in time
    order; on a terminal with the meaning of each code and what to do about it. A - reads the number or id from
    standard input.

    \b
      smsreceipt show 13800000001
      smsreceipt show 900619746936498440^0 --json | jq -r .outcome
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    words = read_dash(app, (subject,))
    refuse_empty(words, "PHONE|BIZ_ID|OUT_ID|CALL_ID")
    with app.open_store(readonly=True) as store:
        found = _find(store, words)
    if not found.statements and not found.sends:
        app.say("nothing is known about that number or id")
    elif app.output == "table":
        from smsreceipt.output import terminal as view

        app.write(app.encode(view.story(found.statements, found.current, app.look(), found.sends)))
    else:
        _print(app, found)


def _print(app: App, found: _Found) -> None:
    """Sends and statements as they followed each other. The columns of a CSV are those of statements alone."""
    printer = ReceiptPrinter(app)
    rest = sorted(found.statements, key=_when)
    if app.output == "json":
        for stored in sorted(found.sends, key=_sent):
            before = [receipt for receipt in rest if _when(receipt) < (_sent(stored), 0)]
            printer.print(before)
            app.write(json_line(send_record(stored, app.mask)))
            rest = rest[len(before) :]
    elif found.sends:
        app.say("the columns of csv are those of receipts: for what was sent, smsreceipt sends list")
    printer.print(rest)


def _find(store: Store, words: list[str]) -> _Found:
    """Every send and statement that carries one of the words, and all of the calls that these belong to."""
    queries = [Query(phones=phones_of(words)), Query(biz_ids=words), Query(out_ids=words), Query(call_ids=words)]
    sends = _ledger(store, words)
    if of_sends := {stored.send.biz_id for stored in sends} - set(words):
        queries.append(Query(biz_ids=of_sends, phones={stored.send.phone for stored in sends}))
    direct = _collect(store, queries)
    found = _with_calls(store, direct, words)
    return replace(found, sends=_with_sends_of(store, sends, direct.statements))


def _ledger(store: Store, words: list[str]) -> list[StoredSend]:
    """What was sent to, under, or for one of the words."""
    found: dict[tuple[str, str], StoredSend] = {}
    for query in (SendQuery(phones=phones_of(words)), SendQuery(biz_ids=words), SendQuery(out_ids=words)):
        found |= {(stored.send.biz_id, stored.send.phone): stored for stored in store.sends(query)}
    return list(found.values())


def _with_sends_of(store: Store, sends: list[StoredSend], statements: list[StoredReceipt]) -> list[StoredSend]:
    """These sends, and those that statements are about though the ledger knows them by no such word."""
    known = {(stored.send.biz_id, stored.send.phone) for stored in sends}
    reported = {(each.receipt.biz_id, each.receipt.phone) for each in statements}
    told = {(biz_id, phone) for biz_id, phone in reported - known if biz_id and phone}
    if not told:
        return sends
    query = SendQuery(biz_ids={biz_id for biz_id, _ in told}, phones={phone for _, phone in told})
    return sends + [stored for stored in store.sends(query) if (stored.send.biz_id, stored.send.phone) in told]


def _with_calls(store: Store, direct: _Found, words: list[str]) -> _Found:
    calls = {call_id for each in direct.statements if (call_id := each.receipt.call_id)}
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


def _sent(stored: StoredSend) -> int:
    """When it was sent; where only the day is known, when that began in Beijing."""
    send = stored.send
    return send.day * DAY_MS - 8 * 3_600_000 if send.sent_at is None else send.sent_at


def _when(stored: StoredReceipt) -> tuple[int, int]:
    """Time order: when it was reported, else sent, else received."""
    times = (stored.receipt.reported_at, stored.receipt.sent_at, stored.received_at)
    return next(at for at in times if at is not None), stored.seq or 0
