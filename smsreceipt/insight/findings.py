"""What is unusual in a period, compared with the one before.

A rate drops if the drop is both improbable and large: z <= -4, 5 points, 200 final receipts. A latency rises if its p95
is twice as long and 10 s longer. An hour is silent if it has no message and the same hour had 20. A code is frequent if
its share is three times as large and it has 50 messages. Those of a drop are settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from smsreceipt.insight.measure import NOT_DELIVERED, Sums, ratio
from smsreceipt.insight.messages import Groups, Messages, day_text
from smsreceipt.insight.question import Thresholds
from smsreceipt.insight.silence import is_silent
from smsreceipt.insight.stats import Finding, Sms
from smsreceipt.model import Instant, start_of_day
from smsreceipt.store.counts import By

_HOUR_MS = 3_600_000
_LOWEST, _HIGHEST = 0.5, 0.9999  # of a rate: beyond them the deviation that chance allows means nothing
_YOUNG = 2 * _HOUR_MS  #: an hour that ended less long ago may be silent because receipts are still under way


class _Cell(NamedTuple):
    """One value at one time: a day, and an hour of it or the whole day."""

    value: str | None
    day: int
    hour: int | None
    now: Sums
    before: Sums


def findings(
    now: Messages, before: Messages | None, figures: Sms | None, limits: Thresholds, at: Instant
) -> list[Finding]:
    """The drops, slow hours, silent hours, frequent codes and gaps of a period, the gravest first.

    *at* is the present time: what is too young is no silence. Without *figures* there are no gaps.
    """
    found: list[Finding] = []
    if before is not None:
        found += _drops("carrier", _cells(now, before, By.CARRIER, By.HOUR), limits)
        found += _drops("province", _cells(now, before, By.PROVINCE), limits)
        if now.of_sends:
            hours = (By.HOUR,) if now.short else ()
            found += _drops("template", _cells(now, before, By.TEMPLATE, *hours), limits)
        found += _slow(_cells(now, before, None, By.HOUR) if now.short else _cells(now, before, None), limits)
        if now.short:
            found += _silences(now, before, limits, at)
        found += _codes(now, before, limits)
    if figures is not None:
        found += _gaps(now, figures, limits)
    return sorted(found, key=lambda each: (-each.messages, each.day, each.from_hour or 0, each.kind))


def _cells(now: Messages, before: Messages, *key: By | None) -> list[_Cell]:
    """A cell for each value and time, beside the same hour of all days before, or all of them."""
    by = tuple(each for each in key if each)
    latency = key[0] is None
    groups, earlier = now.by(By.DAY, *by, latency=latency), before.by(*by, latency=latency)
    cells = []
    for (day, *values), sums in sorted(groups.items(), key=lambda item: tuple(map(str, item[0]))):
        hour = values[-1] if By.HOUR in by else None
        if By.HOUR in by and hour is None:
            continue
        if base := earlier.get(tuple(values)):
            cells.append(_Cell(values[0] if key[0] else None, day, hour, sums, base))
    return cells


def z_of(now: Sums, before: Sums) -> float:
    """How many standard deviations the delivery rate is above that of before; 0 where there is none of either.

    The deviation is that of the difference of two samples: a rate of few messages before is itself a matter of chance.
    """
    if now.rate is None or before.rate is None:
        return 0.0
    both = (now.delivered + before.delivered) / (now.final + before.final)
    pooled = min(max(both, _LOWEST), _HIGHEST)
    deviation: float = (pooled * (1 - pooled) * (1 / now.final + 1 / before.final)) ** 0.5
    return round((now.rate - before.rate) / deviation, 1)


def has_dropped(now: Sums, before: Sums, limits: Thresholds) -> bool:
    """Whether the delivery rate has dropped, both improbably and far."""
    if now.final < limits.messages or now.rate is None or before.rate is None:
        return False
    return before.rate - now.rate >= limits.points and z_of(now, before) <= limits.z


def is_slow(now: Sums, before: Sums, limits: Thresholds) -> bool:
    """Whether delivered messages take much longer than before."""
    slow, usual = now.latency.p95, before.latency.p95
    if slow is None or usual is None or now.seconds.total() < limits.messages:
        return False
    return slow >= slow_from(usual, limits)


def slow_from(usual: int, limits: Thresholds) -> float:
    """The p95 in seconds from which on messages are slow, by the usual one."""
    return max(limits.latency_factor * usual, usual + limits.latency_seconds)


def _drops(dimension: str, cells: Iterable[_Cell], limits: Thresholds) -> Iterator[Finding]:
    known = [cell for cell in cells if cell.value not in {None, ""} and has_dropped(cell.now, cell.before, limits)]
    for run in _runs(known):
        now, before = _merged(cell.now for cell in run), _merged(cell.before for cell in run)
        assert now.rate is not None  # noqa: S101 - each of them has a rate
        assert before.rate is not None  # noqa: S101
        lost = round((before.rate - now.rate) * now.final)
        z = min(z_of(cell.now, cell.before) for cell in run)
        yield _finding("drop", dimension, run, now.rate, before.rate, lost, z)


def _slow(cells: Iterable[_Cell], limits: Thresholds) -> Iterator[Finding]:
    for run in _runs([cell for cell in cells if is_slow(cell.now, cell.before, limits)]):
        now, before = _merged(cell.now for cell in run), _merged(cell.before for cell in run)
        usual = before.latency.p95 or 0
        late = sum(count for seconds, count in now.seconds.items() if seconds > usual)
        yield _finding("latency", None, run, now.latency.p95, usual, late, None)


def _silences(now: Messages, before: Messages, limits: Thresholds, at: Instant) -> Iterator[Finding]:
    """Hours without any message, where the same hour had many before."""
    groups, usual = now.by(By.DAY, By.HOUR), before.by(By.HOUR)
    days = before.days[1] - before.days[0] + 1
    cells = []
    for day in range(now.days[0], now.days[1] + 1):
        for hour in range(24):
            expected = usual.get((hour,), Sums())
            over = start_of_day(day) + (hour + 1) * _HOUR_MS <= at - _YOUNG
            if over and (day, hour) not in groups and is_silent(0, expected.reports / days, limits):
                cells.append(_Cell(None, day, hour, Sums(), expected))
    for run in _runs(cells):
        absent = sum(cell.before.reports for cell in run) // days
        yield _finding("silence", None, run, None, None, absent, None)


def _codes(now: Messages, before: Messages, limits: Thresholds) -> Iterator[Finding]:
    """Codes of failures whose share of all messages has grown."""
    total, earlier = now.by(By.DAY, latency=False), before.total().reports
    shares = _counts(before.by(By.OUTCOME, By.CODE, latency=False), lambda key: key)
    for (day, outcome, code), sums in sorted(now.by(By.DAY, By.OUTCOME, By.CODE, latency=False).items()):
        count = sums.reports
        if outcome not in NOT_DELIVERED or count < limits.code_messages or not code or not earlier:
            continue
        share, usual = count / total[day,].reports, shares.get((outcome, code), 0) / earlier
        chance = (max(usual, 1 / earlier) * total[day,].reports) ** 0.5
        z = (count - usual * total[day,].reports) / chance
        if share >= limits.code_factor * usual and z >= -limits.z:
            cell = _Cell(code, day, None, sums, Sums())
            yield _finding("code", "code", [cell], round(share, 6), round(usual, 6), count, round(z, 1))


def _counts(groups: Groups, key: Callable[[tuple[Any, ...]], Any]) -> dict[Any, int]:
    return {key(values): sums.reports for values, sums in groups.items()}


def _gaps(now: Messages, figures: Sms, limits: Thresholds) -> Iterator[Finding]:
    """Parts that ended by the provider and have no receipt."""
    provider, gap = figures.provider, figures.parts_gap
    if provider is None or gap is None:
        return
    ended = provider.succeeded + provider.failed
    if gap > limits.gap * ended:
        cell = _Cell(None, now.days[0], None, Sums(), Sums())
        yield _finding("gap", None, [cell], ratio(gap, ended), None, gap, None)


def _runs(cells: Sequence[_Cell]) -> Iterator[list[_Cell]]:
    """Adjacent hours of one value and day together, in the order of time."""
    run: list[_Cell] = []
    for cell in sorted(cells, key=lambda each: (each.value or "", each.day, each.hour or 0)):
        last = run[-1] if run else None
        if last and (last.value, last.day) == (cell.value, cell.day) and cell.hour == (last.hour or 0) + 1:
            run.append(cell)
            continue
        if run:
            yield run
        run = [cell]
    if run:
        yield run


def _merged(sums: Iterable[Sums]) -> Sums:
    merged = Sums()
    for each in sums:
        merged.outcomes += each.outcomes
        merged.seconds += each.seconds
    return merged


def _finding(
    kind: str,
    dimension: str | None,
    run: Sequence[_Cell],
    rate: float | None,
    baseline: float | None,
    messages: int,
    z: float | None,
) -> Finding:
    first, last = run[0], run[-1]
    to_hour = None if last.hour is None else last.hour + 1
    return Finding(kind, dimension, first.value, day_text(first.day), first.hour, to_hour, rate, baseline, messages, z)
