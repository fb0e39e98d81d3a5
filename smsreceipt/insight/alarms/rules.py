"""The rules and their thresholds, and how `--rule` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from smsreceipt.insight.question import Thresholds
from smsreceipt.language import _, listed
from smsreceipt.model import nearest
from smsreceipt.model.written import duration, size, typed


class Rule(StrEnum):
    """What can be wrong."""

    SILENCE = "silence"  #: nothing of a message type came for so long, though at this hour much usually does
    RATE = "rate"  #: fewer messages are delivered than usually at this hour
    LATENCY = "latency"  #: they take longer than usually at this hour
    CODE = "code"  #: one reason of failure has become much more frequent
    BACKLOG = "backlog"  #: messages wait in a queue, or pushes are answered 503
    REJECTS = "rejects"  #: the store holds rejects
    CONFLICTS = "conflicts"  #: there are new conflicts
    NO_RECEIPT = "no_receipt"  #: sends of four days ago have no receipt
    OPTOUT = "optout"  #: many replies ask to be sent no more messages
    DISK = "disk"  #: little space is free for the store
    FRESH = "fresh"  #: a puller runs, but nothing was stored for so long


#: Seconds, shares, counts and bytes. Of rate and latency, 0 is no limit of its own: they compare with the usual.
DEFAULTS: Mapping[Rule, float] = {
    Rule.SILENCE: 1800.0,
    Rule.RATE: 0.0,
    Rule.LATENCY: 0.0,
    Rule.CODE: Thresholds().code_messages,
    Rule.BACKLOG: 600.0,
    Rule.REJECTS: 1,
    Rule.CONFLICTS: 1,
    Rule.NO_RECEIPT: 0.005,
    Rule.OPTOUT: 0.003,
    Rule.DISK: 64 << 20,
    Rule.FRESH: 86400.0,
}
_TIMES = {Rule.SILENCE, Rule.LATENCY, Rule.BACKLOG, Rule.FRESH}
_SHARES = {Rule.RATE, Rule.NO_RECEIPT, Rule.OPTOUT}
_EXAMPLES = {
    Rule.SILENCE: "45m",
    Rule.RATE: "0.90",
    Rule.LATENCY: "60s",
    Rule.CODE: "100",
    Rule.BACKLOG: "20m",
    Rule.REJECTS: "10",
    Rule.CONFLICTS: "5",
    Rule.NO_RECEIPT: "1%",
    Rule.OPTOUT: "0.5%",
    Rule.DISK: "1GiB",
    Rule.FRESH: "6h",
}
#: What `--rule` may begin with.
NAMES = (*Rule, "all")


def thresholds(texts: Iterable[str]) -> dict[Rule, float]:
    """The rules that are on, with their thresholds: all with their defaults, changed by *texts* in their order.

    A text is NAME (on), NAME=VALUE, NAME=off or all=off. Raises ValueError with a sentence.
    """
    found = dict(DEFAULTS)
    for text in texts:
        name, value = parse(text)
        for rule in Rule if name is None else (name,):
            if value is None:
                found.pop(rule, None)
            else:
                found[rule] = DEFAULTS[rule] if value < 0 else value
    return found


def parse(text: str) -> tuple[Rule | None, float | None]:
    """The rule of a text, None for all of them; and its threshold: None for off, -1 for the default.

    Raises ValueError with a sentence.
    """
    name, given, value = (part.strip().lower() for part in typed(text).partition("="))
    name = name.replace("-", "_")
    if name not in NAMES:
        told = _("there is no rule {name!r}: {names}", name=text, names=listed(NAMES))
        near = nearest(name, NAMES)
        raise ValueError(_("{told}; did you mean {word}?", told=told, word=near) if near else told)
    rule = None if name == "all" else Rule(name)
    if value == "off":
        return rule, None
    if not given or value == "on":
        return rule, -1.0
    threshold = None if rule is None else _threshold(rule, value)
    if threshold is None:
        if rule is None:
            raise ValueError(_("{text!r} is no threshold: {example}", text=text, example="all=off"))
        example, off = f"{rule}={_EXAMPLES[rule]}", f"{rule}=off"
        raise ValueError(_("{text!r} is no threshold: {example} or {off}", text=text, example=example, off=off))
    return rule, threshold


def _threshold(rule: Rule, text: str) -> float | None:
    if rule in _TIMES:
        return duration(text)
    if rule is Rule.DISK:
        found = size(text)
        return None if found is None else float(found)
    if rule in _SHARES:
        match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)(%?)", text)
        share = float(match[1]) / (100 if match[2] else 1) if match else 2.0
        return share if share <= 1 else None
    return float(text) if re.fullmatch(r"[1-9][0-9]{0,8}", text) else None
