"""Calls through privacy numbers in groups."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    readers = readers_of(place)
    now = _grouped(store, readers, question, (question.first_day, question.last_day))
    earlier = _grouped(store, readers, question, question.compared) if question.compared else {}
    shift = question.first_day - question.compared[0] if question.compared else 0
    found = [
        (key, _group(question, key, sums, earlier.get(_earlier(question, key, shift)))) for key, sums in now.items()
    ]
    in_time = {*question.by} <= {Dimension.DAY, Dimension.HOUR}
    found.sort(key=lambda each: (0 if in_time else -each[1].ended, [(value is None, value) for value in each[0]]))
    return [group for _, group in found]


@dataclass(slots=True)
class _Sums:
    """Calls by outcome, and by seconds of talk and of ringing."""

    outcomes: Counter[str] = field(default_factory=Counter)
    talk: Counter[int] = field(default_factory=Counter)
    ring: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float | None:
        """answer_rate."""
        return ratio(self.outcomes[Outcome.CONNECTED], self.outcomes.total())


def _grouped(store: Store, readers: Readers, question: Question, days: tuple[int, int]) -> dict[_Key, _Sums]:
    by = (*(By(each.value) for each in question.by), By.OUTCOME, By.CALL_TYPE, By.SECONDS, By.RING)
    found: dict[_Key, _Sums] = defaultdict(_Sums)
    for row in asked(store, readers, question, days, by, Subject.CALLS):
        *key, outcome, call_type, talked, rang = row.values
        if call_type in CALL_TYPES:
            sums = found[tuple(key)]
            sums.outcomes[outcome] += row.count
            if talked is not None:
                sums.talk[talked] += row.count
            if rang is not None:
                sums.ring[rang] += row.count
    return found


def _earlier(question: Question, key: _Key, shift: int) -> _Key:
    """The key of the group to compare with: the first day is compared with the first one."""
    return tuple(
        value - shift if dimension is Dimension.DAY else value
        for dimension, value in zip(question.by, key, strict=True)
    )


def _group(question: Question, key: _Key, sums: _Sums, earlier: _Sums | None) -> CallGroup:
    values = {
        dimension: day_text(value) if dimension is Dimension.DAY else value
        for dimension, value in zip(question.by, key, strict=True)
    }
    return CallGroup(
        values,
        sums.outcomes[Outcome.CONNECTED],
        sums.outcomes[Outcome.UNCONNECTED],
        sums.rate,
        earlier.rate if earlier else None,
        sum(seconds * count for seconds, count in sums.talk.items()),
        mean(sums.talk, 1),
        quantile(sums.talk, 95),
        quantile(sums.ring, 50),
    )
