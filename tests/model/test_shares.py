"""Shares of the numbers: each number is in exactly one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.model import WHOLE, Share, place_of


@given(st.text(max_size=15), st.integers(1, 1000))
def test_each_number_is_in_exactly_one_share(phone: str, total: int) -> None:
    assert sum(Share(number, total).has(phone) for number in range(1, total + 1)) == 1


@given(st.integers(1, 1000))
def test_the_shares_cover_all_places_without_a_gap(total: int) -> None:
    shares = [Share(number, total) for number in range(1, total + 1)]
    ends = [each.last_place + 1 for each in shares]
    assert [each.first_place for each in shares] == [-(1 << 63), *ends[:-1]]
    assert ends[-1] == 1 << 63


def test_the_rule_never_changes() -> None:
    """Machines of different versions may divide one day."""
    assert place_of("13800008000") == 390_548_359_906_645_915
    assert [Share(number, 2).has("13800008000") for number in (1, 2)] == [False, True]
    assert WHOLE.has("13800008000")
