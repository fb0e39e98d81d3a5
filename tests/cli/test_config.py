import os
import stat
import tomllib
from pathlib import Path

import click
import pytest

from smsreceipt import config
from smsreceipt.cli import tool
from smsreceipt.cli.config_keys import config_keys, options_of_commands, value_in_toml
from smsreceipt.cli.option_check import OptionCheck
from smsreceipt.cli.options import Option, schema
from smsreceipt.runs.config_file import first_template, template
from tests.cli.program import Program

FULL, TEMPLATE = template(config_keys()), first_template(config_keys())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('outptu = "json"', "unknown key: outptu"),
        ("no_color = true", "unknown key: no_color"),
        ("[list]\nlimt = 1", "unknown key: list.limt"),
        ('[list]\nlimit = "many"', "list.limit: must be a whole number"),
        ("[list]\nlimit = true", "list.limit: must be a whole number"),
        ("[list]\nlimit = 0", "list.limit: 0 is not in the range x>=1."),
        ('[list]\nkind = "SmsUp"', "list.kind: must be a list"),
        ("[list]\nkind = [1]", "list.kind: must be a text"),
        ('[list]\nhistory = "yes"', "list.history: must be true or false"),
        ('output = "xml"', "output: 'xml' is not one of"),
        ('list = "x"', "list: must be a table"),
        ('config = "x"', "config: must be a table"),
        ("[rejects.retry]\nkinds = 1", "unknown key: rejects.retry.kinds"),
        ("[rejects]\nkind = 1", "unknown key: rejects.kind"),
        ("[endpoints]\noss = 'x'", "unknown key: endpoints.oss"),
        ("[endpoints]\nmns = 1", "endpoints.mns: must be a text"),
        ("[queues]\nq = 1", "queues.q: must be a text"),
        ("queues = 1", "queues: must be a table"),
        ('[queues]\n"my queue" = "SmsUp"', "queues: 'my queue' is no name of a queue"),
        ('[queues]\nq = "Sms Up"', "queues.q: 'Sms Up' is no message type"),
        ("= 1", "Invalid"),
    ],
)
def test_what_is_wrong_is_said_with_key_and_file(program: Program, text: str, error: str) -> None:
    Path("mine.toml").write_text(text)
    ended = program("status", "--config", "mine.toml")
    assert ended.code == 2
    assert ended.err.startswith("error: mine.toml: ")
    assert error in ended.err


def test_bytes_that_are_no_text(program: Program) -> None:
    Path("mine.toml").write_bytes(b'store = "\xff"')
    assert program("list", "--config", "mine.toml").err.startswith("error: mine.toml: not UTF-8")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "store = " + number
            for number in ("1" * 5000, "-" + "1" * 5000, "0x" + "f" * 5000, "[{a = 9223372036854775808}]")
        ),
        "[list]\nlimit = 0b1" + "0" * 64,
        *(opening * 5000 for opening in ("store = [", "[", "[[", "a.", "store = {a=")),
        "store = " + "[" * 5000 + "]" * 5000,
        "x" * (config.MAX_BYTES + 1),
    ],
    ids=lambda text: text[:24],
)
def test_what_no_file_may_hold_is_2_and_names_the_file(program: Program, text: str) -> None:
    Path("mine.toml").write_text(text)
    ended = program("status", "--config", "mine.toml")
    assert ended.code == 2
    assert ended.err.startswith("error: mine.toml")


def test_a_configuration_that_is_no_regular_file_is_2_and_waits_for_nobody(program: Program) -> None:
    os.mkfifo("pipe")
    for path in ("pipe", "/dev/zero", ".", "missing", "~nobody-has-this-name/x", "x" * 5000):
        ended = program("status", "--config", path)
        assert (ended.code, ended.err.startswith(f"error: {path}")) == (2, True), ended.err
    assert program("status", "--config", "/dev/null").code == 0


def test_a_byte_order_mark_is_no_part_of_the_configuration(program: Program) -> None:
    Path("mine.toml").write_text("outptu = 1", "utf-8-sig")
    assert "unknown key: outptu" in program("status", "--config", "mine.toml").err
    Path("mine.toml").write_text('output = "csv"', "utf-8-sig")
    assert program("explain", "DELIVERED", "--config", "mine.toml").out.startswith("table,code,")


@pytest.mark.parametrize(("mode", "code"), [(0o646, 2), (0o664, 2), (0o620, 2), (0o644, 0), (0o600, 0)])
def test_a_file_that_others_may_change_is_refused_and_one_they_may_read_is_not(
    program: Program, mode: int, code: int
) -> None:
    Path("smsreceipt.toml").write_text("")
    Path("smsreceipt.toml").chmod(mode)
    ended = program("list")
    assert (ended.code, "others may change this file" in ended.err) == (code, code == 2)


def test_here_comes_before_the_platforms_directory_and_a_named_one_before_both(program: Program) -> None:
    there = (config.directory() or Path()) / "smsreceipt.toml"
    there.parent.mkdir(parents=True)
    there.write_text('profile = "there"')
    program("list")
    assert program.app.profile == "there"
    Path("smsreceipt.toml").write_text('profile = "here"')
    program("list")
    assert program.app.profile == "here"
    Path("named.toml").write_text('profile = "named"')
    program("--config", "named.toml", "list")
    assert program.app.profile == "named"


