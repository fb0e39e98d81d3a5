"""`forward`: every statement, in order, once where nothing fails; and what it does when something does."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from smsreceipt.decode import reread
from smsreceipt.errors import StoreUnavailable
from smsreceipt.forward import cursor as cursors
from smsreceipt.forward import forwarder
from smsreceipt.forward.cursor import Cursor, CursorInUse
from smsreceipt.forward.forwarder import Forwarder, Stop
from smsreceipt.ingest import LockRetry
from smsreceipt.store import Store, opening
from tests.cli.program import FAILED, NOW, REPLY, Ended, Program, report
from tests.docs import pages
from tests.forward.receiver import HALF, OK, RST, STALL, Receiver, answer, running
from tests.runs.supervisor import FakeSupervisor

PATIENT = ("--retry-for", "30s")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "FIRST_PAUSE", 0.01)


def keep(program: Program, count: int, begin: int = 0, **fields: Any) -> None:
    program.keep("SmsReport", *(report(f"138{n:08}", f"{n:018}^0", **fields) for n in range(begin, begin + count)))


def forward(program: Program, receiver: Receiver, *words: str, **seams: Any) -> Ended:
    return program("forward", "--to", receiver.url, *words, **seams)


def stored(program: Program) -> list[int]:
    return [each["seq"] for each in program("list", "--history").objects]


def figures(ended: Ended) -> dict[str, str]:
    return dict(pair.split("=") for pair in ended.err.splitlines()[-1].split())


def position(program: Program, name: str = "default") -> int:
    with closing(program.opened()) as store:
        seq: int = json.loads(store.notes("forward")[name])["seq"]
        return seq


@pytest.mark.each_engine
def test_every_statement_once_in_order_and_what_came_while_it_was_off(program: Program) -> None:
    keep(program, 25)
    with running() as receiver:
        first = forward(program, receiver, "--from", "0", "--batch", "10")
        keep(program, 5, 25)
        second = forward(program, receiver, "--batch", "10")
        third = forward(program, receiver)
    assert (first.code, second.code, third.code) == (0, 0, 0), first.err + second.err
    assert figures(first)["sent"] == "25"
    assert figures(second)["sent"] == "5"
    assert figures(third)["sent"] == "0"
    assert receiver.accepted == stored(program)
    assert [len(each.seqs) for each in receiver.got] == [10, 10, 5, 5]
    assert receiver.got[0].objects == program("list", "--history", "--limit", "10").objects
    keys = [each.headers["Idempotency-Key"] for each in receiver.got]
    assert len({key.split("-")[0] for key in keys}) == 1
    assert [key.split("-")[1:] for key in keys] == [[str(each.seqs[0]), str(each.seqs[-1])] for each in receiver.got]


@pytest.mark.each_engine
def test_a_new_cursor_begins_now_unless_told(program: Program) -> None:
    keep(program, 4)
    seqs = stored(program)
    with running() as receiver:
        ended = forward(program, receiver)
        forward(program, receiver, "--name", "late", "--from", str(seqs[1]))
        ignored = forward(program, receiver, "--from", "0")
        assert receiver.accepted == seqs[2:]
        assert "then the same command with --from 0" in ended.err
        assert "counts only for a new one" in ignored.err
        for printed in (ended.err, ignored.err):
            assert "smsreceipt forward drop default" in printed
        assert program("forward", "drop", "default", "--yes").code == 0
        assert forward(program, receiver, "--from", "0").code == 0
    assert receiver.accepted == [*seqs[2:], *seqs]


def test_a_new_cursor_does_not_begin_after_what_nothing_has_yet(program: Program) -> None:
    """A day that is taken for a seq would leave out everything that comes."""
    keep(program, 2)
    last = stored(program)[-1]
    ended = program("forward", "--to", "-", "--from", "20261120")
    assert (ended.code, ended.out) == (2, "")
    assert f"there is no seq 20261120 yet, the last is {last}" in ended.err
    assert program("forward", "--to", "-", "--from", str(last)).code == 0
    keep(program, 3)
    assert len(program("forward", "--to", "-", "--from", "20261120").objects) == 1  # the cursor is there: it counts


def test_no_store_yet(program: Program) -> None:
    with running() as receiver:
        ended = forward(program, receiver)
        keep(program, 3)
        forward(program, receiver)
    assert ended.code == 0
    assert receiver.accepted == stored(program)


@pytest.mark.each_engine
def test_filters_leave_out_and_the_cursor_passes(program: Program) -> None:
    keep(program, 6)
    keep(program, 3, 10, **FAILED)
    program.keep("SmsUp", REPLY)
    with running() as receiver:
        forward(program, receiver, "--from", "0", "--outcome", "failed")
        forward(program, receiver, "--from", "0", "--kind", "SmsUp", "--name", "replies")
    assert [each["outcome"] for each in receiver.got[0].objects] == ["failed"] * 3
    assert [each["kind"] for each in receiver.got[1].objects] == ["SmsUp"]
    assert position(program) == stored(program)[-1]


def poison(numbers: Collection[str]) -> Any:
    """Refuses a batch in which one of these numbers is; they may change meanwhile."""
    return lambda objects: answer(422) if any(each["phone"] in numbers for each in objects) else OK


@pytest.mark.each_engine
def test_a_refused_receipt_is_found_and_stops_the_run(program: Program) -> None:
    keep(program, 20)
    with running(poison(["13800000013"])) as receiver:
        ended = forward(program, receiver, "--from", "0")
        again = forward(program, receiver)
    seqs = stored(program)
    assert ended.code == again.code == 3
    assert receiver.accepted == seqs[:13]
    assert position(program) == seqs[12]
    assert f"seq {seqs[13]} is refused (answered 422)" in ended.err
    assert figures(ended) | {"seconds": ""} == {
        "sent": "13", "refused": "1", "parked": "0", "behind": str(seqs[-1] - seqs[12]), "seconds": "",
    }  # fmt: skip


@pytest.mark.each_engine
def test_a_cursor_that_nobody_uses_is_dropped_with_what_it_parked(program: Program) -> None:
    keep(program, 5)
    with running(poison(["13800000001"])) as receiver:
        assert forward(program, receiver, "--from", "0", "--on-refusal", "park").code == 3
    assert program("forward", "drop", "default").code == 2  # it asks
    assert "there is no cursor others" in program("forward", "drop", "others").err  # before it asks
    assert program("forward", "drop", "others", "--yes").code == 2
    assert program("forward", "drop", "no name", "--yes").code == 2
    with closing(program.opened()) as store:
        taken = Cursor.take(store, "default", begin=lambda: 0, retry=LockRetry(print), now=lambda: NOW)
        used = program("forward", "drop", "default", "--yes")
        assert (used.code, "another process forwards" in used.err) == (6, True)
        taken.release()
    dropped = program("forward", "drop", "default", "--yes")
    assert dropped.err.splitlines()[-1] == "dropped=1 parked=1"
    assert program("status").objects[0]["forwards"] == []
    assert program("forward", "parked", "list").objects == []
    assert len(stored(program)) == 5
    with closing(program.opened()) as store:
        assert not [topic for topic in store.note_topics() if topic.startswith("forward")]


@pytest.mark.each_engine
def test_dropping_that_was_cut_off_is_done_again(program: Program) -> None:
    """A kill after the cursor went, before what it parked."""
    keep(program, 1)
    note = json.dumps({"name": "gone", "seq": 1, "reason": "422", "parked_at": NOW})
    with closing(program.opened()) as store:
        store.write_notes("forward parked", {f"gone {1:020}": note})
    assert program("forward", "drop", "gone", "--yes").code == 0
    assert program("forward", "parked", "list").objects == []


@pytest.mark.each_engine
def test_with_park_nothing_is_held_up_and_the_parked_can_be_retried_or_dropped(program: Program) -> None:
    keep(program, 20)
    bad = ["13800000003", "13800000013"]
    with running(poison(bad)) as receiver:
        ended = forward(program, receiver, "--from", "0", "--on-refusal", "park")
        seqs = stored(program)
        parked = program("forward", "parked", "list").objects
        bad.pop()
        retried = program("forward", "parked", "retry", "--all")
        marked = program("forward", "parked", "list").objects
        second = forward(program, receiver, "--on-refusal", "park")
        left = program("forward", "parked", "list", "--name", "default").objects
    assert ended.code == 3
    assert "parked: 2; smsreceipt forward parked list" in ended.err
    assert receiver.accepted == [*(seq for seq in seqs if seq not in {seqs[3], seqs[13]}), seqs[13]]
    assert [(each["seq"], each["reason"], each["again"]) for each in parked] == [
        (seqs[3], "answered 422", False), (seqs[13], "answered 422", False),
    ]  # fmt: skip
    assert retried.err.splitlines()[-1] == "again=2"
    assert [each["again"] for each in marked] == [True, True]
    assert second.code == 3
    assert [(each["seq"], each["again"]) for each in left] == [(seqs[3], False)]
    assert program("forward", "parked", "drop", str(seqs[3])).code == 2
    assert program("forward", "parked", "drop", "7777", "--yes").code == 2
    dropped = program("forward", "parked", "drop", str(seqs[3]), "--yes")
    assert dropped.err.splitlines()[-1] == "dropped=1"
    assert program("forward", "parked", "list").objects == []
    assert len(stored(program)) == 20


@pytest.mark.parametrize("status", [500, 503, 429, 408, 409, 425, 302])
def test_what_may_pass_is_tried_again(program: Program, status: int) -> None:
    keep(program, 3)
    with running(script=[answer(status), answer(status)]) as receiver:
        ended = forward(program, receiver, "--from", "0", *PATIENT)
    assert ended.code == 0, ended.err
    assert [each.seqs for each in receiver.got] == [stored(program)] * 3
    assert len({each.headers["Idempotency-Key"] for each in receiver.got}) == 1


@pytest.mark.parametrize("said", [HALF, RST, STALL])
def test_what_is_no_whole_answer_confirms_nothing(program: Program, said: bytes) -> None:
    keep(program, 3)
    with running(script=[said]) as receiver:
        ended = forward(program, receiver, "--from", "0", "--timeout", "0.3", *PATIENT)
    assert ended.code == 0, ended.err
    assert [each.seqs for each in receiver.got] == [stored(program)] * 2


def test_it_gives_up_in_time_with_5_and_the_cursor_stays(program: Program) -> None:
    keep(program, 3)
    with running(lambda _objects: answer(500)) as receiver:
        ended = forward(program, receiver, "--from", "0", "--retry-for", "0.1s")
    assert ended.code == 5
    assert "answered 500; given up after" in ended.err
    assert "secret" not in ended.err
    assert figures(ended)["sent"] == "0"
    assert position(program) == 0


def test_redirects_are_not_followed(program: Program) -> None:
    keep(program, 1)
    with running() as other, running(lambda _objects: answer(307, Location=other.url)) as receiver:
        ended = forward(program, receiver, "--from", "0", "--retry-for", "0.05s")
    assert ended.code == 5
    assert "redirects are not followed" in ended.err
    assert not other.got


@pytest.mark.parametrize("code", [200, 500])
def test_interim_answers_before_the_final_one_are_passed_over(program: Program, code: int) -> None:
    keep(program, 3)
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    final = OK if code == 200 else answer(code)
    with running(script=[hints + b"HTTP/1.1 102 Processing\r\n\r\n" + hints + final]) as receiver:
        ended = forward(program, receiver, "--from", "0")
    assert ended.code == 0, ended.err
    assert len(receiver.got) == (1 if code == 200 else 2)
    assert figures(ended)["sent"] == "3"


def test_retry_after_is_kept(program: Program) -> None:
    keep(program, 1)
    with running(script=[answer(429, Retry_After="1")]) as receiver:
        began = time.monotonic()
        ended = forward(program, receiver, "--from", "0", *PATIENT)
    assert ended.code == 0
    assert time.monotonic() - began >= 1
    with running(lambda _objects: answer(503, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT")) as receiver:
        assert forward(program, receiver, "--name", "b", "--from", "0", *PATIENT).code == 5
        assert len(receiver.got) == 1


@pytest.mark.each_engine
def test_a_cursor_after_the_end_of_a_restored_store_is_told(program: Program) -> None:
    keep(program, 3)
    with running() as receiver:
        assert forward(program, receiver, "--from", "0").code == 0
        with closing(program.opened()) as store:
            (name, note), *_ = store.notes(cursors.TOPIC).items()
            store.write_notes(cursors.TOPIC, {name: json.dumps({**json.loads(note), "seq": 10**6})})
        refused = forward(program, receiver)
        assert refused.code == 2, refused.err
        assert "stands at seq 1000000, but the store ends with" in refused.err
        assert program("forward", "drop", name, "--yes").code == 0
        assert forward(program, receiver, "--from", "0").code == 0


@pytest.mark.each_engine
def test_a_cursor_at_the_end_of_a_pruned_store_goes_on(program: Program) -> None:
    keep(program, 3, send_time="2026-01-01 10:00:00", report_time="2026-01-01 10:00:01")
    with running() as receiver:
        assert forward(program, receiver, "--from", "0").code == 0
        assert program("prune", "--older-than", "100d", "--yes", sleep=lambda _: None).code == 0
        assert program("list").objects == []
        assert forward(program, receiver).code == 0


def test_a_signal_ends_the_waiting_for_a_locked_store(program: Program) -> None:
    def impatient(location: str, readonly: bool, _lock_wait: float, insecure: bool) -> Store:
        return opening.open_store(location, readonly=readonly, reread=reread, lock_wait=0.2, insecure=insecure)

    keep(program, 1)
    stop = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    with running() as receiver, closing(apsw.Connection(str(program.store))) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        stop.start()
        ended = forward(program, receiver, "--from", "0", "--follow", opener=impatient)
    assert ended.code == 128 + signal.SIGTERM, ended.err
    assert time.monotonic() - began < 10
    assert not receiver.got


@pytest.mark.parametrize("said", ["Mon, 30 Nov 2026 00:00:00 +99999999999999", "soon", "-1", "1.5"])
def test_a_retry_after_that_is_none_costs_nothing(program: Program, said: str) -> None:
    keep(program, 1)
    with running(script=[answer(429, Retry_After=said)]) as receiver:
        ended = forward(program, receiver, "--from", "0", *PATIENT)
    assert ended.code == 0, ended.err


def test_the_signature_can_be_checked(program: Program, tmp_path: Path) -> None:
    keep(program, 2)
    file, secrets = tmp_path / "secret", ["a" * 32, "b" * 32]
    file.write_text("# two, while they are exchanged\n" + "\n".join(secrets) + "\n")
    file.chmod(0o644)
    with running() as receiver:
        refused = forward(program, receiver, "--from", "0", "--secret-file", str(file))
        file.chmod(0o600)
        forward(program, receiver, "--from", "0", "--secret-file", str(file))
        environ = {"environ": {"SMSRECEIPT_FORWARD_SECRET": secrets[0]}}
        forward(program, receiver, "--from", "0", "--name", "b", **environ)
    assert refused.code == 2
    assert "others can read" in refused.err
    for got, signed_with in zip(receiver.got, (secrets, secrets[:1]), strict=True):
        [function] = pages.blocks(pages.read("en", "forward"), "python")
        known: dict[str, Any] = {}
        exec(function, known)  # noqa: S102 - our own page
        known["time"] = SimpleNamespace(time=lambda: NOW / 1000)
        assert all(known["genuine"](got.headers["X-Smsreceipt-Signature"], got.body, s.encode()) for s in signed_with)
        assert not known["genuine"](got.headers["X-Smsreceipt-Signature"], got.body + b" ", secrets[0].encode())
        time_, *signatures = got.headers["X-Smsreceipt-Signature"].split(",")
        assert time_ == f"t={NOW // 1000}"
        text = f"{NOW // 1000}.".encode() + got.body
        assert signatures == [f"v1={hmac.new(s.encode(), text, hashlib.sha256).hexdigest()}" for s in signed_with]


def test_as_the_provider_pushes(program: Program) -> None:
    first, second = report(), report("13800008001", "900619746936498441^0")
    program.keep("SmsReport", first)
    program.keep("SmsUp", REPLY)
    program.keep("SmsReport", second)
    with running(path="/in/{kind}") as receiver:
        forward(program, receiver, "--from", "0", "--as-provider")
    assert [(each.path, each.objects) for each in receiver.got] == [
        ("/in/SmsReport", [first]), ("/in/SmsUp", [REPLY]), ("/in/SmsReport", [second]),
    ]  # fmt: skip


def test_masked_only_if_told(program: Program) -> None:
    keep(program, 1)
    with running() as receiver:
        forward(program, receiver, "--from", "0")
        forward(program, receiver, "--from", "0", "--name", "masked", "--mask")
    assert b"13800000000" in receiver.got[0].body
    assert b"13800000000" not in receiver.got[1].body


@pytest.mark.each_engine
def test_a_second_one_under_the_same_name_is_refused(program: Program) -> None:
    keep(program, 1)
    with closing(program.opened()) as store, running() as receiver:
        cursor = Cursor.take(store, "default", begin=lambda: 0, retry=LockRetry(), now=lambda: NOW)
        second = forward(program, receiver)
        other = forward(program, receiver, "--name", "other", "--from", "0")
        [one, *_] = [each for each in program("status").objects[0]["forwards"] if each["name"] == "default"]
        cursor.release()
        third = forward(program, receiver)
    assert (second.code, other.code, third.code) == (6, 0, 0)
    assert "another process forwards under the name default" in second.err
    assert one["running"]
    assert one["behind"] == stored(program)[0]


@pytest.mark.each_engine
def test_a_cursor_that_was_taken_away_does_not_move(program: Program) -> None:
    keep(program, 1)
    with closing(program.opened()) as store:
        stale = Cursor.take(store, "default", begin=lambda: 0, retry=LockRetry(), now=lambda: NOW)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cursors, "held", lambda _facts: set())  # as if it had not been heard of for long
            taker = Cursor.take(store, "default", begin=lambda: 0, retry=LockRetry(), now=lambda: NOW)
        taker.move(5)
        with pytest.raises(CursorInUse):
            stale.move(9)
        taker.move(6)
        assert position(program) == 6
        stale.release()
        taker.release()


def test_a_store_that_fails_does_not_end_the_beats(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fail after a restart by the watchdog too."""
    keep(program, 1)
    monkeypatch.setattr("smsreceipt.runs.forward._STORE_PAUSE", 0.01)
    with FakeSupervisor() as fake:
        seen: list[int] = []

        def follow(_forwarder: Forwarder) -> None:
            seen.append(fake.beats())
            if len(seen) == 3:
                raise Stop
            raise StoreUnavailable("the connection was lost")

        monkeypatch.setattr(Forwarder, "follow", follow)
        monkeypatch.setattr("smsreceipt.runs.supervisor._BEATS", 1e9)
        ended = program("forward", "--to", "exec:true", "-f", environ=fake.environ(300))
        assert ended.err.count("the connection was lost; trying again") == 2
        assert seen == [0, 1, 2]
        assert fake.lines[0] == "READY=1"


