"""The push server on a real socket: routes, limits, timers; and that nothing is answered 200 before it is acked."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.decode import known_kind
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.sources.push.app import MAX_BODY, MAX_ELEMENTS, Receiver, too_many_elements
from smsreceipt.sources.push.http import Seconds
from smsreceipt.sources.push.intake import Intake
from smsreceipt.sources.push.server import Server

pytestmark = pytest.mark.slow

SECRET, OLD = "s3cret-of-the-callback-url", "the-secret-that-was-before"
GOOD = {"code": 0, "msg": "成功"}
NOW = Instant(1_795_000_000_000)
BODY = b'[{"biz_id":"1^0"}]'


class Sink:
    """Stands for the committer: a commit acks all that waits; while it holds, a commit takes until release()."""

    def __init__(self) -> None:
        self.taken: list[Delivery] = []
        self.arrived = threading.Semaphore(0)
        self.holds = False
        self.fails = self.is_full = False
        self._waiting: list[Delivery] = []
        self._released = threading.Event()
        self._free = threading.Lock()
        self.threads: set[int] = set()  # that made a commit
        self.intake: Intake

    def put(self, delivery: Delivery) -> None:
        self.taken.append(delivery)
        self._waiting.append(delivery)
        self.arrived.release()

    def next_commit(self) -> Callable[[], None] | None:
        if self._waiting and self._free.acquire(blocking=False):
            return self._commit
        return None

    def _commit(self) -> None:
        batch, self._waiting = self._waiting, []
        self.threads.add(threading.get_ident())
        if self.holds:
            assert self._released.wait(20)
        if self.is_full:
            self.intake.full(batch)
        elif self.fails:
            self.intake.fail()
        else:
            for delivery in batch:
                delivery.ack()
        self._free.release()

    def hold(self) -> None:
        self.holds = True
        self._released.clear()

    def release(self) -> None:
        self.holds = False
        self._released.set()

    def wait(self) -> None:
        assert self.arrived.acquire(timeout=10)


class Listener:
    """The server in a thread of its own."""

    def __init__(
        self, *, connections: int = 32, seconds: Seconds | None = None, prefix: str = "", **bounds: Any
    ) -> None:
        self.sink = Sink()
        self.messages: list[str] = []
        self.intake = self.sink.intake = Intake(self.sink.put, **bounds)
        secrets = (SECRET.encode(), OLD.encode())
        self.receiver = Receiver(self.intake, lambda: secrets, now=lambda: NOW, kind=known_kind, prefix=prefix)
        self.server = Server(
            self.receiver,
            connections=connections,
            seconds=seconds or Seconds(),
            next_commit=self.sink.next_commit,
            tell=self.messages.append,
        )
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self.server.run_on, args=(self._door,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        self.server.stop()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(line):
            line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = line.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def push(self, body: bytes = BODY, path: str = f"/{SECRET}/SmsReport") -> tuple[int, Any]:
        return self.ask("POST", path, body)

    @contextlib.contextmanager
    def line(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            yield line

    def say(self, *pieces: bytes) -> bytes:
        """All that comes back on a connection for these bytes, until the server closes it."""
        with self.line() as line:
            for piece in pieces:
                line.sendall(piece)
            return rest(line)


def rest(line: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := line.recv(65536):
            got += piece
    return got


def one(line: socket.socket) -> bytes:
    """One answer."""
    got = b""
    while not got.endswith(b"}"):
        piece = line.recv(65536)
        assert piece, got
        got += piece
    return got


def head(path: str = f"/{SECRET}/SmsReport", *headers: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(scope="module")
def shared() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def listener(shared: Listener) -> Listener:
    """For tests that leave it as it was."""
    shared.sink.taken.clear()
    return shared


def test_the_probe_of_the_console_is_answered_without_touching_the_store(listener: Listener) -> None:
    for path in (f"/{SECRET}/SmsReport", f"/{SECRET}", f"/{SECRET}/", f"/{OLD}/SmsUp?x=1"):
        assert listener.ask("GET", path) == (200, GOOD)
    assert listener.sink.taken == []


def test_a_push_is_one_delivery_with_its_body_as_it_came(listener: Listener) -> None:
    assert listener.push() == (200, GOOD)
    (taken,) = listener.sink.taken
    assert taken.frames == (BODY,)
    assert (taken.source, taken.kind, taken.origin, taken.received_at) == (Source.PUSH, "SmsReport", "/SmsReport", NOW)


@pytest.mark.parametrize(
    ("path", "kind", "origin"),
    [
        ("", None, "/"),
        ("/", None, "/"),
        ("/smsreport", "SmsReport", "/SmsReport"),
        ("/SECRETREPORT", "SecretReport", "/SecretReport"),
        ("/BrandNew_Report-2", "BrandNew_Report-2", "/BrandNew_Report-2"),
        ("/SmsUp?debug=1", "SmsUp", "/SmsUp"),
        ("/SmsReport/", "SmsReport", "/SmsReport"),
        ("//SmsReport", "SmsReport", "/SmsReport"),
        ("//SmsReport//?x=/y", "SmsReport", "/SmsReport"),
    ],
)
def test_the_path_tells_the_kind(listener: Listener, path: str, kind: Kind | None, origin: str) -> None:
    for secret in (SECRET, OLD):
        assert listener.push(path=f"/{secret}{path}") == (200, GOOD)
        assert listener.push(path=f"//{secret}{path}") == (200, GOOD)
    assert {(taken.kind, taken.origin) for taken in listener.sink.taken} == {(kind, origin)}
    assert SECRET not in repr([taken.origin for taken in listener.sink.taken])


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/wrong",
        f"/{SECRET[:-1]}",
        f"/{SECRET}x",
        f"/{SECRET.upper()}/SmsReport",
        f"/x/{SECRET}",
        f"/{SECRET}/SmsReport/more",
        f"/{SECRET}/..%2f",
        f"/{SECRET}/{'k' * 65}",
        f"/%73{SECRET[1:]}",
        "/healthz/x",
        "/metrics",
    ],
)
def test_whoever_does_not_know_the_path_gets_404_and_its_body_is_not_awaited(listener: Listener, path: str) -> None:
    for method in ("POST", "GET", "DELETE"):
        answer = listener.say(head(path, "Content-Length: 1000", method=method))
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"connection: close" in answer
    assert listener.sink.taken == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "PROPFIND"])
def test_other_methods_are_405(listener: Listener, method: str) -> None:
    answer = listener.say(head(method=method))
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: GET, HEAD, OPTIONS, POST\r\n" in answer


def test_probes_of_gateways_and_monitors_are_answered_without_a_body(listener: Listener) -> None:
    for path in ("/healthz", f"/{SECRET}/SmsReport", f"/{SECRET}"):
        answer = listener.say(head(path, "Connection: close", method="HEAD"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\n")
        answer = listener.say(head(path, "Connection: close", method="OPTIONS"))
        assert answer.startswith(b"HTTP/1.1 204 ")
        assert b"\r\nallow: GET, HEAD, OPTIONS, POST\r\n" in answer
    assert listener.sink.taken == []


#: The heads of clients that offer HTTP/2 or something else: the JDK's HttpClient, curl --http2, a browser's WebSocket.
OFFERS = [
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk"],
    ["User-Agent: curl/8.5.0", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
    ["Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
    ["connection: upgrade", "upgrade: TLS/1.2"],
]


@pytest.mark.parametrize("offer", OFFERS, ids=str)
@pytest.mark.parametrize("cut", [None, 20, -len(BODY), -3])
def test_an_offer_of_another_protocol_is_ignored(listener: Listener, offer: list[str], cut: int | None) -> None:
    wire = head(f"/{SECRET}/SmsReport", *offer, f"Content-Length: {len(BODY)}") + BODY
    with listener.line() as line:
        for _ in range(2):  # the connection goes on as HTTP/1.1
            line.sendall(wire[:cut])
            if cut is not None:
                time.sleep(0.05)
                line.sendall(wire[cut:])
            assert one(line).startswith(b"HTTP/1.1 200 ")
        line.sendall(head(f"/{SECRET}", *offer, "Transfer-Encoding: chunked") + chunked(BODY[:4], BODY[4:]))
        assert one(line).startswith(b"HTTP/1.1 200 ")
        line.sendall(head("/healthz", *offer, method="GET"))
        assert one(line).startswith(b"HTTP/1.1 200 ")
    assert [taken.frames for taken in listener.sink.taken] == [(BODY,)] * 3


def test_offers_in_a_pipeline_keep_the_order_of_the_answers(listener: Listener) -> None:
    wire = head(f"/{SECRET}", *OFFERS[0], f"Content-Length: {len(BODY)}") + BODY
    last = head("/nope", "Connection: close", method="GET")
    answers = re.findall(rb"HTTP/1.1 (\d+)", listener.say(wire + wire + last))
    assert answers == [b"200", b"200", b"404"]
    assert len(listener.sink.taken) == 2


def test_a_tunnel_is_refused(listener: Listener) -> None:
    assert listener.say(b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_an_old_client_that_asks_for_it_keeps_its_connection(listener: Listener) -> None:
    old = head(f"/{SECRET}", f"Content-Length: {len(BODY)}").replace(b"HTTP/1.1", b"HTTP/1.0")
    kept = old[:-2] + b"Connection: Keep-Alive\r\n\r\n" + BODY
    with listener.line() as line:
        for _ in range(3):
            line.sendall(kept)
            answer = one(line)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nconnection: keep-alive\r\n" in answer
    assert listener.say(old + BODY).startswith(b"HTTP/1.1 200 ")  # and is closed


@pytest.mark.parametrize("prefix", ["/sms/cb", "sms/cb/", "//sms//cb//"])
def test_the_routes_stand_below_a_prefix_too(prefix: str) -> None:
    with Listener(prefix=prefix) as listener:
        for path in (f"/sms/cb/{SECRET}/SmsReport", f"/sms//cb/{SECRET}/SmsReport/", f"/{SECRET}/SmsReport"):
            assert listener.push(path=path) == (200, GOOD)
            assert listener.ask("GET", path) == (200, GOOD)
        assert {taken.origin for taken in listener.sink.taken} == {"/SmsReport"}
        assert listener.ask("GET", "/sms/cb/healthz") == listener.ask("GET", "/healthz") == (200, GOOD)
        for path in (f"/sms/{SECRET}", f"/sms/cb/x/{SECRET}", "/sms/cb", f"/cb/sms/{SECRET}"):
            assert listener.ask("GET", path)[0] == 404


def test_until_the_store_is_there_everything_is_refused_at_once() -> None:
    with Listener(ready=False) as listener:
        assert listener.push()[0] == 503
        assert listener.ask("GET", "/healthz")[0] == 503
        assert listener.ask("GET", f"/{SECRET}") == (200, GOOD)
        listener.intake.begin()
        assert listener.ask("GET", "/healthz") == (200, GOOD)
        assert listener.push() == (200, GOOD)
        assert len(listener.sink.taken) == 1


def test_a_target_without_a_path_is_404(listener: Listener) -> None:
    for method in ("OPTIONS", "GET", "POST"):
        assert listener.say(head("*", method=method)).startswith(b"HTTP/1.1 404 ")


def test_answers_are_constant_and_tell_nothing_of_the_server(listener: Listener) -> None:
    answers = {listener.say(head(f"/{secret}", "Connection: close", method="GET")) for secret in (SECRET, OLD)}
    (answer,) = answers
    names = {line.split(b":")[0] for line in answer.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    assert names == {b"content-type", b"content-length", b"connection"}
    for request in (b"\x00\r\n\r\n", head("/nope"), head(f"/{SECRET}", "Connection: close", method="OPTIONS")):
        answer = listener.say(request)
        assert not re.search(rb"(?i)server:|date:|python|uvicorn|access-control|nope", answer)


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Content-Length: 1048577"], 413),
        (["Content-Length: 99999999999999999999999999"], 400),  # the parser's limit, before ours
        (["Content-Length: -1"], 400),
        (["Content-Length: 1e3"], 400),
        (["Content-Length: 10", "Content-Length: 11"], 400),
        (["Content-Length: 10", "Transfer-Encoding: chunked"], 400),
        (["Transfer-Encoding: chunked", "Content-Length: 10"], 400),
        (["Transfer-Encoding: gzip, chunked"], 400),
        (["Content-Length: 10", "Content-Encoding: gzip"], 415),
        (["Content-Length: 10", "Content-Encoding: identity, br"], 415),
    ],
    ids=str,
)
def test_what_is_refused_by_its_head_is_refused_before_its_body(
    listener: Listener, headers: list[str], status: int
) -> None:
    answer = listener.say(head(f"/{SECRET}", *headers))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert listener.sink.taken == []


def test_identity_is_no_encoding(listener: Listener) -> None:
    assert listener.ask("POST", f"/{SECRET}", BODY, Content_Encoding="Identity") == (200, GOOD)


def test_a_chunked_body_is_put_together(listener: Listener) -> None:
    wire = head(f"/{SECRET}", "Transfer-Encoding: chunked", "Connection: close") + chunked(BODY[:5], BODY[5:])
    assert listener.say(wire[:80], wire[80:]).startswith(b"HTTP/1.1 200 ")
    assert listener.sink.taken[0].frames == (BODY,)


def test_a_body_of_the_limit_is_taken_and_a_byte_more_is_not(listener: Listener) -> None:
    body = b"[" + b" " * (MAX_BODY - 2) + b"]"
    assert listener.push(body) == (200, GOOD)
    assert listener.sink.taken[0].frames == (body,)
    assert listener.push(body + b" ")[0] == 413


def test_a_flood_of_chunks_is_cut_off(listener: Listener) -> None:
    flood = chunked(b" " * 65536)[:-5]
    with listener.line() as line:
        line.sendall(head(f"/{SECRET}", "Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            for _ in range(1_000):
                line.sendall(flood)
        assert rest(line).startswith(b"HTTP/1.1 413 ")
    with listener.line() as line:
        line.sendall(head(f"/{SECRET}", "Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            for _ in range(100):
                line.sendall(b"1;x=y\r\n \r\n" * 10_000)  # little data, much framing
        assert rest(line).startswith(b"HTTP/1.1 413 ")
    assert listener.sink.taken == []
    until(lambda: listener.intake.size == 0)


def test_elements_are_counted_in_base64_too() -> None:
    for count in (2_000, 2_001):
        packed = b64encode(b"[" + b",".join([b"{}"] * count) + b"]")
        for body in (packed, b" " + packed + b"\r\n", b"\xef\xbb\xbf" + packed):
            assert too_many_elements(body) == (count > 2_000)
    assert not too_many_elements(b"[" * 5_000)
    assert not too_many_elements(b"!" * 5_000)


def test_elements_are_limited(listener: Listener) -> None:
    body = json.dumps([{"biz_id": str(n), "content": "{,[" * 5, "inner": {"a": [1, 2]}} for n in range(MAX_ELEMENTS)])
    assert listener.push(body.encode())[0] == 200
    assert listener.push(body[:-1].encode() + b",{}]")[0] == 413
    assert listener.push(b"[" + b"1," * MAX_ELEMENTS + b"1]")[0] == 413


@given(
    st.integers(0, 40),
    st.lists(st.sampled_from([b'{"a":1,"b":",{"}', b'{"a":{"b":{},"c":[1,2]}}', b"7", b'"\\",{["', b"{}"]), min_size=1),
    st.sampled_from([b"", b'{"a":', b'"', b"}", b"nul"]),
)
def test_elements_are_counted_without_parsing(over: int, kinds: list[bytes], broken: bytes) -> None:
    """Exact where the array is sound; never tricked into refusing neighbours of a broken last element."""
    count = MAX_ELEMENTS - 20 + over
    elements = [kinds[n % len(kinds)] for n in range(count)]
    assert too_many_elements(b"[" + b", ".join(elements) + b"]") == (count > MAX_ELEMENTS)
    assert not too_many_elements(b"[" + b", ".join([*elements[: MAX_ELEMENTS - 1], broken]) + b"]")


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'"\\', b"{", b"}", b"[{", b'{"a":', b",", b"[,"])
def test_counting_takes_no_longer_for_hostile_bodies(unit: bytes) -> None:
    body = (b"[" + b"," * MAX_ELEMENTS + unit * MAX_BODY)[:MAX_BODY]
    began = time.process_time()
    too_many_elements(body)
    assert time.process_time() - began < 0.5


def test_huge_headers_are_431(listener: Listener) -> None:
    assert listener.say(head(f"/{SECRET}", "X: " + "x" * 40_000)).startswith(b"HTTP/1.1 431 ")
    assert listener.say(head(f"/{SECRET}", *["X: xxxxxx"] * 9_000)).startswith(b"HTTP/1.1 431 ")
    endless = head(f"/{SECRET}")[:-4] + b"\r\nX: "
    with listener.line() as line:
        with contextlib.suppress(OSError):
            line.sendall(endless + b"x" * 400_000)
        assert rest(line).startswith(b"HTTP/1.1 431 ")
    assert listener.say(b"GET /" + b"x" * 70_000).startswith(b"HTTP/1.1 431 ")


def test_requests_sent_ahead_are_answered_in_order_up_to_a_bound(listener: Listener) -> None:
    ahead = b"".join(
        head(f"/{SECRET}/{kind}", f"Content-Length: {len(BODY)}") + BODY for kind in ("SmsReport", "SmsUp")
    )
    answers = listener.say(ahead + head("/nope", "Content-Length: 0"))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"200", b"404"]
    assert [taken.kind for taken in listener.sink.taken] == ["SmsReport", "SmsUp"]
    assert len(re.findall(rb"HTTP/1.1", listener.say(head(f"/{SECRET}", method="GET") * 500))) < 20


def test_garbage_after_a_push_does_not_cost_it_its_answer(listener: Listener) -> None:
    answer = listener.say(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY + b"\x00garbage\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") or answer == b""
    assert answer.count(b"HTTP/1.1") <= 1


def test_a_peer_that_sends_no_more_may_still_listen(listener: Listener) -> None:
    with listener.line() as line:
        line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
        line.shutdown(socket.SHUT_WR)
        assert rest(line).startswith(b"HTTP/1.1 200 ")


def test_a_refused_sender_that_is_still_sending_gets_its_answer(listener: Listener) -> None:
    with listener.line() as line:
        line.sendall(head("/wrong", "Content-Length: 4000000"))
        line.sendall(b" " * 3_000_000)
        assert rest(line).startswith(b"HTTP/1.1 404 ")


HASTY = Seconds(head=0.2, body=0.3, idle=0.4, answer=2, linger=0.2, stop=2)


def timed(listener: Listener, *pieces: bytes) -> float:
    """Seconds until the server ends the connection."""
    began = time.monotonic()
    listener.say(*pieces)
    return time.monotonic() - began


def test_slow_peers_are_cut_off_and_others_are_not() -> None:
    with Listener(seconds=HASTY) as listener:
        assert 0.1 < timed(listener) < 1.5  # says nothing
        assert 0.1 < timed(listener, head()[:-4]) < 1.5  # its head never ends
        assert 0.2 < timed(listener, head(f"/{SECRET}", "Content-Length: 100"), b"[") < 1.5  # nor its body
        with listener.line() as line:
            for _ in range(3):
                line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
                assert one(line).startswith(b"HTTP/1.1 200 ")
            began = time.monotonic()
            assert rest(line) == b""
            assert 0.3 < time.monotonic() - began < 1.5  # idle
        until(lambda: listener.intake.size == listener.server.connections == 0)


def test_a_dripping_body_has_all_its_time_and_no_more() -> None:
    with Listener(seconds=HASTY) as listener, listener.line() as line:
        line.sendall(head(f"/{SECRET}", "Content-Length: 100000"))
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 5:
                line.sendall(b" ")
                time.sleep(0.02)
        assert time.monotonic() - began < 2


def test_nothing_is_answered_before_it_is_acked() -> None:
    with Listener() as listener, listener.line() as line:
        listener.sink.hold()
        line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
        listener.sink.wait()
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(1)
        listener.sink.release()
        line.settimeout(10)
        assert one(line).startswith(b"HTTP/1.1 200 ")


def test_a_stalled_store_is_503_in_time_and_what_was_taken_stays_in_hand() -> None:
    with Listener() as listener:
        listener.sink.hold()
        began = time.monotonic()
        status, text = listener.push()
        assert status == 503
        assert text["code"] != 0
        assert 0.5 < time.monotonic() - began < 0.65
        assert listener.ask("GET", "/healthz")[0] == 503
        assert (listener.intake.pushes, listener.intake.size) == (1, len(BODY))
        assert listener.ask("GET", f"/{SECRET}") == (200, GOOD)  # the probe asks for no store
        listener.sink.release()  # it lands late
        until(lambda: listener.intake.pushes == 0)
        assert listener.intake.size == 0
        assert listener.ask("GET", "/healthz") == (200, GOOD)
        assert listener.receiver.pushes == {503: 1}


def test_a_push_that_was_refused_for_its_time_makes_it_unhealthy_until_it_is_stored() -> None:
    """However long its body took to arrive."""
    held: list[Delivery] = []
    intake = Intake(held.append)
    answers: list[bool] = []
    intake.submit(lambda ack: Delivery((BODY,), None, Source.PUSH, "/", NOW, ack), 1, time.monotonic(), answers.append)
    assert intake.healthy
    intake.settle()
    assert (answers, intake.healthy) == ([False], False)
    held[0].ack()
    intake.settle()
    assert (answers, intake.healthy, intake.pushes) == ([False], True, 0)


def test_the_serving_changes_threads_whenever_a_commit_takes_long() -> None:
    with Listener() as listener:
        for _ in range(6):
            listener.sink.hold()
            with listener.line() as line:
                line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
                listener.sink.wait()
                began = time.monotonic()
                assert listener.ask("GET", f"/{SECRET}") == (200, GOOD)
                assert time.monotonic() - began < 0.3
                listener.sink.release()
                assert one(line).startswith(b"HTTP/1.1 200 ")
            for _ in range(3):  # and no push is forgotten between the two
                assert listener.push() == (200, GOOD)
                listener.sink.wait()
        assert len(listener.sink.threads) == 2
        assert listener.receiver.pushes == {200: 24}


def test_the_serving_thread_commits_itself_as_long_as_it_is_quick() -> None:
    with Listener() as listener:
        for _ in range(50):
            assert listener.push() == (200, GOOD)
        assert len(listener.sink.threads) == 1


def test_pushes_that_arrive_during_a_slow_commit_are_stored_by_the_next() -> None:
    with Listener() as listener, contextlib.ExitStack() as stack:
        listener.sink.hold()
        lines = [stack.enter_context(listener.line()) for _ in range(5)]
        for line in lines:
            line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
            listener.sink.wait()
        listener.sink.release()
        assert [one(line)[:13] for line in lines] == [b"HTTP/1.1 200 "] * 5
        assert listener.intake.pushes == 0


def test_a_push_that_is_refused_after_its_body_keeps_the_connection() -> None:
    open_ = True
    with Listener(room=lambda: open_) as listener, listener.line() as line:
        wire = head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY
        line.sendall(wire[:-4])
        time.sleep(0.1)
        open_ = False
        line.sendall(wire[-4:] + wire)
        answers = b""
        while answers.count(b"busy") < 2:
            answers += line.recv(65536)
        open_ = True
        line.sendall(wire)
        assert one(line).startswith(b"HTTP/1.1 200 ")
        assert listener.messages == []


def test_a_sender_that_waits_for_it_is_told_to_continue(listener: Listener) -> None:
    with listener.line() as line:
        line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(BODY)
        assert one(line).startswith(b"HTTP/1.1 200 ")
    refused = listener.say(head("/nope", "Content-Length: 5", "Expect: 100-continue"))
    assert refused.startswith(b"HTTP/1.1 404 ")


def test_a_client_that_does_not_take_its_answers_is_cut_off() -> None:
    with Listener(seconds=HASTY) as listener, listener.line() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = head(f"/{SECRET}", method="GET")
        line.settimeout(0.05)
        with contextlib.suppress(OSError):
            for _ in range(20_000):
                line.sendall(request * 4)
        until(lambda: listener.server.connections == 0)
        assert listener.messages == []


@pytest.mark.parametrize("ahead", [1, 2, 30])
def test_a_sender_that_leaves_costs_nothing_however_much_it_sent_ahead(ahead: int) -> None:
    with Listener() as listener:
        listener.sink.hold()
        with listener.line() as line:
            line.sendall((head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY) * ahead)
            listener.sink.wait()
        until(lambda: not listener.server.connections)
        listener.sink.release()
        until(lambda: listener.intake.pushes == 0)
        assert listener.messages == []


@pytest.mark.parametrize("bounds", [{"max_pushes": 3}, {"max_bytes": 3 * len(BODY)}])
def test_what_is_in_hand_is_bounded_and_then_503_comes_at_once(bounds: dict[str, Any]) -> None:
    with Listener(**bounds) as listener, contextlib.ExitStack() as stack:
        listener.sink.hold()
        for _ in range(3):
            line = stack.enter_context(listener.line())
            line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
            listener.sink.wait()
        began = time.monotonic()
        assert listener.push()[0] == 503
        assert time.monotonic() - began < 0.3
        assert listener.ask("GET", "/healthz")[0] == 503
        listener.sink.release()
        until(lambda: listener.intake.pushes == 0)
        assert listener.push()[0] == 200


def test_a_reader_that_does_not_keep_up_holds_back_the_receiving() -> None:
    keeps_up = False
    with Listener(room=lambda: keeps_up) as listener:
        assert listener.push()[0] == 503
        assert listener.sink.taken == []
        keeps_up = True
        assert listener.push()[0] == 200


def test_a_full_disk_is_503_at_once_until_there_is_space() -> None:
    space = False
    with Listener(space=lambda: space) as listener:
        listener.sink.hold()
        with listener.line() as line:
            line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
            listener.sink.wait()
            listener.sink.is_full = True
            listener.sink.release()
            assert one(line).startswith(b"HTTP/1.1 503 ")
        assert listener.intake.pushes == listener.intake.size == 0
        assert listener.ask("GET", "/healthz")[0] == 503
        space = True
        listener.sink.is_full = False
        assert listener.push()[0] == 200  # a push always tries
        assert listener.ask("GET", "/healthz")[0] == 200


def test_when_the_committer_gives_up_everybody_is_told_503() -> None:
    with Listener() as listener:
        listener.sink.hold()
        with listener.line() as line:
            line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
            listener.sink.wait()
            listener.sink.fails = True
            listener.sink.release()
            assert one(line).startswith(b"HTTP/1.1 503 ")
        assert listener.push()[0] == 503
        assert listener.ask("GET", "/healthz")[0] == 503


def test_a_crowd_of_silent_connections_keeps_nobody_out() -> None:
    with Listener(connections=5) as listener, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(listener.line()) for _ in range(20)]
        assert listener.push()[0] == 200
        until(lambda: listener.server.connections <= 5)
        assert rest(silent[0]) == b""


def test_beyond_the_limit_a_connection_is_told_503_when_all_others_are_busy() -> None:
    with Listener(connections=2) as listener, contextlib.ExitStack() as stack:
        listener.sink.hold()
        for _ in range(2):
            line = stack.enter_context(listener.line())
            line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
            listener.sink.wait()
        assert listener.say().startswith(b"HTTP/1.1 503 ")


def test_a_stop_finishes_what_is_in_flight() -> None:
    listener = Listener()
    with listener:
        listener.sink.hold()
        with listener.line() as line, listener.line() as idle:
            line.sendall(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
            listener.sink.wait()
            listener.stop()
            assert rest(idle) == b""
            with pytest.raises(OSError, match="refused"):
                listener.line().__enter__()
            listener.sink.release()
            answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer


def test_a_bug_is_told_by_its_type_alone(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(_: Delivery) -> None:
        raise ValueError(SECRET)

    with Listener() as listener:
        listener.intake._put = broken
        answer = listener.say(head(f"/{SECRET}", f"Content-Length: {len(BODY)}") + BODY)
        listener.say(b"\x00\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert listener.messages == ["error: internal: ValueError"]
    assert capfd.readouterr() == ("", "")


def test_a_bug_of_the_server_itself_ends_it_and_is_raised() -> None:
    listener = Listener()
    listener.server._tick = lambda: listener.nothing_of_that_name  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        listener.server.run_on(listener._door)
    with pytest.raises(OSError, match="refused"):
        listener.line().__enter__()
