"""Lists calls through privacy numbers whose end was not reported."""

from __future__ import annotations

from smsreceipt.app import App
from smsreceipt.language import _
from smsreceipt.output.objects.totals import CALL_GAPS
from smsreceipt.output.printer import print_rows


def run(app: App, first: int, last: int, *, min_age: float, fail_on_missing: bool) -> None:
    """Print a row for each such call of these Beijing days that began at least *min_age* seconds ago.

    *first* and *last* are day numbers, both included. The provider has no query for calls, so nothing is fetched. With
    *fail_on_missing*, exit code 3 if there is any such call.
    """
    latest = app.now() - min_age * 1000
    with app.open_store(readonly=True) as store:
        found = [gap for gap in store.call_gaps(first, last) if gap.first_at <= latest]
    print_rows(app, CALL_GAPS, found)
    if found and fail_on_missing:
        app.needs_a_look(_("calls without a report of their end: {n:,}", n=len(found)))
    app.summary({"calls_without_end": len(found)})
