"""In Chinese: what goes wrong where receipts are received, listed, compared, copied and deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsreceipt import language
from tests.cli.chinese import in_chinese
from tests.cli.program import Program, report


@pytest.mark.parametrize(
    "words",
    [
        "list",
        "list --kind Foo",
        "sends list",
        "rejects list",
        "rejects show abc",
        "show 13800008000",
        "explain nonsense",
        "pull",
        "pull --uid abc --type SmsReport",
        "pull --uid 123",
        "pull --queue foo",
        "pull --queue foo=SmsReport --queue foo=SmsUp",
        "listen --bind nowhere.invalid:80",
        "listen --fd 777",
        "store copy absent.db new.db",
        "store copy same.db same.db",
        "prune --older-than 3d",
        "prune --older-than 180d --archive old.csv",
        "forget 12 --yes",
        "forget --log 13800008000",
        "replay empty",
        "sends import empty.csv",
        "sends import empty",
        "query-details --date 2020-01-01 --phone 13800008000",
        "query-details --date yesterday",
        "query-details --date yesterday --phone 1",
        "query-details --date yesterday --phones-from empty.csv",
    ],
)
def test_what_is_said_is_chinese(program: Program, words: str) -> None:
    Path("empty.csv").touch()
    Path("empty").mkdir()
    said = program(*words.split(), "--lang", "zh").err
    assert in_chinese(said), said
    assert language.chosen() == "en"


def test_the_store_is_told_in_chinese(program: Program) -> None:
    program.keep("SmsReport", report())
    assert "没有终端" in program("forget", "13800008000", "--lang", "zh").err
    ended = program("forget", "13800008000", "--yes", "--lang", "zh")
    assert "删不到的：备份、归档、导出、日志和报告" in ended.err
    assert in_chinese(ended.err)


def test_a_configuration_to_start_with_is_commented_in_chinese(program: Program) -> None:
    for words in ((), ("--full", "--force")):
        assert "已写入" in program("config", "init", "--config", "made.toml", *words, "--lang", "zh").err
        text = Path("made.toml").read_text(encoding="utf-8")
        assert text.startswith("# smsreceipt：命令行的默认值")
        assert in_chinese("\n".join(line for line in text.splitlines() if line.startswith("# ")))


def test_settings_are_shown_in_chinese_and_their_values_stay_in_json(program: Program) -> None:
    shown = program(
        "config", "show", "--lang", "zh", "--profile", "default", "--no-color", terminal=True, columns=120
    ).out
    assert "平台默认" in shown
    (profile,) = (line.split() for line in shown.splitlines() if line.startswith("profile "))
    assert profile == ["profile", "default", "选项"]
    assert "the provider's" in program("config", "show", "--json", "--lang", "zh").out
