"""Small pictures beside a figure: the last days, a share."""

from __future__ import annotations

from collections.abc import Sequence

from smsreceipt.output.html import scales, svg
from smsreceipt.output.html.svg import Place
from smsreceipt.output.html.words import Words

_WIDTH, _HEIGHT = 160, 30


def bars(values: Sequence[float | None], label: Words) -> svg.Element:
    """A bar for each day, from 0; the last one is strong. None: nothing is known of that day."""
    root = svg.picture(_WIDTH, _HEIGHT, label, "spark")
    most = max((value for value in values if value), default=1)
    step = _WIDTH / max(len(values), 7)
    for n, value in enumerate(values):
        tall = max((_HEIGHT - 2) * (value or 0) / most, 0.5 if value else 0)
        look = "dot" if n == len(values) - 1 else "faint"
        if tall:
            svg.rect(root, look, Place(_WIDTH - (len(values) - n) * step + 1, _HEIGHT - tall, step - 2, tall))
    return root


def line(values: Sequence[float | None], label: Words, *, rate: bool = False) -> svg.Element:
    """A line over the days, from 0; for a *rate*, from the floor of its axis to 1. Its last point is strong."""
    root = svg.picture(_WIDTH, _HEIGHT, label, "spark")
    known = [value for value in values if value is not None]
    least = scales.floor_of_rates(known) if rate else 0
    most = 1 if rate else max(known, default=1) or 1
    step = (_WIDTH - 6) / max(len(values) - 1, 1)
    points = [
        None if value is None else (3 + n * step, _HEIGHT - 4 - (value - least) / (most - least) * (_HEIGHT - 8))
        for n, value in enumerate(values)
    ]
    svg.lines(root, "rate", points)
    if points and (last := points[-1]):
        svg.mark(root, "circle", "dot", cx=last[0], cy=last[1], r=3)
    return root


def share(part: float, label: Words) -> svg.Element:
    """A bar that is filled for its part of 1."""
    root = svg.picture(100, 8, label, "part")
    root.set("preserveAspectRatio", "none")
    svg.rect(root, "track", Place(0, 0, 100, 8))
    svg.rect(root, "share", Place(0, 0, max(part * 100, 1), 8))
    return root


def swatch(look: str) -> svg.Element:
    """A sample of a look for the key of a chart: of a line, or of an area."""
    root = svg.picture(14, 10, Words("", ""), "swatch")
    del root.attrib["role"], root.attrib["aria-label"]
    root.set("aria-hidden", "true")
    if look in ("rate", "previous"):
        svg.mark(root, "line", look, x1=0, x2=14, y1=5, y2=5)
    else:
        svg.rect(root, look, Place(0, 0, 14, 10), rx=2)
    return root
