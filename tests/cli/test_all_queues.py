"""--type all names the queue of every type: those that do not exist are passed over by every command."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from smsreceipt.model import Instant
from smsreceipt.sandbox import Options, Sandbox, sandbox
from tests.cli.program import Ended, Program, report

UID = "1000000001"
HELD = [f"Alicom-Queue-{UID}-{kind}" for kind in ("SmsReport", "SmsUp")]


@pytest.fixture
def kinds() -> tuple[str, ...]:
    """Those that the account has queues of."""
    return "SmsReport", "SmsUp"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]) -> Iterator[Sandbox]:
    monkeypatch.setattr(sandbox, "KINDS", kinds)
    with Sandbox(Options(port=0, seed=1)) as running:
        if kinds:
            running.put_object(HELD[0], report())
        yield running


class Run:
    """The program with `--type all` in the environment."""

    def __init__(self, program: Program, provider: Sandbox) -> None:
        self.program, self.provider = program, provider

    def __call__(self, *words: str) -> Ended:
        environ = {**os.environ, **self.provider.environment()}
        now = Instant(time.time_ns() // 1_000_000)
        return self.program(*words, environ=environ, now=lambda: now)


@pytest.fixture
def run(program: Program, provider: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SMSRECEIPT_PULL_UID", UID)
    monkeypatch.setenv("SMSRECEIPT_PULL_TYPE", "all")
    return Run(program, provider)


PULL = ("pull", "--wait", "0", "--no-settle")


@pytest.mark.each_engine
def test_pull_drains_those_that_exist(run: Run) -> None:
    ended = run(*PULL)
    assert (ended.code, len(ended.objects)) == (0, 1), ended.err
    assert "does not exist" not in ended.err
    assert run(*PULL, "-v").err.count("does not exist\n") > 10


def test_peek_shows_those_that_exist(run: Run) -> None:
    ended = run("pull", "--peek")
    assert (ended.code, len(ended.objects), ended.err) == (0, 1, "")


def test_status_counts_in_those_that_exist(run: Run) -> None:
    ended = run("status", "--backlog")
    assert (ended.code, ended.err) == (0, "")
    assert [each["queue"] for each in ended.objects[0]["backlog"]] == HELD


def test_doctor_has_a_check_for_each_that_exists(run: Run) -> None:
    found = {each["check"]: each for each in run("doctor").objects}
    assert [name for name in found if name.startswith("queue ")] == [f"queue {name}" for name in HELD]


def test_watch_asks_those_that_exist(run: Run) -> None:
    run.program.keep("SmsReport", report())
    ended = run("watch", "--once", "--rule", "all=off", "--rule", "backlog=1h")
    assert (ended.code, ended.err) == (0, "")
    calls = run.provider.state()["calls"]
    assert isinstance(calls, dict)
    assert calls["BatchPeekMessage"] == len(HELD)


def test_watch_asks_no_queue_where_only_half_of_it_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMSRECEIPT_PULL_TYPE")
    run.program.keep("SmsReport", report())
    ended = run("watch", "--once", "--rule", "all=off", "--rule", "backlog=1h")
    assert (ended.code, ended.err, run.provider.state()["calls"]) == (0, "", {})


@pytest.mark.parametrize("kinds", [()], ids=[""])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (PULL, 8),
        (("pull", "--peek"), 8),
        (("status", "--backlog"), 3),
        (("doctor",), 8),
        (("watch", "--once", "--rule", "all=off", "--rule", "backlog=1h"), 8),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else None,
)
def test_where_none_exists_one_tells_it(run: Run, words: tuple[str, ...], code: int) -> None:
    run.program.keep("SmsReport", report())
    ended = run(*words)
    assert ended.code == code, ended.err
    assert (ended.err + ended.out).count("does not exist") == 1
    assert f"queue {HELD[0]} does not exist" in ended.err + ended.out


@pytest.mark.parametrize("words", [PULL, ("pull", "--peek")], ids=" ".join)
def test_a_queue_that_is_asked_for_by_its_name_must_exist(run: Run, words: tuple[str, ...]) -> None:
    for more in (
        ("--type", "SecretReport", "--type", "ALL", "--uid", UID),
        ("--queue", "q=SmsUp", "--uid", UID, "--type", "all"),
    ):
        ended = run(*words, *more)
        assert ended.code == 8
        assert ended.err.count("does not exist") == 1
