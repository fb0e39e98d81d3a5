"""`smsreceipt rejects`: what could not be decoded. Look at it, decode it again, or drop it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import click
import msgspec

from smsreceipt.app import App
from smsreceipt.cli.options import Group
from smsreceipt.cli.options import command as make
from smsreceipt.errors import UsageError
from smsreceipt.model import Decoded, Delivery, Kind, Reason, StoredReject, Tally
from smsreceipt.output.printer import ReceiptPrinter, print_objects
from smsreceipt.output.records import outline, preview, reject_record
from smsreceipt.store import Store

_AT_ONCE = 500  #: rejects decoded again in one commit

command = Group("rejects", help="Look at what could not be decoded; retry or drop it.")


@make("list", data=True)
def list_command(app: App) -> None:
    """List the rejects, oldest first, each with the reason why."""
    with app.open_store(readonly=True) as store:
        found = list(store.rejects())

    def draw() -> str:
        from smsreceipt.output import terminal as view

        return view.rejects(found, app.look(), app.now())

    if not found:
        app.say("no rejects")
    else:
        print_objects(app, [msgspec.structs.asdict(reject_record(reject)) for reject in found], draw)


@make("show", data=True)
@click.argument("reject_id", metavar="ID")
@click.option("--raw", is_flag=True, help="The bytes as they were received, and nothing else.")
def show_command(app: App, reject_id: str, *, raw: bool) -> None:
    """Show one reject: where it came from, what is wrong, and what it looks like.

    ID may be shortened as long as only one reject begins with it. Masked, the preview shows the structure of the
    bytes; with --reveal their content, harmless to a terminal.
    """
    with app.open_store(readonly=True) as store:
        reject = _one(store, reject_id)
        body = store.reject_body(reject.id)
    if raw:
        app.write(body)
        return
    shown = outline(body) if app.mask else preview(body)
    record = msgspec.structs.asdict(reject_record(reject)) | {"preview": shown}

    def draw() -> str:
        from smsreceipt.output import terminal as view

        return view.reject(reject, shown, app.look(), app.now())

    print_objects(app, [record], draw)


@make("retry")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, envvar="SMSRECEIPT_REJECTS_RETRY_ALL", help="Every reject.")
@click.option("--kind", metavar="KIND", help="Read them as this message type.")
def retry_command(app: App, ids: tuple[str, ...], *, everything: bool, kind: str | None) -> None:
    """Decode rejects again; store what can be read now.

    After an upgrade, or with the --kind that nothing told. What still cannot be read stays as it is. Bytes that did
    not fit their checksum are believed only when their ID is named.
    """
    if bool(ids) == everything:
        raise UsageError("name the rejects to retry, or say --all")
    printer = ReceiptPrinter(app, app.report)
    tally, still = Tally(), 0
    with app.open_store(readonly=False) as store:
        chosen = iter([_one(store, reject_id) for reject_id in ids] if ids else list(store.rejects()))
        while piece := list(islice(chosen, _AT_ONCE)):
            kept, bad = _retry(store, piece, Kind(kind) if kind else None, bool(ids), printer)
            tally, still = tally + kept, still + bad
    counts = {"received": tally.received + still, "new": tally.new, "duplicate": tally.duplicate}
    app.summary([*counts.items(), ("rejected", tally.rejected + still)])


def _retry(
    store: Store, rejects: Sequence[StoredReject], kind: Kind | None, named: bool, printer: ReceiptPrinter
) -> tuple[Tally, int]:
    """Keep what can be read now, in one commit; return the books and how many cannot."""
    from smsreceipt.decode import decode
    from smsreceipt.ingest import take

    readable: dict[str, Decoded] = {}
    for reject in rejects:
        decoded = decode(_delivery(reject, store.reject_body(reject.id), kind, named))
        if decoded.receipts:
            readable[reject.id] = decoded
    if not readable:
        return Tally(), len(rejects)
    kept = take([*readable.values()], store, resolves=[*readable])
    printer.print(kept.new)
    return kept.tally, len(rejects) - len(readable)


def _delivery(reject: StoredReject, body: bytes, kind: Kind | None, named: bool) -> Delivery:
    """As it came the first time, but for the kind."""
    damaged = frozenset({0}) if reject.reason is Reason.MD5 and not named else frozenset[int]()
    return Delivery((body,), kind or reject.kind, reject.source, reject.origin, reject.received_at, damaged=damaged)


@make("drop")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop_command(app: App, ids: tuple[str, ...], *, yes: bool) -> None:
    """Forget rejects for good: the only copy of these bytes goes."""
    with app.open_store(readonly=False) as store:
        found = {reject.id: reject for reject in (_one(store, reject_id) for reject_id in ids)}
        if not yes:
            _ask(app, len(found))
        dropped = store.drop_rejects(list(found))
    app.summary([("dropped", dropped)])


def _ask(app: App, count: int) -> None:
    if not app.stdin_is_tty:
        raise UsageError("nobody is there to be asked whether to drop", hint="Say --yes.")
    click.confirm(f"Drop {count} reject{'s' if count > 1 else ''} for good?", abort=True, err=True)


def _one(store: Store, reject_id: str) -> StoredReject:
    """The only reject whose id begins so. Raises UsageError when there is none, or more than one."""
    found: Iterator[StoredReject] = islice(store.rejects([reject_id.lower()]), 2)
    matches = list(found) if reject_id else []
    if len(matches) != 1:
        many = "more than one reject" if matches else "no reject"
        raise UsageError(f"{many} begins with {reject_id!r}", hint="smsreceipt rejects list")
    return matches[0]


for _command in (list_command, show_command, retry_command, drop_command):
    command.add_command(_command)
