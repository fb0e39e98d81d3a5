"""Connections for threads: what is kept, what is refused, and words for what goes wrong, against raw sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from smsreceipt.aliyun import wires
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import BadAnswer
from smsreceipt.aliyun.wires import Trouble, Wires, in_words

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Script = Callable[[socket.socket], None]


@contextmanager
def serving(*scripts: Script) -> Iterator[tuple[Endpoint, list[bytes]]]:
    """A peer that plays one script a connection; and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            for script in scripts:
                connection, _ = server.accept()
                with connection:
                    asked.append(connection.recv(65536))
                    script(connection)

        thread = threading.Thread(target=run)
        thread.start()
        yield Endpoint("127.0.0.1", server.getsockname()[1], tls=False), asked
        thread.join()


def says(*pieces: bytes) -> Script:
    def play(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return play


def again(connection: socket.socket) -> None:
    connection.sendall(OK)
    connection.recv(65536)
    connection.sendall(OK)


def test_a_connection_is_used_again() -> None:
    with serving(again) as (endpoint, _):
        pool = Wires(endpoint)
        assert [pool.send("POST", "A=1").status for _ in range(2)] == [200, 200]
        pool.close()


@pytest.mark.parametrize(
    "first",
    [
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"),
        says(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        says(OK),  # and ends
        says(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"),
    ],
)
def test_a_connection_that_has_ended_or_says_more_than_it_was_asked_is_not_used_again(first: Script) -> None:
    with serving(first, says(OK)) as (endpoint, asked):
        pool = Wires(endpoint)
        assert pool.send("POST", "A=1").body == b"{}"
        while len(pool._idle) and pool._idle[0].sock.recv(1, socket.MSG_PEEK) != b"":
            pass  # until its end has come
        assert pool.send("POST", "A=2").body == b"{}"
        assert len(asked) == 2
        pool.close()


def test_an_answer_may_come_in_pieces_and_in_chunks() -> None:
    pieces = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r", b"\n1\r\n}\r\n", b"0\r\n\r\n"
    with serving(says(*pieces)) as (endpoint, _):
        assert Wires(endpoint).send("POST", "A=1").body == b"{}"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (says(b""), "the connection broke off"),
        (says(OK[:-1]), "the connection broke off"),
        (says(b"SSH-2.0\r\n\r\n"), "the answer cannot be read"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "the answer cannot be read"),
    ],
)
def test_half_an_answer_or_none_is_trouble(script: Script, words: str) -> None:
    with serving(script) as (endpoint, _), pytest.raises(Trouble, match=f"^{words}$"):
        Wires(endpoint).send("POST", "A=1")


def test_a_form_goes_with_its_length_and_kind() -> None:
    with serving(says(OK)) as (endpoint, asked):
        Wires(endpoint).send("POST", "A=1", "B=%20")
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /?A=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5" in head
    assert body == b"B=%20"


def test_a_proxy_for_plain_http_is_told_the_whole_url() -> None:
    with serving(says(OK)) as (proxy, asked):
        Wires(Endpoint("example.com", 80, tls=False), proxy=proxy.url).send("POST", "A=1")
    assert asked[0].startswith(b"POST http://example.com/?A=1 HTTP/1.1\r\nHost: example.com\r\n")


def test_a_proxy_for_https_is_asked_for_a_tunnel_and_may_refuse() -> None:
    refusal = says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    with serving(refusal) as (proxy, asked), pytest.raises(Trouble):
        Wires(Endpoint("example.com", 443, tls=True), proxy=proxy.url).send("POST", "A=1")
    assert asked[0].startswith(b"CONNECT example.com:443 HTTP/1.")


def test_no_more_connections_are_kept_than_asked_for() -> None:
    with serving(says(OK), says(OK)) as (endpoint, asked):
        pool = Wires(endpoint, kept=0)
        pool.send("POST", "A=1")
        pool.send("POST", "A=2")
    assert len(asked) == 2


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "TOTAL", -1.0)
    with serving(says(OK[:-1])) as (endpoint, _), pytest.raises(Trouble, match="timed out"):
        Wires(endpoint).send("POST", "A=1")


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (socket.gaierror(-2, "13800000001"), "its name cannot be resolved"),
        (TimeoutError("13800000001"), "timed out, after 10 s without a byte"),
        (ConnectionResetError(104, "13800000001"), "connection reset"),
        (ssl.SSLError("13800000001"), "TLS failed"),
        (BadAnswer("13800000001"), "the answer cannot be read"),
        (OSError("13800000001"), "the connection broke off"),
    ],
)
def test_troubles_on_the_way_are_told_in_words(exc: Exception, words: str) -> None:
    assert in_words(exc) == words
