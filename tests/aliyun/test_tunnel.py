"""Both transports through a real proxy on loopback: tunnels with TLS inside, plain http, passwords, refusals.

The endpoint's name is known to the proxy only: a connection that comes about was made by it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import uvloop

from smsreceipt.aliyun.blocking import BlockingPool
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import ProxyRefused, TransportError, Unreached, Untrusted
from smsreceipt.aliyun.http import Pool
from smsreceipt.aliyun.proxies import Proxy
from smsreceipt.errors import UsageError
from tests.aliyun.peer import certify, serving
from tests.proxy import HttpProxy

NAME = "mns.example.test"
TLS, PLAIN = Endpoint(NAME, 443, tls=True), Endpoint(NAME, 80, tls=False)
GET = b"GET /queues/Q/messages?n=1 HTTP/1.1\r\nHost: mns.example.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Send = Callable[[Endpoint, Proxy, int], list[bytes]]


def by_call(endpoint: Endpoint, proxy: Proxy, times: int) -> list[bytes]:
    with closing(BlockingPool(endpoint, proxy=proxy)) as pool:
        return [pool.send(pool.connect(), "POST", "A=1").body for _ in range(times)]


def by_queue(endpoint: Endpoint, proxy: Proxy, times: int) -> list[bytes]:
    async def ask() -> list[bytes]:
        pool = Pool(endpoint, proxy=proxy)
        try:
            return [(await pool.send(GET, 5)).body for _ in range(times)]
        finally:
            pool.close()
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(ask())


def by_queue_of_asyncio(endpoint: Endpoint, proxy: Proxy, times: int) -> list[bytes]:
    async def ask() -> list[bytes]:
        with closing(Pool(endpoint, proxy=proxy)) as pool:
            return [(await pool.send(GET, 5)).body for _ in range(times)]

    return asyncio.run(ask())


senders = pytest.mark.parametrize("send", [by_call, by_queue, by_queue_of_asyncio])


class Service:
    """A service on loopback that answers every request on every connection, and keeps the requests."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                self.seen.append(data)
                connection.sendall(OK)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def service() -> Iterator[Service]:
    with closing(Service()) as service:
        yield service


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The TLS of the service and of the proxy, which the client trusts."""
    certificate = certify(tmp_path / "both.pem", names=[NAME])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@senders
@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
def test_tls_goes_through_a_tunnel_and_the_connection_is_kept(
    service: Service, context: ssl.SSLContext, send: Send, secured: bool
) -> None:
    tls = context if secured else None
    with HttpProxy({NAME: service.port}, inner=context, tls=tls, user="u:s@") as proxy:
        assert send(TLS, Proxy.parse(proxy.url("u:s%40")), 3) == [b"{}"] * 3
        assert [line.rpartition(" HTTP/1.")[0] for line in proxy.asked] == [f"CONNECT {NAME}:443"]
    assert (service.connections, len(service.seen)) == (1, 3)
    assert b"Proxy-" not in b"".join(service.seen)


@senders
@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
def test_plain_http_is_forwarded(service: Service, context: ssl.SSLContext, send: Send, secured: bool) -> None:
    tls = context if secured else None
    with HttpProxy({NAME: service.port}, tls=tls, user="u:s") as proxy:
        assert send(PLAIN, Proxy.parse(proxy.url("u:s")), 2) == [b"{}"] * 2
        method = "POST" if send is by_call else "GET"
        assert proxy.asked[0].startswith(f"{method} http://{NAME}/")
    (line, *_) = service.seen[0].split(b"\r\n")
    assert line in {b"POST /?A=1 HTTP/1.1", b"GET /queues/Q/messages?n=1 HTTP/1.1"}
    assert b"Host: mns.example.test\r\n" in service.seen[0]


@senders
@pytest.mark.parametrize("endpoint", [TLS, PLAIN], ids=["tls", "plain"])
@pytest.mark.parametrize(
    ("user", "words"),
    [("", "asks for a user and a password"), ("u:wrong", "refuses the user and the password")],
)
def test_a_proxy_that_wants_a_password_is_a_matter_of_configuration(
    service: Service, send: Send, endpoint: Endpoint, user: str, words: str
) -> None:
    with HttpProxy({NAME: service.port}, user="u:s") as proxy:
        with pytest.raises(UsageError, match=rf"^the proxy 127\.0\.0\.1:{proxy.port} {words} \(HTTPS_PROXY\)$") as no:
            send(endpoint, Proxy.parse(proxy.url(user), "HTTPS_PROXY"), 1)
        assert "http://USER:PASSWORD@HOST:PORT" in no.value.hint
    assert service.connections == 0


@senders
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(403, ProxyRefused, "does not let us reach"), (502, Unreached, "cannot reach"), (503, Unreached, "cannot reach")],
)
def test_a_proxy_that_opens_no_tunnel_is_told_apart_from_a_service_that_refuses(
    send: Send, status: int, kind: type[TransportError], words: str
) -> None:
    with HttpProxy({}, status=status) as proxy, pytest.raises(TransportError) as refused:
        send(TLS, Proxy.parse(proxy.url()), 1)
    assert type(refused.value) is kind
    assert str(refused.value) == f"the proxy 127.0.0.1:{proxy.port} {words} {NAME} (status {status})"
    assert not refused.value.sent


@senders
def test_a_proxy_that_nobody_runs(send: Send) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(Unreached, match=rf"^cannot reach the proxy 127\.0\.0\.1:{port} \(connection refused\)$"):
            send(TLS, Proxy.parse(f"127.0.0.1:{port}"), 1)


@senders
@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n\r\n", b"x" * 100_000], ids=["another protocol", "endless"])
def test_what_is_no_proxy(send: Send, answer: bytes) -> None:
    def play(connection: socket.socket) -> None:
        with suppress(OSError):  # the other side hangs up
            connection.sendall(answer)
            connection.recv(1)

    words = r"does not answer as an HTTP proxy does|connection broke off"
    with serving(play) as (peer, _), pytest.raises(Unreached, match=words):
        send(TLS, Proxy.parse(f"{peer.host}:{peer.port}"), 1)


@senders
def test_a_proxy_that_hangs_up(send: Send) -> None:
    words = rf"^cannot reach {NAME} through the proxy 127\.0\.0\.1:\d+ \("
    with serving(lambda _: None) as (peer, _), pytest.raises(Unreached, match=words):
        send(TLS, Proxy.parse(f"{peer.host}:{peer.port}"), 1)


@senders
def test_a_service_that_cannot_prove_its_name_gets_no_request_through_a_tunnel_either(
    service: Service, context: ssl.SSLContext, send: Send
) -> None:
    other = Endpoint("other.example.test", 443, tls=True)
    words = rf"^{other.host} through the proxy 127\.0\.0\.1:\d+: .*[Hh]ostname"
    with HttpProxy({other.host: service.port}, inner=context) as proxy, pytest.raises(Untrusted, match=words):
        send(other, Proxy.parse(proxy.url()), 1)
    assert service.seen == []


@senders
def test_a_proxy_that_cannot_prove_its_name_is_told_nothing(
    service: Service, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, send: Send
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with HttpProxy({NAME: service.port}, tls=context) as proxy:
        with pytest.raises(Untrusted, match=r"^the proxy 127\.0\.0\.1:\d+: .*certificate"):
            send(TLS, Proxy.parse(proxy.url()), 1)
        assert proxy.asked == []
