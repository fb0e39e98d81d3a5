"""The summary object of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from smsreceipt.model import date_of
from smsreceipt.reconcile.classes import MISSING, Class, ClassCounts


def span(first: int, last: int) -> dict[str, object]:
    """The days of a summary; date is None unless it is one day."""
    begin, end = date_of(first).isoformat(), date_of(last).isoformat()
    return {"date": begin if first == last else None, "from": begin, "to": end}


class Covered(NamedTuple):
    """What was compared, and whether the list of sends is whole."""

    mode: str  #: "sends", or "totals" if only the totals of the days were compared
    total: int | None = None  #: billed parts of the days by the provider; None: not known
    unlisted: int | None = None  #: of these, the parts beyond the list; None: not known, or a day is not over


def summary(
    counts: ClassCounts, first: int, last: int, figures: Mapping[str, object], covered: Covered
) -> dict[str, object]:
    """The summary, its keys in the order in which they are shown, the same ones whatever the store holds.

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
        "mode": covered.mode,
        "provider_total": covered.total,
        "unlisted": covered.unlisted,
    }
