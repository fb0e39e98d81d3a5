"""Judges figures: what is wrong, what is right again, and what cannot be told."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from smsreceipt.insight.alarms.figures import Figures
from smsreceipt.insight.alarms.rules import Rule
from smsreceipt.insight.alarms.state import LISTENER, Alarm, Alarms
from smsreceipt.insight.findings import has_dropped, slow_from
from smsreceipt.insight.measure import quantile
from smsreceipt.insight.silence import is_silent

DAYS = 7
QUIET = 86_400_000  #: milliseconds without a new conflict after which the alarm clears

_PLAIN_CODE = re.compile(r"[A-Za-z0-9_.:+-]{1,40}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule says about one thing. Neither *bad* nor *good*: its alarm stays as it is."""

    rule: Rule
    dimension: str | None
    value: float
    threshold: float
    usual: float | None = None  #: what the value usually is
    window: int | None = None  #: seconds
    bad: bool
    good: bool
    count: int = 0  #: what the value was made of


def judged(figures: Figures, rules: Mapping[Rule, float], alarms: Alarms) -> list[Verdict]:
    """What the rules that are on say. *alarms* are those of before."""
    found: list[Verdict] = []
    for rule, threshold in rules.items():
        if rule is Rule.CONFLICTS:
            found += _conflicts(figures, threshold, alarms.get(rule))
        else:
            found += _JUDGES[rule](figures, threshold)
    return found


def plain(code: str) -> str:
    """A code as messages may hold it: "other" for one that may hold a number or a text of somebody."""
    return code if _PLAIN_CODE.fullmatch(code) and not _NUMBER.search(code) else "other"


def _silence(figures: Figures, limit: float) -> Iterator[Verdict]:
    for kind, at in (figures.last_received or {}).items():
        usual, silent = figures.arrivals.get(kind, 0) / DAYS, max(figures.now - at, 0) / 1000
        bad = silent > limit and is_silent(0, usual, figures.limits)
        yield Verdict(
            rule=Rule.SILENCE, dimension=plain(kind), value=round(silent), threshold=limit, usual=round(usual, 1),
            bad=bad, good=silent <= limit,
        )  # fmt: skip


def _rate(figures: Figures, floor: float) -> Iterator[Verdict]:
    if figures.recent is None or figures.usual is None:
        return
    recent, usual, limits = figures.recent.sums, figures.usual.sums, figures.limits
    rate = recent.rate or 0.0
    before = usual.rate if usual.final >= limits.messages else None
    dropped = before is not None and has_dropped(recent, usual, limits)
    bad = dropped or (recent.final >= limits.messages and rate < floor)
    threshold = max(floor, before - limits.points if before is not None else 0.0)
    yield Verdict(
        rule=Rule.RATE, dimension=None, value=rate, threshold=round(threshold, 6), usual=before,
        window=figures.window, bad=bad, good=not bad, count=recent.final,
    )  # fmt: skip


def _latency(figures: Figures, ceiling: float) -> Iterator[Verdict]:
    if figures.recent is None or figures.usual is None:
        return
    recent, usual, limits = figures.recent.sums.seconds, figures.usual.sums.seconds, figures.limits
    value = quantile(recent, 95)
    before = quantile(usual, 95) if usual.total() >= limits.messages else None
    limit = min(math.inf if before is None else slow_from(before, limits), ceiling or math.inf)
    bad = value is not None and recent.total() >= limits.messages and value >= limit
    yield Verdict(
        rule=Rule.LATENCY, dimension=None, value=value or 0, threshold=0 if limit == math.inf else limit,
        usual=before, window=figures.window, bad=bad, good=not bad, count=recent.total(),
    )  # fmt: skip


