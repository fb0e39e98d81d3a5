"""Whether a list is whole, by the provider's total."""

from __future__ import annotations

import pytest

from smsreceipt.reconcile.coverage import MOST_PARTS, coverage
from smsreceipt.store import ListedParts


def listed(known: int = 0, unknown: int = 0, no_record: int = 0) -> ListedParts:
    return ListedParts(True, known, unknown, no_record)


@pytest.mark.parametrize(
    ("total", "parts", "found"),
    [
        (10, listed(10), (0, False)),
        (9, listed(10), (0, False)),  # the provider may count late
        (11, listed(10), (1, True)),
        (10, listed(4, unknown=2), (4, False)),  # they may have three parts each
        (4 + 2 * MOST_PARTS, listed(4, unknown=2), (18, False)),
        (5 + 2 * MOST_PARTS, listed(4, unknown=2), (19, True)),
        (10, listed(4, unknown=2, no_record=2), (4, True)),  # the provider does not count what it does not know
    ],
)
def test_parts_beyond_the_list_are_certain_only_if_no_send_can_have_them(
    total: int, parts: ListedParts, found: tuple[int, bool]
) -> None:
    assert coverage(total, [parts]) == found


def test_sends_near_midnight_of_other_days_may_be_counted_under_this_one() -> None:
    assert coverage(11, [listed(10)], 1) == (1, False)
    assert coverage(11 + MOST_PARTS, [listed(6), listed(4)], 1) == (1 + MOST_PARTS, True)
