"""Figures as text for people: rates, changes, durations, bars and sparklines."""

from __future__ import annotations

from collections.abc import Sequence

from smsreceipt.output.display import Display
from smsreceipt.output.formatting import elapsed

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
FEW = 30  #: messages; a rate of fewer says little, and its place in a sparkline is blank
_ONLY_SECONDS = 120  #: a longer time is told in larger units


def percent(rate: float | None, display: Display, digits: int = 2) -> str:
    """A fraction as a percentage; "-" where it is not known."""
    if rate is None:
        return "-"
    # A rate that is not whole is never shown as 100 % or 0 %.
    shown = min(max(rate, 0.0), 1.0) if rate <= 1 else rate
    if 0 < shown < 1:
        edge = 10.0 ** -(digits + 2)
        shown = min(max(shown, edge), 1 - edge)
    return f"{shown * 100:.{digits}f}{'%' if display.chinese else ' %'}"


def count(value: int | None) -> str:
    """A number with thousands separators; "-" where it is not known."""
    return "-" if value is None else f"{value:,}"


def seconds(value: float | None, display: Display, *, units: int = 2) -> str:
    """A duration: 4 s, 47.6 s, 3 h 24 min, or in one unit 3 h; "-" where it is not known."""
    if value is None:
        return "-"
    if value < _ONLY_SECONDS:
        return f"{value:g} {display.localized('s', '秒')}"
    return " ".join(elapsed(round(value) * 1000, chinese=display.chinese).split()[: 2 * units])


def up_or_down(change: float, display: Display) -> str:
    """What stands before the amount of a change: ▲, ▼ or ±."""
    if not change:
        return "±" if display.unicode else "+-"
    return ("▲ " if change > 0 else "▼ ") if display.unicode else ("+" if change > 0 else "-")


def change_of_count(now: int | None, before: int | None, display: Display) -> tuple[str, float]:
    """How much a count rose, in percent, and by what share; ("", 0) where there is nothing to compare with."""
    if now is None or not before:
        return "", 0.0
    share = round(now / before - 1, 3)
    amount = f"{abs(share):.0%}" if abs(share) >= 10 else f"{abs(share) * 100:.1f}%"
    return f"{up_or_down(share, display)}{amount if display.chinese else amount[:-1] + ' %'}", share


def change_of_rate(now: float | None, before: float | None, display: Display) -> tuple[str, float]:
    """How many percentage points a rate rose, and as a fraction; ("", 0) where there is nothing to compare with."""
    if now is None or before is None:
        return "", 0.0
    points = round((now - before) * 100, 2)
    unit = display.localized("pp", "个百分点")
    return f"{up_or_down(points, display)}{abs(points):.2f} {unit}", points / 100


def drawn(display: Display) -> bool:
    """Whether bars and sparklines are drawn in eighths of a character."""
    return display.unicode and display.color


def sparkline(
    values: Sequence[float | None], display: Display, *, low: float | None = None, high: float | None = None
) -> str:
    """One character for each value, blank where it is None; "" on a terminal without colours or the characters.

    *low* and *high*: the values of the lowest and the highest one; None: those of the smallest and the largest value.
    """
    known = [value for value in values if value is not None]
    if not known or not drawn(display):
        return ""
    floor, top = min(known) if low is None else low, max(known) if high is None else high
    if floor == top:  # all the same: as high as it gets
        floor = top - 1
    height = top - floor
    return "".join(" " if value is None else _level((value - floor) / height) for value in values)


def _level(share: float) -> str:
    return _LEVELS[max(0, min(7, int(share * 7.999)))]


def bar(share: float, width: int, display: Display) -> str:
    """A bar of a share of *width* characters; of # where nothing finer can be drawn."""
    share = min(max(share, 0.0), 1.0)
    if not drawn(display):
        return "#" * round(share * width)
    whole, rest = divmod(int(share * width * 8), 8)
    return "█" * whole + _EIGHTHS[rest]
