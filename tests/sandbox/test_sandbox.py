"""The sandbox object: options, loading, queueing, state, start and stop."""

import base64
import json
import socket
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

from smsreceipt.errors import UsageError
from smsreceipt.sandbox import KINDS, Options, Sandbox, generate
from tests.sandbox.clients import REPORTS, UID, queue


def test_there_is_a_queue_for_every_kind(sandbox: Sandbox) -> None:
    queues = sandbox.state()["queues"]
    assert isinstance(queues, dict)
    assert set(queues) == {f"Alicom-Queue-{UID}-{kind}" for kind in KINDS}
    assert len(KINDS) == 21


def test_the_state_is_served_as_json_without_a_signature(sandbox: Sandbox) -> None:
    http = HTTPConnection(sandbox.url.removeprefix("http://"), timeout=5)
    http.request("GET", "/_sandbox/state")
    answer = http.getresponse()
    served = json.loads(answer.read())
    http.close()
    assert served == sandbox.state()
    assert {"sent", "queued", "invisible", "deleted", "pushed", "accepted", "lost", "calls", "queues"} <= set(served)


def test_the_environment_points_every_client_to_the_sandbox(sandbox: Sandbox) -> None:
    environment = sandbox.environment()
    assert {environment[f"SMSRECEIPT_{service}_ENDPOINT"] for service in ("MNS", "DYBASEAPI", "DYSMSAPI")} == {
        sandbox.url
    }
    assert environment["ALIBABA_CLOUD_ACCESS_KEY_ID"] == "sandbox"
    assert environment["SMSRECEIPT_STORE"] == "./sandbox.db"


def test_a_taken_port_is_a_usage_error(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="port"):
        Sandbox(Options(port=int(sandbox.url.rpartition(":")[2]))).start()


def test_objects_are_queued_as_base64_of_compact_utf8_json(sandbox: Sandbox) -> None:
    sandbox.put_object("SmsUp", {"content": "退订", "n": 1})
    sandbox.put_object("Alicom-Queue-1000000001-SmsUp-2", {"content": "另一个"})
    body = queue(sandbox, f"Alicom-Queue-{UID}-SmsUp").receive_message(0).message_body
    assert base64.b64decode(body).decode() == '{"content":"退订","n":1}'
    assert queue(sandbox, "Alicom-Queue-1000000001-SmsUp-2").peek_message().dequeue_count == 0


def test_files_are_loaded_by_queue_or_kind_as_object_or_text(tmp_path: Path, make: Callable[..., Sandbox]) -> None:
    lines = [
        {"queue": "free name", "body": "raw !!! text"},
        {"kind": "SmsReport", "body": {"a": "中", "b": [1.5, True, None]}},
        {"queue": "my-calls", "kind": "SecretReport", "body": {"c": 1}},
        {"kind": "NewReport", "body": [1, 2]},
    ]
    file = tmp_path / "load.ndjson"
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    sandbox = make(load=(file,))
    assert sandbox.state()["sent"] == 4
    bodies = {
        name: queue(sandbox, name).receive_message(0).message_body
        for name in (REPORTS, "my-calls", f"Alicom-Queue-{UID}-NewReport")
    }
    assert [base64.b64decode(body).decode() for body in bodies.values()] == [
        '{"a":"中","b":[1.5,true,null]}',
        '{"c":1}',
        "[1,2]",
    ]


@pytest.mark.parametrize("line", ["{", "[]", '{"body":{}}', '{"kind":"SmsReport"}', '{"kind":1,"body":{}}'])
def test_a_bad_line_is_reported_by_number_without_its_content(tmp_path: Path, line: str) -> None:
    file = tmp_path / "load.ndjson"
    file.write_text('{"kind":"SmsReport","body":{"secret":"x"}}\n' + line)
    with pytest.raises(UsageError, match="line 2 is not") as caught:
        Sandbox(Options(load=(file,)))
    assert "secret" not in str(caught.value)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="absent"):
        Sandbox(Options(load=(tmp_path / "absent.ndjson",)))


def test_generated_messages_are_queued_at_the_start(make: Callable[..., Sandbox]) -> None:
    sandbox = make(generate=200, poison=0.1)
    waiting = {name: facts["sent"] for name, facts in sandbox.state()["queues"].items()}  # type: ignore[attr-defined]
    expected = dict.fromkeys(waiting, 0)
    for message in generate(1, 200, 0.1):
        expected[f"Alicom-Queue-{UID}-{message.kind}"] += 1
    assert waiting == expected


def test_put_can_be_called_from_many_threads_while_the_sandbox_runs(sandbox: Sandbox) -> None:
    threads = [threading.Thread(target=sandbox.put, args=(f"q{n % 2}", *map(str, range(100)))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sandbox.state()["sent"] == 800


def test_start_and_stop_can_be_repeated_and_leak_nothing() -> None:
    before = threading.active_count()
    sandbox = Sandbox(Options(port=0))
    sandbox.put(REPORTS, "before the start")
    for _ in range(2):
        sandbox.start()
        url = sandbox.url
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
            sandbox.stop()
        sandbox.stop()
        assert sandbox.url == url
    assert threading.active_count() == before
    assert sandbox.state()["queued"] == 1
