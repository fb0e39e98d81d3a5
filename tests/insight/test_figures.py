"""Every figure of the object is that of plain means, from the receipts and the sends. More: STORE_EXAMPLES=1000."""

from __future__ import annotations

import os
import random
from collections import Counter
from contextlib import closing
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from smsreceipt.insight.answer import readers_of, stats
from smsreceipt.insight.definitions import DEFINITIONS
from smsreceipt.insight.measure import quantile
from smsreceipt.insight.question import Compare, Question
from smsreceipt.insight.stats import Cell, Provider, Stats, as_json
from smsreceipt.model import Instant, beijing_day, date_of, number_of
from smsreceipt.store import Query, SendQuery, Store
from smsreceipt.store.counts import NEGATIVE, By
from tests.insight.naive import Places, messages
from tests.insight.test_tallies import EVENTS, REPORTS
from tests.store import test_attribution as attribution
from tests.store.engines import ENGINES, Engine
from tests.store.statements import report

EXAMPLES = int(os.environ.get("STORE_EXAMPLES", "20"))
FINAL = ("delivered", "failed", "expired")
NOW = Instant(1_795_600_000_000)
FIRST, LAST = number_of(date(2026, 11, 19)), number_of(date(2026, 11, 21))


def rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def figures(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Of some messages, what both a period and a group tell."""
    outcomes = Counter(each[By.OUTCOME] for each in found)
    seconds = sorted(each[By.SECONDS] for each in found if each[By.SECONDS] not in {None, NEGATIVE})
    latency: dict[str, Any] = dict.fromkeys(("p50", "p90", "p95", "p99", "max", "mean", "within_10s"))
    if seconds:
        ranks = {f"p{n}": seconds[-(-len(seconds) * n // 100) - 1] for n in (50, 90, 95, 99)}
        mean, soon = round(sum(seconds) / len(seconds), 2), sum(each <= 10 for each in seconds)
        latency |= {**ranks, "max": seconds[-1], "mean": mean, "within_10s": rate(soon, len(seconds))}
    return {
        "reports": len(found),
        **{name: outcomes[name] for name in (*FINAL, "unknown", "pending")},
        "delivery_rate": rate(outcomes["delivered"], sum(outcomes[name] for name in FINAL)),
        "latency": latency,
        "parts": sum(each["parts"] for each in found),
    }


def check(store: Store, question: Question, answer: Stats, provider: Provider | None) -> None:
    told = as_json(answer)
    first, last = question.first_day, question.last_day
    every = messages(store, exact=question.exact)
    found = [each for each in every if first <= each[By.DAY] <= last]
    expected = figures(found)
    sms = told["sms"]
    assert {name: sms[name] for name in expected} == expected
    assert sms["unknown_rate"] == rate(expected["unknown"], expected["reports"])
    assert sms["latency_invalid"] == sum(each[By.SECONDS] == NEGATIVE for each in found)
    sends = [each for each in store.sends(SendQuery()) if first <= each.send.day <= last]
    sent = len(sends) or None
    assert sms["sent"] == sent
    assert sms["no_receipt"] == (sum(each.outcome is None for each in sends) if sent else None)
    counted = {*FINAL, "unknown"}
    assert sms["receipt_rate"] == (rate(sum(each.outcome in counted for each in sends), len(sends)) if sent else None)
    assert sms["delivered_of_sent"] == (rate(expected["delivered"], len(sends)) if sent else None)
    ended = sum(each["parts"] for each in found if each[By.OUTCOME] in FINAL)
    assert sms["parts_gap"] == (provider and provider.succeeded + provider.failed - ended)
    codes = Counter((each[By.OUTCOME], each[By.CODE]) for each in found)
    lost = {key: count for key, count in codes.items() if key[0] in {"failed", "expired", "unknown"}}
    assert {(row["outcome"], row["code"]): row["count"] for row in told["failures"]} == lost
    assert sum(row["share"] for row in told["failures"]) == pytest.approx(1.0 if lost else 0.0, abs=1e-4)
    tables = ["hour", "day", "carrier", "province", *(["template", "sign"] if sent else [])]
    for name in tables:
        rows = {row[name]: row for row in told["by"][name]}
        values = {_shown(name, each[By(name)]) for each in found}
        assert rows.keys() == values
        for value, row in rows.items():
            group = figures([each for each in found if _shown(name, each[By(name)]) == value])
            assert {key: row[key] for key in group} == group, name
    for row in told["trend"]:
        day = [each for each in every if _shown("day", each[By.DAY]) == row["day"]]
        of_day = figures(day)
        assert (row["reports"], row["parts"]) == (len(day), of_day["parts"])
        assert row["delivery_rate"] == of_day["delivery_rate"]
    if question.compared:
        low, high = question.compared
        before = figures([each for each in every if low <= each[By.DAY] <= high])
        assert {name: told["previous"][name] for name in before} == before


def _shown(name: str, value: Any) -> Any:
    return date_of(value).isoformat() if name == "day" else value


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def test_every_figure_is_that_of_plain_means(name: str) -> None:
    dice = random.Random(7)

    @settings(max_examples=EXAMPLES if name == "sqlite" else max(EXAMPLES // 5, 1))
    @given(
        numbers=st.lists(st.integers(0, len(REPORTS) - 1), max_size=40),
        events=st.lists(st.integers(0, len(EVENTS) - 1), max_size=20),
        days=st.tuples(st.integers(0, 2), st.integers(0, 2)),
        exact=st.booleans(),
        compare=st.sampled_from(Compare),
        folded=st.booleans(),
    )
    def look(
        numbers: list[int], events: list[int], days: tuple[int, int], exact: bool, compare: Compare, folded: bool
    ) -> None:
        first, last = FIRST + min(days), FIRST + max(days)
        question = Question(first_day=first, last_day=last, exact=exact, compare=compare)
        provider = Provider(9, 5, 3, 1) if dice.random() < 0.5 else None
        with closing(ENGINES[name].empty()) as store:
            store.keep([REPORTS[each] for each in numbers])
            attribution.give(store, [EVENTS[each] for each in events])
            if folded:
                store.fold(readers_of(Places()))
            with store.snapshot():
                check(store, question, stats(store, question, NOW, place=Places(), provider=provider), provider)

    look()


def test_a_receipt_without_the_time_of_its_send_has_no_hour(engine: Engine) -> None:
    from tests.store.statements import decoded

    with closing(engine.empty()) as store:
        kind, fields = report("1")
        store.keep([decoded((kind, {**fields, "send_time": ""}))])
        (stored,) = store.list(Query())
        day = beijing_day(stored.happened_at)
        found = stats(store, Question(first_day=day, last_day=day), NOW, place=Places())
    assert found.by is not None
    assert [(each.hour, each.reports) for each in found.by.hour] == [(None, 1)]
    assert found.sms is not None
    assert found.sms.latency_histogram == []


@pytest.mark.parametrize(("hours", "final"), [(71, False), (72, True)])
def test_a_day_is_final_72_hours_after_its_end(engine: Engine, hours: int, final: bool) -> None:
    day = number_of(date(2026, 11, 20))
    end = (day + 1) * 86_400_000 - 8 * 3_600_000
    with closing(engine.empty()) as store:
        found = stats(store, Question(first_day=day, last_day=day), Instant(end + hours * 3_600_000))
    assert found.final is final


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([1, 2, 3, 4], 50, 2), ([1, 2, 3, 4], 51, 3), ([7], 1, 7), (range(1, 101), 95, 95)],
)
def test_percentiles_are_nearest_ranks(values: list[int], percent: int, expected: int) -> None:
    assert quantile(Counter(values), percent) == expected


def test_every_definition_names_a_field_of_the_object() -> None:
    names = {*Stats.__struct_fields__, *Cell.__struct_fields__}
    for struct in (Stats, Cell):
        for field in structs.fields(struct):
            for kind in getattr(field.type, "__args__", (field.type,)):
                names |= set(getattr(kind, "__struct_fields__", ()))
    for definition in DEFINITIONS:
        for key in definition.key.split(", "):
            leaf = key.replace("[]", "").rpartition(".")[2]
            assert leaf in names, key
        for text in (definition.name, definition.formula, definition.note):
            assert bool(text[0]) == bool(text[1]), definition.key
