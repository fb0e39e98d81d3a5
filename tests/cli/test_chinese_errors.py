"""Errors of the command line, the configuration and files come in Chinese whole: no English sentence is left."""

import socket
from pathlib import Path

import pytest

from tests.cli.chinese import in_chinese
from tests.cli.program import Program

ZH = {"LANG": "zh_CN.UTF-8"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["reconcile"], "没有指定日期"),
        (["stats", "--date", "today", "--to", "today"], "--date 是某一天"),
        (["stats", "--date", "2999-01-01"], "还没到的日期没有回执"),
        (["stats", "--date", "someday"], "'someday' 不是日期"),
        (["stats", "--by", "template", "--kind", "calls"], "通话没有 template 这个维度"),
        (["stats", "--by", "province", "--kind", "replies"], "上行不能分组"),
        (["stats", "--date", "today", "--province", "Nowhere"], "'Nowhere' 不是省份"),
        (["pull", "--for", "long"], "'long' 不是时长"),
        (["listen", "--bind", "nowhere"], "'nowhere' 不是地址"),
        (["listen", "--min-free", "much"], "'much' 不是大小"),
        (["reconcile", "--date", "yesterday", "--share", "5/4"], "'5/4' 不是份额"),
        (["reconcile", "--date", "yesterday", "--totals", "--no-totals"], "不能同用"),
        (["query-stats", "--from", "today", "--to", "yesterday"], "--from 晚于 --to"),
        (["forward"], "缺少 --to"),
        (["forward", "--to", "-", "--from", "never"], "'never' 既不是 now"),
        (["forward", "parked", "retry"], "请指定 seq"),
        (["rejects", "retry"], "请指定要重试的拒收"),
        (["rejects", "drop"], "请指定要丢弃的拒收"),
        (["sends", "forget"], "请指定要删除的发送记录"),
        (["sends", "import", "receipts.csv", "--map", "phone"], "请写成 FIELD=NAME"),
        (["list", "--phone", "-"], "标准输入为空"),
        (["list", "--biz-id", ""], "--biz-id：号码或 ID 为空"),
        (["list", "--mask", "--reveal"], "互相矛盾"),
        (["forget", "13800000001", "--again", "--log"], "只能用一个"),
        (["forward", "drop", "orders"], "没有名为 orders 的游标"),
        (["replay", "x.ndjson", "--rate", "5"], "--rate 用于推送"),
        (["replay", "x.ndjson", "--to", "http://127.0.0.1:9/", "--dry-run"], "互相矛盾"),
        (["sandbox", "--fault", "lost=often"], "--fault lost=often：必须写成 NAME=P"),
        (["help", "list", "more"], "没有子命令"),
        (["export", "receipts", "--output", "receipts.csv"], "receipts.csv 已存在"),
        (["export", "receipts", "--output", "folder", "--format", "csv"], "folder 是目录"),
        (["export", "receipts", "--output", "receipts.csv/x.csv"], "无法写入 receipts.csv/x.csv"),
        (["forget", "13800000001"], "无法询问是否删除"),
    ],
)
def test_errors_of_commands(program: Program, words: list[str], told: str) -> None:
    Path("receipts.csv").write_text("before\n")
    Path("folder").mkdir()
    program.keep("SmsReport", {"phone_number": "13800000001", "biz_id": "1", "success": True})
    ended = program(*words, environ=ZH)
    assert told in ended.err
    assert in_chinese(ended.err)
    assert ended.err.startswith("错误：")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense = 1\n", "未知的键：nonsense"),
        ("[pull]\nworkers = true\n", "pull.workers：必须是整数"),
        ("[pull]\nqueue = 1\n", "pull.queue：必须是列表"),
        ('quiet = "yes"\n', "quiet：必须是 true 或 false"),
        ("pull = 1\n", "pull：必须是表"),
        ("proxy = 1\n", "proxy：必须是文本"),
        ('[queues]\n"a b" = "SmsReport"\n', "'a b' 不是队列名称"),
        ('[queues]\na = "Sms Report"\n', "'Sms Report' 不是消息类型"),
        ("[list]\nlimit = 99999999999999999999\n", "整数过大"),
        ("[endpoints]\nnowhere = 'x'\n", "未知的键：endpoints.nowhere"),
    ],
)
def test_errors_of_the_configuration(program: Program, text: str, told: str) -> None:
    Path("smsreceipt.toml").write_text(text)
    ended = program("status", environ=ZH)
    assert ended.code == 2
    assert ended.err.startswith("错误：")
    assert told in ended.err
    assert in_chinese(ended.err)


def test_an_option_with_a_variable_is_named_in_chinese(program: Program) -> None:
    told = program("status", "--output", "page", environ=ZH).err
    assert told.startswith("错误：'-o' / '--output'（环境变量：'SMSRECEIPT_OUTPUT'）的值无效：'page' 不在可选值")
    assert "(env var: 'SMSRECEIPT_OUTPUT'): 'page' is not one of" in program("status", "--output", "page").err


def test_masks_of_texts_are_chinese_on_a_screen_and_not_in_data(program: Program) -> None:
    program.keep("SmsUp", {"phone_number": "13800000001", "content": "退订谢谢", "sequence_id": 1})
    assert "content <4 个字符>" in program("show", "13800000001", "--no-color", terminal=True, environ=ZH).out
    assert "content <4 characters>" in program("show", "13800000001", "--no-color", terminal=True).out
    revealed = program("show", "13800000001", "--reveal", "--no-color", terminal=True, environ=ZH).out
    assert "content 退订谢谢" in revealed
    data = program("list", "--json", "--mask", environ=ZH).out
    assert '"content":"<4 characters>"' in data


def test_an_address_that_is_taken_is_told_in_chinese(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = program("listen", "--bind", address, "--metrics-bind", "off", environ=ZH)
    assert ended.code == 2
    assert f"错误：--bind：无法监听 {address}：地址已被占用" in ended.err
