"""A replay that stores nothing and shows how many receipts and rejects there are of each kind."""

from __future__ import annotations

import time
from collections import Counter, defaultdict

from smsreceipt.app import App
from smsreceipt.decode.saved import decode_saved
from smsreceipt.language import _
from smsreceipt.model import Kind, Reason
from smsreceipt.output import terminal
from smsreceipt.output.objects.replays import READABLE, Readable
from smsreceipt.output.printer import print_rows
from smsreceipt.runs.inputs import Inputs
from smsreceipt.runs.receiving import report_failures
from smsreceipt.runs.signals import GracefulStop


def run(app: App, inputs: Inputs) -> None:
    """Read and decode the inputs; print an object for each kind and the summary. No store is opened."""
    receipts: Counter[Kind] = Counter()
    rejects: defaultdict[Kind | None, Counter[Reason]] = defaultdict(Counter)
    began = time.monotonic()
    with GracefulStop(app, inputs.halt.set):
        for piece in inputs.pieces():
            for delivery in piece.deliveries:
                decoded = decode_saved(delivery)
                receipts.update([receipt.kind for receipt in decoded.receipts])
                for kind, reject in decoded.rejects:
                    rejects[kind][reject.reason] += 1
        report_failures(app, inputs.failures)
        rows = [
            Readable(kind, receipts[kind] if kind else 0, dict(sorted(rejects[kind].items())))
            for kind in sorted(receipts.keys() | rejects.keys(), key=lambda kind: kind or "\x7f")
        ]
        print_rows(app, READABLE, rows, lambda display: terminal.replay.readable(rows, display))
        _summarise(app, receipts.total(), sum(each.total() for each in rejects.values()), time.monotonic() - began)


def _summarise(app: App, receipts: int, rejected: int, seconds: float) -> None:
    received = receipts + rejected
    app.say(_("nothing was stored"))
    if rejected:
        app.needs_a_look(
            _(
                "could not be decoded: {n:,}, for the reasons under `rejected`; a replay keeps them as rejects",
                n=rejected,
            )
        )
    app.summary(
        {
            "received": received,
            "receipts": receipts,
            "rejected": rejected,
            "seconds": f"{seconds:.1f}",
            "rate": round(received / max(seconds, 0.001)),
        }
    )