@pytest.mark.each_engine
def test_an_answer_to_a_commit_that_was_lost_is_no_other_process(program: Program) -> None:
    keep(program, 1)
    with closing(program.opened()) as store:
        cursor = Cursor.take(store, "default", begin=lambda: 0, retry=LockRetry(), now=lambda: NOW)
        write, lost = store.write_notes, [True]

        def forgetful(*args: Any, **more: Any) -> bool:
            done = write(*args, **more)
            if lost and lost.pop():
                raise StoreUnavailable("the connection was lost")
            return done

        store.write_notes = forgetful  # type: ignore[method-assign]
        with pytest.raises(StoreUnavailable):
            cursor.move(3)
        cursor.move(4)
        assert position(program) == 4
        cursor.release()


def child(tmp_path: Path, body: str) -> str:
    script = tmp_path / "child.py"
    script.write_text(f"import sys, os, time\nout = open({str(tmp_path / 'got')!r}, 'a')\n{body}\n")
    return f"exec:{sys.executable} {script}"


READS = "out.write(sys.stdin.read())\n"


def test_a_command_gets_lines_and_confirms_with_0(program: Program, tmp_path: Path) -> None:
    keep(program, 5)
    ended = program("forward", "--to", child(tmp_path, READS), "--from", "0", "--batch", "2")
    assert ended.code == 0, ended.err
    lines = (tmp_path / "got").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == stored(program)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.stdin.read()\nsys.exit(1)", "it ended with 1"),
        ("time.sleep(60)", "did not"),
        ("sys.stdin.read()\ntime.sleep(60)", "it did not end within 0.4 s"),
        ("os.read(0, 100)", "did not read all of its input"),
        ("", "did not read all of its input"),
        ("os.close(0)", "did not read all of its input"),
        ("os.kill(os.getpid(), 9)", "killed by signal 9"),
    ],
)
@pytest.mark.parametrize("count", [1, 300])
def test_a_command_that_fails_confirms_nothing(
    program: Program, tmp_path: Path, body: str, said: str, count: int
) -> None:
    keep(program, count)
    to = child(tmp_path, body)
    words = ("--batch", "300", "--timeout", "0.4s", "--retry-for", "0.005s")
    ended = program("forward", "--to", to, "--from", "0", *words)
    assert ended.code == 5
    assert said in ended.err
    assert position(program) == 0


