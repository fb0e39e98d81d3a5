"""Figures of messages: a period, its groups, its failures and the days up to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from smsreceipt import codes
from smsreceipt.insight.measure import NOT_DELIVERED, Sums, ratio
from smsreceipt.insight.question import Dimension, Question, Sort
from smsreceipt.insight.stats import Cell, Failure, Provider, Sms, Trend
from smsreceipt.model import Outcome, date_of
from smsreceipt.store import Store
from smsreceipt.store.counts import FINAL, By, Count, CountQuery, Readers, Subject

Groups = dict[tuple[Any, ...], Sums]  #: messages by the values of some dimensions

_ASKED = {each: By(each.value) for each in Dimension if each not in {Dimension.WEEKDAY, Dimension.CATEGORY}} | {
    Dimension.WEEKDAY: By.DAY,
    Dimension.CATEGORY: By.CODE,
}
_IN_TIME = {Dimension.DAY, Dimension.HOUR, Dimension.WEEKDAY}


def day_text(day: int) -> str:
    """A day as YYYY-MM-DD."""
    return date_of(day).isoformat()


def where(question: Question, subject: Subject) -> dict[By, Collection[Any]]:
    """The filters of a question that a subject has."""
    filters: dict[By, Collection[Any]] = {
        By.TEMPLATE: question.templates,
        By.SIGN: question.signs,
        By.CARRIER: question.carriers,
        By.PROVINCE: question.provinces,
        By.CODE: question.codes,
    }
    if subject not in {Subject.MESSAGES, Subject.SENDS}:
        del filters[By.TEMPLATE]
        if subject is not Subject.REPLIES:
            del filters[By.SIGN]
    return {by: values for by, values in filters.items() if values}


def asked(
    store: Store, readers: Readers, question: Question, days: tuple[int, int], by: tuple[By, ...], subject: Subject
) -> Sequence[Count]:
    """The counts of a subject on some days, by the question's filters."""
    query = CountQuery(
        subject=subject, first_day=days[0], last_day=days[1], by=by, where=where(question, subject),
        exact=question.exact, parts=question.parts,
    )  # fmt: skip
    return store.counts(query, readers)


def summed(counts: Iterable[Count], by: tuple[By, ...], key: tuple[By, ...]) -> Groups:
    """The counts of messages by some of the values that they have."""
    places = [by.index(each) for each in key]
    outcome = by.index(By.OUTCOME)
    seconds = by.index(By.SECONDS) if By.SECONDS in by else None
    groups: Groups = defaultdict(Sums)
    for each in counts:
        took = None if seconds is None else each.values[seconds]
        groups[tuple([each.values[place] for place in places])].add(each.values[outcome], took, each.count, each.parts)
    return groups


_HOURS: tuple[By, ...] = (By.DAY, By.HOUR, By.OUTCOME, By.CODE, By.SECONDS)
#: Of a longer period the hours of each day are too many to read.
_DAYS: tuple[tuple[By, ...], ...] = ((By.DAY, By.OUTCOME, By.CODE, By.SECONDS), (By.HOUR, By.OUTCOME, By.SECONDS))
_OF_LIST = (By.TEMPLATE, By.SIGN)
SHORT = 7  #: days


class Messages:
    """The messages of some days. What was read of the store serves every question that it answers."""

    def __init__(self, store: Store, readers: Readers, question: Question, days: tuple[int, int]) -> None:
        self.days = days
        self.short = days[1] - days[0] < SHORT
        self._by_send = question.by_send
        self._ask: Callable[[tuple[By, ...], Subject], Sequence[Count]] = lambda by, subject: asked(
            store, readers, question, days, by, subject
        )
        self._read: dict[tuple[By, ...], Sequence[Count]] = {
            by: self._ask(by, Subject.MESSAGES) for by in ((_HOURS,) if self.short else _DAYS)
        }
        self._known: dict[tuple[tuple[By, ...], bool], Groups] = {}

    @cached_property
    def sends(self) -> Mapping[str, int] | None:
        """The sends of the ledger by their states; None without any send."""
        found = {each.values[0]: each.count for each in self._ask((By.STATE,), Subject.SENDS)}
        return found or None

    @property
    def of_sends(self) -> bool:
        """Whether they may be asked for by template and sign: the question wants it, and there is a list of sends."""
        return self._by_send and self.sends is not None

    def by(self, *key: By, latency: bool = True) -> Groups:
        """The messages by some values; without *latency* their times need not be known, which is faster."""
        if (key, latency) not in self._known:
            wanted = {*key, By.OUTCOME} | ({By.SECONDS} if latency else set())
            if wanted & set(_OF_LIST):  # a look at every receipt, so that one serves all tables
                wanted |= {*_OF_LIST, By.DAY, By.SECONDS, *((By.HOUR,) if self.short else ())}
            by = next((by for by in self._read if wanted <= set(by)), tuple(sorted(wanted)))
            if by not in self._read:
                self._read[by] = self._ask(by, Subject.MESSAGES)
            self._known[key, latency] = summed(self._read[by], by, key)
        return self._known[key, latency]

    def total(self) -> Sums:
        """All of them."""
        return self.by().get((), Sums())


def sms(messages: Messages, provider: Provider | None) -> Sms:
    """The figures of a period."""
    total = messages.total()
    sends = messages.sends
    sent = None if sends is None else sum(sends.values())
    told = None if sends is None else sends.get(FINAL, 0) + sends.get(Outcome.UNKNOWN, 0)
    return Sms(
        **_outcomes(total),
        delivery_rate=total.rate,
        unknown_rate=ratio(total.outcomes[Outcome.UNKNOWN], total.reports),
        latency=total.latency,
        latency_invalid=total.negative,
        latency_histogram=sorted(total.seconds.items()),
        sent=sent,
        no_receipt=None if sends is None else sends.get("", 0),
        receipt_rate=None if sent is None or told is None else ratio(told, sent),
        delivered_of_sent=None if sent is None else ratio(total.delivered, sent),
        parts=total.parts.total(),
        provider=provider,
        parts_gap=None if provider is None else provider.succeeded + provider.failed - total.ended_parts,
    )


