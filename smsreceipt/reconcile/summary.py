"""The summary object of a comparison: one line for a cron job to keep."""

from __future__ import annotations

from collections.abc import Mapping

from smsreceipt.model import date_of
from smsreceipt.reconcile.classes import MISSING, Books, Class


def span(first: int, last: int) -> dict[str, object]:
    """The days that an object is about: date is there where it is one."""
    begin, end = date_of(first).isoformat(), date_of(last).isoformat()
    return {"date": begin if first == last else None, "from": begin, "to": end}


def summary(books: Books, first: int, last: int, figures: Mapping[str, object]) -> dict[str, object]:
    """The keys in the order that users see.

    sent = with_receipt + young + too_late + missing; missing = compensated_delivered + compensated_failed +
    still_waiting + no_record + unasked.
    """
    head = (Class.WITH_RECEIPT, Class.YOUNG, Class.TOO_LATE)
    return {
        **span(first, last),
        "sent": books.classes.total(),
        **{each.value: books.classes[each] for each in head},
        "missing": books.missing,
        **{each.value: books.classes[each] for each in MISSING},
        **figures,
        "days_left": books.days_left,
    }
