"""What the page says first: what is unusual, each in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from smsreceipt.insight.stats import Finding
from smsreceipt.output.html.names import named
from smsreceipt.output.html.words import Words, percent, seconds


def sentence(finding: Finding, *, with_day: bool) -> Words:
    """One finding as a sentence. *with_day*: the period has several days."""
    place = _place(finding, finding.day if with_day else "")
    tell = _SENTENCES.get(finding.kind)
    return tell(finding, place) if tell else Words(f"{place.en}: {finding.kind}", f"{place.zh}：{finding.kind}")


def hours_of(finding: Finding) -> range:
    """The hours that it is about; none where it is about the whole day."""
    if finding.from_hour is None or finding.to_hour is None:
        return range(0)
    return range(finding.from_hour, finding.to_hour)


def _place(finding: Finding, day: str) -> Words:
    """What it is about: China Telecom, 2026-11-24, 14:00–16:00."""
    hours = hours_of(finding)
    span = f"{hours.start:02d}:00–{hours.stop:02d}:00" if hours else ""
    what = named(finding.dimension or "", finding.value)
    return Words(", ".join(filter(None, [what.en, day, span])), " ".join(filter(None, [what.zh, day, span])))


def _drop(finding: Finding, place: Words) -> Words:
    rate, baseline, messages = percent(finding.rate, 1).en, percent(finding.baseline, 1).en, f"{finding.messages:,}"
    return Words(
        f"{place.en}: {rate} delivered, {baseline} in the period before; {messages} messages lost.",
        f"{place.zh}：成功率 {rate}，对比周期同时段为 {baseline}，损失 {messages} 条。",
    )


def _latency(finding: Finding, place: Words) -> Words:
    now, before = seconds(finding.rate), seconds(finding.baseline)
    return Words(
        f"{place.en}: 95 of 100 messages were delivered within {now.en}, in the period before within {before.en}.",
        f"{place.zh}：时延 p95 为 {now.zh}，对比周期同时段为 {before.zh}。",
    )


def _code(finding: Finding, place: Words) -> Words:
    rate, baseline, messages = percent(finding.rate).en, percent(finding.baseline).en, f"{finding.messages:,}"
    return Words(
        f"{place.en}: {messages} messages with this code, {rate} of all; {baseline} in the period before.",
        f"{place.zh}：该状态码 {messages} 条，占 {rate}，对比周期为 {baseline}。",
    )


def _silence(finding: Finding, place: Words) -> Words:
    messages = f"{finding.messages:,}"
    return Words(
        f"{place.en}: no receipt at all; {messages} in the period before.",
        f"{place.zh}：没有任何回执，对比周期同时段有 {messages} 条。",
    )


def _gap(finding: Finding, place: Words) -> Words:
    messages = f"{finding.messages:,}"
    return Words(
        f"{place.en}: the provider counts {messages} billed parts more than there are receipts for.",
        f"{place.zh}：平台统计的计费条数比回执多 {messages} 条。",
    )


_SENTENCES: Mapping[str, Callable[[Finding, Words], Words]] = {
    "drop": _drop,
    "latency": _latency,
    "code": _code,
    "silence": _silence,
    "gap": _gap,
}
