"""The provider's totals of days beside the figures of receipts: asked for with --provider, kept as notes of the store.

A note is named for its Beijing day, YYYY-MM-DD, and has the totals in billed parts of the last answer that was whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, StoreUnavailable
from smsreceipt.insight.question import Question
from smsreceipt.insight.stats import Provider
from smsreceipt.model import beijing_day, date_of
from smsreceipt.runs import day_totals
from smsreceipt.runs.queries import asking
from smsreceipt.store import Store

TOPIC = "provider-totals"


def ask(app: App, question: Question) -> None:
    """Ask for the totals of the question's days and of those that they are compared with, and store them.

    A provider that refuses or cannot be reached leaves the totals as they were: that is told, with its exit code.
    """
    spans = [span for span in ((question.first_day, question.last_day), question.compared) if span]
    last = min(max(end for _, end in spans), beijing_day(app.now()))
    first = min(begin for begin, _ in spans)
    try:
        with asking(app, qps=day_totals.QPS) as client:
            totals = day_totals.ask_totals(app, client, first, last)
    except SmsReceiptError as exc:
        app.error(exc)
        app.end_with(exc.exit_code)
        return
    for refusal in totals.refusals:
        app.say(refusal)
    if not totals.whole:
        return  # ask_totals has told
    by_day: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for day in range(first, last + 1):
        by_day[day]  # a day without a row has no sends
    for row in totals.days:
        found = by_day[(row.day - date_of(0)).days]
        for at, figure in enumerate((row.sent, row.succeeded, row.failed, row.no_response)):
            found[at] += figure
    notes = {_name(day): msgspec.json.encode(Provider(*figures)).decode() for day, figures in by_day.items()}
    try:
        with app.open_store(readonly=False) as store:
            store.write_notes(TOPIC, notes)
    except StoreUnavailable as exc:
        app.warn(f"the provider's totals could not be stored: {exc}")


def stored(store: Store, question: Question) -> tuple[Provider | None, Provider | None]:
    """The last totals of the question's days, and of those that they are compared with; None where a day is not known.

    The provider counts all messages: its totals say nothing of a part of them, so with a filter there are none.
    """
    filters = (question.templates, question.signs, question.carriers, question.provinces, question.codes)
    if any(filters):
        return None, None
    notes = store.notes(TOPIC)
    now = _of_days(notes, (question.first_day, question.last_day))
    return now, _of_days(notes, question.compared) if question.compared else None


def _of_days(notes: Mapping[str, str], days: tuple[int, int]) -> Provider | None:
    try:
        found = [msgspec.json.decode(notes[_name(day)], type=Provider) for day in range(days[0], days[1] + 1)]
    except (KeyError, msgspec.DecodeError):
        return None
    names = Provider.__struct_fields__
    return Provider(*(sum(getattr(each, name) for each in found) for name in names))


def _name(day: int) -> str:
    return date_of(day).isoformat()
