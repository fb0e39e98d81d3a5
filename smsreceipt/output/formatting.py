"""Instants, durations and sizes as text for people."""

from __future__ import annotations

from datetime import datetime, timedelta

from smsreceipt.model import BEIJING, Instant

_UNITS_ZH = {"d": "天", "h": "小时", "min": "分", "s": "秒"}


def wall_clock(at: Instant, *, year: bool = False) -> str:
    """Beijing time to the second: 11-20 15:49:55, with *year* 2026-11-20 15:49:55."""
    return datetime.fromtimestamp(at // 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S" if year else "%m-%d %H:%M:%S")


def elapsed(milliseconds: int, *, chinese: bool = False) -> str:
    """A duration in its two largest units: 0.4 s, 3 s, 2 min 5 s, 3 h 2 min, 2 d 4 h; or 2 分 5 秒."""
    sign, milliseconds = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    name = _UNITS_ZH.__getitem__ if chinese else str
    if milliseconds < 1000:
        return f"{sign}{milliseconds / 1000:.1f} {name('s')}" if milliseconds else f"0 {name('s')}"
    whole = timedelta(seconds=round(milliseconds / 1000))
    minutes, seconds = divmod(whole.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(whole.days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next(index for index, (amount, _) in enumerate(parts) if amount)
    told = " ".join(f"{amount} {name(unit)}" for amount, unit in parts[first : first + 2] if amount)
    return sign + (f"{told}钟" if told.endswith(_UNITS_ZH["min"]) else told)


def ago(then: Instant, now: Instant, *, chinese: bool = False) -> str:
    """The time from *then* to *now* in its largest unit: 5 min ago, 5 分钟前."""
    amount, unit = elapsed(max(now - then, 0), chinese=chinese).split()[:2]
    unit = "分钟" if unit == _UNITS_ZH["min"] else unit
    return f"{amount} {unit}前" if chinese else f"{amount} {unit} ago"


def size(count: int) -> str:
    """A number of bytes in decimal units: 999 B, 1.2 MB."""
    amount = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError  # pragma: no cover - the loop ends at GB
