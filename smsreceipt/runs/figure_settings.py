"""The settings of figures that hold wherever figures are judged: `[stats]` of the configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from smsreceipt.app import App
from smsreceipt.decode.facts import word_of
from smsreceipt.insight.question import OPT_OUT, Question, Thresholds
from smsreceipt.model import Instant, beijing_day

_HOUR_MS = 3_600_000


def opt_out_words(more: Iterable[str]) -> Collection[str]:
    """The words that opt out: those that every store has, and *more*, as words are compared."""
    return OPT_OUT | {word_of(word) for word in more}


def thresholds(chosen: Mapping[str, Any]) -> Thresholds:
    """From where on something is a finding, by the parameters of the options; one that is absent has its default."""
    usual = Thresholds()
    return Thresholds(
        messages=chosen.get("drop_messages", usual.messages),
        z=chosen.get("drop_z", usual.z),
        points=chosen["drop_points"] / 100 if "drop_points" in chosen else usual.points,
    )


def day_of_interest(now: Instant) -> int:
    """The Beijing day whose figures people look at: today, or yesterday in the first hour of a day."""
    return beijing_day(Instant(now - _HOUR_MS))


def question_of_day(app: App, day: int) -> Question:
    """What `stats` asks about one Beijing day without any option."""
    table = app.config.table(("stats",))
    return Question(
        first_day=day,
        last_day=day,
        opt_out=opt_out_words(table.get("opt_out", ())),
        thresholds=thresholds(table),
    )