def _code(figures: Figures, least: float) -> Iterator[Verdict]:
    if figures.recent is None or figures.usual is None:
        return
    whole, before, limits = figures.recent.sums.reports, figures.usual.sums.reports, figures.limits
    merged: dict[str, int] = {}
    for code, count in figures.recent.codes.items():
        merged[plain(code)] = merged.get(plain(code), 0) + count
    for code, count in merged.items():
        earlier = sum(each for name, each in figures.usual.codes.items() if plain(name) == code)
        share, usual = count / whole, earlier / before if before else 0.0
        bad = before >= limits.messages and count >= least and share > limits.code_factor * usual
        yield Verdict(
            rule=Rule.CODE, dimension=code, value=round(share, 6), threshold=round(limits.code_factor * usual, 6),
            usual=round(usual, 6), window=figures.window, bad=bad, good=not bad, count=count,
        )  # fmt: skip


def _backlog(figures: Figures, limit: float) -> Iterator[Verdict]:
    for queue, waits in (figures.backlog or {}).items():
        yield _plain(Rule.BACKLOG, round(waits), limit, bad=waits > limit, good=waits < limit / 2, dimension=queue)
    for listener, refused in figures.refused.items():
        over = refused.ago > limit
        bad, good = refused.lasted > limit and not over, refused.lasted < limit / 2 or over
        name, lasted = LISTENER + listener, round(refused.lasted)
        yield _plain(Rule.BACKLOG, lasted, limit, bad=bad, good=good, count=refused.count, dimension=name)


def _rejects(figures: Figures, least: float) -> Iterator[Verdict]:
    if figures.rejects is not None:
        yield _plain(Rule.REJECTS, figures.rejects, least, bad=figures.rejects >= least)


def _conflicts(figures: Figures, least: float, alarm: Alarm | None) -> Iterator[Verdict]:
    if figures.conflicts is None:
        return
    known = min(alarm.known if alarm else 0, figures.conflicts)
    new = figures.conflicts - known
    firing = alarm is not None and alarm.firing
    quiet = alarm is not None and firing and new <= alarm.value and figures.now - alarm.risen_at >= QUIET
    bad = new >= least and not quiet
    yield _plain(Rule.CONFLICTS, new, least, bad=bad, good=quiet or new < least, count=figures.conflicts)


def _no_receipt(figures: Figures, limit: float) -> Iterator[Verdict]:
    if figures.no_receipt is not None:
        yield _share(Rule.NO_RECEIPT, figures.no_receipt.share, limit, figures.no_receipt.part)


def _optout(figures: Figures, limit: float) -> Iterator[Verdict]:
    if figures.opt_outs is not None:
        yield _share(Rule.OPTOUT, figures.opt_outs.share, limit, figures.opt_outs.part)


def _disk(figures: Figures, least: float) -> Iterator[Verdict]:
    if figures.free is not None:
        yield _plain(Rule.DISK, figures.free, least, bad=figures.free < least)


def _fresh(figures: Figures, limit: float) -> Iterator[Verdict]:
    if figures.last_received:
        age = max(figures.now - max(figures.last_received.values()), 0) / 1000
        yield _plain(Rule.FRESH, round(age), limit, bad=figures.receiving and age > limit)


def _share(rule: Rule, share: float, limit: float, count: int) -> Verdict:
    return _plain(rule, round(share, 6), limit, bad=share > limit or (share == limit > 0), count=count)


def _plain(
    rule: Rule, value: float, threshold: float, *, bad: bool, good: bool | None = None, count: int = 0,
    dimension: str | None = None,
) -> Verdict:  # fmt: skip
    good = not bad if good is None else good
    return Verdict(rule=rule, dimension=dimension, value=value, threshold=threshold, bad=bad, good=good, count=count)


_JUDGES: Mapping[Rule, Callable[[Figures, float], Iterator[Verdict]]] = {
    Rule.SILENCE: _silence,
    Rule.RATE: _rate,
    Rule.LATENCY: _latency,
    Rule.CODE: _code,
    Rule.BACKLOG: _backlog,
    Rule.REJECTS: _rejects,
    Rule.NO_RECEIPT: _no_receipt,
    Rule.OPTOUT: _optout,
    Rule.DISK: _disk,
    Rule.FRESH: _fresh,
}
