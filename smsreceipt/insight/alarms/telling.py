"""What each robot was told, and what it is to be told now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from smsreceipt.insight.alarms.rules import Rule
from smsreceipt.insight.alarms.state import Alarm, Alarms
from smsreceipt.model import Instant

GAP = 60_000  #: milliseconds between two messages to a robot; what comes between waits for the next one
CLAIM = 300_000  #: milliseconds after which one who claimed to tell a robot, and never noted it, is taken for gone


class ToldAlarm(msgspec.Struct, frozen=True, array_like=True):
    """What a robot was last told about an alarm that fires."""

    fired_at: Instant
    at: Instant
    value: float


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known about a robot."""

    at: Instant = Instant(0)  #: of its last message
    claimed_until: Instant = Instant(0)  #: somebody is telling it
    silent_until: Instant = Instant(0)  #: it wants no message until then
    alarms: Mapping[str, ToldAlarm] = {}  #: those that it was told, and not yet that they cleared
    doubtful: Sequence[str] = ()  #: those that it was perhaps told: the telling did not end, or was not confirmed


class Due(NamedTuple):
    """An alarm of which a robot is to be told."""

    alarm: Alarm
    again: bool  #: it was told before that it fires


def due(told: Told, alarms: Alarms, rules: Collection[Rule], now: Instant, repeat: float) -> list[Due]:
    """What a robot is to be told now, the gravest first; *repeat* in seconds. Empty while it must be left alone."""
    if _within(told.claimed_until, now, CLAIM) or _within(told.silent_until, now, 3_600_000):
        return []
    if 0 <= now - told.at < GAP:
        return []
    found = []
    for key, alarm in alarms.items():
        last = told.alarms.get(key)
        if alarm.rule not in rules or not (alarm.firing or last or key in told.doubtful):
            continue
        if last is None or last.fired_at != alarm.fired_at or not alarm.firing:
            found.append(Due(alarm, again=False))
        elif now - last.at >= repeat * 1000 and (alarm.rule is not Rule.CONFLICTS or alarm.value > last.value):
            found.append(Due(alarm, again=True))
    ranks = {rule: rank for rank, rule in enumerate(_GRAVEST_FIRST)}
    return sorted(found, key=lambda each: (not each.alarm.firing, ranks[each.alarm.rule], each.alarm.key))


def _within(until: Instant, now: Instant, most: int) -> bool:
    """Whether a time has not come. One that is too far away was noted before the clock was put back."""
    return 0 < until - now <= most


def claimed(told: Told, items: Collection[Due], now: Instant) -> Told:
    """What is noted before a robot is told."""
    doubtful = sorted({*told.doubtful, *(each.alarm.key for each in items)})
    return msgspec.structs.replace(told, claimed_until=Instant(now + CLAIM), doubtful=doubtful)


def confirmed(told: Told, items: Collection[Due], now: Instant) -> Told:
    """What is noted after a robot was told."""
    alarms = dict(told.alarms)
    for alarm, _ in items:
        if alarm.firing:
            alarms[alarm.key] = ToldAlarm(alarm.fired_at, now, alarm.value)
        else:
            alarms.pop(alarm.key, None)
    confirmed_keys = {each.alarm.key for each in items}
    return Told(at=now, alarms=alarms, doubtful=[key for key in told.doubtful if key not in confirmed_keys])


def failed(claim: Told, now: Instant, pause: float) -> Told:
    """What is noted instead of a *claim* after a robot could not be told; *pause*: seconds to leave it alone."""
    silent = Instant(now + round(pause * 1000)) if pause else Instant(0)
    return msgspec.structs.replace(claim, claimed_until=Instant(0), silent_until=silent)


_GRAVEST_FIRST = (
    Rule.DISK,
    Rule.SILENCE,
    Rule.FRESH,
    Rule.BACKLOG,
    Rule.RATE,
    Rule.CODE,
    Rule.LATENCY,
    Rule.REJECTS,
    Rule.CONFLICTS,
    Rule.NO_RECEIPT,
    Rule.OPTOUT,
)
CRITICAL = frozenset(_GRAVEST_FIRST[:5])  #: rules whose alarms are critical for Nagios; the others are warnings
