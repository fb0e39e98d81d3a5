"""The provider's totals of days beside the figures of receipts: asked for with --provider, kept as notes of the store.

A note is named for its Beijing day, YYYY-MM-DD. It has the totals in billed parts of the last answer that was whole,
and the time at which they were asked for. An answer about a day that was not over counts only for the run that asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, StoreUnavailable
from smsreceipt.insight.question import Question
from smsreceipt.insight.stats import Provider
from smsreceipt.language import _
from smsreceipt.model import Instant, date_of, number_of, start_of_day
from smsreceipt.runs import day_totals
from smsreceipt.runs.queries import asking
from smsreceipt.store import Store

TOPIC = "provider-totals"


class Note(msgspec.Struct):
    """The totals of one day."""

    asked_at: int  #: milliseconds since 1970
    totals: Provider


def ask(app: App, question: Question) -> Instant | None:
    """Ask for the totals of the question's days and of those that they are compared with, and store them.

    Returns when that was; None where nothing new is stored. A provider that refuses or cannot be reached leaves the
    totals as they were: that is told, with its exit code.
    """
    spans = [span for span in ((question.first_day, question.last_day), question.compared) if span]
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    now = app.now()
    try:
        with asking(app, qps=day_totals.QPS) as client:
            totals = day_totals.ask_totals(app, client, first, last)
    except SmsReceiptError as exc:
        app.error(exc)
        app.end_with(exc.exit_code)
        return None
    for refusal in totals.refusals:
        app.say(refusal)
    if not totals.whole:
        return None  # ask_totals has told
    notes = {_name(day): _text(Note(now, found)) for day, found in _by_day(totals, first, last).items()}
    try:
        with app.open_store(readonly=False) as store:
            store.write_notes(TOPIC, notes)
    except StoreUnavailable as exc:
        app.warn(_("the provider's totals could not be stored: {reason}", reason=exc))
        return None
    return now


def _by_day(totals: day_totals.Totals, first: int, last: int) -> dict[int, Provider]:
    """The totals of each day; a day without a row has no sends."""
    found = {day: Provider(0, 0, 0, 0) for day in range(first, last + 1)}
    for row in totals.days:
        day, more = number_of(row.day), Provider(row.sent, row.succeeded, row.failed, row.no_response)
        found[day] = _sum([found[day], more])
    return found


def _sum(totals: Sequence[Provider]) -> Provider:
    return Provider(*(sum(getattr(each, name) for each in totals) for name in Provider.__struct_fields__))


def stored(
    store: Store, question: Question, asked_at: Instant | None = None
) -> tuple[Provider | None, Provider | None]:
    """The last totals of the question's days, and of those that they are compared with; None where a day is not known.

    *asked_at*: when this run has asked. The provider counts all messages: its totals say nothing of a part of them, so
    with a filter there are none.
    """
    filters = (question.templates, question.signs, question.carriers, question.provinces, question.codes)
    if any(filters):
        return None, None
    notes = store.notes(TOPIC)
    now = _of_days(notes, (question.first_day, question.last_day), asked_at)
    return now, _of_days(notes, question.compared, asked_at) if question.compared else None


def _of_days(notes: Mapping[str, str], days: tuple[int, int], asked_at: Instant | None) -> Provider | None:
    found = []
    for day in range(days[0], days[1] + 1):
        try:
            note = msgspec.json.decode(notes[_name(day)], type=Note)
        except (KeyError, msgspec.DecodeError):
            return None
        if note.asked_at < start_of_day(day + 1) and note.asked_at != asked_at:
            return None
        found.append(note.totals)
    return _sum(found)


def _text(note: Note) -> str:
    return msgspec.json.encode(note).decode()


def _name(day: int) -> str:
    return date_of(day).isoformat()
