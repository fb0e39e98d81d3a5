"""`smsreceipt reconcile --calls`: calls through privacy numbers of which the end was never reported."""

from __future__ import annotations

from typing import Any

from smsreceipt.app import App
from smsreceipt.model import iso_beijing
from smsreceipt.output.printer import print_objects
from smsreceipt.store import CallGap


def report_gaps(app: App, first: int, last: int, chosen: dict[str, Any]) -> None:
    """Print a row per call. The provider cannot be asked about calls, so this is all there is to say."""
    latest = app.now() - chosen["min_age"] * 1000
    with app.open_store(readonly=True) as store:
        found = [gap for gap in store.call_gaps(first, last) if gap.first_at <= latest]

    def draw() -> str:
        from smsreceipt.output.terminal.comparison import call_gaps

        return call_gaps(found, app.look())

    print_objects(app, [_object(gap) for gap in found], draw)
    app.summary([("calls_without_end", len(found))])
    if found and chosen["fail_on_missing"]:
        app.attention()


def _object(gap: CallGap) -> dict[str, object]:
    return {
        "pool_key": gap.pool_key,
        "call_id": gap.call_id,
        "kinds": list(gap.kinds),
        "first_at": iso_beijing(gap.first_at),
    }
