"""`replay --to`: what a callback gets, what is reported of it, and what is done when it does not accept it."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.forward import callback
from tests.aliyun.peer import certify
from tests.cli.program import REPLY, Ended, Program, report
from tests.cli.test_replay import save, some
from tests.proxy import HttpProxy

GOOD = (200, b'{"code":0,"msg":"\xe6\x88\x90\xe5\x8a\x9f"}')
Answer = Callable[[int], tuple[int, bytes]]  #: from how often it was asked


class Receiver(ThreadingHTTPServer):
    """A callback on loopback that notes what it gets."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.got: list[tuple[str, list[dict[str, Any]]]] = []
        self.connections: set[int] = set()
        self.types: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.got.append((self.path, body))
        server.connections.add(self.client_address[1])
        server.types.add(self.headers["Content-Type"])
        status, answer = server.answer(len(server.got))
        head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(answer)}\r\nLocation: http://169.254.169.254/\r\n\r\n"
        with contextlib.suppress(OSError):  # the client may have closed the connection
            self.wfile.write(head.encode() + answer)

    def log_message(self, *_: object) -> None:
        return


Start = Callable[[Answer], Receiver]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Receiver] = []

    def started(answer: Answer) -> Receiver:
        receiver = Receiver(answer)
        threading.Thread(target=receiver.serve_forever, args=(0.01,), daemon=True).start()
        running.append(receiver)
        return receiver

    yield started
    for receiver in running:
        receiver.shutdown()
        receiver.server_close()


def summary(ended: Ended) -> dict[str, int]:
    last = ended.err.splitlines()[-1]
    found = {name: int(float(value)) for name, value in (pair.split("=") for pair in last.split())}
    assert [*found] == [
        *("receipts", "accepted", "refused", "unsent", "skipped", "pushes", "attempts", "over_limit", "seconds"),
        "rate",
    ]
    assert found["receipts"] == found["accepted"] + found["refused"] + found["unsent"]
    return found


def test_a_stored_day_is_sent_again_in_arrays_on_one_connection(program: Program, start: Start) -> None:
    receiver = start(lambda _: GOOD)
    program.keep("SmsReport", *some(250))
    program.keep("SmsUp", REPLY)
    program.stdin = program("list", "--json", "--date", "2026-11-20").raw
    ended = program("replay", "-", "--to", f"{receiver.url}/cb?x=1", "--json")
    assert ended.code == 0
    assert {name: summary(ended)[name] for name in ("receipts", "accepted", "pushes", "attempts")} == {
        "receipts": 251,
        "accepted": 251,
        "pushes": 4,
        "attempts": 4,
    }
    assert [(path, len(body)) for path, body in receiver.got] == [
        ("/cb?x=1", 100), ("/cb?x=1", 100), ("/cb?x=1", 50), ("/cb?x=1", 1)
    ]  # fmt: skip
    assert [each for _, body in receiver.got[:3] for each in body] == some(250)
    assert receiver.types == {"application/json;charset=UTF-8"}
    assert len(receiver.connections) == 1
    first = ended.objects[0]
    assert first.pop("ms") < 700
    assert first == {
        "push": 1,
        "kind": "SmsReport",
        "receipts": 100,
        "accepted": True,
        "status": 200,
        "over_limit": False,
        "attempts": 1,
        "trouble": None,
    }


def test_the_kind_in_the_url_is_replaced_and_masked_people_stay_unknown(
    program: Program, start: Start, tmp_path: Path
) -> None:
    receiver = start(lambda _: GOOD)
    saved = save(tmp_path / "saved", *some(3), REPLY, {"unheard": "of"})
    ended = program("replay", saved, "--to", f"{receiver.url}/s/{{kind}}", "--batch", "2", "--mask")
    assert (ended.code, summary(ended)["skipped"]) == (3, 1)
    assert [path for path, _ in receiver.got] == ["/s/SmsReport", "/s/SmsReport", "/s/SmsUp"]
    sent = json.dumps([body for _, body in receiver.got], ensure_ascii=False)
    assert "13800000000" not in sent
    assert "138****0000" in sent
    assert "您好" not in sent
    odd = program("replay", saved, "--to", f"{receiver.url}/{{kind}}", "--kind", "a b/../c")
    assert (odd.code, receiver.got[-1][0]) == (0, "/a%20b%2F..%2Fc")


