"""Which queues a command line, an environment and a configuration name."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from smsreceipt.errors import UsageError
from smsreceipt.runs.pull import queues_of
from tests.cli.program import Program
from tests.runs.trial import Trial

UID = "1000000001"
NAME = f"Alicom-Queue-{UID}-SmsReport"
#: What a copy from a web page, a spreadsheet or a chat puts around a name.
BLANKS = [" ", "\t", "\r\n", "\u00a0", "\u3000", "\u2003", "\u200b", "\ufeff", "\u2060", "\u202a", "\u200e"]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def names(trial: Trial, *named: str, uid: str | None = None, kinds: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(queue.name, queue.kind) for queue in queues_of(trial.app, named, uid, kinds)]


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_blanks_and_invisible_characters_around_a_name_are_dropped(trial: Trial, blank: str) -> None:
    for written in (f"{NAME}{blank}", f"{blank}{NAME}", f"{blank}{NAME}{blank} "):
        assert names(trial, written) == [(NAME, "SmsReport")]
        assert names(trial, f"{written}={blank}SmsUp{blank}") == [(NAME, "SmsUp")]
    assert names(trial, uid=f"{blank}{UID}{blank}", kinds=(f"smsreport{blank}",)) == [(NAME, "SmsReport")]


def test_full_width_digits_of_a_uid_are_digits(trial: Trial) -> None:
    assert names(trial, uid="１００００００００１", kinds=("SmsReport",)) == [(NAME, "SmsReport")]


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_a_configuration_may_have_such_blanks_too(program: Program, blank: str) -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in blank)
    Path("smsreceipt.toml").write_text(f'[queues]\n"my-queue{escaped}" = "{escaped}SmsUp"\n')
    assert program("list").code == 0
    assert program.app.config.queues == {"my-queue": "SmsUp"}


@pytest.mark.parametrize(
    ("named", "uid", "kinds"),
    [
        ((NAME, NAME), None, ()),
        ((NAME, f"{NAME} ", f"{NAME}=smsreport"), None, ()),
        ((), UID, ("SmsReport", "SmsReport", "smsreport ")),
        ((NAME,), UID, ("SmsReport",)),
    ],
)
def test_a_queue_that_is_named_twice_is_received_once(
    trial: Trial, named: tuple[str, ...], uid: str | None, kinds: tuple[str, ...]
) -> None:
    assert names(trial, *named, uid=uid, kinds=kinds) == [(NAME, "SmsReport")]


def test_a_queue_with_two_message_types_is_refused(trial: Trial, program: Program) -> None:
    with pytest.raises(UsageError, match="given twice, as SmsUp and as SmsReport"):
        names(trial, "q=SmsUp", "q=SmsReport")
    Path("smsreceipt.toml").write_text('[queues]\n"q" = "SmsUp"\n"q " = "SmsReport"\n')
    ended = program("list")
    assert (ended.code, ended.err.splitlines()[0]) == (
        2,
        "error: smsreceipt.toml: queues.q: given twice, as SmsUp and as SmsReport",
    )


@pytest.mark.parametrize("uid", [NAME, f"{NAME} ", "abc", "10000 00001", "1000000001.0", "-5", "¹²", "٣"])
def test_a_uid_that_is_no_number_is_refused(trial: Trial, uid: str) -> None:
    with pytest.raises(UsageError, match="is no number") as refused:
        names(trial, uid=uid, kinds=("SmsReport",))
    assert refused.value.exit_code == 2
    assert (f"--queue {NAME}" in refused.value.hint) == (NAME in uid)


def test_a_uid_from_the_environment_is_checked_alike(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMSRECEIPT_PULL_UID", NAME)
    ended = program("pull", "--type", "SmsReport")
    assert ended.code == 2
    assert f"hint: That is the name of a queue: --queue {NAME}" in ended.err


@pytest.mark.parametrize("name", ["my queue", "it's", "$(id)", "a;b", ""])
def test_a_hint_can_be_pasted_into_a_shell(trial: Trial, name: str) -> None:
    with pytest.raises(UsageError, match="does not tell its message type") as refused:
        names(trial, name)
    assert shlex.split(refused.value.hint)[-2:] == ["--queue", f"{name or 'NAME'}=SmsReport"]


@pytest.mark.parametrize("name", ["my queue=SmsReport", "a/b=SmsReport", "q" * 257 + "=SmsReport"])
def test_a_name_that_no_queue_can_have_is_refused_at_once(trial: Trial, name: str) -> None:
    with pytest.raises(UsageError, match="a queue's name"):
        names(trial, name)
