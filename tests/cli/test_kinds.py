"""Message types are told one way to every command: in any case, as narrow tables print them, misspelt with a hint."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from smsreceipt.cli.config_keys import options_of_commands
from smsreceipt.cli.options import Option
from smsreceipt.cli.types import MessageType
from smsreceipt.decode import KINDS, known_kind, short_kind
from smsreceipt.model import DAY_MS, Instant
from smsreceipt.sandbox import Options, Sandbox
from tests.cli.program import CALL, NOW, Program, report

UID = "1000000001"
#: What else each command needs to be run once.
WORDS = {
    "list": [],
    "status": [],
    "outages": ["--date", "2026-11-20"],
    "export receipts": ["--output", "-"],
    "forward": ["--to", "-", "--from", "0"],
    "prune": ["--older-than", "1d", "--force", "--dry-run"],
    "pull": ["--uid", UID, "--wait", "0", "--no-settle"],
    "doctor": ["--uid", UID],
    "replay": ["saved.json", "--dry-run"],
    "rejects retry": ["--all"],
}


def options() -> Iterator[tuple[str, Option]]:
    """The options that take message types; --kind of `stats` takes groups of them."""
    for words, option in options_of_commands():
        if {"--kind", "--type"} & {*option.opts} and not isinstance(option.type, click.Choice):
            yield " ".join(words), option


FOUND = [pytest.param(command, option, id=command) for command, option in options()]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(port=0, seed=1)) as running:
        yield running


@pytest.fixture
def filled(program: Program) -> Program:
    program.keep("SecretStartReport", CALL)
    program.keep("SmsReport", report())
    program.keep("SmsUp", b"{")
    Path("saved.json").write_text("[]")
    return program


def test_these_are_all_commands_that_take_message_types() -> None:
    assert {command for command, _ in options()} == {*WORDS}


@pytest.mark.parametrize(("command", "option"), FOUND)
def test_a_known_type_is_written_in_any_case_and_as_narrow_tables_print_it(command: str, option: Option) -> None:
    context = click.Context(click.Command(command))
    for kind in KINDS:
        for written in (kind, kind.lower(), kind.upper(), f" {kind}\u200b", short_kind(kind), short_kind(kind).lower()):
            found = option.type_cast_value(context, [written] if option.multiple else written)
            assert (found[0] if option.multiple else found) == kind
    with pytest.raises(click.BadParameter, match="a message type is missing"):
        option.type_cast_value(context, [" "] if option.multiple else " ")


@pytest.mark.parametrize(("command", "option"), FOUND)
def test_every_such_option_is_completed(command: str, option: Option) -> None:
    context = click.Context(click.Command(command))
    assert isinstance(option.type, MessageType)
    assert [item.value for item in option.shell_complete(context, "smsr")] == ["SmsReport"]


@pytest.mark.parametrize(("command", "option"), FOUND)
def test_a_type_that_is_not_known_is_told_once_with_the_one_that_is_near(
    filled: Program, sandbox: Sandbox, command: str, option: Option
) -> None:
    environ = {**os.environ, **sandbox.environment()}
    for written, known, near in (("smsreprot", False, True), ("Parcel", False, False), ("START", True, False)):
        words = [*command.split(), option.opts[0], written, *WORDS[command]]
        ended = filled(*words, environ=environ, now=lambda: Instant(time.time_ns() // 1_000_000))
        told = [
            line for line in (ended.err + ended.out).splitlines() if f"{written} is no" in line or "no kind" in line
        ]
        assert len(told) == (not known), ended.err + ended.out
        assert not known or "Traceback" not in ended.err
        assert [line for line in told if "did you mean SmsReport?" in line] == told * near


def test_a_type_that_only_the_store_has_is_known_where_receipts_are_chosen(program: Program) -> None:
    program.keep("ParcelReport", b'{"a": 1}')
    for command in ("list", "status", "outages", "export receipts", "forward", "prune"):
        assert "no kind" not in program(*command.split(), "--kind", "ParcelReport", *WORDS[command]).err
        said = program(*command.split(), "--kind", "ParcelReprot", *WORDS[command]).err
        assert "no kind ParcelReprot has been stored; did you mean ParcelReport?\n" in said


@pytest.mark.each_engine
def test_prune_deletes_the_type_that_is_written_in_another_case(filled: Program) -> None:
    words = ("prune", "--older-than", "1d", "--force", "--yes", "--kind", "smsreport")
    assert filled(*words, now=lambda: Instant(NOW + 3 * DAY_MS)).err.startswith("identities=1 ")
    assert [each["kind"] for each in filled("list").objects] == ["SecretStartReport"]


def test_short_names_of_kinds_are_those_of_one_kind_each() -> None:
    assert len({short_kind(kind).casefold() for kind in KINDS}) == len(KINDS)
    assert not {short_kind(kind).casefold() for kind in KINDS} & {kind.casefold() for kind in KINDS} - {
        kind.casefold() for kind in KINDS if short_kind(kind) == kind
    }
    assert {known_kind(short_kind(kind)) for kind in KINDS} == {*KINDS}
