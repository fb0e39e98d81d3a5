"""Figures of calls and replies are those of plain means, from the messages as the provider sends them."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from contextlib import closing
from datetime import date, datetime
from typing import Any

import pytest

from smsreceipt.decode.facts import word_of
from smsreceipt.insight.answer import stats
from smsreceipt.insight.question import OPT_OUT, Group, Question
from smsreceipt.model import Instant, number_of
from tests.store.engines import Engine
from tests.store.statements import mixed, reply

DAY = number_of(date(2026, 11, 20))
NOW = Instant(1_795_600_000_000)
QUESTION = Question(first_day=DAY, last_day=DAY, groups=(Group.CALLS, Group.REPLIES))
SIDES = {0: "platform", 1: "caller", 2: "callee", None: "unknown"}


def made(dice: random.Random, number: int) -> dict[str, Any]:
    """The report of the end of a call, in all variants."""
    talk = dice.choice((0, 0, 1, 5, 6, 59, 60, 61, 185))
    rings = dice.choice((True, True, False))
    fields: dict[str, Any] = {
        "pool_key": dice.choice(("FC1", "FC2")),
        "call_id": f"call-{number}",
        "phone_no": "13900001111",
        "call_time": "2026-11-20 10:00:00",
        "call_out_time": "2026-11-20 10:00:02",
        "ring_time": "2026-11-20 10:00:05" if rings else "2026-11-20 10:00:02",
        "start_time": "2026-11-20 10:00:20",
        "release_time": f"2026-11-20 10:{(20 + talk) // 60:02}:{(20 + talk) % 60:02}",
        "release_cause": dice.choice((16, 17, 31)),
        "call_type": dice.choice((0, 1, 1, 4, 2)),
    }
    if (side := dice.choice((0, 1, 2, None))) is not None:
        fields["release_dir"] = side
    if dice.random() < 0.2:
        fields["record_url"] = "https://example.com/r.mp3"
    return fields


def seconds(fields: dict[str, Any], begin: str, end: str) -> int:
    return round((datetime.fromisoformat(fields[end]) - datetime.fromisoformat(fields[begin])).total_seconds())


def rank(values: list[int], percent: int) -> int | None:
    return sorted(values)[-(-len(values) * percent // 100) - 1] if values else None


@pytest.mark.parametrize("seed", range(6))
def test_figures_of_calls(engine: Engine, seed: int) -> None:
    dice = random.Random(seed)
    records = [made(dice, number) for number in range(dice.choice((0, 1, 40)))]
    recorded = [each for each in records if each["pool_key"] == "FC1" and dice.random() < 0.5]
    recordings = [("SecretRecording", {**each, "subs_id": 1}) for each in recorded]
    with closing(engine.empty()) as store:
        store.keep(mixed(*(("SecretReport", each) for each in records), *recordings))
        found = stats(store, QUESTION, NOW).calls
    assert found is not None
    ended = [each for each in records if each["call_type"] in {0, 1}]
    connected = [each for each in ended if seconds(each, "start_time", "release_time") > 0]
    talk = [seconds(each, "start_time", "release_time") for each in connected]
    ring = [seconds(each, "ring_time", "start_time") for each in ended if each["ring_time"] != each["call_out_time"]]
    assert (found.ended, found.connected, found.unconnected) == (
        len(ended), len(connected), len(ended) - len(connected),
    )  # fmt: skip
    assert found.answer_rate == (round(len(connected) / len(ended), 6) if ended else None)
    assert (found.talk_seconds.sum, found.talk_seconds.p50, found.talk_seconds.p95) == (
        sum(talk), rank(talk, 50), rank(talk, 95),
    )  # fmt: skip
    assert found.billed_minutes == sum(-(-each // 60) for each in talk)
    assert found.short_calls == sum(each < 6 for each in talk)
    assert (found.ring_seconds.p50, found.ring_seconds.p95) == (rank(ring, 50), rank(ring, 95))
    causes = Counter((str(each["release_cause"]), SIDES[each.get("release_dir")]) for each in ended)
    told: Counter[tuple[str, str]] = Counter()
    for cause in found.by_cause:
        told[cause.code, cause.side] += cause.count
    assert told == causes
    assert {each.call_type: each.count for each in found.by_type} == Counter(str(each["call_type"]) for each in records)
    assert found.recordings == len(recorded)
    pools = {each["pool_key"] for each in recorded}
    calls = [each for each in records if each["call_type"] != 2]
    every = [each for each in calls if seconds(each, "start_time", "release_time") > 0]
    expected = [each for each in every if each not in recorded and ("record_url" in each or each["pool_key"] in pools)]
    assert found.missing_recordings == (len(expected) if recorded else None)


def test_replies_that_opt_out(engine: Engine) -> None:
    texts = ["退订", " td ", "回复T", "Ｔ", "取消！", "收到", "N.", "请问退订怎么办", "0000", "stop!", "T恤"]
    with closing(engine.empty()) as store:
        store.keep(mixed(*(reply(str(number), text) for number, text in enumerate(texts))))
        found = stats(store, QUESTION, NOW).replies
    assert found is not None
    assert (found.replies, found.opt_outs, found.opt_out_rate) == (len(texts), 8, None)


@pytest.mark.parametrize("word", sorted(OPT_OUT))
def test_a_word_is_the_same_however_it_is_typed(word: str) -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in word)
    assert unicodedata.normalize("NFKC", wide) == word
    assert {word_of(f" {each}。") for each in (word, word.lower(), wide)} == {word}


def test_a_long_text_is_no_word() -> None:
    assert word_of("T" * 17) == ""
    assert word_of("退订" * 100) == ""