def _outcomes(sums: Sums) -> dict[str, int]:
    """The messages, and those of each outcome."""
    return {"reports": sums.reports, **{each.value: sums.outcomes[each] for each in _ORDER}}


_ORDER = (Outcome.DELIVERED, Outcome.FAILED, Outcome.EXPIRED, Outcome.UNKNOWN, Outcome.PENDING)


def failures(now: Messages, before: Messages | None) -> list[Failure]:
    """Why messages were not delivered, the most frequent reason first."""
    earlier = before.by(By.OUTCOME, By.CODE) if before else {}
    found = {key: sums.reports for key, sums in now.by(By.OUTCOME, By.CODE).items() if key[0] in NOT_DELIVERED}
    total = sum(found.values())
    rows = []
    for (outcome, code), count in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        told = codes.receipt(code)
        previous = None if before is None else (earlier[outcome, code].reports if (outcome, code) in earlier else 0)
        share = ratio(count, total) or 0.0
        if told is None:
            rows.append(Failure(outcome, code, None, count, share, previous, None, None, None, None))
        else:
            meaning, advice = (told.meaning_en, told.meaning_zh), (told.advice_en, told.advice_zh)
            rows.append(Failure(outcome, code, told.category, count, share, previous, *meaning, *advice))
    return rows


def cells(
    dimensions: tuple[Dimension, ...],
    now: Messages,
    before: Messages | None,
    *,
    sort: Sort = Sort.COUNT,
    top: int | None = None,
    latency: bool = True,
) -> list[Cell]:
    """A row for each combination of values, beside the same one of the period before."""
    groups = _grouped(dimensions, now, latency=latency)
    earlier = _grouped(dimensions, before, latency=latency) if before else {}
    if before and (Dimension.DAY in dimensions):  # the first day is compared with the first one
        shift, at = now.days[0] - before.days[0], dimensions.index(Dimension.DAY)
        earlier = {(*key[:at], key[at] + shift, *key[at + 1 :]): sums for key, sums in earlier.items()}
    found = [_cell(dimensions, key, sums, earlier.get(key)) for key, sums in groups.items()]
    found.sort(key=lambda cell: _order(cell, dimensions, sort))
    return found if top is None else found[:top]


def _grouped(dimensions: tuple[Dimension, ...], messages: Messages, *, latency: bool) -> Groups:
    groups = messages.by(*(_ASKED[each] for each in dimensions), latency=latency)
    if not {Dimension.WEEKDAY, Dimension.CATEGORY} & set(dimensions):
        return groups
    merged: Groups = defaultdict(Sums)  # the groups themselves serve other questions
    for key, sums in groups.items():
        into = merged[tuple(_derived(each, value) for each, value in zip(dimensions, key, strict=True))]
        into.outcomes += sums.outcomes
        into.seconds += sums.seconds
        into.parts += sums.parts
        into.negative += sums.negative
    return merged


def _derived(dimension: Dimension, value: Any) -> Any:
    if dimension is Dimension.WEEKDAY:
        return date_of(value).isoweekday()
    if dimension is Dimension.CATEGORY:
        told = codes.receipt(value)
        return told.category if told else "unknown"
    return value


def _cell(dimensions: tuple[Dimension, ...], key: tuple[Any, ...], sums: Sums, before: Sums | None) -> Cell:
    values: dict[str, Any] = dict(zip(map(str, dimensions), key, strict=True))
    if "day" in values:
        values["day"] = day_text(values["day"])
    if {Dimension.TEMPLATE, Dimension.SIGN} & set(dimensions):
        values["source"] = "ledger"
    values |= _outcomes(sums)
    if before is not None:
        values |= {"previous_reports": before.reports, "previous_rate": before.rate}
    parts = sums.parts.total()
    return Cell(**values, delivery_rate=sums.rate, latency=sums.latency, parts=parts)


def _order(cell: Cell, dimensions: tuple[Dimension, ...], sort: Sort) -> tuple[Any, ...]:
    found = [getattr(cell, each.value) for each in dimensions]
    values = tuple((value is None, 0 if value is None else value) for value in found)
    in_time = tuple(value for value, each in zip(values, dimensions, strict=True) if each in _IN_TIME)
    if len(in_time) == len(dimensions):
        return in_time
    rank: float = -cell.reports
    if sort is Sort.RATE:
        rank = 2.0 if cell.delivery_rate is None else cell.delivery_rate
    elif sort is Sort.CHANGE:
        known = cell.delivery_rate is not None and cell.previous_rate is not None
        rank = (cell.delivery_rate or 0.0) - (cell.previous_rate or 0.0) if known else 2.0
    elif sort is Sort.P95:
        rank = -(-1 if cell.latency.p95 is None else cell.latency.p95)
    return (rank, *values)


def trend(groups: Groups, days: tuple[int, int]) -> list[Trend]:
    """A row for each of some days, those without messages included. *groups* are messages by day."""
    rows: list[Trend] = []
    for day in range(days[0], days[1] + 1):
        sums = groups.get((day,), Sums())
        latency = sums.latency.p95
        parts = sums.parts.total()
        rows.append(Trend(day=day_text(day), **_outcomes(sums), delivery_rate=sums.rate, p95=latency, parts=parts))
    return rows
