"""From the alarms of before and what rules say now to the alarms of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from smsreceipt.insight.alarms.figures import Figures
from smsreceipt.insight.alarms.judge import Verdict, judged
from smsreceipt.insight.alarms.rules import Rule
from smsreceipt.insight.alarms.state import Alarm, Alarms, alarm_key
from smsreceipt.model import Instant

_WINDOWED = {Rule.RATE, Rule.LATENCY, Rule.CODE}
_FORGOTTEN = 30 * 86_400_000  # milliseconds after which an alarm that cleared is not kept any longer


def stepped(figures: Figures, rules: Mapping[Rule, float], alarms: Alarms) -> Mapping[str, Alarm | None]:
    """The alarms that are not as before, by key; None for one that is forgotten.

    Those of rules that are not on stay as they are, and so do those of which nothing is known.
    """
    changed: dict[str, Alarm | None] = {}
    verdicts = judged(figures, rules, alarms)
    for verdict in verdicts:
        key = alarm_key(verdict.rule, verdict.dimension)
        after = _after(verdict, alarms.get(key), figures)
        if after != alarms.get(key):
            changed[key] = after
    for key, alarm in _unmentioned(verdicts, alarms):
        if _forgotten(alarm, figures.now):
            changed[key] = None
        elif alarm.firing and alarm.rule in rules and _known(alarm.rule, figures):
            changed[key] = _good(alarm, alarm.value if alarm.rule is not Rule.CODE else 0.0, figures)
    return {key: after for key, after in changed.items() if after != alarms.get(key)}


def _unmentioned(verdicts: Iterable[Verdict], alarms: Alarms) -> Iterable[tuple[str, Alarm]]:
    mentioned = {alarm_key(verdict.rule, verdict.dimension) for verdict in verdicts}
    return [(key, alarm) for key, alarm in alarms.items() if key not in mentioned]


def _known(rule: Rule, figures: Figures) -> bool:
    """Whether an alarm about something that no verdict names is about something that is gone."""
    if rule is Rule.BACKLOG:
        return figures.backlog is not None
    return rule not in _WINDOWED or figures.recent is not None


def _forgotten(alarm: Alarm, now: Instant) -> bool:
    return not alarm.firing and not alarm.known and now - alarm.since > _FORGOTTEN


def _after(verdict: Verdict, alarm: Alarm | None, figures: Figures) -> Alarm | None:
    """The alarm after a verdict; None where there is none."""
    now = figures.now
    if alarm is not None and alarm.firing:
        if verdict.good:
            return _good(alarm, verdict.value, figures, known=verdict.count)
        risen = now if verdict.value > alarm.value else alarm.risen_at
        told = {"value": verdict.value, "threshold": verdict.threshold, "usual": verdict.usual, "count": verdict.count}
        good_at = None if verdict.bad else alarm.good_at
        return msgspec.structs.replace(alarm, **told, risen_at=risen, good_at=good_at)
    if not verdict.bad:
        return alarm
    return Alarm(
        rule=verdict.rule, dimension=verdict.dimension, firing=True, since=now, fired_at=now, value=verdict.value,
        threshold=verdict.threshold, usual=verdict.usual, window=verdict.window, count=verdict.count, risen_at=now,
        known=alarm.known if alarm else 0,
    )  # fmt: skip


def _good(alarm: Alarm, value: float, figures: Figures, *, known: int = 0) -> Alarm:
    """A firing alarm of which nothing is wrong now. That of a window clears when the next window is good as well."""
    now = figures.now
    good_at = alarm.good_at or now
    if alarm.rule in _WINDOWED and now - good_at < figures.window * 1000:
        return msgspec.structs.replace(alarm, good_at=good_at)
    known = known if alarm.rule is Rule.CONFLICTS else 0
    return msgspec.structs.replace(alarm, firing=False, since=now, value=value, good_at=None, known=known)
