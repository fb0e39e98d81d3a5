"""Slips of the keyboard: full-width characters, Chinese words, one hyphen too few, a command by half its name."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from smsreceipt import language
from smsreceipt.cli import tool
from smsreceipt.cli.main import run
from smsreceipt.cli.types import Duration, MessageType, Zone, span
from smsreceipt.insight.alarms.rules import thresholds
from smsreceipt.model import BEIJING
from smsreceipt.model.written import separated
from smsreceipt.notify.address import Address
from tests.cli.program import NOW, Program, report

DAY = "2026-11-20"


@pytest.mark.parametrize(
    "day",
    [
        "2026年11月20日",
        "2026 年 11 月 20 号",
        "11月20日",
        "２０２６－１１－２０",
        "２０２６／11／20",
        "2026.11.20",
        "2026．11．20",
        "昨日",
    ],
)
def test_a_day_may_be_chinese_or_full_width(program: Program, day: str) -> None:
    program.keep("SmsReport", report())
    assert len(program("list", "--date", day).objects) == 1


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("2026年11月20日 8时", "2026-11-20T08:00"),
        ("2026年11月20日8点30分", "2026-11-20T08:30"),
        ("2026-11-20 08：00", "2026-11-20T08:00"),
        ("2026.11.20 8:00", "2026-11-20T08:00"),
        ("3小时", "3h"),
        ("3 小时前", "3h"),
        ("两天前".replace("两", "2"), "2d"),
        ("３０分钟之前", "30m"),
        ("3h ago", "3h"),
        ("3hours", "3h"),
        ("90min", "90m"),
        ("2 days ago", "2d"),
        ("1个星期", "1w"),
        ("大前天", "2026-11-18"),
        ("now", "0s"),
        ("现在", "0s"),
        ("1h30m", "90m"),
        ("1小时30分钟前", "90m"),
        ("11-20 8:00", "2026-11-20T08:00"),
        ("11月20日 8点", "2026-11-20T08:00"),
        ("昨天8点半".removesuffix("半"), "2026-11-20T08:00"),
        ("yesterday 8:00", "2026-11-20T08:00"),
        ("大前天 08:00:05", "2026-11-18T08:00:05"),
    ],
)
def test_an_instant_may_be_in_words(written: str, same: str) -> None:
    assert span(written, NOW) == span(same, NOW)


@pytest.mark.parametrize("text", ["上周", "3年前", "6个月", "3日", "2026年", "8:00", "2026.11", "3天后"])
def test_what_could_be_many_times_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        span(text, NOW)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2小时", 7200),
        ("2hours", 7200),
        ("120min", 7200),
        ("1小时30分钟", 5400),
        ("1h 30m", 5400),
        ("１８０天", 15_552_000),
    ],
)
def test_a_duration_may_be_in_words(written: str, seconds: float) -> None:
    assert Duration().convert(written, None, None) == seconds


def test_a_misspelt_day_is_told(program: Program) -> None:
    assert "did you mean yesterday?" in program("list", "--date", "yestoday").err


def test_what_chinese_calls_beijing_is_a_zone() -> None:
    for name in ("北京时间", "东八区", "Beijing", "＋０８：００"):
        assert Zone().convert(name, None, None) == BEIJING


@pytest.mark.parametrize("outcome", ["delivered", "Delivered", "已送达", "ＤＥＬＩＶＥＲＥＤ", "failed，delivered"])
def test_an_outcome_may_be_said_as_tables_print_it(program: Program, outcome: str) -> None:
    program.keep("SmsReport", report())
    assert len(program("list", "--outcome", outcome).objects) == 1


@pytest.mark.parametrize("kinds", ["SmsReport,SmsUp", "smsup，SmsReport", "ＳｍｓＲｅｐｏｒｔ、SmsUp"])
def test_several_kinds_may_stand_in_one_word(program: Program, kinds: str) -> None:
    program.keep("SmsReport", report())
    ended = program("list", "--kind", kinds)
    assert len(ended.objects) == 1
    assert ended.err == ""


def test_types_of_queues_may_stand_in_one_word(program: Program) -> None:
    assert "queue names are" not in program("pull", "--uid", "1000000001", "--type", "SmsReport,SmsUp").err


def test_commas_that_separate_nothing_change_nothing() -> None:
    assert separated("") == [""]
    assert separated("，") == ["，"]
    assert separated("a,,b、") == ["a", "b"]
    assert separated("a", "，", "b") == ["a", "b"]
    assert separated("a", "") == ["a", ""]
    assert MessageType().convert("ＳmsUp", None, None) == "SmsUp"
    with pytest.raises(click.BadParameter):
        MessageType().convert("，", None, None)


@pytest.mark.parametrize("phones", ["13800008000,13800008001", "13800008000，13800008001", "13800008001、13800008000"])
def test_several_numbers_may_stand_in_one_word(program: Program, phones: str) -> None:
    program.keep("SmsReport", report())
    assert len(program("list", "--phone", phones).objects) == 1


@pytest.mark.parametrize("words", [("list", "--phone"), ("show",), ("sends", "list", "--phone"), ("forget",)])
def test_a_number_as_tables_print_it_is_told(program: Program, words: tuple[str, ...]) -> None:
    program.keep("SmsReport", report())
    ended = program(*words, "138****8000")
    assert ended.code == 2
    assert "a masked number finds nothing" in ended.err
    assert "--reveal" in ended.err


def test_an_id_that_looks_like_a_masked_number_is_found(program: Program) -> None:
    program.keep("SmsReport", report(out_id="138****8000"))
    assert len(program("show", "138****8000").objects) == 1


def test_a_variable_may_have_blanks_around_its_commas(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.keep("SmsReport", report())
    monkeypatch.setenv("SMSRECEIPT_LIST_OUTCOME", "failed , delivered")
    ended = program("list")
    assert (ended.code, len(ended.objects)) == (0, 1), ended.err


def test_the_beginning_of_a_cursor_may_be_full_width(program: Program) -> None:
    program.keep("SmsReport", report())
    assert program("forward", "--to", "-", "--from", "ｎｏｗ").code == 0


def test_the_format_of_messages_may_be_in_capitals_where_an_option_is_misspelt(program: Program) -> None:
    assert program("list", "--bogus", "--log-format", "JSON").err.startswith("{")


def test_a_store_may_have_a_full_width_colon_in_its_name(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program.stdin = json.dumps(report()).encode()
    assert program("--store", "data：1.db", "replay", "-", "--kind", "SmsReport").code == 0


def test_a_column_may_have_a_name_like_a_tag(program: Program, tmp_path: Path) -> None:
    sends = tmp_path / "sends.csv"
    sends.write_text("<phone>,biz_id,sent_at\n13800008000,900619746936498440^0,2026-11-20 08:00:00\n")
    ended = program("sends", "import", "--map", "phone=<phone>", str(sends))
    assert (ended.code, " new=1 " in ended.err) == (0, True), ended.err


def test_what_holds_no_digit_is_no_number(program: Program) -> None:
    assert program("list", "--phone", "张三").err.startswith("error: --phone: not a phone number")


def test_a_misspelt_code_is_told(program: Program) -> None:
    program.keep("SmsReport", report())
    assert "did you mean MOBILE_IN_BLACK?" in program("list", "--code", "MOBILE_IN_BLAK").err
    assert "did you mean" not in program("list", "--code", "MOBILE_IN_BLACK").err
    assert len(program("list", "--code", "ＤＥＬＩＶＥＲＥＤ").objects) == 1


@pytest.mark.parametrize("named", ["zh", "ZH", "zh-CN", "zh_CN.UTF-8", "zh-Hans", "cn", "中文", "Chinese"])
def test_a_language_has_many_names(program: Program, named: str) -> None:
    assert language.named(named) == "zh"
    assert program("--lang", named, "list").err.startswith(f"{program.location} 中还没有回执")
    assert "没有" in program("list", "--lang", named, "--nosuch").err


def test_what_is_no_language() -> None:
    assert [language.named(each) for each in ("", "zhuang", "fr", "ens", "z")] == [""] * 5
    assert language.named("en_US.UTF-8") == language.named("English") == "en"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("——help",), "--help"),
        (("—help",), "--help"),
        (("－h",), "-h"),
        (("－－json", "list"), "--json"),
        (("list", "——limit", "5"), "--limit"),
        (("list", "—-limit=5"), "--limit"),
        (("list", "－－ｌｉｍｉｔ＝５"), "--limit"),
        (("list", "–o", "json"), "-o"),
        (("list", "-－limit", "5"), "--limit"),
    ],
)
def test_dashes_that_are_no_hyphens_are_told(program: Program, words: tuple[str, ...], option: str) -> None:
    ended = program(*words)
    assert ended.code == 2
    assert ended.err.endswith(f"hint: an option begins with the hyphens of ASCII: {option}\n")
    assert "Did you mean" not in ended.err


def test_a_dash_in_a_value_is_not_blamed(program: Program) -> None:
    assert program("list", "--code", "—limit", "--nosuch").err.endswith("hint: smsreceipt list --help\n")
    assert program("list", "--nosuch", "--", "——limit").err.endswith("hint: smsreceipt list --help\n")


@pytest.mark.parametrize("words", [("list", "-limit", "5"), ("list", "-limit=5")])
def test_a_hyphen_too_few_is_told(program: Program, words: tuple[str, ...]) -> None:
    assert program(*words).err.endswith("hint: such an option begins with two hyphens: --limit\n")
    assert program("list", "-z").err.endswith("hint: smsreceipt list --help\n")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("version",), "smsreceipt --version"),
        (("import", "sent.csv"), "smsreceipt sends import --help"),
        (("help", "import"), "smsreceipt sends import --help"),
        (("cron",), "smsreceipt config cron --help"),
        (("sends", "reconcile"), "smsreceipt reconcile --help"),
        (("config", "list"), "smsreceipt config --help"),  # three commands are called so
        (("拉取",), "smsreceipt --help"),
    ],
)
def test_a_command_by_half_its_name_is_told(program: Program, words: tuple[str, ...], hint: str) -> None:
    assert program(*words).err.endswith(f"hint: {hint}\n")


@pytest.mark.parametrize(
    ("words", "near"),
    [(("config", "systemd", "pul"), "pull"), (("completion", "zssh"), "zsh"), (("completion", "fsh"), "fish")],
)
def test_a_misspelt_argument_is_told_the_near_word(program: Program, words: tuple[str, ...], near: str) -> None:
    assert f"did you mean {near}?" in program(*words).err


def test_a_shell_in_capitals_is_that_shell(program: Program) -> None:
    assert program("completion", "ZSH").out == program("completion", "zsh").out


def test_a_store_url_with_a_full_width_colon_makes_no_file(program: Program) -> None:
    ended = program("--store", "postgresql：//me@127.0.0.1/db", "status")
    assert ended.code == 2
    assert "full-width" in ended.err
    assert "postgresql://" in ended.err


def test_a_robot_may_be_written_with_full_width_colons() -> None:
    assert Address.parse("dingtalk：env：URL") == Address.parse("dingtalk:env:URL")
    assert Address.parse("exec：echo 一：二").what == "echo 一：二"


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (("sends", "list", "--state", "待回执"), ("sends", "list", "--state", "open")),
        (("sends", "list", "--state", "with receipt"), ("sends", "list", "--state", "with_receipt")),
        (("recordings", "list", "--state", "未下载"), ("recordings", "list", "--state", "open")),
        (
            ("stats", "--date", DAY, "--carrier", "移动，电信"),
            ("stats", "--date", DAY, "--carrier", "mobile,telecom"),
        ),
        (("stats", "--date", DAY, "--carrier", "China Mobile"), ("stats", "--date", DAY, "--carrier", "mobile")),
        (("stats", "--date", DAY, "--province", "广东省"), ("stats", "--date", DAY, "--province", "Guangdong")),
        (("stats", "--date", DAY, "--province", "广西壮族自治区"), ("stats", "--date", DAY, "--province", "Guangxi")),
        (("stats", "--date", DAY, "--by", "运营商"), ("stats", "--date", DAY, "--by", "carrier")),
        (("stats", "--date", DAY, "--by", "小时,SIGNATURE"), ("stats", "--date", DAY, "--by", "hour", "--by", "sign")),
    ],
)
def test_words_may_be_said_as_tables_print_them(
    program: Program, words: tuple[str, ...], same: tuple[str, ...]
) -> None:
    program.keep("SmsReport", report())
    said = program(*words)
    assert said == program(*same)
    assert said.code == 0


def test_an_account_may_be_written_with_full_width_digits(program: Program) -> None:
    ended = program("doctor", "--offline", "--uid", "１０００", "--type", "SmsReport", "--json")
    assert "Alicom-Queue-1000-SmsReport" in ended.out


@pytest.mark.parametrize("words", [("pull",), ("query-details",), ("sends", "import")])
def test_help_has_no_words_of_its_library(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tool, [*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "RANGE" not in shown
    assert "\n  FILE|DIR" not in shown


@pytest.mark.parametrize(
    ("rule", "same"),
    [
        ("silence=2小时", "silence=2h"),
        ("silence＝２h", "silence=2h"),
        ("silence=1h30m", "silence=90m"),
        ("RATE＝０．９", "rate=0.9"),
        ("disk=１GiB", "disk=1GiB"),
        ("no_receipt=１％", "no_receipt=1%"),
    ],
)
def test_a_rule_is_read_as_options_are(rule: str, same: str) -> None:
    assert thresholds([rule]) == thresholds([same])


def test_several_rules_may_stand_in_one_word(program: Program) -> None:
    ended = program("watch", "--once", "--rule", "all=off，rate=off")
    assert (ended.code, ended.err) == (0, "")


def test_a_list_of_the_configuration_may_have_commas_too(program: Program) -> None:
    program.keep("SmsReport", report())
    config = program.home / "slips.toml"
    config.write_text(
        'lang = "en_US"\n[list]\noutcome = ["失败，delivered"]\nkind = ["SmsUp,SmsReport"]\n', encoding="utf-8"
    )
    assert len(program("--config", str(config), "list").objects) == 1


def test_commas_in_the_variable_of_the_types_hold_for_every_command(program: Program) -> None:
    environ = {"SMSRECEIPT_PULL_UID": "1000000001", "SMSRECEIPT_PULL_TYPE": "SmsReport，smsup"}
    told = {row["check"]: row for row in program("doctor", "--offline", environ=environ).objects}
    assert {"queue Alicom-Queue-1000000001-SmsReport", "queue Alicom-Queue-1000000001-SmsUp"} <= told.keys()
    assert told["environment"]["state"] == "ok"
