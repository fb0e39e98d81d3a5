"""The runs that receive or send receipts, started without a command line."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

from smsreceipt.runs import dry_run, listen, peek, pull, replay, send_callback
from smsreceipt.runs.inputs import Inputs
from smsreceipt.runs.sockets import HostPort
from smsreceipt.sandbox import Sandbox
from smsreceipt.sources.queue.client import Queue
from tests.aliyun.peer import says, serving
from tests.cli.listening import until
from tests.cli.program import report
from tests.runs.trial import Trial

ACCEPTED = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"code":0}'


def _queues(folder: Path, sandbox: Sandbox) -> tuple[Trial, list[Queue]]:
    """An App for the sandbox, and a queue with two receipts, one of them twice."""
    sandbox.put_object("SmsReport", report(), report(biz_id="2^0"), report())
    trial = Trial(folder, environ=sandbox.environment())
    trial.set(store=str(folder / "receipts.db"))
    return trial, pull.queues_of(trial.app, [], "1000000001", ["SmsReport"])


def test_pull_stores_prints_and_deletes(tmp_path: Path, sandbox: Sandbox) -> None:
    trial, queues = _queues(tmp_path, sandbox)
    pull.run(trial.app, queues, pull.Options(wait=1), settle=False, min_free=0)
    assert [one["seq"] for one in trial.printed] == [1, 2]
    assert (trial.summary["duplicate"], trial.summary["deleted"]) == ("1", "3")
    assert trial.app.exit_codes == []


def test_peek_prints_and_leaves_everything_where_it_is(tmp_path: Path, sandbox: Sandbox) -> None:
    trial, queues = _queues(tmp_path, sandbox)
    peek.run(trial.app, queues, 2)
    assert [one["seq"] for one in trial.printed] == [None, None]
    assert not (tmp_path / "receipts.db").exists()
    assert sandbox.state()["deleted"] == 0


def _inputs(trial: Trial, *bodies: object) -> Inputs:
    path = trial.app.home / "saved.ndjson"
    path.write_text("\n".join(json.dumps(body) for body in bodies))
    return Inputs(trial.app, [str(path)], None)


def test_replay_stores_and_prints_what_is_new(trial: Trial) -> None:
    replay.run(trial.app, _inputs(trial, report(), report(), 1), resume=True, min_free=0)
    assert [one["seq"] for one in trial.printed] == [1]
    assert {name: trial.summary[name] for name in ("new", "duplicate", "rejected")} == {
        "new": "1", "duplicate": "1", "rejected": "1",
    }  # fmt: skip
    assert trial.app.exit_codes == [3]


def test_a_dry_run_counts_by_kind_and_opens_no_store(trial: Trial) -> None:
    dry_run.run(trial.app, _inputs(trial, report(), 1))
    assert trial.printed == [
        {"kind": "SmsReport", "receipts": 1, "rejected": {}},
        {"kind": None, "receipts": 0, "rejected": {"not-object": 1}},
    ]
    assert not (trial.app.home / "receipts.db").exists()


def test_saved_receipts_are_sent_to_a_callback(trial: Trial) -> None:
    options = send_callback.Options(batch=10, rate=None, retry_scale=0)
    with serving(says(ACCEPTED)) as (endpoint, _requests):
        send_callback.run(trial.app, _inputs(trial, report(), report(biz_id="2^0")), f"{endpoint.url}/cb", options)
    assert [(one["receipts"], one["accepted"]) for one in trial.printed] == [(2, True)]
    assert (trial.summary["accepted"], trial.app.exit_codes) == ("2", [])


def _in_thread(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_listen_answers_after_it_stored_and_ends_with_a_signal(trial: Trial) -> None:
    secret = trial.app.home / "push.secret"
    secret.touch(0o600)
    secret.write_text("secret-of-this-test-1234\n")
    answers: list[int] = []

    def push_and_stop() -> None:
        until(lambda: any(line.startswith("listening on ") for line in trial.messages))
        address = trial.messages[-1].split()[2].rstrip(";")
        body = json.dumps([report()]).encode()
        request = urllib.request.Request(f"http://{address}/secret-of-this-test-1234/SmsReport", body)
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - on loopback
            answers.append(answer.status)
        os.kill(os.getpid(), signal.SIGTERM)

    options = listen.Options(
        bind=HostPort("127.0.0.1", 0), secret_file=secret, max_connections=4, metrics=None, metrics_required=False,
        fd=None, min_free=0,
    )  # fmt: skip
    pushing = _in_thread(push_and_stop)
    listen.run(trial.app, options)
    pushing.join()
    assert (answers, [one["source"] for one in trial.printed]) == ([200], ["push"])
    assert (trial.summary["pushes"], trial.app.exit_codes) == ("1", [143])
