"""Decodes rejects again and stores the receipts of those that can be decoded now."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from smsreceipt.app import App
from smsreceipt.decode.saved import decode_saved
from smsreceipt.ingest import take
from smsreceipt.model import Decoded, Delivery, Kind, Reason, StoredReceipt, StoredReject, Tally
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.printer import Printer
from smsreceipt.runs.existing import open_existing
from smsreceipt.runs.kinds import warn_of_unknown_kinds
from smsreceipt.runs.rejects import find_reject
from smsreceipt.store import Store

_AT_ONCE = 500  #: rejects decoded again in one commit


def run(app: App, ids: Sequence[str], kind: Kind | None) -> None:
    """Retry the rejects with these ids, or all without any; with *kind*, read them as this message type.

    Prints new statements and the summary. Each reject is deleted in the transaction that stores its receipts; one that
    still cannot be decoded stays. Bytes that did not match their checksum are decoded only if their id is given.
    Raises UsageError as find_reject does.
    """
    printer = Printer(app, RECEIPTS, write=app.report, live=True)
    if kind:
        warn_of_unknown_kinds(app, [kind])
    tally, undecodable = Tally(), 0
    with open_existing(app) as store:
        rejects = iter([find_reject(store, reject_id) for reject_id in ids] if ids else list(store.rejects()))
        while piece := list(islice(rejects, _AT_ONCE)):
            kept, bad = _retry(store, piece, kind, bool(ids), printer)
            tally, undecodable = tally + kept, undecodable + bad
    counters = tally.counters()
    counters["received"] += undecodable
    counters["rejected"] += undecodable
    app.summary(counters)


def _retry(
    store: Store, rejects: Sequence[StoredReject], kind: Kind | None, named: bool, printer: Printer[StoredReceipt]
) -> tuple[Tally, int]:
    """Store what can be decoded, in one commit; return its counters and the number of rejects that cannot be."""
    readable: dict[str, Decoded] = {}
    for reject in rejects:
        decoded = decode_saved(_delivery(reject, store.reject_body(reject.id), kind, named))
        if decoded.receipts:
            readable[reject.id] = decoded
    if not readable:
        return Tally(), len(rejects)
    kept = take([*readable.values()], store, resolves=[*readable])
    printer.print(kept.new)
    return kept.tally, len(rejects) - len(readable)


def _delivery(reject: StoredReject, body: bytes, kind: Kind | None, named: bool) -> Delivery:
    """The delivery that the reject came with, with *kind* if it is given."""
    damaged = frozenset({0}) if reject.reason is Reason.MD5 and not named else frozenset[int]()
    return Delivery((body,), kind or reject.kind, reject.source, reject.origin, reject.received_at, damaged=damaged)
