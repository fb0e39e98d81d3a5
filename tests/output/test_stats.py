"""Figures as people read them: rates, changes, durations, bars, and findings as sentences."""

import re
from dataclasses import replace

import pytest

from smsreceipt.insight.question import Question
from smsreceipt.insight.stats import Finding
from smsreceipt.output import terminal
from smsreceipt.output.display import Display
from smsreceipt.output.figures import bar, change_of_count, change_of_rate, percent, seconds, sparkline
from smsreceipt.output.findings import command, sentence
from tests.output.sample_stats import plain, stats

ENGLISH = Display(color=True)
CHINESE = Display(chinese=True, color=True)
ASCII = Display(unicode=False)


@pytest.mark.parametrize(
    ("rate", "digits", "told"),
    [
        (0.962441, 2, "96.24 %"),
        (1.0, 2, "100.00 %"),
        (0.999999, 2, "99.99 %"),  # what is not whole is not told as whole
        (0.000001, 2, "0.01 %"),
        (0.0, 1, "0.0 %"),
        (0.9999, 1, "99.9 %"),
        (None, 2, "-"),
    ],
)
def test_rates(rate: float | None, digits: int, told: str) -> None:
    assert percent(rate, ENGLISH, digits) == told
    assert percent(rate, CHINESE, digits) == told.replace(" ", "")


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        (100, 100, "±0.0 %"),
        (127, 100, "▲ 27.0 %"),
        (99, 100, "▼ 1.0 %"),
        (1200, 100, "▲ 1100 %"),
        (5, 0, ""),
        (5, None, ""),
        (None, 5, ""),
    ],
)
def test_changes_of_counts(now: int | None, before: int | None, told: str) -> None:
    assert change_of_count(now, before, ENGLISH)[0] == told


def test_rates_change_by_points() -> None:
    assert change_of_rate(0.9624, 0.9706, ENGLISH)[0] == "▼ 0.82 pp"
    assert change_of_rate(0.9706, 0.9624, CHINESE)[0] == "▲ 0.82 个百分点"
    assert change_of_rate(0.9706, 0.9624, ASCII)[0] == "+0.82 pp"
    assert change_of_rate(0.5, 0.5, ASCII)[0] == "+-0.00 pp"
    assert change_of_rate(None, 0.5, ENGLISH) == ("", 0.0)


def test_durations() -> None:
    assert [seconds(value, ENGLISH) for value in (0, 4, 47.6, 119, 120, 95_040)] == [
        "0 s", "4 s", "47.6 s", "119 s", "2 min", "1 d 2 h",
    ]  # fmt: skip
    assert seconds(95_040, CHINESE, units=1) == "1 天"
    assert seconds(None, ENGLISH) == "-"


def test_sparklines_have_a_character_for_each_value() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], ENGLISH) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, None, 0], ENGLISH) == "█ ▁"
    assert sparkline([5, 5], ENGLISH) == "██"
    assert sparkline([90, 100], ENGLISH, low=0) == "██"
    assert sparkline([None, None], ENGLISH) == ""
    assert sparkline([1, 2], ASCII) == sparkline([1, 2], Display(color=False)) == ""


def test_bars_are_drawn_in_eighths_or_plain() -> None:
    assert [bar(share, 4, ENGLISH) for share in (0, 0.5, 0.53125, 1, 2)] == ["", "██", "██▏", "████", "████"]
    assert [bar(share, 4, ASCII) for share in (0, 0.5, 1)] == ["", "##", "####"]


FOUND = {
    "drop": Finding("drop", "carrier", "telecom", "2026-11-24", 14, 16, 0.6525, 0.97, 2687, -122.8),
    "latency": Finding("latency", "province", "Guangdong", "2026-11-24", 9, 10, 64, 12, 310, None),
    "silence": Finding("silence", None, None, "2026-11-24", 3, 5, None, None, 412, None),
    "code": Finding("code", "code", "MOBILE_IN_BLACK", "2026-11-24", None, None, 0.031, 0.004, 620, None),
    "gap": Finding("gap", None, None, "2026-11-24", None, None, None, None, 77, None),
    "template": Finding("drop", "template", "SMS 1; rm", "2026-11-24", 14, 15, 0.5, 0.97, 90, -9.0),
}


@pytest.mark.parametrize(
    ("kind", "english", "chinese", "next_step"),
    [
        ("drop", "China Telecom 14:00–16:00: 65.2 % delivered, 97.0 % the day before, 2,687 lost",
         "中国电信 14:00–16:00：成功率 65.2%，前一天为 97.0%，少送达 2,687 条",
         "stats --date 2026-11-24 --carrier telecom --by code"),
        ("latency", "Guangdong 09:00–10:00: p95 64 s, 12 s the day before, 310 slow",
         "广东 09:00–10:00：p95 为 64 秒，前一天为 12 秒，310 条偏慢",
         "stats --date 2026-11-24 --province Guangdong --by hour"),
        ("silence", "all messages 03:00–05:00: no message, 412 the day before",
         "全部短信 03:00–05:00：没有短信，前一天有 412 条", "reconcile --date 2026-11-24"),
        ("code", "MOBILE_IN_BLACK: 620 messages, 3.10 % of all, 0.40 % the day before",
         "MOBILE_IN_BLACK：620 条，占全部的 3.10%，前一天为 0.40%", "explain MOBILE_IN_BLACK"),
        ("gap", "77 billed parts ended by the provider's count and have no receipt",
         "平台统计已结束的计费条数中有 77 条没有回执", "reconcile --date 2026-11-24 --totals"),
        ("template", "SMS 1; rm 14:00–15:00: 50.0 % delivered, 97.0 % the day before, 90 lost",
         "SMS 1; rm 14:00–15:00：成功率 50.0%，前一天为 97.0%，少送达 90 条",
         "stats --date 2026-11-24 --template 'SMS 1; rm' --by code"),
    ],
)  # fmt: skip
def test_a_finding_is_a_sentence_and_a_command(kind: str, english: str, chinese: str, next_step: str) -> None:
    before = ("the day before", "前一天")
    found = FOUND[kind]
    assert sentence(found, ENGLISH, before=before, with_day=False) == english
    assert sentence(found, CHINESE, before=before, with_day=False) == chinese
    assert command(found) == f"smsreceipt {next_step}"
    if kind != "gap":
        assert "11-24" in sentence(found, ASCII, before=before, with_day=True)


def test_billed_parts_have_a_character_for_each_of_the_last_days() -> None:
    value = plain()
    for n, row in enumerate(value["trend"]):
        row["parts"] = n * 100  # none on the first day
    question = Question(first_day=20_000, last_day=20_000)
    for display, span in ((ENGLISH, "the last 14 days"), (CHINESE, "最近 14 天")):
        shown = re.sub(r"\x1b\[[\d;]*m", "", terminal.stats.summary(stats(value), question, display, over=True))
        chart = " " + "".join("▁▂▃▄▅▆▇█"[int(n / 13 * 7.999)] for n in range(1, 14))
        assert f"{chart}  {span}\n" in shown
    plainly = terminal.stats.summary(stats(value), question, replace(ENGLISH, color=False), over=True)
    assert "the last 14 days" not in plainly
    assert "ask the provider's count" in plainly
