"""What is unusual in a period as a sentence, in English or Chinese, and the command to run next."""

from __future__ import annotations

import shlex

from smsreceipt.insight.question import Dimension
from smsreceipt.insight.stats import Finding
from smsreceipt.output.display import Display
from smsreceipt.output.figures import count, percent, seconds
from smsreceipt.output.names import name_of


def sentence(found: Finding, display: Display, *, before: tuple[str, str], with_day: bool) -> str:
    """What was found. *before*: what it is compared with, in both languages. *with_day*: name the day too."""
    localized, earlier = display.localized, display.localized(*before)
    where = _where(found, display, with_day=with_day)
    if found.kind == "drop":
        now, then, lost = percent(found.rate, display, 1), percent(found.baseline, display, 1), count(found.messages)
        return where + localized(
            f"{now} delivered, {then} {earlier}, {lost} lost", f"成功率 {now}，{earlier}为 {then}，少送达 {lost} 条"
        )
    if found.kind == "latency":
        now, then, slow = seconds(found.rate, display), seconds(found.baseline, display), count(found.messages)
        return where + localized(
            f"p95 {now}, {then} {earlier}, {slow} slow", f"p95 为 {now}，{earlier}为 {then}，{slow} 条偏慢"
        )
    if found.kind == "silence":
        usual = count(found.messages)
        return where + localized(f"no message, {usual} {earlier}", f"没有短信，{earlier}有 {usual} 条")
    if found.kind == "code":
        now, then, many = percent(found.rate, display), percent(found.baseline, display), count(found.messages)
        return where + localized(
            f"{many} messages, {now} of all, {then} {earlier}", f"{many} 条，占全部的 {now}，{earlier}为 {then}"
        )
    missing = count(found.messages)
    return where + localized(
        f"{missing} billed parts ended by the provider's count and have no receipt",
        f"平台统计已结束的计费条数中有 {missing} 条没有回执",
    )


def command(found: Finding) -> str:
    """The command that looks closer."""
    day = f"--date {found.day}"
    if found.kind == "code":
        return f"smsreceipt explain {shlex.quote(found.value or '')}"
    if found.kind == "gap":
        return f"smsreceipt reconcile {day} --totals"
    if found.kind == "silence":
        return f"smsreceipt reconcile {day}"
    only = f" --{found.dimension} {shlex.quote(found.value)}" if found.dimension and found.value else ""
    return f"smsreceipt stats {day}{only} --by {'code' if found.kind == 'drop' else 'hour'}"


def _where(found: Finding, display: Display, *, with_day: bool) -> str:
    parts = []
    if found.kind == "code":
        parts.append(found.value or "-")
    elif found.dimension:
        parts.append(name_of(Dimension(found.dimension), found.value, display))
    elif found.kind != "gap":
        parts.append(display.localized("all messages", "全部短信"))
    if with_day:
        parts.append(found.day[5:])
    if found.from_hour is not None and found.to_hour is not None:
        parts.append(f"{found.from_hour:02}:00{'–' if display.unicode else '-'}{found.to_hour:02}:00")
    named = " ".join(parts)
    return f"{named}{display.localized(': ', '：')}" if named else ""
