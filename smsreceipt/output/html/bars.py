"""Bars of messages with their delivery rate in a second panel below: by hour, by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smsreceipt.output.html import scales, svg
from smsreceipt.output.html.svg import Place
from smsreceipt.output.html.words import Words, compact, same

_LEFT, _RIGHT, _TOP = 46, 10, 12
_RATE_HEIGHT, _BETWEEN, _BELOW = 76, 26, 24
_BAR = 0.72  # of the room that a bar has


@dataclass(frozen=True, slots=True)
class Slot:
    """The messages of one hour or day."""

    label: Words
    title: str
    delivered: int
    failed: int
    unknown: int
    rate: float | None
    previous: float | None  #: the rate that this one is compared with
    marked: bool = False  #: whether a finding is about it

    @property
    def messages(self) -> int:
        """All of them."""
        return self.delivered + self.failed + self.unknown


def volume_and_rate(slots: Sequence[Slot], width: float, height: float, label: Words, every: int = 1) -> svg.Element:
    """The chart of at least one slot. *every*: how many slots there are to a label, counted from the last one."""
    root = svg.picture(width, height, label)
    frame = _Frame(slots, width, height)
    for slot, left in zip(slots, frame.lefts, strict=True):
        if slot.marked:
            svg.rect(root, "band", Place(left, _TOP, frame.step, frame.rate_bottom - _TOP + 6))
    _grid(root, frame)
    for slot, left in zip(slots, frame.lefts, strict=True):
        _bar(root, frame, slot, left)
    _rates(root, frame, slots)
    for n, (slot, left) in enumerate(zip(slots, frame.lefts, strict=True)):
        if (len(slots) - 1 - n) % every == 0:
            svg.text(root, "axis", slot.label, left + frame.step / 2, height - 6, "middle")
    return root


class _Frame:
    """Where things are in the chart."""

    def __init__(self, slots: Sequence[Slot], width: float, height: float) -> None:
        self.right = width - _RIGHT
        self.step = (self.right - _LEFT) / len(slots)
        self.lefts = [_LEFT + n * self.step for n in range(len(slots))]
        self.rate_bottom = height - _BELOW
        self.rate_top = self.rate_bottom - _RATE_HEIGHT
        self.bottom = self.rate_top - _BETWEEN
        self.most = scales.top_of_count(max(slot.messages for slot in slots))
        rates = [rate for slot in slots for rate in (slot.rate, slot.previous) if rate is not None]
        self.least = scales.floor_of_rates(rates)

    def height_of(self, messages: int) -> float:
        return (self.bottom - _TOP) * messages / self.most

    def y_of_rate(self, rate: float) -> float:
        return self.rate_bottom - (rate - self.least) / (1 - self.least) * _RATE_HEIGHT


def _grid(root: svg.Element, frame: _Frame) -> None:
    for value in scales.quarters(frame.most):
        _line(root, frame, frame.bottom - frame.height_of(round(value)), compact(value))
    for rate in (frame.least, (frame.least + 1) / 2, 1):
        _line(root, frame, frame.y_of_rate(rate), same(f"{rate * 100:.4g}%"))


def _line(root: svg.Element, frame: _Frame, y: float, words: Words) -> None:
    svg.mark(root, "line", "gridline", x1=_LEFT, x2=frame.right, y1=y, y2=y)
    svg.text(root, "axis", words, _LEFT - 6, y + 4, "end")


def _bar(root: svg.Element, frame: _Frame, slot: Slot, left: float) -> None:
    if not slot.messages:
        return
    bar = svg.group(root, slot.title)
    y = frame.bottom
    for look, messages in (("delivered", slot.delivered), ("failed", slot.failed), ("unknown", slot.unknown)):
        height = frame.height_of(messages)
        if messages:
            y -= height
            place = Place(left + frame.step * (1 - _BAR) / 2, y, frame.step * _BAR, max(height, 0.4))
            svg.rect(bar, look, place)


def _rates(root: svg.Element, frame: _Frame, slots: Sequence[Slot]) -> None:
    middles = [left + frame.step / 2 for left in frame.lefts]
    placed = list(zip(slots, middles, strict=True))
    before = [None if slot.previous is None else (x, frame.y_of_rate(slot.previous)) for slot, x in placed]
    svg.lines(root, "previous", before)
    svg.lines(root, "rate", [None if slot.rate is None else (x, frame.y_of_rate(slot.rate)) for slot, x in placed])
    for slot, x in placed:
        if slot.rate is not None:
            svg.mark(root, "circle", "dot", slot.title, cx=x, cy=frame.y_of_rate(slot.rate), r=2.8)
