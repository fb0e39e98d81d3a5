"""Calls through privacy numbers whose end was never reported."""

from __future__ import annotations

from smsreceipt.app import App
from smsreceipt.output.look import Look
from smsreceipt.output.objects.totals import CALL_GAPS
from smsreceipt.output.printer import print_rows


def run(app: App, first: int, last: int, *, min_age: float, fail_on_missing: bool) -> None:
    """Print a row for each call of these Beijing days that is at least *min_age* seconds old.

    The provider cannot be asked about calls, so this is all that can be found out.
    """
    latest = app.now() - min_age * 1000
    with app.open_store(readonly=True) as store:
        found = [gap for gap in store.call_gaps(first, last) if gap.first_at <= latest]

    def draw(look: Look) -> str:
        from smsreceipt.output.terminal.table import Table

        return Table(look, CALL_GAPS).draw(found) if found else ""

    print_rows(app, CALL_GAPS, found, draw)
    app.summary([("calls_without_end", len(found))])
    if found and fail_on_missing:
        app.attention()
