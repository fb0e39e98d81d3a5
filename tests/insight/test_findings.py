"""Planted incidents are found, each once and at its place, and on quiet days nothing is."""

from __future__ import annotations

from collections import Counter

import pytest

from smsreceipt.insight.answer import stats
from smsreceipt.insight.findings import z_of
from smsreceipt.insight.measure import Sums
from smsreceipt.insight.question import Question, Thresholds
from smsreceipt.insight.stats import Finding, Provider
from smsreceipt.model import Instant, start_of_day
from tests.insight.naive import Places
from tests.insight.traffic import Cell, drawn, quiet, store_of

DAY = 20_000
LATER = Instant(start_of_day(DAY + 40))


def found(
    incident: object = quiet,
    *,
    now: Instant = LATER,
    provider: Provider | None = None,
    limits: Thresholds | None = None,
) -> list[Finding]:
    rows = drawn(range(DAY - 1, DAY + 1), incident=incident)  # type: ignore[arg-type]
    question = Question(first_day=DAY, last_day=DAY, thresholds=limits or Thresholds())
    return stats(store_of(rows), question, now, place=Places(), provider=provider).findings


def test_a_carrier_that_fails_for_two_hours() -> None:
    def incident(cell: Cell) -> None:
        if cell.day == DAY and cell.carrier == "telecom" and cell.hour in {14, 15}:
            cell.failing = 0.35

    (drop,) = found(incident)
    assert (drop.kind, drop.dimension, drop.value) == ("drop", "carrier", "telecom")
    assert (drop.from_hour, drop.to_hour) == (14, 16)
    assert drop.rate == pytest.approx(0.65, abs=0.02)
    assert drop.baseline == pytest.approx(0.97, abs=0.01)
    assert drop.z is not None
    assert drop.z < -20
    assert drop.messages == pytest.approx(0.32 * 300_000 * 0.2 * 31 / 253, rel=0.3)


def test_a_province_that_fails_for_a_day() -> None:
    def incident(cell: Cell) -> None:
        if cell.day == DAY and cell.province == "hebei":
            cell.failing = 0.1

    assert ("drop", "province", "hebei") in {(each.kind, each.dimension, each.value) for each in found(incident)}


def test_a_latency_that_doubles() -> None:
    def incident(cell: Cell) -> None:
        if cell.day == DAY and cell.hour == 9:
            cell.slower = 3

    (slow,) = found(incident)
    assert (slow.kind, slow.from_hour, slow.to_hour) == ("latency", 9, 10)
    assert slow.rate is not None
    assert slow.baseline is not None
    assert slow.rate >= 2 * slow.baseline


def test_a_silence() -> None:
    def incident(cell: Cell) -> None:
        if cell.day == DAY and cell.hour in {10, 11, 12}:
            cell.expected = 0

    (silence,) = found(incident)
    assert (silence.kind, silence.from_hour, silence.to_hour) == ("silence", 10, 13)


def test_hours_that_are_not_over_are_not_silent() -> None:
    def incident(cell: Cell) -> None:
        if cell.day == DAY and cell.hour >= 10:
            cell.expected = 0

    assert found(incident, now=Instant(start_of_day(DAY) + 11 * 3_600_000)) == []


def test_a_code_that_triples() -> None:
    def incident(cell: Cell) -> None:
        if cell.day == DAY:
            cell.failing = 0.03 * 1.3
            cell.codes["SIGN_ILLEGAL"] = 0.4

    (code,) = found(incident)
    assert (code.kind, code.value, code.from_hour) == ("code", "SIGN_ILLEGAL", None)


def test_parts_that_ended_by_the_provider_and_have_no_receipt() -> None:
    (gap,) = found(provider=Provider(sent=900_000, succeeded=880_000, failed=10_000, no_response=0))
    assert (gap.kind, gap.from_hour) == ("gap", None)


def test_thresholds_are_settings() -> None:
    def incident(cell: Cell) -> None:
        if cell.day == DAY and cell.carrier == "telecom" and cell.hour == 14:
            cell.failing = 0.35

    assert found(incident, limits=Thresholds(points=0.5)) == []
    assert found(incident, limits=Thresholds(messages=1_000_000)) == []
    assert found(incident, limits=Thresholds(z=-1_000.0)) == []


@pytest.mark.slow
def test_nothing_is_found_on_thirty_quiet_days() -> None:
    rows = drawn(range(DAY, DAY + 31), messages=100_000, seed=30)
    store = store_of(rows)
    for day in range(DAY + 1, DAY + 31):
        question = Question(first_day=day, last_day=day)
        assert stats(store, question, LATER, place=Places()).findings == []
    week = Question(first_day=DAY + 16, last_day=DAY + 30)
    assert stats(store, week, LATER, place=Places()).findings == []


def test_a_rate_of_few_messages_before_is_a_matter_of_chance() -> None:
    now = Sums(outcomes=Counter(delivered=226, failed=14))
    assert z_of(now, Sums(outcomes=Counter(delivered=239, failed=1))) > -4
    assert z_of(now, Sums(outcomes=Counter(delivered=23_900, failed=100))) < -4
    assert z_of(now, Sums()) == 0.0
