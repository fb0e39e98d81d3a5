"""Calls through privacy numbers in groups."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from smsreceipt.insight.answer import readers_of
from smsreceipt.insight.calls import CALL_TYPES
from smsreceipt.insight.measure import mean, quantile, ratio
from smsreceipt.insight.messages import asked, day_text
from smsreceipt.insight.question import Dimension, Question
from smsreceipt.model import Outcome
from smsreceipt.model.facts import Place
from smsreceipt.store import Store
from smsreceipt.store.counts import By, Readers, Subject

_Key = tuple[Any, ...]


class CallGroup(NamedTuple):
    """Calls that have the values of one or two dimensions in common."""

    values: Mapping[Dimension, Any]
    connected: int
    unconnected: int
    answer_rate: float | None
    previous_rate: float | None
    talk_sum: int
    talk_mean: float | None
    talk_p95: int | None
    ring_p50: int | None

    @property
    def ended(self) -> int:
        """All of them."""
        return self.connected + self.unconnected


def call_groups(store: Store, question: Question, place: Place) -> list[CallGroup]:
    """The calls by the dimensions of the question, all of OF_CALLS: in time, else the largest group first."""
    readers, days = readers_of(place), (question.first_day, question.last_day)
    outcomes = _outcomes(store, readers, question, days)
    earlier = _outcomes(store, readers, question, question.compared) if question.compared else {}
    shift = question.first_day - question.compared[0] if question.compared else 0
    talks = _seconds(store, readers, question, days, Subject.TALKS)
    rings = _seconds(store, readers, question, days, Subject.RINGS)
    found = [
        _group(question, key, counts, earlier.get(_earlier(question, key, shift)), talks[key], rings[key])
        for key, counts in outcomes.items()
    ]
    in_time = {*question.by} <= {Dimension.DAY, Dimension.HOUR}
    values = {id(each): tuple((value is None, value) for value in each.values.values()) for each in found}
    return sorted(found, key=lambda each: values[id(each)] if in_time else (-each.ended, values[id(each)]))


def _outcomes(store: Store, readers: Readers, question: Question, days: tuple[int, int]) -> dict[_Key, Counter[str]]:
    by = (*(By(each.value) for each in question.by), By.OUTCOME, By.CALL_TYPE)
    found: dict[_Key, Counter[str]] = defaultdict(Counter)
    for row in asked(store, readers, question, days, by, Subject.CALLS):
        *key, outcome, call_type = row.values
        if call_type in CALL_TYPES:
            found[tuple(key)][outcome] += row.count
    return found


def _seconds(
    store: Store, readers: Readers, question: Question, days: tuple[int, int], subject: Subject
) -> dict[_Key, Counter[int]]:
    by = (*(By(each.value) for each in question.by), By.SECONDS)
    found: dict[_Key, Counter[int]] = defaultdict(Counter)
    for row in asked(store, readers, question, days, by, subject):
        *key, seconds = row.values
        found[tuple(key)][seconds] += row.count
    return found


def _earlier(question: Question, key: _Key, shift: int) -> _Key:
    """The key of the group to compare with: the first day is compared with the first one."""
    return tuple(
        value - shift if dimension is Dimension.DAY else value
        for dimension, value in zip(question.by, key, strict=True)
    )


def _group(
    question: Question,
    key: _Key,
    counts: Counter[str],
    earlier: Counter[str] | None,
    talk: Counter[int],
    ring: Counter[int],
) -> CallGroup:
    values = {
        dimension: day_text(value) if dimension is Dimension.DAY else value
        for dimension, value in zip(question.by, key, strict=True)
    }
    return CallGroup(
        values,
        counts[Outcome.CONNECTED],
        counts[Outcome.UNCONNECTED],
        _rate(counts),
        _rate(earlier) if earlier else None,
        sum(seconds * count for seconds, count in talk.items()),
        mean(talk, 1),
        quantile(talk, 95),
        quantile(ring, 50),
    )


def _rate(counts: Counter[str]) -> float | None:
    return ratio(counts[Outcome.CONNECTED], counts[Outcome.CONNECTED] + counts[Outcome.UNCONNECTED])
