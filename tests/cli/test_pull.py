"""`pull` against a whole provider on loopback: what arrives, what is printed, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.sandbox import KINDS, Message, Options, Sandbox, generate
from smsreceipt.store.sqlite.store import open_store
from tests.aliyun.peer import says, serving
from tests.cli.program import Ended, Program, report

pytestmark = pytest.mark.each_engine

PROGRAM = [sys.executable, "-m", "smsreceipt"]
UID = "1000000001"
REPORTS = f"Alicom-Queue-{UID}-SmsReport"
Start = Callable[..., Sandbox]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Sandbox] = []

    def started(**options: Any) -> Sandbox:
        sandbox = Sandbox(Options(**{"port": 0, "seed": 1, **options}))
        sandbox.start()
        running.append(sandbox)
        return sandbox

    yield started
    for sandbox in running:
        sandbox.stop()


class Pull:
    """The program, pointed at a sandbox."""

    def __init__(self, program: Program, sandbox: Sandbox) -> None:
        self.program = program
        self.sandbox = sandbox
        self.environ = {**sandbox.environment(), "SMSRECEIPT_STORE": program.location}

    def __call__(self, *args: str, **seams: Any) -> Ended:
        words = args if "--queue" in args or "--uid" in args else ("--uid", UID, "--type", "SmsReport", *args)
        environ = {**self.environ, **seams.pop("environ", {})}
        return self.program("pull", "--no-settle", *words, environ=environ, **seams)

    def process(self, *args: str, **more: Any) -> subprocess.Popen[bytes]:
        words = [*PROGRAM, "pull", "--uid", UID, "--type", "SmsReport", *args]
        environ = {**os.environ, **self.environ}
        return subprocess.Popen(
            words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **more
        )


def summary(ended: Ended) -> dict[str, int]:
    """The numbers of the last line of standard error."""
    last = ended.err.splitlines()[-1]
    assert re.fullmatch(
        r"received=\d+ new=\d+ duplicate=\d+ rejected=\d+ deleted=\d+ undeleted=\d+ seconds=\d+\.\d rate=\d+", last
    ), last
    found = {name: int(float(value)) for name, value in (pair.split("=") for pair in last.split())}
    assert found["received"] == found["new"] + found["duplicate"] + found["rejected"]
    return found


def some(count: int) -> list[dict[str, object]]:
    return [report(f"138{n:08}", f"{n}^0") for n in range(count)]


@pytest.mark.slow
def test_a_thousand_mixed_messages_on_ten_queues_with_duplicates_and_poison(program: Program, start: Start) -> None:
    sandbox = start()
    kinds = [*KINDS[:9], "SmsReport-of-my-own"]
    queues = {kind: f"Alicom-Queue-{UID}-{kind}" for kind in kinds}
    sent: list[Message] = []
    for message in generate(11, 20_000, 0.03):
        if len(sent) == 1_000:
            break
        if message.kind in queues:
            mine = message.kind == "SmsReport" and len(sent) % 3 == 0 and not message.is_duplicate
            sent.append(message)
            sandbox.put(queues[kinds[-1] if mine else message.kind], message.text)
    poison = sum(message.is_poison for message in sent)
    seen, repeated = set(), 0
    for message in sent:
        repeated += not message.is_poison and (message.kind, message.text) in seen
        seen.add((message.kind, message.text))
    assert (len(sent), poison > 10, repeated > 10) == (1_000, True, True)
    pull = Pull(program, sandbox)
    words = [word for name in queues.values() for word in ("--queue", name)]

    first = pull(*words, "--wait", "1")
    numbers = summary(first)
    assert first.code == 3  # rejects that nobody has seen before
    assert {name: numbers[name] for name in ("received", "new", "duplicate", "rejected", "deleted", "undeleted")} == {
        "received": 1_000,
        "new": 1_000 - poison - repeated,
        "duplicate": repeated,
        "rejected": poison,
        "deleted": 1_000,
        "undeleted": 0,
    }
    state: Any = sandbox.state()
    assert (state["deleted"], state["queued"], state["invisible"]) == (1_000, 0, 0)
    listed = program("list", "--history", "--json").objects
    assert {each["seq"] for each in listed} == {each["seq"] for each in first.objects}
    assert len(listed) == numbers["new"]
    assert len(
        {(each["kind"], str(each["identity"]), str(each["outcome"]), str(each["body"])) for each in listed}
    ) == len(listed)
    assert len(program("rejects", "list", "--json").objects) == poison
    assert sum(each["times_seen"] for each in listed) == numbers["new"] + repeated

    second = pull(*words, "--wait", "0")
    assert (second.code, second.raw, summary(second)["received"]) == (0, b"", 0)


def test_each_new_statement_is_printed_once_and_a_duplicate_never(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(3), *some(3))
    first = Pull(program, sandbox)("--max", "6", "--json")
    assert first.code == 0
    assert [each["biz_id"] for each in first.objects] == ["0^0", "1^0", "2^0"]
    assert [each["source"] for each in first.objects] == ["mns"] * 3
    assert {each["origin"] for each in first.objects} == {REPORTS}
    assert program("list", "--json").objects[0]["times_seen"] == 2
    sandbox.put_object("SmsReport", *some(3))
    again = Pull(program, sandbox)("--max", "3", "--json")
    assert (again.code, again.raw, summary(again)["duplicate"]) == (0, b"", 3)


def test_peek_shows_and_changes_nothing(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(3))
    sandbox.put(REPORTS, "!!!!")
    ended = Pull(program, sandbox)("--peek", "--json")
    assert ended.code == 0
    assert [(each["seq"], each["biz_id"]) for each in ended.objects] == [(None, "0^0"), (None, "1^0"), (None, "2^0")]
    assert "1 of the messages could not be decoded" in ended.err
    assert not program.store.exists()
    state: Any = sandbox.state()
    assert (state["queued"], state["invisible"], state["deleted"]) == (4, 0, 0)


def test_quiet_is_quiet(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(2))
    ended = Pull(program, sandbox)("--max", "2", "-q")
    assert (ended.code, ended.err, len(ended.objects)) == (0, "", 2)


def test_max_leaves_the_rest_where_it_is(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(50))
    ended = Pull(program, sandbox)("--max", "20", "--workers", "8")
    assert summary(ended)["received"] == 20
    state: Any = sandbox.state()
    assert (state["deleted"], state["queued"], state["invisible"]) == (20, 30, 0)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--uid", UID], "--uid and --type belong together"),
        (["--queue", "my-queue"], "does not tell its message type"),
        (["--queue", "=SmsReport"], "does not tell its message type"),
        (["--queue", REPORTS, "--wait", "31"], "Invalid value for '--wait'"),
        (["--queue", REPORTS, "--max", "0"], "Invalid value for '--max'"),
        (["--queue", "bad/name=SmsReport", "--max", "1"], "a queue's name"),
    ],
)
def test_what_cannot_be_pulled_is_2(program: Program, start: Start, words: list[str], error: str) -> None:
    ended = Pull(program, start())(*words)
    assert ended.code == 2
    assert error in ended.err


def test_no_queue_at_all_is_2(program: Program) -> None:
    ended = program("pull")
    assert ended.code == 2
    assert "no queue to pull from" in ended.err


def test_a_reject_not_seen_before_is_3_and_seen_again_0(program: Program, start: Start) -> None:
    sandbox = start()
    codes = []
    for _ in range(2):
        sandbox.put(REPORTS, "!!!!")
        ended = Pull(program, sandbox)("--max", "1")
        assert (summary(ended)["rejected"], summary(ended)["deleted"]) == (1, 1)
        codes.append(ended.code)
    assert codes == [3, 0]


def test_no_credentials_is_4(program: Program, start: Start) -> None:
    pull = Pull(program, start())
    pull.environ = {name: value for name, value in pull.environ.items() if not name.startswith("ALIBABA")}
    ended = pull("--max", "1")
    assert ended.code == 4
    assert ended.err.startswith("error: no credentials were found")


def test_a_wrong_secret_is_4_and_is_not_quoted(program: Program, start: Start) -> None:
    ended = Pull(program, start())("--max", "1", environ={"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary-of-a-secret"})
    assert ended.code == 4
    assert "canary" not in ended.err
    assert summary(ended)["received"] == 0


def test_an_absent_queue_is_8_and_the_other_one_is_drained(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(5))
    ended = Pull(program, sandbox)("--queue", f"Alicom-Queue-{UID}-SmsReport-no", "--queue", REPORTS, "--wait", "0")
    assert ended.code == 8
    assert (summary(ended)["deleted"], len(ended.objects)) == (5, 5)
    assert re.search(r"^error: .*SmsReport-no", ended.err, re.MULTILINE)
    assert re.search(r"^hint: ", ended.err, re.MULTILINE)


@pytest.mark.of_a_file
def test_a_store_that_cannot_be_had_is_6_before_anything_is_received(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(1))
    pull = Pull(program, sandbox)
    assert pull("--min-free", "900000GiB").code == 6
    (program.home / "file").write_bytes(b"")
    assert pull("--store", str(program.home / "file" / "receipts.db")).code == 6
    state: Any = sandbox.state()
    assert (state["queued"], state["invisible"]) == (1, 0)


@pytest.mark.of_a_file
def test_a_foreign_file_is_7_and_nothing_is_received(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(1))
    program.store.write_bytes(b"no database" * 1000)
    ended = Pull(program, sandbox)("--max", "1")
    assert ended.code == 7
    state: Any = sandbox.state()
    assert (state["queued"], state["invisible"]) == (1, 0)


@pytest.mark.of_a_file
def test_a_store_that_is_taken_away_in_the_middle_is_7_and_nothing_of_it_is_deleted(
    program: Program, start: Start
) -> None:
    class Taken:
        def __call__(self, location: str, *_: object) -> Any:
            path = Path(location)
            store = open_store(path)
            store.acquire_lease("x")
            path.unlink()
            path.write_bytes(b"")
            return store

    sandbox = start()
    sandbox.put_object("SmsReport", *some(3))
    ended = Pull(program, sandbox)("--max", "3", opener=Taken())
    assert ended.code == 7
    assert sandbox.state()["deleted"] == 0


@pytest.mark.of_a_file
def test_a_provider_that_is_not_there_is_5(program: Program, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from smsreceipt.aliyun import retry

    monkeypatch.setattr(retry, "BASE", 0.001)
    sandbox = start()
    pull = Pull(program, sandbox)
    sandbox.stop()
    ended = pull("--wait", "0")
    assert ended.code == 5
    assert "run the same command again" in ended.err
    assert summary(ended)["received"] == 0


def test_a_page_in_place_of_a_token_is_told_and_ends_with_5(
    program: Program, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smsreceipt.aliyun import retry

    monkeypatch.setattr(retry, "CAP", 0.001)
    page = says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>")
    with serving(*[page] * retry.Budget().tries) as (gateway, _):
        ended = Pull(program, start())("--wait", "0", environ={"SMSRECEIPT_DYBASEAPI_ENDPOINT": gateway.url})
    assert ended.code == 5
    assert "QueryTokenForMnsQueue: the answer of http://127.0.0.1" in ended.err.splitlines()[0]
    assert "trying again" in ended.err
    assert "hint: A gateway or proxy may answer" in ended.err


def test_a_temporary_key_without_its_token_is_4_and_asks_nobody(program: Program, start: Start) -> None:
    sandbox = start()
    ended = Pull(program, sandbox)("--wait", "0", environ={"ALIBABA_CLOUD_ACCESS_KEY_ID": "STS.NUcanary"})
    assert ended.code == 4
    assert "ALIBABA_CLOUD_SECURITY_TOKEN" in ended.err
    assert sandbox.state()["calls"] == {}


def test_piped_the_summary_is_the_last_line_and_stdout_only_data(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(40))
    process = Pull(program, sandbox).process("--max", "40")
    out, err = process.communicate(timeout=30)
    ended = Ended(process.returncode, out, err.decode())
    assert ended.code == 0
    assert len(ended.objects) == 40
    assert summary(ended)["deleted"] == 40


def test_a_reader_that_goes_away_does_not_stop_the_work(program: Program, start: Start) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(3_000))
    process = Pull(program, sandbox).process("--max", "3000")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    ended = Ended(process.wait(30), b"", err)
    assert ended.code == 141
    assert summary(ended)["deleted"] == 3_000
    assert "Traceback" not in err
    assert program("status", "--json").objects[0]["kinds"][0]["count"] == 3_000


@pytest.mark.parametrize(("signum", "code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_ends_it_with_its_number_and_everything_in_order(
    program: Program, start: Start, signum: int, code: int
) -> None:
    sandbox = start()
    sandbox.put_object("SmsReport", *some(30))
    process = Pull(program, sandbox).process("-f", "--wait", "30")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(30)]
    process.send_signal(signum)
    out, err = process.communicate(timeout=30)
    ended = Ended(process.returncode, b"".join(lines) + out, err.decode())
    assert (ended.code, len(ended.objects)) == (code, 30)
    assert summary(ended)["deleted"] == 30
    with closing(program.opened()) as store:
        assert not store.acquire_lease(REPORTS).after_unclean  # it was shut down cleanly
