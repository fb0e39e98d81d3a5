"""Which row is which send: a function of the two sets, that never guesses."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.matching import TOLERANCE_MS, fit, ties
from smsreceipt.model import DAY_MS, Instant, beijing_day

NOON = 20_000 * DAY_MS + 4 * 3_600_000  # in Beijing
DAY = beijing_day(Instant(NOON))


class R(NamedTuple):
    sent_at: Instant | None
    out_id: str = ""


class S(NamedTuple):
    sent_at: Instant | None
    out_id: str = ""
    day: int = DAY


def row(seconds: float, out_id: str = "") -> R:
    return R(Instant(NOON + round(seconds * 1000)), out_id)


def send(seconds: float | None, out_id: str = "", day: int = DAY) -> S:
    if seconds is None:
        return S(None, out_id, day)
    at = Instant(NOON + round(seconds * 1000))
    return S(at, out_id, beijing_day(at))


HOUR = 3600.0


def test_an_out_id_beats_the_time_up_to_a_day() -> None:
    assert fit(row(0, "a"), send(8 * HOUR, "a")) > 0  # a ledger in another zone
    assert fit(row(0, "a"), send(50 * HOUR, "a")) == 0
    assert fit(row(0, "a"), send(None, "a")) > 0
    assert fit(row(0, "a"), send(0, "b")) == 0


def test_a_row_without_an_out_id_is_no_send_that_had_one() -> None:
    assert fit(row(0), send(0, "a")) == 0
    assert fit(row(0, "a"), send(0)) > 0  # the ledger may not have been told


def test_without_an_out_id_the_time_must_fit() -> None:
    assert fit(row(0), send(60)) > 0
    assert fit(row(0), send(60.001)) == 0
    assert fit(row(0), send(None)) > 0
    assert fit(row(13 * HOUR), send(None)) == 0


def test_a_row_without_a_time_fits_by_its_out_id_alone() -> None:
    assert fit(R(None, "a"), send(0, "a")) > 0
    assert fit(R(None), send(0)) == 0
    assert ties([R(None, "a")], [send(0, "b"), send(0, "a")]) == {0: 1}


def test_the_time_decides_between_sends_of_one_campaign() -> None:
    sends = [send(0, "spring"), send(2 * HOUR, "spring"), send(4 * HOUR, "spring")]
    rows = [row(4 * HOUR + 3, "spring"), row(1, "spring"), row(2 * HOUR, "spring")]
    assert ties(rows, sends) == {0: 2, 1: 0, 2: 1}


def test_what_is_known_for_sure_leaves_the_rest_to_what_is_less_sure() -> None:
    assert ties([row(0, "a"), row(5, "a")], [send(0, "a"), send(None, "a", DAY)]) == {}  # the second send may be either
    assert ties([row(0, "a"), row(5 * HOUR, "a")], [send(0, "a"), send(None, "a", DAY)]) == {0: 0, 1: 1}
    assert ties([row(0, "a"), row(5, "b")], [send(0), send(0, "a")]) == {0: 1, 1: 0}


def test_two_candidates_are_none() -> None:
    assert ties([row(0)], [send(0), send(10)]) == {}
    assert ties([row(0), row(10)], [send(5)]) == {}
    assert ties([row(0)], [send(None), send(None)]) == {}


TIMES = st.sampled_from([0, 20, 59, 61, 90, 130, 500, HOUR, 12 * HOUR - 20, 12 * HOUR + 30, 20 * HOUR])
OUT_IDS = st.sampled_from(["", "", "a", "b"])
ROWS = st.lists(st.builds(row, TIMES, OUT_IDS), max_size=7)
SENDS = st.lists(
    st.one_of(st.builds(send, TIMES, OUT_IDS), st.builds(send, st.none(), OUT_IDS, st.sampled_from([DAY, DAY + 1]))),
    max_size=7,
)


@given(ROWS, SENDS, st.randoms(use_true_random=False))
@settings(max_examples=400)
def test_the_order_makes_no_difference(rows: list[R], sends: list[S], dice: object) -> None:
    def pairs(rows: list[R], sends: list[S]) -> list[tuple[R, S]]:
        return sorted(((rows[r], sends[s]) for r, s in ties(rows, sends).items()), key=str)

    mixed_rows, mixed_sends = list(rows), list(sends)
    dice.shuffle(mixed_rows)  # type: ignore[attr-defined]
    dice.shuffle(mixed_sends)  # type: ignore[attr-defined]
    assert pairs(rows, sends) == pairs(mixed_rows, mixed_sends)


@given(ROWS, SENDS)
@settings(max_examples=400)
def test_a_tie_is_one_to_one_and_fits_and_nothing_fits_better(rows: list[R], sends: list[S]) -> None:
    tied = ties(rows, sends)
    assert len(set(tied.values())) == len(tied)
    for r, s in tied.items():
        strength = fit(rows[r], sends[s])
        assert strength
        rivals = [fit(rows[r], other) for index, other in enumerate(sends) if index not in tied.values()]
        rivals += [fit(other, sends[s]) for index, other in enumerate(rows) if index not in tied]
        assert not any(0 < rival <= strength for rival in rivals)


def distinguishable(sends: list[S]) -> bool:
    """Whether the OutId, or a time that no other send is near, tells each send from all the others."""
    by_out_id: dict[str, list[S]] = defaultdict(list)
    for one in sends:
        by_out_id[one.out_id].append(one)
    return all(len(alike) == 1 or far_apart(alike) for alike in by_out_id.values())


def far_apart(sends: list[S]) -> bool:
    times = sorted(one.sent_at for one in sends if one.sent_at is not None)
    return len(times) == len(sends) and all(later - sooner > 2 * TOLERANCE_MS for sooner, later in pairwise(times))


@given(SENDS, st.randoms(use_true_random=False))
@settings(max_examples=600)
def test_every_row_finds_its_send_where_the_sends_can_be_told_apart(sends: list[S], dice: object) -> None:
    """Each send has a row with its OutId, up to a minute from its own time."""
    if not distinguishable(sends):
        return
    rows = []
    for one in sends:
        noise = dice.randint(-TOLERANCE_MS, TOLERANCE_MS)  # type: ignore[attr-defined]
        at = one.sent_at + noise if one.sent_at is not None else one.day * DAY_MS - 8 * 3_600_000 + 60_000
        rows.append(R(Instant(at), one.out_id))
    assert ties(rows, sends) == {index: index for index in range(len(sends))}
