"""Every way to end has its number, its line, and no traceback."""

import io
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from smsreceipt import errors
from smsreceipt.exits import ReaderGone, Stopped, gravest, worst
from smsreceipt.model import Instant
from smsreceipt.store import Store
from tests.cli.program import NOW, Program, report


def broken(exc: BaseException) -> Callable[[Path, bool], Store]:
    def opener(*_: object) -> Store:
        raise exc

    return opener


@pytest.mark.parametrize(
    ("exc", "code", "lines"),
    [
        (errors.UsageError("no", hint="yes"), 2, ["error: no", "hint: yes"]),
        (errors.AuthError("no", hint="yes"), 4, ["error: no", "hint: yes"]),
        (errors.ProviderError("no"), 5, ["error: no", f"hint: {errors.ProviderError.hint}"]),
        (errors.StoreUnavailable("no"), 6, ["error: no", f"hint: {errors.StoreUnavailable.hint}"]),
        (errors.StoreDamaged("no"), 7, ["error: no", f"hint: {errors.StoreDamaged.hint}"]),
        (errors.QueueNotFound("no"), 8, ["error: no", f"hint: {errors.QueueNotFound.hint}"]),
        (KeyboardInterrupt(), 130, []),
        (Stopped(15), 143, []),
        (Stopped(1), 129, []),
        (ReaderGone(), 141, []),
    ],
)
def test_an_exception_is_a_line_a_hint_and_a_number(
    program: Program, exc: BaseException, code: int, lines: list[str]
) -> None:
    ended = program("list", opener=broken(exc))
    assert (ended.code, ended.err.splitlines()) == (code, lines)


def test_anything_else_is_our_bug_and_quotes_nobody(program: Program) -> None:
    ended = program("list", opener=broken(ValueError("13800008000 your code is 1234")))
    assert ended.code == 1
    assert ended.err.splitlines()[0] == "error: internal: ValueError"
    assert "--debug" in ended.err
    assert "13800008000" not in ended.err


@pytest.mark.parametrize(("signalled", "code"), [(Stopped(1), 129), (Stopped(15), 143), (KeyboardInterrupt(), 130)])
def test_a_signal_within_a_wait_for_a_lock_is_no_bug_of_ours(
    program: Program, signalled: BaseException, code: int
) -> None:
    """SIGTERM and SIGHUP come together where a script or a terminal ends; the second leaves the lock unlocked."""
    unlocked = RuntimeError("release unlocked lock")
    unlocked.__context__ = signalled
    ended = program("list", opener=broken(unlocked))
    assert (ended.code, ended.err) == (code, "")


def test_debug_shows_where_it_happened_and_still_quotes_nobody(program: Program) -> None:
    phone, key = "13800008000", "LTAI-secret"
    bug = ValueError(key)
    bug.__cause__ = KeyError(phone)
    for words in (["list", "--debug"], ["--debug", "list"]):
        ended = program(*words, opener=broken(bug))
        assert ended.code == 1
        assert "test_exit_codes.py" in ended.err
        assert "builtins.KeyError" in ended.err
        assert ended.err.splitlines()[-1] == "error: internal: ValueError"
        assert phone not in ended.err
        assert key not in ended.err


def test_a_line_of_ours_is_one_line_whatever_it_quotes(program: Program) -> None:
    ended = program("list", opener=broken(errors.StoreUnavailable("a\nb\x1b[31m\u202e", hint=" ")))
    assert ended.err.splitlines()[0] == r"error: a\x0ab\x1b[31m\u202e"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["exlain"], "No such command 'exlain'. Did you mean 'explain'?"),
        (["list", "--bogus"], "No such option '--bogus'."),
        (["list", "extra"], "Got unexpected extra argument (extra)"),
        (["list", "--limit", "0"], "Invalid value for '--limit'"),
        (["list", "--outcome", "fine"], "Invalid value for '--outcome'"),
        (["list", "--date", "tomorrowish"], "'tomorrowish' is no day"),
        (["list", "--date", "today", "--since", "3h"], "--date is one day"),
        (["list", "-o", "xml"], "Invalid value for '-o' / '--output'"),
        (["show"], "Missing argument"),
        (["list", "--store", "mysql://user:secret@host/db"], "this store URL is not supported: mysql://…"),
        (["status", "--max-age", "soon"], "'soon' is no duration"),
        (["rejects", "show", "abc"], "no reject begins with 'abc'"),
        (["rejects", "retry"], "name the rejects to retry, or say --all"),
        (["completion", "tcsh"], "Invalid value for"),
        (["list", "--config", "absent.toml"], "absent.toml: No such file or directory"),
        (["sandbox", "--fault", "nonsense"], "--fault nonsense: must be NAME=P"),
        (["sandbox", "--fault", "nonsense=0.1"], "unknown fault 'nonsense'"),
    ],
)
def test_a_command_line_that_cannot_be_is_2(program: Program, words: list[str], error: str) -> None:
    ended = program(*words)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert error in ended.err
    assert "secret" not in ended.err
    assert ended.raw == b""


