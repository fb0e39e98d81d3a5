"""Decoding rejects again, and storing what can be read now."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from smsreceipt.app import App
from smsreceipt.decode import decode
from smsreceipt.ingest import take
from smsreceipt.model import Decoded, Delivery, Kind, Reason, StoredReceipt, StoredReject, Tally
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.printer import Printer
from smsreceipt.runs.rejects import find_reject
from smsreceipt.store import Store

_AT_ONCE = 500  #: rejects decoded again in one commit


def run(app: App, ids: Sequence[str], kind: Kind | None) -> None:
    """Retry the rejects of these ids, or all; as *kind* where it is given. What still cannot be read stays.

    Bytes that did not fit their checksum are believed only when their id is named.
    """
    printer = Printer(app, RECEIPTS, write=app.report, live=True)
    tally, still = Tally(), 0
    with app.open_store(readonly=False) as store:
        chosen = iter([find_reject(store, reject_id) for reject_id in ids] if ids else list(store.rejects()))
        while piece := list(islice(chosen, _AT_ONCE)):
            kept, bad = _retry(store, piece, kind, bool(ids), printer)
            tally, still = tally + kept, still + bad
    counts = {"received": tally.received + still, "new": tally.new, "duplicate": tally.duplicate}
    app.summary([*counts.items(), ("rejected", tally.rejected + still)])


def _retry(
    store: Store, rejects: Sequence[StoredReject], kind: Kind | None, named: bool, printer: Printer[StoredReceipt]
) -> tuple[Tally, int]:
    """Keep what can be read now, in one commit; return the books and how many cannot."""
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
