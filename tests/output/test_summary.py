"""The summary of a run in Chinese."""

import re
from pathlib import Path

from smsreceipt.output.summary import CHINESE, in_words

SUMMARY = re.compile(r"[a-z_0-9]+=\S+(?: [a-z_0-9]+=\S+)*")
RECORDED = Path(__file__).parents[1] / "contract" / "expected"
SOURCES = Path(__file__).parents[2] / "smsreceipt" / "runs"


def test_figures_are_read_as_words() -> None:
    assert in_words({"rows": 1234, "new": 3, "seconds": "0.1"}) == "1,234 行，新增 3，用时 0.1 秒"
    assert in_words({"moon": 1}) == "moon=1"
    planned = {"would_delete_receipts": 3, "would_delete_sends": 0, "would_delete_recordings": 1}
    assert in_words(planned) == "将删除回执 3，发送记录 0，录音 1"


def test_every_recorded_figure_has_chinese_words() -> None:
    lines = {line for file in RECORDED.rglob("*.txt") for line in file.read_text(errors="replace").splitlines()}
    names = {each.partition("=")[0] for line in lines if SUMMARY.fullmatch(line) for each in line.split(" ")}
    assert "received" in names
    assert not names - CHINESE.keys()


def test_every_figure_of_a_command_has_chinese_words() -> None:
    sources = [file.read_text() for file in SOURCES.glob("*.py")]
    blocks = [found for text in sources for found in re.findall(r"\.summary\(\s*(\{.*?\})", text, re.DOTALL)]
    names = {name for block in blocks for name in re.findall(r'"([a-z_0-9]+)":', block)}
    assert {"rows", "identities", "windows", "schema_before"} <= names
    assert not names - CHINESE.keys()