def test_a_command_refuses_with_65(program: Program, tmp_path: Path) -> None:
    keep(program, 8)
    body = "text = sys.stdin.read()\nif '13800000005' in text: sys.exit(65)\nout.write(text)"
    ended = program("forward", "--to", child(tmp_path, body), "--from", "0", "--on-refusal", "park")
    seqs = stored(program)
    assert ended.code == 3
    assert [json.loads(line)["seq"] for line in (tmp_path / "got").read_text().splitlines()] == seqs[:5] + seqs[6:]
    [parked] = program("forward", "parked", "list").objects
    assert (parked["seq"], parked["reason"]) == (seqs[5], "ended with 65")


def test_a_command_that_does_not_exist(program: Program) -> None:
    keep(program, 1)
    ended = program("forward", "--to", "exec:/no/such/thing", "--from", "0", "--retry-for", "0.01s")
    assert ended.code == 5
    assert "cannot be started" in ended.err


def test_standard_output_gets_lines(program: Program) -> None:
    keep(program, 5)
    ended = program("forward", "--to", "-", "--from", "0")
    assert ended.code == 0
    assert ended.objects == program("list", "--history").objects
    assert program("forward", "--to", "-").raw == b""


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--to", "ftp://x/y"),
        ("--to", "http://example.com/x"),
        ("--to", "exec:"),
        ("--to", "exec:'"),
        ("--to", "-", "--name", "a b"),
        ("--to", "-", "--from", "yesterday"),
        ("--to", "-", "--from", "-1"),
        ("--to", "http://127.0.0.1:9/", "--from", "0", "--timeout", "0"),
        ("--to", "exec:cat", "--from", "0", "--timeout", "0s"),
    ],
)
def test_what_cannot_be_meant_is_refused(program: Program, words: tuple[str, ...]) -> None:
    ended = program("forward", *words)
    assert ended.code == 2
    assert "Traceback" not in ended.err


