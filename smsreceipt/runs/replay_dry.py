"""`smsreceipt replay --dry-run`: what would be stored, by kind, and why the rest would not."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from smsreceipt.app import App
from smsreceipt.decode import decode
from smsreceipt.model import Kind, Reason
from smsreceipt.output.printer import print_objects
from smsreceipt.runs.reporter import tell_failures
from smsreceipt.runs.stop import Stop

if TYPE_CHECKING:
    from smsreceipt.runs.inputs import Inputs


def look(app: App, inputs: Inputs) -> None:
    """Read and decode it all; print an object for each kind. No store is opened."""
    receipts: Counter[Kind] = Counter()
    rejects: defaultdict[Kind | None, Counter[Reason]] = defaultdict(Counter)
    began = time.monotonic()
    with Stop(app, inputs.halt.set):
        for piece in inputs.pieces():
            for delivery in piece.deliveries:
                decoded = decode(delivery)
                receipts.update([receipt.kind for receipt in decoded.receipts])
                for kind, reject in decoded.rejects:
                    rejects[kind][reject.reason] += 1
        tell_failures(app, inputs.failures)
        objects: list[dict[str, object]] = [
            {"kind": kind, "receipts": receipts[kind] if kind else 0, "rejected": dict(sorted(rejects[kind].items()))}
            for kind in sorted(receipts.keys() | rejects.keys(), key=lambda kind: kind or "\x7f")
        ]

        def draw() -> str:
            from smsreceipt.output.terminal.replayed import plan

            return plan(objects, app.look())

        print_objects(app, objects, draw)
        _summarise(app, receipts.total(), sum(each.total() for each in rejects.values()), time.monotonic() - began)


def _summarise(app: App, receipts: int, rejected: int, seconds: float) -> None:
    received = receipts + rejected
    rate = round(received / max(seconds, 0.001))
    app.say("nothing was stored")
    app.summary(
        {
            "received": received,
            "receipts": receipts,
            "rejected": rejected,
            "seconds": f"{seconds:.1f}",
            "rate": rate,
        }.items()
    )
    if rejected:
        app.attention()
