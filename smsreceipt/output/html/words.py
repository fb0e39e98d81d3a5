"""Texts of the page in both of its languages, and figures as people read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from smsreceipt.output import figures
from smsreceipt.output.display import Display

ENGLISH, CHINESE = Display(), Display(chinese=True)


class Words(NamedTuple):
    """One text in English and in Chinese; the page has both and shows one."""

    en: str
    zh: str

    @property
    def differ(self) -> bool:
        """Whether the languages differ; many figures are the same in both."""
        return self.en != self.zh

    def __str__(self) -> str:
        """Both texts, for labels that cannot change with the language."""
        return f"{self.en} / {self.zh}" if self.differ else self.en


def both(text: Callable[[Display], str]) -> Words:
    """A text that depends on the language."""
    return Words(text(ENGLISH), text(CHINESE))


def same(text: str) -> Words:
    """A text that is the same in both languages."""
    return Words(text, text)


NOTHING = same("-")  #: a figure that is not known


def count(value: int | None) -> Words:
    """A number of messages: 310,092."""
    return same(figures.count(value))


def percent(share: float | None, digits: int = 2) -> Words:
    """A share of 1 as 96.24 %."""
    return both(lambda display: figures.percent(share, display, digits))


def seconds(value: float | None) -> Words:
    """A duration: 4 s, 26 h 23 min."""
    return both(lambda display: figures.seconds(value, display))


def compact(value: float) -> Words:
    """A round number of an axis: 24k, 2.4万."""
    en = f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e4 else f"{value:,.0f}"
    zh = f"{value / 1e8:g}亿" if value >= 1e8 else f"{value / 1e4:g}万" if value >= 1e4 else f"{value:,.0f}"
    return Words(en, zh)


class Change(NamedTuple):
    """How a figure differs from the one it is compared with."""

    words: Words
    look: str  #: better, worse, or even: neither


def change_of_rate(now: float | None, before: float | None) -> Change | None:
    """The difference of two rates in percentage points; None where one is absent."""
    words = both(lambda display: figures.change_of_rate(now, before, display)[0])
    return Change(words, _look(figures.change_of_rate(now, before, ENGLISH)[1])) if words.en else None


def change_of_count(now: int | None, before: int | None, better: int = 0) -> Change | None:
    """The difference of two counts in percent; None where one is absent or the second is 0.

    *better*: 1 where more is better, -1 where less is, 0 where neither is.
    """
    words = both(lambda display: figures.change_of_count(now, before, display)[0])
    return Change(words, _look(figures.change_of_count(now, before, ENGLISH)[1] * better)) if words.en else None


def _look(gain: float) -> str:
    return "better" if gain > 0 else "worse" if gain < 0 else "even"
