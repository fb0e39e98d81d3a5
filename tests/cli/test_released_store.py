"""A store that the released 0.1.0 wrote: it lists the same, and what 0.1.0 could not read comes back.

`released/0.1.0.sql` is a dump of that store, `0.1.0.ndjson` what its own `list --history --json` printed.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.cli.program import Program

RELEASED = Path(__file__).parent / "released"
PRINTED: list[dict[str, Any]] = [json.loads(line) for line in (RELEASED / "0.1.0.ndjson").read_text().splitlines()]
#: Statements that 0.1.0 stored as generic, without outcome, or with an outcome that the code contradicts.
READ_BETTER = {"ChatAppStatus", "GlobeSmsReport", "SecretSmsIntercept"}
INTERNATIONAL = ["9721683267", "85251230001"]


@pytest.fixture
def old(program: Program) -> Program:
    with closing(apsw.Connection(str(program.store))) as db:
        db.execute((RELEASED / "0.1.0.sql").read_text("utf-8"))
    program.store.chmod(0o600)
    return program


def listed(program: Program, *words: str) -> list[dict[str, Any]]:
    """What is listed, with the keys that 0.1.0 had."""
    return [{key: each[key] for key in PRINTED[0]} for each in program("list", "--json", *words).objects]


def states(program: Program) -> dict[tuple[str, str], str | None]:
    return {(each["kind"], each["identity"][0]): each["outcome"] for each in program("list", "--json").objects}


def test_it_lists_after_the_upgrade_what_it_listed_before(old: Program) -> None:
    assert old("replay", "-").code == 0  # a command that writes
    assert listed(old, "--history") == PRINTED


def test_every_reject_that_is_a_receipt_comes_back(old: Program) -> None:
    ended = old("rejects", "retry", "--all", "--json")
    assert ended.err.splitlines()[-1] == "received=6 new=5 duplicate=0 rejected=1"
    assert [(each["identity"], each["outcome"], each["unread"]) for each in ended.objects] == [
        (["FC2", "call-2"], "unconnected", []),
        (["900619746936498442^0", "13800008002"], "delivered", ["out_id"]),
        (["900619746936498443^0", "13800008003"], "delivered", ["report_time"]),
        (["900619746936498444^0", "13800008004"], "delivered", []),
        (["900619746936498445^0", "13800008005"], "delivered", []),
    ]
    assert [each["reason"] for each in old("rejects", "list", "--json").objects] == ["missing-field"]
    assert listed(old, "--history")[: len(PRINTED)] == PRINTED


def test_a_replay_of_what_it_lists_reads_every_body_again(old: Program) -> None:
    old("replay", "-")
    old.stdin = old("list", "--json", "--history").raw
    ended = old("replay", "-", "--json")
    assert ended.err.splitlines()[-1].startswith(
        f"received={len(PRINTED)} new=4 duplicate={len(PRINTED) - 4} rejected=0"
    )
    assert {(each["kind"], each["identity"][0], each["outcome"]) for each in ended.objects} == {
        ("ChatAppStatus", "m1", "delivered"),
        ("GlobeSmsReport", "972168326774489212", "delivered"),
        ("SecretSmsIntercept", "i1", "delivered"),
        ("SmsReport", INTERNATIONAL[0], "delivered"),
    }
    now = states(old)
    assert now["SecretSmsIntercept", "i1"] == now["SmsReport", INTERNATIONAL[0]] == "delivered"
    assert not old("list", "--conflicts", "--json").objects
    assert old("replay", "-", "--json").objects == []


def test_the_rest_is_as_it_was(old: Program) -> None:
    old("replay", "-")
    before = {(each["kind"], *each["identity"]): each for each in listed(old)}
    old.stdin = old("list", "--json", "--history").raw
    old("replay", "-")
    old("rejects", "retry", "--all")
    after = {(each["kind"], *each["identity"]): each for each in listed(old)}
    for key, each in before.items():
        if key[0] not in READ_BETTER and list(key[1:]) != INTERNATIONAL:
            assert after[key] == {**each, "times_seen": each["times_seen"] + 1}


def test_what_0_1_0_read_differently_is_no_finding_but_listed_on_request(old: Program) -> None:
    assert old("replay", "-").code == 0
    ended = old("check")
    assert (ended.code, ended.out) == (0, "")
    assert "this version would read 4 receipts differently" in ended.err
    ended = old("check", "--deep", "--json")
    assert ended.code == 3
    assert {each["finding"] for each in ended.objects} == {"reads_differently"}
    assert {each["kind"] for each in ended.objects} == {*READ_BETTER, "SmsReport"}