def test_queues_and_endpoints(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("smsreceipt.toml").write_text('[queues]\n"my-queue" = "SmsUp"\n[endpoints]\nmns = "file"\ndysmsapi = "file"\n')
    program("list", environ={"SMSRECEIPT_MNS_ENDPOINT": "variable"})
    assert program.app.config.queues == {"my-queue": "SmsUp"}
    assert program.app.endpoint("mns") == "variable"
    assert program.app.endpoint("dysmsapi") == "file"
    assert program.app.endpoint("dybaseapi") is None


def test_show_tells_each_value_and_where_it_comes_from(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("smsreceipt.toml").write_text('profile = "work"\n[list]\nlimit = 5\n[queues]\nq = "SmsUp"\n')
    monkeypatch.setenv("SMSRECEIPT_NO_COLOR", "1")
    ended = program("config", "show", "-o", "csv", environ={"SMSRECEIPT_STATUS_MAX_AGE": "2h"})
    rows = {line.split(",")[0]: tuple(line.split(",")[1:]) for line in ended.out.splitlines()[1:]}
    assert rows["profile"] == ("work", "smsreceipt.toml")
    assert rows["no-color"] == ("yes", "environment")
    assert rows["output"] == ("csv", "option")
    assert rows["config"] == ("smsreceipt.toml", "found")
    assert rows["verbose"] == ("no", "default")
    assert rows["queues.q"] == ("SmsUp", "smsreceipt.toml")
    assert rows["list.limit"] == ("5", "smsreceipt.toml")
    assert rows["status.max-age"] == ("2h", "environment")
    assert rows["endpoints.mns"] == ("the provider's", "default")


def test_show_never_tells_a_secret(program: Program) -> None:
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "canary-id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary-secret"}
    assert "canary" not in program("config", "show", environ=keys).out


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_init_writes_a_file_that_only_its_owner_can_read_and_that_means_nothing_yet(
    program: Program, mask: int
) -> None:
    before = os.umask(mask)
    try:
        assert program("config", "init").code == 0
    finally:
        os.umask(before)
    path = (config.directory() or Path()) / "smsreceipt.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config.load(path, schema(click.Context(tool))).common == {}
    assert list(path.parent.iterdir()) == [path]


def test_init_replaces_only_by_force(program: Program) -> None:
    target = Path("mine.toml")
    target.write_text("broken [")
    refused = program("config", "init", "--config", "mine.toml")
    assert (refused.code, target.read_text()) == (2, "broken [")
    assert "mine.toml is there already" in refused.err
    assert program("config", "init", "--config", "mine.toml", "--force").code == 0
    assert target.read_text() == TEMPLATE
    assert [path.name for path in Path().iterdir()] == ["mine.toml"]


def test_init_says_where_it_cannot_write(program: Program) -> None:
    Path("file").write_text("")
    assert program("config", "init", "--config", "file/x.toml").code == 2


def uncommented(text: str) -> str:
    return "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in text.splitlines()
    )


def test_the_first_file_has_twenty_lines_and_each_is_valid_when_it_is_switched_on(program: Program) -> None:
    Path("mine.toml").write_text(uncommented(TEMPLATE))
    document = tomllib.loads(uncommented(TEMPLATE))
    values = [value for key, table in document.items() for value in ([*table] if isinstance(table, dict) else [key])]
    assert 15 <= len(values) <= 20
    assert "config init --full" in TEMPLATE
    assert {"store", "queues", "endpoints", "pull", "listen"} <= set(document)
    shown = program("config", "show", "--config", "mine.toml", "--json")
    assert (shown.code, shown.err) == (0, "")
    assert {row["name"] for row in shown.objects} >= {"pull.workers", "listen.bind", "prune.older-than"}
    for command in (["status"], ["pull", "--peek"], ["watch", "--once"], ["prune", "--dry-run"]):
        ended = program(*command, "--config", "mine.toml", "--store", "receipts.db")
        assert "mine.toml" not in ended.err, ended.err
        assert "Invalid value" not in ended.err


def test_the_full_file_has_every_key_and_each_is_valid_when_it_is_switched_on(program: Program) -> None:
    assert program("config", "init", "--config", "full.toml", "--full").code == 0
    assert Path("full.toml").read_text() == FULL
    Path("all.toml").write_text(uncommented(FULL))
    document = tomllib.loads(uncommented(FULL))
    assert {"store", "no-color", "list", "pull", "rejects", "queues", "endpoints"} <= set(document)
    shown = program("config", "show", "--config", "all.toml", "--json")
    assert (shown.code, shown.err) == (0, "")
    paths = {key.path for key in config_keys() if key.in_template and key.command}
    assert {row["name"] for row in shown.objects} >= paths


@pytest.mark.parametrize(
    ("words", "option"),
    [(words, option) for words, option in options_of_commands() if option.in_template],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else part.name,
)
def test_every_example_is_a_value_that_its_option_takes(words: tuple[str, ...], option: Option) -> None:
    value = tomllib.loads(f"value = {value_in_toml(option)}")["value"]
    assert OptionCheck(option).fault(value) is None, words


def test_the_template_shows_defaults_and_nothing_dangerous() -> None:
    lines = FULL.splitlines()
    assert {"#workers = 32", '#min-free = "64MiB"', "#port = 8901", "#follow = false"} <= set(lines)
    assert not {"[rejects.drop]", "[config.init]", "#yes = false", "#force = false"} & set(lines)


def test_a_long_path_is_wrapped_and_not_cut(program: Program) -> None:
    path = "/srv/" + "/".join(f"folder-number-{number}" for number in range(8)) + "/receipts.db"
    shown = program("config", "show", "-o", "table", "--store", path, columns=80).out
    assert "…" not in shown
    assert path in "".join(line[21:72].strip() for line in shown.splitlines())
