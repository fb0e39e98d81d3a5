"""Commands that change or delete only what is stored make no store where there is none: they say so."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests import postgres
from tests.cli.program import Program

pytestmark = pytest.mark.each_engine

#: What ends as it does on an empty store; what is named and not there is a usage error.
COMMANDS = {
    "prune --older-than 90d --yes": 0,
    "prune --older-than 90d --sends --archive old.ndjson --compact --yes": 0,
    "forward drop orders --yes": 2,
    "forward drop orders": 2,
    "forward parked drop --all --yes": 0,
    "forward parked drop 7 --yes": 2,
    "forward parked retry --all": 0,
    "rejects drop --all --yes": 0,
    "rejects drop --all": 0,
    "rejects drop 0123 --yes": 2,
    "rejects retry --all": 0,
    "sends forget --phone 13800008000 --yes": 0,
    "sends forget --phone 13800008000": 0,
    "forget 13800008000 --again": 0,
    "check --fix": 0,
}


@pytest.fixture
def absent(program: Program) -> Program:
    """The program with the name of a store that is not there."""
    if program.location.startswith("postgresql:"):
        postgres.execute(program.location, "DROP SCHEMA IF EXISTS smsreceipt CASCADE")
    return program


def made(program: Program) -> list[str]:
    """What stands where the store would be."""
    if not program.location.startswith("postgresql:"):
        return [path.name for path in program.home.iterdir() if path.name != "home"]
    import psycopg

    with closing(psycopg.connect(program.location)) as db:
        return [name for (name,) in db.execute("SELECT nspname FROM pg_namespace WHERE nspname = 'smsreceipt'")]


@pytest.mark.parametrize("command", ["check", "check --deep", "outages", "forget 13800008000 --dry-run"])
def test_who_looks_for_something_is_told_that_there_is_no_store(absent: Program, command: str) -> None:
    ended = absent(*command.split())
    assert (ended.code, ended.objects, made(absent)) == (0, [], [])
    assert ended.err.count("there is no store at ") == 1
    absent.opened().close()
    assert "there is no store" not in absent(*command.split()).err


def test_a_number_that_is_forgotten_in_no_store_is_noted_and_it_is_told(absent: Program) -> None:
    """The name of the store may be misspelt."""
    for said in (1, 0):
        ended = absent("forget", "13800008000", "--yes")
        assert (ended.code, ended.err.count("there is no store at ")) == (0, said)
    assert len(absent("forget", "--log").objects) == 1  # the clock stands still


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_made_and_that_there_is_no_store_is_said(absent: Program, command: str) -> None:
    ended = absent(*command.split())
    assert ended.code == COMMANDS[command], ended.err
    assert made(absent) == []
    assert ended.err.count("there is no store at ") == 1
    assert ended.objects == []


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_store_ends_the_same(absent: Program, command: str) -> None:
    absent.opened().close()
    assert made(absent)
    ended = absent(*command.split())
    assert ended.code == COMMANDS[command], ended.err
    assert "there is no store" not in ended.err
