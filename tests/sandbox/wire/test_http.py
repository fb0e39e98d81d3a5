"""HTTP: the fast parser and h11 give the same responses, however the bytes arrive."""

import re
from collections.abc import Callable, Sequence
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.sandbox import Sandbox
from smsreceipt.sandbox.wire.fastpath import parse_request
from smsreceipt.sandbox.wire.http import Request
from tests.sandbox.clients import REPORTS, Wire, batch, sign

MESSAGES = f"/queues/{REPORTS}/messages"


def raw(method: str, target: str, body: bytes = b"", *more: str, version: str = "1.1", date: str = "") -> bytes:
    """A signed request as bytes. The signature of an absolute target covers its path and query only."""
    date = date or formatdate(usegmt=True)
    headers = {"x-mns-version": "2015-06-06", "date": date, **({"content-type": "text/xml"} if body else {})}
    path = "/" + target.split("/", 3)[3] if target.startswith("http") else target
    lines = [
        f"{method} {target} HTTP/{version}",
        "Host: localhost",
        f"Authorization: MNS sandbox:{sign(method, path, headers, 'sandbox-secret')}",
        *(f"{name}: {value}" for name, value in headers.items()),
        *([f"Content-Length: {len(body)}"] if body and not more else []),
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def statuses(wire: Wire, pieces: Sequence[bytes], responses: int) -> list[bytes]:
    """Send piece by piece; return the status codes of that many responses."""
    with wire.connect() as connection:
        for piece in pieces:
            connection.sendall(piece)
        got = b""
        while len(re.findall(rb"HTTP/1\.1 \d", got)) < responses or not complete(got):
            more = connection.recv(65_536)
            if not more:
                break
            got += more
    return re.findall(rb"HTTP/1\.1 (\d+)", got)


def complete(got: bytes) -> bool:
    return got.rstrip().endswith((b">", b"204 No Content")) or b"\r\n\r\n" in got[-4:]


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
def test_a_request_can_arrive_in_pieces(sandbox: Sandbox, wire: Wire, size: int) -> None:
    whole = raw("DELETE", MESSAGES, batch(["1-MS0yLTItOA=="]))
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert statuses(wire, pieces, 1) == [b"404"]


def test_the_body_can_arrive_after_the_head(sandbox: Sandbox, wire: Wire) -> None:
    head, _blank, body = raw("DELETE", MESSAGES, batch(["1-MS0yLTItOA=="])).partition(b"\r\n\r\n")
    assert statuses(wire, [head + b"\r\n\r\n", body[:20], body[20:]], 1) == [b"404"]


def test_pipelined_requests_are_answered_in_order(sandbox: Sandbox, wire: Wire) -> None:
    sandbox.put(REPORTS, "a")
    asked = raw("GET", MESSAGES) + raw("GET", MESSAGES) + raw("PATCH", MESSAGES) + raw("GET", MESSAGES)
    assert statuses(wire, [asked], 4) == [b"200", b"404", b"400", b"404"]


def test_a_request_behind_a_long_poll_waits_for_it(sandbox: Sandbox, wire: Wire) -> None:
    asked = raw("GET", f"{MESSAGES}?waitseconds=1"), raw("PATCH", MESSAGES)
    assert statuses(wire, asked, 2) == [b"404", b"400"]


def test_the_absolute_form_of_a_target_is_accepted(sandbox: Sandbox, wire: Wire) -> None:
    assert statuses(wire, [raw("GET", f"http://localhost{MESSAGES}?waitseconds=0")], 1) == [b"404"]


def test_chunked_bodies_are_read(sandbox: Sandbox, wire: Wire) -> None:
    body = batch(["1-MS0yLTItOA=="])
    head = raw("DELETE", MESSAGES, body, "Transfer-Encoding: chunked").removesuffix(body)
    assert statuses(wire, [head, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)], 1) == [b"404"]


def test_expect_100_continue_is_answered(sandbox: Sandbox, wire: Wire) -> None:
    body = batch(["1-MS0yLTItOA=="])
    head = raw("DELETE", MESSAGES, body, f"Content-Length: {len(body)}", "Expect: 100-continue").removesuffix(body)
    with wire.connect() as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "request_line", [b"GET /\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_a_request_that_is_not_http_is_refused_and_closed(wire: Wire, request_line: bytes) -> None:
    with wire.connect() as connection:
        connection.sendall(request_line)
        got = b"".join(iter(lambda: connection.recv(1000), b""))
    assert got.startswith(b"HTTP/1.1 400 ")


def test_a_body_that_is_too_large_is_refused_while_it_arrives(wire: Wire) -> None:
    with wire.connect() as connection:
        connection.sendall(raw("POST", MESSAGES, b"", "Transfer-Encoding: chunked"))
        try:
            for _ in range(6):
                connection.sendall(b"100000\r\n" + b"a" * 0x100000 + b"\r\n")
            answer = connection.recv(1000)
        except (BrokenPipeError, ConnectionResetError):
            return
    assert answer.startswith(b"HTTP/1.1 413 ") or not answer


@pytest.mark.parametrize(("version", "more"), [("1.0", ()), ("1.1", ("Connection: close",))])
def test_the_connection_closes_when_the_client_asks_for_it(wire: Wire, version: str, more: tuple[str, ...]) -> None:
    with wire.connect() as connection:
        connection.sendall(raw("GET", MESSAGES, b"", *more, version=version))
        got = b"".join(iter(lambda: connection.recv(1000), b""))
    assert b" 404 " in got.splitlines()[0]


def test_latency_is_added_and_order_kept(make: Callable[..., Sandbox]) -> None:
    sandbox = make(latency=20)
    sandbox.put(REPORTS, "a")
    with Wire(sandbox.url) as wire:
        assert statuses(wire, [raw("GET", MESSAGES) + raw("GET", MESSAGES)], 2) == [b"200", b"404"]


HEADERS = st.lists(
    st.sampled_from(
        [
            "Content-Length: 3",
            "Content-Length: 03",
            "Content-Length: +3",
            "Content-Length: x",
            "Transfer-Encoding: chunked",
            "Connection: close",
            "Connection: Keep-Alive",
            "Expect: 100-continue",
            "X-A:b",
            "X-A : b",
            " folded",
            "",
        ]
    ),
    max_size=3,
)


@given(HEADERS, st.sampled_from([b"", b"abc", b"abcdef"]))
def test_the_fast_parser_reads_only_ordinary_requests(headers: list[str], body: bytes) -> None:
    """It reads no body of another length than Content-Length, and no request with a header that only h11 handles."""
    head = "\r\n".join(["GET /x HTTP/1.1", "Host: a", *headers])
    read = parse_request(head.encode() + b"\r\n\r\n" + body, 1000)
    if isinstance(read, Request):
        lengths = [header for header in headers if header.startswith("Content-Length")]
        assert len(read.body) == (3 if lengths else 0)
        assert len(lengths) <= 1
        assert read.body == body
        assert not {"Transfer-Encoding: chunked", "Connection: close", "Expect: 100-continue", " folded"} & set(headers)
