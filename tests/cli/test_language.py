"""What the program prints in the language that words, environment, configuration or locale choose."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smsreceipt import language
from smsreceipt.output.breaks import columns
from tests.cli.program import Program

ZH = {"LANG": "zh_CN.UTF-8"}


@pytest.mark.parametrize(
    ("words", "environ", "chinese"),
    [
        (["config", "show"], {}, False),
        (["config", "show"], ZH, True),
        (["config", "show", "--lang", "zh"], {}, True),
        (["--lang", "zh", "config", "show"], {}, True),
        (["--lang=en", "config", "show"], ZH, False),
        (["--lang", "zh", "config", "--lang", "en", "show"], {}, False),
        (["config", "show"], {"SMSRECEIPT_LANG": "zh"}, True),
        (["config", "show"], {"SMSRECEIPT_LANG": "en", **ZH}, False),
        (["config", "show", "--lang", "en"], {"SMSRECEIPT_LANG": "zh"}, False),
    ],
)
def test_words_come_before_the_environment_and_that_before_the_locale(
    program: Program, monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str], chinese: bool
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    ended = program(*words, "--nonsense", environ=environ)
    assert ended.code == 2
    assert ended.err.startswith("错误：没有这个选项 '--nonsense'" if chinese else "error: No such option '--nonsense'")


def test_the_configuration_chooses_the_language_of_a_command(program: Program) -> None:
    Path("smsreceipt.toml").write_text('lang = "zh"\n')
    told = program("status", "-o", "table", terminal=True, columns=80).out
    assert "消息数" in told or "没有" in told or "存储" in told, told
    assert "消息数" not in program("status", "-o", "table", "--lang", "en", terminal=True, columns=80).out


def test_an_unknown_language_is_refused(program: Program) -> None:
    ended = program("status", "--lang", "de")
    assert ended.code == 2
    assert "'--lang'" in ended.err
    assert "'de' is not one of 'en', 'zh'." in ended.err


def test_a_run_leaves_the_language_of_the_process_as_it_was(program: Program) -> None:
    program("status", "--lang", "zh")
    assert language.chosen() == "en"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nosuch"], "没有这个命令 'nosuch'"),
        (["explain"], "缺少参数 'CODE'"),
        (["list", "--limit", "x"], "'--limit' 的值无效：'x' 不是有效的"),
        (["list", "--limit", "0"], "'--limit' 的值无效：0 不在 x>=1 的范围内"),
        (["list", "--limit"], "选项 '--limit' 需要 1 个值"),
        (["list", "-o", "xml"], "'xml' 不在可选值"),
        (["lst"], "'list'"),
        (["status", "more"], "多余的参数（more）"),
    ],
)
def test_usage_errors_are_chinese(program: Program, words: list[str], told: str) -> None:
    ended = program(*words, environ=ZH)
    assert ended.code == 2
    assert told in ended.err
    assert ended.err.startswith("错误：")


def test_a_log_in_json_keeps_its_keys_and_events(program: Program) -> None:
    ended = program("list", "--limit", "x", "--log-format", "json", environ=ZH)
    assert '"event": "error"' in ended.err
    assert "错误：" not in ended.err


def help_of(*words: str, width: str = "80", **environ: str) -> str:
    """What a process prints, by the locale of its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "SMSRECEIPT_"))}
    run = subprocess.run(
        [sys.executable, "-m", "smsreceipt", *words],
        env={**clean, "COLUMNS": width, "PYTHONUTF8": "1", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


@pytest.mark.parametrize("words", [["--help"], ["pull", "--help"], ["stats", "-h"], ["help", "rejects", "retry"]])
def test_help_is_chinese_under_a_chinese_locale_and_fits(words: list[str]) -> None:
    told = help_of(*words, **ZH)
    assert told.startswith("用法：")
    assert "通用选项：" in told
    assert "Usage:" not in told
    assert "env var" not in told
    fitting = [line for line in told.splitlines() if not line.lstrip().startswith(("-", "smsreceipt"))]
    assert max(map(columns, fitting)) <= 80
    assert help_of(*words, "--lang", "en", **ZH) == help_of(*words)