def test_lag_in_status_and_metrics(program: Program) -> None:
    from smsreceipt.runs.forward_metrics import Forwards, metrics

    keep(program, 3)
    with running(poison(["13800000002"])) as receiver:
        forward(program, receiver, "--from", "0", "--on-refusal", "park")
    keep(program, 4, 5)
    seqs = stored(program)
    [lag] = program("status", now=lambda: NOW + 90_000).objects[0]["forwards"]
    assert lag == {
        "name": "default", "seq": seqs[2], "behind": seqs[-1] - seqs[2], "seconds": 90.0, "parked": 1, "running": False,
    }  # fmt: skip
    screen = program("status", terminal=True)
    assert "FORWARD" in screen.out
    assert "default" in screen.out
    samples = {sample.name: sample.value for each in metrics(Forwards(program.app).lags()) for sample in each.samples}
    assert samples == {
        "smsreceipt_forward_behind": seqs[-1] - seqs[2],
        "smsreceipt_forward_lag_seconds": 0.0,
        "smsreceipt_forward_parked": 1.0,
        "smsreceipt_forward_running": 0.0,
    }


def start(program: Program, *words: str, **more: Any) -> subprocess.Popen[bytes]:
    env = {name: text for name, text in os.environ.items() if not name.startswith("SMSRECEIPT")}
    return subprocess.Popen(
        [sys.executable, "-m", "smsreceipt", "--store", program.location, "forward", *words],
        env={**env, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.each_engine
def test_following_hands_on_what_comes_and_stops_in_time(program: Program) -> None:
    keep(program, 2)
    with running() as receiver, start(program, "--to", receiver.url, "--from", "0", "-f") as process:
        until(lambda: len(receiver.accepted) == 2)
        keep(program, 3, 2)
        until(lambda: len(receiver.accepted) == 5)
        assert [each["running"] for each in program("status").objects[0]["forwards"]] == [True]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 143
    assert err.decode().splitlines()[-1].startswith("sent=5 refused=0 parked=0 behind=0 ")
    assert receiver.accepted == stored(program)


@pytest.mark.slow
def test_a_reader_that_is_gone_ends_it_with_141_and_the_cursor_at_what_was_flushed(program: Program) -> None:
    keep(program, 1500)
    process = start(program, "--to", "-", "--from", "0", "--batch", "10", stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 141
    seqs, at = stored(program), position(program)
    assert first["seq"] == seqs[0]
    assert 0 < at < seqs[-1]
    rest = program("forward", "--to", "-").objects
    assert [each["seq"] for each in rest] == [seq for seq in seqs if seq > at]


@pytest.mark.slow
def test_a_reader_that_goes_while_nothing_comes_is_noticed(program: Program) -> None:
    keep(program, 1)
    process = start(program, "--to", "-", "--from", "0", "-f", stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()
    assert process.wait(20) == 141


@pytest.mark.slow
def test_two_at_once_hand_on_everything_once(program: Program) -> None:
    """Of processes that start together one gets the cursor, and the others are refused."""
    keep(program, 50)
    with running() as receiver:
        processes = [start(program, "--to", receiver.url, "--from", "0", "--batch", "5") for _ in range(4)]
        readers = [threading.Thread(target=each.communicate) for each in processes]
        for each in readers:
            each.start()
        for each in readers:
            each.join()
    codes = sorted(each.returncode for each in processes)
    assert set(codes) <= {0, 6}
    assert 0 in codes
    assert receiver.accepted == stored(program)
