"""Common options stand anywhere, the nearest the end wins, and file < environment < option."""

from collections.abc import Set as AbstractSet
from pathlib import Path

import click
import pytest

from smsreceipt.cli import COMMANDS, tool
from smsreceipt.cli.config_keys import options_of_commands
from smsreceipt.cli.options import Option, common_options, long_name
from tests.cli.program import Program, report


@pytest.fixture
def filled(program: Program) -> Program:
    program.keep("SmsReport", report(), report("13800008001"))
    return program


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("-o csv list", "seq,"),
        ("list -o csv", "seq,"),
        ("-o csv list --json", "{"),
        ("--json list -o csv", "seq,"),
        ("-o csv --json list", "{"),
        ("--json -o csv list", "seq,"),
        ("list --json -o csv", "seq,"),
        ("list -o csv --json", "{"),
    ],
)
def test_the_nearest_the_end_wins(filled: Program, words: str, first: str) -> None:
    assert filled(*words.split()).out.startswith(first)


def test_common_options_stand_at_every_level_of_a_group(program: Program) -> None:
    program.keep("SmsReport", b"broken")
    for words in ("-o csv rejects list", "rejects -o csv list", "rejects list -o csv"):
        assert program(*words.split()).out.startswith("id,kind,")


def test_file_then_environment_then_option(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("smsreceipt.toml").write_text('output = "csv"\n[list]\nlimit = 1\n')
    assert len(filled("list").out.splitlines()) == 2
    monkeypatch.setenv("SMSRECEIPT_OUTPUT", "json")
    assert len(filled("list").objects) == 1
    monkeypatch.setenv("SMSRECEIPT_LIST_LIMIT", "2")
    assert len(filled("list").objects) == 2
    assert filled("-o", "csv", "list", "--limit", "1").out.count("\n") == 2


def test_a_variable_can_switch_off_what_the_file_switches_on(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("smsreceipt.toml").write_text("mask = true\n")
    assert "138****8000" in filled("list").out
    monkeypatch.setenv("SMSRECEIPT_MASK", "0")
    assert "13800008000" in filled("list").out


@pytest.mark.parametrize(
    ("file", "variables"),
    [
        ("mask = true\nreveal = false\n", {}),
        ("reveal = false\nmask = true\n", {}),
        ("", {"SMSRECEIPT_MASK": "1", "SMSRECEIPT_REVEAL": "0"}),
        ("mask = true\n", {"SMSRECEIPT_REVEAL": "0"}),
    ],
)
def test_a_flag_that_is_off_takes_back_only_its_own_word(
    filled: Program, monkeypatch: pytest.MonkeyPatch, file: str, variables: dict[str, str]
) -> None:
    Path("smsreceipt.toml").write_text(file)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert "13800008000" not in filled("list").out
    assert "13800008000" in filled("list", "--reveal").out


def test_no_json_does_not_mean_no_csv(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("smsreceipt.toml").write_text('output = "csv"\njson = false\n')
    assert filled("list").out.startswith("seq,")
    monkeypatch.setenv("SMSRECEIPT_JSON", "0")
    assert filled("list").out.startswith("seq,")


def test_mask_and_reveal(filled: Program) -> None:
    for words, masked in (
        ("list", False),
        ("list --mask", True),
        ("--reveal list --mask", True),
        ("--mask list --reveal", False),
    ):
        assert ("13800008000" not in filled(*words.split()).out) is masked
    assert "13800008000" not in filled("list", "-o", "table").out
    assert "13800008000" in filled("list", "-o", "table", "--reveal").out


@pytest.mark.parametrize("words", ["list --mask --reveal", "list --reveal --mask", "--mask --reveal list"])
def test_mask_and_reveal_side_by_side_are_a_slip(filled: Program, words: str) -> None:
    ended = filled(*words.split())
    assert (ended.code, ended.raw) == (2, b"")
    assert ended.err.startswith("error: --mask and --reveal contradict each other\n")


def test_a_terminal_gets_a_table_and_a_pipe_gets_objects(filled: Program) -> None:
    assert "138****8000" in filled("list", terminal=True).out
    assert filled("list", "--json", terminal=True).out.startswith("{")


def test_the_profile_has_the_variable_of_the_other_tools_too(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "work")
    program("list")
    assert program.app.profile == "work"
    monkeypatch.setenv("SMSRECEIPT_PROFILE", "play")
    program("list")
    assert program.app.profile == "play"
    program("list", "--profile", "x")
    assert program.app.profile == "x"


def test_quiet_and_verbose(program: Program) -> None:
    assert program("list").err.startswith("no receipts in ")
    assert program("list", "-q").err == ""
    program("-v", "list", "-vv")
    assert program.app.verbosity == 2


def test_a_store_in_the_home_directory(program: Program) -> None:
    assert program("list", "--store", "~/x.db").code == 0
    assert program.app.store_location == str(program.home / "x.db")


def every_command() -> list[tuple[str, click.Command]]:
    def walk(group: click.Group, words: str) -> list[tuple[str, click.Command]]:
        found = []
        for name in group.list_commands(click.Context(group)):
            child = group.get_command(click.Context(group), name)
            assert child is not None
            found.append((f"{words} {name}".strip(), child))
            if isinstance(child, click.Group):
                found.extend(walk(child, f"{words} {name}".strip()))
        return found

    return walk(tool, "")


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    said = {name: child.get_short_help_str(200) for name, child in every_command() if " " not in name}
    assert said == COMMANDS


def variables(words: str, command: click.Command, option: click.Option) -> list[str]:
    """The variables that click looks at for an option of `smsreceipt WORDS`."""
    ctx: click.Context = click.Context(tool, info_name="smsreceipt", auto_envvar_prefix="SMSRECEIPT")
    at: click.Command = tool
    for word in words.split():
        assert isinstance(at, click.Group)
        found = at.get_command(ctx, word)
        assert found is not None
        at, ctx = found, click.Context(found, parent=ctx, info_name=word)
    assert at is command
    named = option.get_help_extra(ctx)["envvars"]
    return list(named)


def expected(words: str, option: click.Option, common: AbstractSet[str | None]) -> str:
    own = () if option.name in common else tuple(words.split())
    return "_".join(("SMSRECEIPT", *own, long_name(option))).replace("-", "_").upper()


def test_every_option_names_its_variable_and_works_in_both_places() -> None:
    common = {option.name for option in common_options()}
    for name, child in every_command():
        needed = common - {"json", "output"} if name.startswith("export ") else common  # --output names its file
        assert needed <= {param.name for param in child.params}, name
        for option in child.params:
            if isinstance(option, click.Option):
                assert isinstance(option, Option), (name, option.name)  # others cannot be set in the configuration
                assert option.show_envvar, (name, option.name)
                if option.name != "help":
                    assert variables(name, child, option)[0] == expected(name, option, common), (name, option.name)
                assert option.help, (name, option.name)
                assert option.help.endswith("."), (name, option.name)


def test_no_option_takes_a_secret_and_none_shadows_a_common_one() -> None:
    common = {option.name for option in common_options()}
    for words, option in options_of_commands():
        assert option.name not in common, words
        assert not {"password", "access_key_secret", "token", "security_token"} & {option.name}, words


def test_help_is_there_for_everybody(program: Program) -> None:
    for name, _ in every_command():
        for flag in ("-h", "--help"):
            assert program(*name.split(), flag).code == 0