@pytest.mark.parametrize(
    "words", [["list"], ["show", "x"], ["explain", "16"], ["status"], ["rejects", "list"], ["config", "show"]]
)
def test_a_command_that_only_prints_needs_somewhere_to_print(program: Program, words: list[str]) -> None:
    ended = program(*words, stdout=None)
    assert ended.code == 2
    assert ended.err.startswith("error: standard output is closed")


class Full(io.BytesIO):
    def write(self, _data: object) -> int:
        raise OSError(28, "No space left on device")


class Gone(io.BytesIO):
    def write(self, _data: object) -> int:
        raise BrokenPipeError


def test_a_full_standard_output_is_6_and_a_reader_that_went_is_141(program: Program) -> None:
    program.keep("SmsReport", report())
    full, gone = program("list", stdout=Full()), program("list", stdout=Gone())
    assert (full.code, full.err.splitlines()[0]) == (6, "error: standard output: No space left on device")
    assert (gone.code, gone.err) == (141, "")


def test_a_report_that_nobody_takes_does_not_stop_the_work(program: Program) -> None:
    program.keep("SmsReport", b'{"phone_number":"13800008000"')
    program.keep(None, report(), b'{"hello":1}')
    for stream, code, kind in ((Full(), 6, "SmsReport"), (Gone(), 141, "SmsUp")):
        (unclear,) = [found for found in program("rejects", "list").objects if found["reason"] == "kind-unknown"]
        ended = program("rejects", "retry", unclear["id"], "--kind", f"Custom{kind}", stdout=stream)
        assert ended.code == code
        assert "received=1 new=1 duplicate=0 rejected=0" in ended.err
        program.keep(None, b'{"hello":2}')


def test_of_several_reasons_the_worst_counts() -> None:
    assert worst([]) == 0
    assert worst([3, 0, 5]) == 5
    assert worst([3, 141]) == 141
    assert worst([5, 8, 4, 6, 7]) == 7
    assert worst([7, 143]) == 143


def test_every_error_of_ours_has_a_number_of_the_contract() -> None:
    ours = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SmsReceiptError)
    ]
    assert {kind.exit_code for kind in ours} == {1, 2, 4, 5, 6, 7, 8}


def test_status_ends_with_3_when_nothing_came_for_too_long(program: Program) -> None:
    program.keep("SmsReport", report(), received_at=Instant(NOW - 7_200_000))
    assert program("status", "--max-age", "1h").code == 3


def test_of_several_failures_the_one_with_the_worst_number_counts() -> None:
    provider, queue, auth = errors.ProviderError("5"), errors.QueueNotFound("8"), errors.AuthError("4")
    full, damaged, bug = errors.StoreUnavailable("6"), errors.StoreDamaged("7"), ValueError("1")
    assert gravest([]) is None
    assert gravest([provider, queue]) is queue
    assert gravest([queue, auth, provider]) is auth
    assert gravest([auth, full]) is full
    assert gravest([full, damaged, auth]) is damaged
    assert gravest([damaged, bug]) is bug


def test_a_configuration_that_is_not_there_can_be_made_as_the_hint_says(program: Program) -> None:
    words = ["list", "--config", "a new one.toml"]
    absent = program(*words)
    assert absent.code == 2
    hint = absent.err.splitlines()[1].partition("smsreceipt ")[2]
    assert program(*shlex.split(hint)).code == 0
    assert program(*words).code == 0