def test_what_was_asked_for_is_sent_as_it_would_have_been_pushed(
    program: Program, start: Start, tmp_path: Path
) -> None:
    row = {"PhoneNum": "13800000001", "SendDate": "2026-11-20 10:00:00", "TemplateCode": "SMS_1", "OutId": "a",
           "Content": "x" * 71, "ReceiveDate": "2026-11-20 10:00:03"}  # fmt: skip
    rows = [
        {**row, "SendStatus": 3, "ErrCode": "DELIVERED"},
        {**row, "SendStatus": 2, "ErrCode": "MK:0011", "OutId": "b"},
        {**row, "SendStatus": 1, "ErrCode": "", "ReceiveDate": "", "OutId": "c"},
    ]
    lines = [
        {"seq": 1, "kind": "SmsReport", "identity": [], "source": "query", "biz_id": f"{n}^0", "body": each}
        for n, each in enumerate(rows)
    ]
    untied = {"seq": 9, "kind": "SendDetail", "identity": [], "source": "query", "biz_id": None, "body": rows[0]}
    receiver = start(lambda _: GOOD)
    saved = tmp_path / "saved"
    saved.write_text("\n".join(map(json.dumps, [*lines, untied, rows[1]])))
    ended = program("replay", str(saved), "--to", f"{receiver.url}/{{kind}}", "-v")
    assert (ended.code, summary(ended)["receipts"], summary(ended)["skipped"]) == (3, 2, 3)
    assert ended.err.count("left out: an answer to a question, of which no push can be made") == 3
    ((path, sent),) = receiver.got
    common = {"phone_number": "13800000001", "send_time": "2026-11-20 10:00:00", "report_time": "2026-11-20 10:00:03",
              "err_msg": "", "sms_size": "2"}  # fmt: skip
    assert path == "/SmsReport"
    assert sent == [
        {**common, "success": True, "biz_id": "0^0", "out_id": "a", "err_code": "DELIVERED"},
        {**common, "success": False, "biz_id": "1^0", "out_id": "b", "err_code": "MK:0011"},
    ]


@pytest.mark.parametrize("saved_as", ["record", "answer"])
def test_an_answer_about_an_international_message_is_sent_as_its_receipt(
    program: Program, start: Start, tmp_path: Path, saved_as: str
) -> None:
    answer = {"MessageId": "1008", "To": "85251230001", "Status": "1", "ErrorCode": "DELIVERED", "ResponseCode": "OK",
              "SendDate": "Fri, 20 Nov 2026 10:00:00 +0800",
              "ReceiveDate": "Fri, 20 Nov 2026 10:00:05 +0800"}  # fmt: skip
    record = {"seq": 1, "kind": "GlobeSmsReport", "identity": ["1008", "85251230001"], "source": "query",
              "biz_id": "1008", "body": answer}  # fmt: skip
    receiver = start(lambda _: GOOD)
    saved = tmp_path / "saved"
    waiting = {**answer, "Status": "3", "ErrorCode": "", "ReceiveDate": ""}
    lines = [record, {**record, "body": waiting}] if saved_as == "record" else [answer, waiting]
    saved.write_text("\n".join(map(json.dumps, lines)))
    ended = program("replay", str(saved), "--to", f"{receiver.url}/{{kind}}")
    assert (ended.code, summary(ended)["receipts"], summary(ended)["skipped"]) == (3, 1, 1)
    ((path, sent),) = receiver.got
    assert path == "/GlobeSmsReport"
    assert sent == [
        {"to": "85251230001", "status": "1", "message_id": "1008", "send_date": "2026-11-20 10:00:00",
         "receive_date": "2026-11-20 10:00:05", "error_code": "DELIVERED", "error_description": ""}
    ]  # fmt: skip


