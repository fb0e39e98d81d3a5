"""The summary object of a comparison."""

from __future__ import annotations

from collections.abc import Mapping

from smsreceipt.model import date_of
from smsreceipt.reconcile.classes import MISSING, Class, ClassCounts


def span(first: int, last: int) -> dict[str, object]:
    """The days of a summary; date is None unless it is one day."""
    begin, end = date_of(first).isoformat(), date_of(last).isoformat()
    return {"date": begin if first == last else None, "from": begin, "to": end}


def summary(counts: ClassCounts, first: int, last: int, figures: Mapping[str, object]) -> dict[str, object]:
    """The summary, its keys in the order in which they are shown.

    sent = with_receipt + young + too_late + missing; missing = compensated_delivered + compensated_failed +
    still_waiting + no_record + unasked.
    """
    head = (Class.WITH_RECEIPT, Class.YOUNG, Class.TOO_LATE)
    return {
        **span(first, last),
        "sent": counts.classes.total(),
        **{each.value: counts.classes[each] for each in head},
        "missing": counts.missing,
        **{each.value: counts.classes[each] for each in MISSING},
        **figures,
        "days_left": counts.days_left,
    }
