"""In Chinese: what goes wrong with robots, receivers, exports and figures, and what `doctor` finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsreceipt import language
from smsreceipt.forward import forwarder
from tests.cli.chinese import in_chinese
from tests.cli.program import Program, report
from tests.forward.receiver import answer, running


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("watch --test", "没有可测试的机器人"),
        ("watch --test --notify bogus", "没有这种机器人"),
        ("watch --test --notify exec:", "没有写命令"),
        ("watch --test --notify exec:'", "引号没有闭合"),
        ("watch --test --notify dingtalk:https://x", "不能直接写地址"),
        ("watch --test --notify dingtalk:env:NOT_SET", "未设置变量 NOT_SET"),
        ("watch --test --notify dingtalk:file:empty", "文件 empty 是空的"),
        ("watch --test --notify dingtalk:file:open", "其他用户可以读取 open"),
        ("watch --test --notify dingtalk:file:/dev/null", "不是普通文件"),
        ("watch --test --notify dingtalk:env:WORD", "没有机器人的 URL"),
        ("watch --test --notify mail:env:WORD", "没有邮箱账号的地址"),
        ("watch --once --rule bogus", "没有规则 'bogus'"),
        ("watch --once --rule rate=x", "'rate=x' 不是阈值"),
        ("forward --to x", "--to 须为 URL"),
        ("forward --to exec:", "没有写命令"),
        ("forward --to - --name a/b", "游标名由 1 到 64 个"),
        ("forward --to https://example.com --secret-file empty", "没有密钥"),
        ("forward --to https://example.com --secret-file short", "不足 16 个字符"),
        ("forward parked retry 5", "seq 5 没有被搁置"),
        ("forward parked list", "没有搁置的回执"),
        ("forward drop nobody --yes", "没有名为 nobody 的游标"),
        ("export receipts --output a.txt", "看不出格式"),
        ("export receipts --output a.csv --columns x", "没有 x 这一列"),
        ("export receipts --output - --format xlsx", "不能写入管道"),
        ("export receipts --output - --split-by day", "--output 须为目录"),
        ("export receipts --output a.ndjson --excel", "--excel 只用于 csv"),
        ("export sends --output - ", "没有发送记录"),
        ("report .", "存储中没有 2026-11-20 的内容"),
        ("report absent/page.html", "无法写入 absent/page.html"),
        ("stats --json --by template", "不知道模板和签名"),
        ("stats --json --date yesterday", "存储中没有 2026-11-20 的内容"),
    ],
)
def test_an_error_and_its_hint_are_chinese(program: Program, words: str, told: str) -> None:
    for name, text, mode in (("empty", "", 0o600), ("short", "x", 0o600), ("open", "x", 0o644)):
        Path(name).write_text(text)
        Path(name).chmod(mode)
    ended = program(*words.split(), "--lang", "zh", environ={"WORD": "x"})
    assert told in ended.err
    assert in_chinese(ended.err), ended.err
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


def test_doctor_knows_a_name_that_leads_nowhere_in_either_language(program: Program) -> None:
    here = {f"SMSRECEIPT_{name}_ENDPOINT": "http://127.0.0.1:9" for name in ("DYBASEAPI", "DYSMSAPI")}
    environ = {**here, "SMSRECEIPT_MNS_ENDPOINT": "https://mns.invalid"}
    for words in ((), ("--lang", "zh")):
        found = {each["check"]: each for each in program("doctor", "--json", *words, environ=environ).objects}
        assert found["endpoint mns"]["fix"].startswith("Check DNS: getent hosts")
        assert found["endpoint dysmsapi"]["fix"].startswith("Let the firewall permit")
    shown = program("doctor", "-o", "table", "--lang", "zh", environ=environ, columns=200).out
    assert "检查 DNS：getent hosts" in shown
    assert "让防火墙放行" in shown
