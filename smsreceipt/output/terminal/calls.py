"""Calls and replies on the screens of `smsreceipt stats`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from smsreceipt import codes
from smsreceipt.insight.stats import Calls, Stats
from smsreceipt.model import Outcome
from smsreceipt.output.display import Display
from smsreceipt.output.figures import change_of_count, change_of_rate, count, percent, seconds
from smsreceipt.output.terminal.figures import Figure, lay_out
from smsreceipt.output.terminal.screen import joined, text

_MOST_CAUSES = 10
_SIDES_ZH = {"platform": "平台", "caller": "主叫", "callee": "被叫", "unknown": "未知"}


def calls_lines(found: Stats, display: Display, *, over: bool) -> Iterator[Text]:  # noqa: ARG001 - as calls_screen
    """One line for calls, one for replies; none where there are none."""
    calls, localized = found.calls, display.localized
    if calls and (calls.ended or calls.missing_end):
        earlier = found.previous_calls.answer_rate if found.previous_calls else None
        change, points = change_of_rate(calls.answer_rate, earlier, display)
        talk, ring = calls.talk_seconds, calls.ring_seconds
        mean, p95 = seconds(talk.mean, display), seconds(talk.p95, display)
        answered = Text(localized("answered ", "接通率 ") + percent(calls.answer_rate, display, 1))
        items = [Text(localized(f"calls {calls.ended:,}", f"通话 {calls.ended:,}")), answered]
        if change:
            answered.append(" ").append(change, _style(points))
        if calls.connected:
            items.append(Text(localized(f"talk {mean}, p95 {p95}", f"通话时长 {mean}，p95 {p95}")))
        if ring.p50 is not None:
            items.append(Text(localized("ring ", "振铃 ") + seconds(ring.p50, display)))
        yield from joined(items, display)
        yield from _missing(found, calls, display)
    if found.replies and found.replies.replies:
        rate = percent(found.replies.opt_out_rate, display, 3)
        told = localized(
            f"opt-outs {found.replies.opt_outs:,} ({rate} of delivered)",
            f"退订 {found.replies.opt_outs:,}（占已送达的 {rate}）",
        )
        replies = localized(f"replies {found.replies.replies:,}", f"上行 {found.replies.replies:,}")
        yield from joined([Text(replies), Text(told)], display)


def calls_screen(found: Stats, display: Display, *, over: bool) -> Iterator[Text]:
    """All figures of calls, and why they ended."""
    calls, earlier, localized = found.calls, found.previous_calls, display.localized
    if calls is None or not (calls.ended or calls.missing_end):
        return
    shown, _ = change_of_count(calls.ended, earlier.ended if earlier and over else None, display)
    change, points = change_of_rate(calls.answer_rate, earlier.answer_rate if earlier else None, display)
    talk, ring = calls.talk_seconds, calls.ring_seconds
    p50, p95, longest = (seconds(value, display) for value in (talk.p50, talk.p95, talk.max))
    rang = localized("p95 ", "p95 ") + seconds(ring.p95, display)
    short = (
        localized(f"{calls.short_calls:,} under 6 s", f"不足 6 秒 {calls.short_calls:,} 次")
        if calls.short_calls
        else ""
    )
    yield from lay_out(
        [
            Figure(localized("calls", "通话"), count(calls.ended), Text(shown)),
            Figure(localized("answered", "接通率"), percent(calls.answer_rate, display), Text(change, _style(points))),
            Figure(localized("  connected", "  已接通"), count(calls.connected), note=short),
            Figure(localized("  unconnected", "  未接通"), count(calls.unconnected)),
            Figure(
                localized("talk", "通话时长"), seconds(talk.mean, display), Text(),
                note=localized(f"p50 {p50}, p95 {p95}, max {longest}", f"p50 {p50}，p95 {p95}，最长 {longest}"),
            ),
            Figure(localized("billed minutes", "计费分钟"), count(calls.billed_minutes)),
            Figure(localized("ring", "振铃"), seconds(ring.p50, display), note=rang if ring.p95 is not None else ""),
            Figure(localized("recordings", "录音"), count(calls.recordings)),
        ],
        display,
    )  # fmt: skip
    yield from _missing(found, calls, display)
    yield Text("")
    yield from _causes(calls, display)


def _style(points: float) -> str:
    return ("green" if points > 0 else "red") if points else ""


def _missing(found: Stats, calls: Calls, display: Display) -> Iterator[Text]:
    days = f"--date {found.first}" if found.first == found.last else f"--from {found.first} --to {found.last}"
    if calls.missing_end:
        line = Text(
            display.localized(f"{calls.missing_end:,} without an end", f"{calls.missing_end:,} 次没有结束回执"),
            "magenta",
        )
        yield line.append(f"  smsreceipt reconcile {days} --calls", "dim")
    if calls.missing_recordings:
        many = calls.missing_recordings
        yield Text(display.localized(f"{many:,} without their recording", f"{many:,} 次缺少录音"), "magenta")


def _causes(calls: Calls, display: Display) -> Iterator[Text]:
    yield Text(display.localized("WHY CALLS ENDED", "结束原因"), "dim")
    for cause in calls.by_cause[:_MOST_CAUSES]:
        side = display.localized(cause.side, _SIDES_ZH.get(cause.side, cause.side))
        outcome = display.outcome(Outcome(cause.outcome)) if cause.outcome else "-"
        told = codes.release_cause(cause.code) or codes.unconnected(cause.code)
        meaning = display.localized(told.meaning_en, told.meaning_zh) if told else "-"
        line = Text(f"{cause.count:>8,}  ").append(text(cause.code or "-", "bold"))
        for item in (side, outcome, meaning):
            line.append(display.dot).append(text(item))
        line.truncate(display.width, overflow="ellipsis")
        yield line
    if len(calls.by_cause) > _MOST_CAUSES:
        yield Text(display.localized("more: --json", "更多：--json"), "dim")
