"""The pool of blocking connections, against raw sockets: reuse, refused answers, time limits, messages of errors."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from pathlib import Path

import pytest

from smsreceipt.aliyun import blocking
from smsreceipt.aliyun.answer import Response
from smsreceipt.aliyun.blocking import BlockingPool
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import BadAnswer, ProxyRefused, TransportError, Unreached, in_words
from smsreceipt.aliyun.proxies import Proxy
from tests.aliyun.peer import Script, certify, says, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def ask(pool: BlockingPool, query: str = "A=1", form: str = "") -> Response:
    return pool.send(pool.connect(), "POST", query, form)


def ask_once(endpoint: Endpoint, form: str = "", proxy: Proxy | None = None) -> Response:
    with closing(BlockingPool(endpoint, proxy=proxy)) as pool:
        return ask(pool, form=form)


def again(connection: socket.socket) -> None:
    connection.sendall(OK)
    connection.recv(65536)
    connection.sendall(OK)


def test_a_connection_is_used_again() -> None:
    with serving(again) as (endpoint, _), closing(BlockingPool(endpoint)) as pool:
        assert [ask(pool).status for _ in range(2)] == [200, 200]


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
    with serving(first, says(OK)) as (endpoint, asked), closing(BlockingPool(endpoint)) as pool:
        assert ask(pool).body == b"{}"
        while len(pool._idle) and pool._idle[0].sock.recv(1, socket.MSG_PEEK) != b"":
            pass  # until its end has come
        assert ask(pool).body == b"{}"
        assert len(asked) == 2


def test_an_answer_may_come_in_pieces_and_in_chunks() -> None:
    pieces = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r", b"\n1\r\n}\r\n", b"0\r\n\r\n"
    with serving(says(*pieces)) as (endpoint, _):
        assert ask_once(endpoint).body == b"{}"


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
    with serving(script) as (endpoint, _), pytest.raises(TransportError, match=f"^{words}$"):
        ask_once(endpoint)


def test_a_form_goes_with_its_length_and_kind() -> None:
    with serving(says(OK)) as (endpoint, asked):
        ask_once(endpoint, form="B=%20")
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /?A=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5" in head
    assert body == b"B=%20"


def test_a_proxy_for_plain_http_is_told_the_whole_url() -> None:
    with serving(says(OK)) as (proxy, asked):
        ask_once(Endpoint("example.com", 80, tls=False), proxy=Proxy.parse(proxy.url))
    assert asked[0].startswith(b"POST http://example.com/?A=1 HTTP/1.1\r\nHost: example.com\r\n")


def test_a_proxy_for_https_is_asked_for_a_tunnel_and_may_refuse() -> None:
    refusal = says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    with serving(refusal) as (proxy, asked), pytest.raises(ProxyRefused):
        ask_once(Endpoint("example.com", 443, tls=True), proxy=Proxy.parse(proxy.url))
    assert asked[0].startswith(b"CONNECT example.com:443 HTTP/1.")


def test_no_more_connections_are_kept_than_asked_for() -> None:
    with serving(says(OK), says(OK)) as (endpoint, asked), closing(BlockingPool(endpoint, idle=0)) as pool:
        ask(pool)
        ask(pool)
    assert len(asked) == 2


def test_a_connection_in_use_is_closed_after_its_answer_when_the_pool_has_been_closed() -> None:
    with serving(again) as (endpoint, _):
        pool = BlockingPool(endpoint)
        connection = pool.connect()
        pool.close()
        assert pool.send(connection, "POST", "A=1").status == 200
        assert connection.is_closed


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_tls_connection_that_waited_for_its_turn_is_the_one_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newest: ssl.TLSVersion
) -> None:
    certificate = certify(tmp_path / "both.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    tls.maximum_version = newest
    with serving(again, tls=tls) as (endpoint, asked), closing(BlockingPool(endpoint)) as pool:
        connection = pool.connect()
        if newest is ssl.TLSVersion.TLSv1_3:
            while connection.is_connected:  # until the session tickets have come
                pass
        assert pool.send(connection, "POST", "A=1").status == 200
        assert ask(pool).status == 200
        assert len(asked) == 1


def test_a_handshake_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "CONNECT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = Endpoint("127.0.0.1", deaf.getsockname()[1], tls=True)
        with pytest.raises(Unreached, match=r"^cannot reach \S+ \(timed out while connecting, after "):
            ask_once(endpoint)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "unknown.example"])
def test_a_name_that_cannot_be_resolved_is_told(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreached, match=r"^cannot reach \S+ \(its name cannot be resolved\)$"):
        ask_once(Endpoint(host, 80, tls=False))


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "TOTAL", -1.0)
    with serving(says(OK[:-1])) as (endpoint, _), pytest.raises(TransportError, match="timed out"):
        ask_once(endpoint)


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (socket.gaierror(-2, "13800000001"), "its name cannot be resolved"),
        (TimeoutError("13800000001"), "timed out"),
        (ConnectionResetError(104, "13800000001"), "connection reset"),
        (ssl.SSLError("13800000001"), "TLS failed"),
        (BadAnswer("13800000001"), "the answer cannot be read"),
        (OSError("13800000001"), "the connection broke off"),
    ],
)
def test_troubles_on_the_way_are_told_in_words(exc: Exception, words: str) -> None:
    assert in_words(exc) == words
