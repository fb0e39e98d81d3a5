"""In Chinese: what goes wrong with robots, receivers, exports and figures, and what `doctor` finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smsreceipt import language
from smsreceipt.forward import forwarder
from tests.cli.program import Program, report
from tests.forward.receiver import answer, running

_ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]+ [a-z]{2,}\b")
_COMMAND = re.compile(r"`[^`]*`|smsreceipt [a-z][\w -]*|pip install \S+|mkdir [^\n]*|https?://\S+")


def reads_chinese(text: str) -> bool:
    """Whether each line of a text has Chinese, or is a command, and no part of an English sentence."""
    lines = [_COMMAND.sub("", line) for line in text.splitlines() if "=" not in line]
    return bool(lines) and all(re.search(r"[\u4e00-\u9fff]", line) and not _ENGLISH.search(line) for line in lines)


@pytest.mark.parametrize("text", ["error: no such robot", "错误：there is no robot", "错误：没有\nit is late", ""])
def test_planted_english_is_found(text: str) -> None:
    assert not reads_chinese(text)


@pytest.mark.parametrize(
    "words",
    [
        "watch --test",
        "watch --test --notify bogus",
        "watch --test --notify exec:",
        "watch --test --notify exec:'",
        "watch --test --notify dingtalk:https://x",
        "watch --test --notify dingtalk:env:NOT_SET",
        "watch --test --notify dingtalk:file:empty",
        "watch --test --notify dingtalk:file:.",
        "watch --test --notify dingtalk:env:WORD",
        "watch --test --notify mail:env:WORD",
        "watch --once --rule bogus",
        "watch --once --rule rate=x",
        "forward --to x",
        "forward --to exec:",
        "forward --to - --name a/b",
        "forward --to https://example.com --secret-file short",
        "forward parked retry 5",
        "forward parked list",
        "forward drop nobody --yes",
        "export --output a.txt",
        "export --output a.xlsx --columns x",
        "export --output - --format xlsx",
        "export --output - --split-by day",
        "recordings list",
        "stats --json --by template",
        "stats --json --by province",
    ],
)
def test_an_error_and_its_hint_are_chinese(program: Program, words: str) -> None:
    for name, text in (("empty", ""), ("short", "x")):
        Path(name).write_text(text)
        Path(name).chmod(0o600)
    ended = program(*words.split(), "--lang", "zh", environ={"WORD": "x"})
    assert reads_chinese(ended.err), ended.err
    assert language.chosen() == "en"


def park(program: Program) -> str:
    program.keep("SmsReport", report())
    with running(lambda _objects: answer(422)) as receiver:
        return program("forward", "--to", receiver.url, "--from", "0", "--on-refusal", "park", "--lang", "zh").err


def test_why_a_receipt_is_parked_is_kept_in_english_and_shown_in_chinese(program: Program) -> None:
    assert "已搁置：应答 422" in park(program)
    (kept,) = program("forward", "parked", "list", "--json", "--lang", "zh").objects
    assert kept["reason"] == "answered 422"
    assert "应答 422" in program("forward", "parked", "list", "--lang", "zh", terminal=True).out
    assert "answered 422" in program("forward", "parked", "list", terminal=True).out


def test_a_receiver_that_does_not_answer_is_told_in_chinese(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "FIRST_PAUSE", 0.01)
    program.keep("SmsReport", report())
    with running(script=[answer(503)] * 3) as receiver:
        ended = program("forward", "--to", receiver.url, "--from", "0", "--lang", "zh", "-v")
    assert ended.code == 0
    assert "应答 503；0 秒后重试" in ended.err
    assert "恢复应答" in ended.err


def test_a_robot_that_refuses_is_told_in_chinese(program: Program) -> None:
    ended = program("watch", "--test", "--notify", "exec:false", "--lang", "zh")
    assert ended.code == 5
    assert "false 的退出码为 1" in ended.err


@pytest.mark.parametrize(("output", "english"), [("table", False), ("json", True)])
def test_doctor_shows_chinese_and_prints_english_json(program: Program, output: str, english: bool) -> None:
    ended = program("doctor", "--offline", "--push", "ftp://x", "-o", output, "--lang", "zh", columns=200)
    assert ("--push is no http or https URL" in ended.out) is english
    assert ("--push 不是 http 或 https 地址" in ended.out) is not english
