"""The histogram of latencies, with the percentiles above it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from smsreceipt.insight.stats import Latency
from smsreceipt.output.html import scales, svg
from smsreceipt.output.html.svg import Place
from smsreceipt.output.html.words import Words, percent, same, seconds

_LEFT, _RIGHT, _TOP, _BELOW = 46, 10, 52, 40
#: The longest seconds of each bar but the last one, and what is written under it.
_BARS = (
    (1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5"), (6, "6"), (8, "8"), (10, "10"), (15, "15"),
    (30, "30"), (60, "1m"), (120, "2m"), (300, "5m"), (900, "15m"), (3600, "1h"),
)  # fmt: skip
_UNIT = Words("seconds at most (m: minutes, h: hours)", "从发送到回执，不超过的秒数（m：分钟，h：小时）")
_EDGES = [edge for edge, _label in _BARS]
_LABELS = [*(label for _edge, label in _BARS), ">1h"]


def histogram(counts: Sequence[tuple[int, int]], latency: Latency, width: float, height: float) -> svg.Element:
    """The chart of at least one delivered message. *counts*: pairs of seconds and messages."""
    root = svg.picture(width, height, Words("Latency of delivered messages", "送达时延分布"))
    bars = [0] * len(_LABELS)
    for second, messages in counts:
        bars[bisect_left(_EDGES, second)] += messages
    total = sum(bars)
    most = scales.top(max(bars) / total)
    bottom, step = height - _BELOW, (width - _LEFT - _RIGHT) / len(bars)
    for share in scales.quarters(most):
        y = bottom - (bottom - _TOP) * share / most
        svg.mark(root, "line", "gridline", x1=_LEFT, x2=width - _RIGHT, y1=y, y2=y)
        svg.text(root, "axis", f"{share * 100:g}%", _LEFT - 6, y + 4, "end")
    reached = 0
    for n, (messages, label) in enumerate(zip(bars, _LABELS, strict=True)):
        reached += messages
        left, tall = _LEFT + n * step, (bottom - _TOP) * messages / total / most
        if messages:
            place = Place(left + 1.5, bottom - tall, step - 3, tall)
            svg.rect(root, "delivered", place, title=_title(n, messages, reached, total))
        svg.text(root, "axis", label, left + step / 2, bottom + 15, "middle")
    _percentiles(root, latency, step, bottom, width)
    svg.text(root, "axis", _UNIT, (_LEFT + width - _RIGHT) / 2, height - 6, "middle")
    return root


def _title(bar: int, messages: int, reached: int, total: int) -> str:
    most = f"≤ {seconds(_EDGES[bar])}" if bar < len(_EDGES) else "> 1 h / > 1 小时"
    return f"{most}\n{messages:,} ({percent(messages / total).en})\nΣ {percent(reached / total).en}"


def _percentiles(root: svg.Element, latency: Latency, step: float, bottom: float, width: float) -> None:
    """A line at the bar of each percentile; the names stand one above the other, since the lines may be close."""
    percentiles = {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99}
    for row, (name, value) in enumerate(percentiles.items()):
        if value is None:
            continue
        x = _LEFT + (bisect_left(_EDGES, value) + 0.5) * step
        y = 10 + row * 14
        svg.mark(root, "line", "marker", x1=x, x2=x, y1=y - 6, y2=bottom)
        right = x > width - 80
        words = seconds(value)
        named = Words(*(f"{name} {part}" for part in words)) if words.differ else same(f"{name} {words.en}")
        svg.text(root, "percentile", named, x - 5 if right else x + 5, y + 3, "end" if right else "start")