def test_what_is_no_object_is_left_out_and_said(program: Program, start: Start, tmp_path: Path) -> None:
    receiver = start(lambda _: GOOD)
    saved = save(tmp_path / "saved", text='[{"biz_id":"1"},7,{"biz_id":"x\nhello\neyJhIjoxfQ==\n{"a":tru}')
    ended = program("replay", saved, "--to", receiver.url, "-v")
    assert (ended.code, summary(ended)["skipped"], summary(ended)["accepted"]) == (3, 4, 2)
    assert receiver.got == [("/", [{"biz_id": "1"}, {"a": 1}])]
    assert f"{saved}:16: left out: not-object" in ended.err
    assert not program.store.exists()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, b""), "answered 500"),
        ((302, b""), "answered 302"),
        ((200, b"ok"), "answered no JSON object"),
        ((200, b'{"code":"0"}'), "answered without a code that is a number"),
    ],
)
def test_what_is_not_accepted_is_tried_four_times_and_is_5(
    program: Program, start: Start, tmp_path: Path, answer: tuple[int, bytes], says: str
) -> None:
    receiver = start(lambda _: answer)
    ended = program("replay", save(tmp_path / "saved", *some(2)), "--to", receiver.url, "--retry-scale", "0.0001")
    assert (ended.code, len(receiver.got)) == (5, 4)
    assert [(each["accepted"], each["attempts"], each["trouble"]) for each in ended.objects] == [(False, 4, says)]
    assert (summary(ended)["refused"], summary(ended)["attempts"]) == (2, 4)
    assert re.findall(r"push 1: (.*); again in (.*) s", ended.err) == [(says, "0.006"), (says, "0.03"), (says, "0.06")]


def test_a_second_try_that_is_accepted_is_all_there_is_to_it(program: Program, start: Start, tmp_path: Path) -> None:
    receiver = start(lambda times: GOOD if times > 2 else (503, b""))
    saved = save(tmp_path / "saved", *some(20))
    ended = program("replay", saved, "--to", receiver.url, "--retry-scale", "0.0001", "--batch", "10")
    assert (ended.code, summary(ended)["accepted"], summary(ended)["attempts"]) == (0, 20, 4)
    assert sorted(each["attempts"] for each in ended.objects) == [2, 2]


def test_an_answer_after_700_ms_does_not_count(program: Program, start: Start, tmp_path: Path) -> None:
    free = threading.Event()

    def slow(times: int) -> tuple[int, bytes]:
        if times == 1:
            free.wait(5)
        return GOOD

    receiver = start(slow)
    saved = save(tmp_path / "saved", *some(1))
    ended = program("replay", saved, "--to", receiver.url, "--retry-scale", "0.0001")
    free.set()
    assert (ended.code, summary(ended)["over_limit"]) == (0, 1)
    assert [(each["over_limit"], each["attempts"], each["ms"] < 700) for each in ended.objects] == [(True, 2, True)]
    assert "push 1: no answer in time; again in 0.006 s" in ended.err


def test_nobody_there_is_5(program: Program, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"  # bound, and nobody listens
        ended = program("replay", save(tmp_path / "saved", *some(1)), "--to", url, "--retry-scale", "0")
    assert ended.code == 5
    assert [(each["status"], each["trouble"]) for each in ended.objects] == [(None, "no connection")]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.com/cb", "plain http to example.com is refused"),
        ("ftp://127.0.0.1/", "begins with http:// or https://"),
        ("http://[::1/", "begins with http:// or https://"),
        ("127.0.0.1:9000", "begins with http:// or https://"),
        ("http://user:pass@127.0.0.1/", "an endpoint has no user name"),
        ("http://{kind}.example.com/", "endpoint is a host"),
    ],
)
def test_where_nothing_is_sent_to_is_2(program: Program, tmp_path: Path, url: str, says: str) -> None:
    ended = program("replay", save(tmp_path / "saved", *some(1)), "--to", url)
    assert ended.code == 2
    assert says in ended.err


def test_the_rate_is_held(program: Program, start: Start, tmp_path: Path) -> None:
    receiver = start(lambda _: GOOD)
    began = time.monotonic()
    ended = program("replay", save(tmp_path / "s", *some(5)), "--to", receiver.url, "--rate", "20", "--batch", "1")
    assert (ended.code, len(receiver.got)) == (0, 5)
    assert time.monotonic() - began > 0.2


def test_a_terminal_gets_a_table_and_csv_one_head(program: Program, start: Start, tmp_path: Path) -> None:
    receiver = start(lambda times: GOOD if times % 2 else (500, b""))
    words = ("replay", save(tmp_path / "saved", *some(4)), "--to", receiver.url, "--batch", "1", "--retry-scale", "0")
    table = program(*words, "--no-color", terminal=True).out.splitlines()
    assert [line.split() for line in table[:2]] == [
        ["PUSH", "KIND", "RECEIPTS", "ACCEPTED", "STATUS", "MS", "TRIES"],
        ["1", "SmsReport", "1", "yes", "200", table[1].split()[5], "1"],
    ]
    rows = program(*words, "-o", "csv").out.splitlines()
    assert rows[0] == "push,kind,receipts,accepted,status,ms,over_limit,attempts,trouble"
    assert len(rows) == 5


