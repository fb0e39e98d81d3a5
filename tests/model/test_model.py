"""The values: who wins, which day it is, how time is spelled."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.model import (
    BEIJING,
    SETTLED,
    Claim,
    Instant,
    Outcome,
    Receipt,
    Source,
    StoredReceipt,
    Tally,
    beijing_day,
    contradictory,
    iso_beijing,
    iso_utc,
)
from smsreceipt.output.objects.receipts import RECEIPTS

T1, T2 = Instant(1_000), Instant(2_000)

claims = st.builds(
    Claim,
    st.one_of(st.none(), st.sampled_from(Outcome)),
    st.text("AB\x00", max_size=2),
    st.booleans(),
    st.one_of(st.none(), st.sampled_from([Instant(0), T1, T2])),
    st.text("ab", max_size=1),
)


def wins(winner: Claim, *losers: Claim) -> bool:
    return all(max(order, key=Claim.rank) is winner for order in permutations([winner, *losers]))


def test_what_is_settled_beats_what_is_open_however_new_or_signed() -> None:
    for outcome in SETTLED:
        settled = Claim(outcome, "", signed=False, reported_at=None)
        for other in (Outcome.PENDING, Outcome.UNKNOWN, Outcome.APPROVING, None):
            assert wins(settled, Claim(other, "Z", signed=True, reported_at=T2))


def test_among_what_is_settled_the_proven_wins_then_the_newest_then_the_smallest() -> None:
    old = Claim(Outcome.FAILED, "B", signed=True, reported_at=T1)
    assert wins(old, Claim(Outcome.DELIVERED, "A", signed=False, reported_at=T2))
    assert wins(Claim(Outcome.FAILED, "B", signed=True, reported_at=T2), old)
    assert wins(old, Claim(Outcome.FAILED, "B", signed=True, reported_at=None))
    assert wins(Claim(Outcome.DELIVERED, "Z", signed=True, reported_at=T1), old)
    assert wins(Claim(Outcome.FAILED, "A", signed=True, reported_at=T1), old)
    assert wins(Claim(Outcome.FAILED, "", signed=True, reported_at=T1), old)
    assert wins(old, Claim(Outcome.FAILED, "BA", signed=True, reported_at=T1))
    assert wins(old, Claim(Outcome.FAILED, "B", signed=True, reported_at=T1, detail="IVR"))


def test_a_signature_settles_nothing_that_is_open() -> None:
    newer = Claim(Outcome.UNKNOWN, "", signed=False, reported_at=T2)
    assert wins(newer, Claim(Outcome.PENDING, "", signed=True, reported_at=T1))


def statement(claim: Claim) -> tuple[object, ...]:
    """What two statements of a store cannot have in common."""
    return (claim.outcome, claim.code, claim.reported_at, claim.detail)


@given(st.lists(claims, min_size=1, max_size=6, unique_by=statement), st.randoms(use_true_random=False))
def test_the_winner_does_not_depend_on_the_order(given_: list[Claim], dice: random.Random) -> None:
    shuffled = dice.sample(given_, len(given_))
    assert max(given_, key=Claim.rank) == max(shuffled, key=Claim.rank)


@given(claims, claims)
def test_only_equal_claims_rank_equal(one: Claim, other: Claim) -> None:
    def essence(claim: Claim) -> tuple[object, ...]:
        return claim.outcome, claim.code, claim.detail, claim.reported_at, claim.settled and claim.signed

    assert (one.rank() == other.rank()) == (essence(one) == essence(other)) or "\0" in one.code + other.code


def test_only_settled_outcomes_contradict_each_other() -> None:
    def differ(*outcomes: Outcome | None) -> bool:
        return bool(contradictory((outcome, "") for outcome in outcomes))

    assert not differ()
    assert not differ(Outcome.DELIVERED, Outcome.PENDING, Outcome.UNKNOWN, None)
    assert differ(Outcome.DELIVERED, Outcome.FAILED)
    assert differ(Outcome.CONNECTED, Outcome.UNCONNECTED, None)
    assert not differ(Outcome.APPROVING, Outcome.APPROVED)
    assert differ(Outcome.REJECTED, Outcome.APPROVED)


def test_only_outcomes_of_one_leg_of_a_call_contradict_each_other() -> None:
    rung, answered = (Outcome.UNCONNECTED, "1"), (Outcome.CONNECTED, "2")
    assert contradictory([rung, answered]) == set()
    assert contradictory([rung, answered, (Outcome.CONNECTED, "1")]) == {"1"}
    assert contradictory([rung, answered, (Outcome.CONNECTED, "")]) == {"1", ""}
    assert contradictory([rung, answered, (None, ""), (Outcome.UNKNOWN, "1")]) == set()


def test_only_what_we_asked_for_is_proven() -> None:
    assert {source for source in Source if source.signed} == {Source.MNS, Source.QUERY}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1970-01-01 00:00:00", 0),
        ("1970-01-01 23:59:59", 0),
        ("1970-01-02 00:00:00", 1),
        ("2026-11-21 07:59:59", 20778),
    ],
)
def test_the_day_is_beijings(text: str, day: int) -> None:
    at = datetime.fromisoformat(text).replace(tzinfo=BEIJING)
    assert beijing_day(Instant(int(at.timestamp() * 1000))) == day


def test_instants_are_spelled_with_their_zone() -> None:
    at = Instant(int(datetime(2026, 11, 20, 15, 49, 55, tzinfo=BEIJING).timestamp()) * 1000 + 7)
    assert iso_beijing(at) == "2026-11-20T15:49:55+08:00"
    assert iso_utc(at) == "2026-11-20T07:49:55.007Z"
    assert datetime.fromisoformat(iso_utc(at)) == datetime.fromtimestamp(at / 1000, UTC)


def test_tallies_add_up_and_balance() -> None:
    total = Tally(3, 1, 1, 1, 1) + Tally(2, 0, 2)
    assert total == Tally(5, 1, 3, 1, 1)
    assert total.balanced
    assert not Tally(1).balanced


def test_the_store_and_the_reader_have_the_same_fields() -> None:
    stored = {*StoredReceipt.__struct_fields__, *Receipt.__struct_fields__} - {
        *("receipt", "signed", "detail", "digest", "numbers"),
    }
    assert {*RECEIPTS.keys} == stored
