"""A peer without a valid certificate gets no request, neither an RPC call nor one to a queue."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest

from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.credentials import Credentials, Fixed
from smsreceipt.aliyun.endpoints import DEFAULTS, Endpoint
from smsreceipt.aliyun.faults import Untrusted
from smsreceipt.aliyun.http import Pool
from smsreceipt.aliyun.retry import Budget
from smsreceipt.aliyun.rpc import Caller
from tests.aliyun.peer import certify
from tests.cli.program import Program

Send = Callable[[Endpoint], object]


def no_sleep(_seconds: float) -> None:
    raise AssertionError("asked again, though asking again cannot help")


def by_call(endpoint: Endpoint) -> object:
    caller = Caller(endpoint, Fixed(Credentials("id", "secret")), Clock(), budget=lambda: Budget(3), sleep=no_sleep)
    try:
        return caller.call(QuerySendDetailsRequest())
    finally:
        caller.close()


def by_queue(endpoint: Endpoint) -> object:
    async def ask() -> object:
        pool = Pool(endpoint)
        try:
            return (await pool.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 5)).body
        finally:
            pool.close()

    return asyncio.run(ask())


class Peer(ThreadingHTTPServer):
    """Counts the requests that reach it, and answers with a redirect to `location` where it is set."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen = 0
        self.location = ""
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.seen += 1
                self.send_response(302 if peer.location else 200)
                if peer.location:
                    self.send_header("Location", peer.location)
                self.send_header("Content-Length", "13")
                self.end_headers()
                self.wfile.write(b'{"Code":"OK"}')

            do_POST = do_GET  # noqa: N815 - the name is http.server's

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Peer]:
    with Peer() as peer:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            peer.socket = context.wrap_socket(peer.socket, server_side=True)
        thread = threading.Thread(target=peer.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield peer
        finally:
            peer.shutdown()
            thread.join()


@pytest.mark.parametrize("send", [by_call, by_queue])
@pytest.mark.parametrize(
    ("address", "days", "trusted"),
    [
        pytest.param("127.0.0.1", 1, False, id="self-signed"),
        pytest.param("127.0.0.1", -1, True, id="expired"),
        pytest.param("127.0.0.2", 1, True, id="another host"),
    ],
)
def test_a_bad_certificate_gets_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, send: Send, address: str, days: int, trusted: bool
) -> None:
    certificate = certify(tmp_path / "both.pem", address, days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as peer:
        with pytest.raises(Untrusted, match=r"^https://127\.0\.0\.1:\d+: .*certificate"):
            send(Endpoint("127.0.0.1", peer.server_port, tls=True))
        assert peer.seen == 0


@pytest.mark.parametrize("send", [by_call, by_queue])
def test_a_good_certificate_gets_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, send: Send) -> None:
    certificate = certify(tmp_path / "both.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as peer:
        send(Endpoint("127.0.0.1", peer.server_port, tls=True))
        assert peer.seen == 1


def test_a_redirect_is_not_followed(program: Program) -> None:
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
    with serving() as metadata, serving() as peer:
        peer.location = f"http://127.0.0.1:{metadata.server_port}/latest/meta-data"
        environ = {f"SMSRECEIPT_{name.upper()}_ENDPOINT": f"127.0.0.1:{peer.server_port}" for name in DEFAULTS}
        ended = program("pull", "--queue", "q=SmsReport", environ={**environ, **keys})
        assert (ended.code, peer.seen > 0, metadata.seen) == (5, True, 0)


@pytest.mark.parametrize("name", DEFAULTS)
def test_plain_http_beyond_loopback_is_refused_before_anything_is_sent(program: Program, name: str) -> None:
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
    with serving() as peer:
        environ = {f"SMSRECEIPT_{each.upper()}_ENDPOINT": f"127.0.0.1:{peer.server_port}" for each in DEFAULTS}
        environ[f"SMSRECEIPT_{name.upper()}_ENDPOINT"] = "http://192.0.2.1"
        ended = program("pull", "--queue", "q=SmsReport", environ={**environ, **keys})
        assert (ended.code, peer.seen) == (2, 0)
        assert "plain http" in ended.err