def test_a_signal_ends_the_waiting_for_a_retry(program: Program, start: Start, tmp_path: Path) -> None:
    receiver = start(lambda _: (500, b""))
    saved = save(tmp_path / "saved", *some(3))
    words = [sys.executable, "-m", "smsreceipt", "replay", saved, "--to", receiver.url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr
        assert "again in 60 s" in run.stderr.readline()
        run.send_signal(signal.SIGINT)
        assert run.wait(10) == 130
        assert "receipts=3 accepted=0 refused=3" in run.stderr.read()


def test_what_a_stop_kept_from_being_sent_is_not_called_refused(program: Program, start: Start, tmp_path: Path) -> None:
    receiver = start(lambda _: GOOD)
    words = [sys.executable, "-m", "smsreceipt", "replay", save(tmp_path / "saved", *some(50)), "--to", receiver.url]
    words += ["--batch", "1", "--rate", "2", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stderr
        run.stdout.readline()
        run.send_signal(signal.SIGINT)
        last = run.stderr.read().splitlines()[-1]
        assert run.wait(10) == 130
    counts = dict(pair.split("=") for pair in last.split())
    assert int(counts["unsent"]) >= 45
    assert int(counts["accepted"]) + int(counts["unsent"]) == 50


def test_sending_and_storing_are_not_mistaken_for_one_another(program: Program, start: Start, tmp_path: Path) -> None:
    receiver = start(lambda _: GOOD)
    saved = save(tmp_path / "saved", *some(1))
    both = program("replay", saved, "--to", receiver.url, "--dry-run")
    assert (both.code, receiver.got) == (2, [])
    alone = program("replay", saved, "--batch", "10")
    assert alone.code == 2
    assert "--batch says how to send, and --to is not there" in alone.err
    assert program("list").objects == []


def test_no_secret_path_and_no_number_is_told(program: Program, start: Start, tmp_path: Path) -> None:
    receiver = start(lambda _: (500, b""))
    saved = save(tmp_path / "saved", report("13800000000"))
    ended = program("replay", saved, "--to", f"{receiver.url}/s3cret", "--retry-scale", "0", "-vv")
    assert "s3cret" not in ended.out + ended.err
    assert "13800000000" not in ended.out + ended.err


NAME = "callback.example.test"


@pytest.mark.parametrize(("scheme", "variable"), [("http", "http_proxy"), ("https", "ALL_PROXY")])
def test_a_callback_is_reached_through_the_proxy_of_the_environment(
    program: Program, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str
) -> None:
    certificate = certify(tmp_path / "both.pem", names=[NAME])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(callback, "LIMIT", 30.0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver = start(lambda _: GOOD)
    program.stdin = json.dumps(report()).encode()
    send = ("--insecure-http", "replay", "-", "--to", f"{scheme}://{NAME}/cb")
    Path("smsreceipt.toml").write_text('proxy = ""')  # is about the provider
    with HttpProxy({NAME: receiver.server_port}, inner=context, user="u:s3cret") as proxy:
        ended = program(*send, environ={variable: proxy.url("u:s3cret")})
        refused = program(*send, "--retry-scale", "0", environ={variable: proxy.url("u:0ther")})
    assert (ended.code, [path for path, _ in receiver.got]) == (0, ["/cb"]), ended.err
    assert refused.code == 5
    assert "0ther" not in f"{refused.out}{refused.err}"


def test_a_callback_on_loopback_is_reached_without_a_proxy(program: Program, start: Start) -> None:
    receiver = start(lambda _: GOOD)
    program.stdin = json.dumps(report()).encode()
    assert program("replay", "-", "--to", receiver.url, environ={"ALL_PROXY": "socks5://p"}).code == 0
    ended = program("replay", "-", "--to", "https://callback.example", environ={"ALL_PROXY": "socks5://p"})
    assert (ended.code, "ALL_PROXY: socks5 proxies are not supported" in ended.err) == (2, True)
