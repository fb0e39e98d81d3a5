"""Texts of the page in both of its languages, and figures as people read them."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """One text in English and in Chinese; the page has both and shows one."""

    en: str
    zh: str

    @property
    def differ(self) -> bool:
        """Whether the languages differ; a figure is the same in both."""
        return self.en != self.zh

    def __str__(self) -> str:
        """Both texts, for labels that cannot change with the language."""
        return f"{self.en} / {self.zh}" if self.differ else self.en


NOTHING = Words("–", "–")  #: a figure that cannot be told


def same(text: str) -> Words:
    """A text that is the same in both languages."""
    return Words(text, text)


def count(value: int | None) -> Words:
    """A number of messages: 310,092."""
    return NOTHING if value is None else same(f"{value:,}")


def percent(share: float | None, digits: int = 2) -> Words:
    """A share of 1 as 96.24%. What is not quite all is never shown as 100, nor what is not quite none as 0."""
    if share is None:
        return NOTHING
    least = 10**-digits
    shown = round(share * 100, digits)
    if 0 < share < 1:
        shown = min(max(shown, least), 100 - least)
    return same(f"{shown:.{digits}f}%")


def seconds(value: float | None) -> Words:
    """A duration in its largest unit: 4 s, 2.5 min, 26.4 h."""
    if value is None:
        return NOTHING
    if value < 120:
        return Words(f"{value:g} s", f"{value:g}秒")
    if value < 7200:
        return Words(f"{value / 60:.3g} min", f"{value / 60:.3g}分钟")
    return Words(f"{value / 3600:,.4g} h", f"{value / 3600:,.4g}小时")


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
    if now is None or before is None:
        return None
    points = round((now - before) * 100, 2)
    amount = f"{_arrow(points)} {abs(points):.2f}" if points else "± 0.00"
    return Change(Words(f"{amount} pp", f"{amount} 个百分点"), _look(points, 1))


def change_of_count(now: float | None, before: float | None, better: int = 0) -> Change | None:
    """The difference of two counts in percent; None where one is absent or the second is 0.

    *better*: 1 where more is better, -1 where less is, 0 where neither is.
    """
    if now is None or not before:
        return None
    ratio = round((now - before) / before * 100, 1)
    return Change(same(f"{_arrow(ratio)} {abs(ratio):,.1f}%" if ratio else "± 0.0%"), _look(ratio, better))


def _arrow(difference: float) -> str:
    return "▲" if difference > 0 else "▼"


def _look(difference: float, better: int) -> str:
    return "even" if not difference * better else "better" if difference * better > 0 else "worse"
