"""Names that have several addresses, and name servers that do not answer."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from smsreceipt.aliyun import blocking
from smsreceipt.aliyun.blocking import BlockingPool
from smsreceipt.aliyun.dial import dial
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import Unreached
from smsreceipt.aliyun.http import Pool

NAME = "mns.example.test"
_look_up = socket.getaddrinfo


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The name server answers, with loopback, once this is set."""
    answers = threading.Event()

    def look_up(_host: str, *args: Any, **more: Any) -> list[Any]:
        answers.wait(30)
        return _look_up("127.0.0.1", *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield answers
    answers.set()


def by_call(port: int, seconds: float) -> None:
    with closing(BlockingPool(Endpoint(NAME, port, tls=False))) as pool:
        blocking.CONNECT = seconds
        pool.connect()


def by_queue(port: int, seconds: float) -> None:
    async def ask() -> None:
        with closing(Pool(Endpoint(NAME, port, tls=False), connect_timeout=seconds)) as pool:
            await pool.send(b"GET / HTTP/1.1\r\n\r\n", 5)

    asyncio.run(ask())


@pytest.mark.parametrize("send", [by_call, by_queue])
def test_a_name_server_that_does_not_answer_is_not_waited_for(
    late: threading.Event, monkeypatch: pytest.MonkeyPatch, send: Callable[[int, float], None]
) -> None:
    monkeypatch.setattr(blocking, "CONNECT", 5.0)  # set by by_call, and undone
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        with pytest.raises(Unreached, match=rf"^cannot reach {NAME}:\d+ \(timed out while connecting, after "):
            send(server.getsockname()[1], 0.05)
        late.set()
        if send is by_call:  # its thread connects though nobody waits any more, and closes the connection
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1) == b""


def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        port = server.getsockname()[1]
        closed.bind(("127.0.0.2", port))  # nobody listens there
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        async def run() -> str:
            transport, _ = await dial(asyncio.Protocol, NAME, port, None)
            transport.close()
            return str(transport.get_extra_info("peername")[0])

        assert asyncio.run(run()) == "127.0.0.1"
        found.pop()
        with pytest.raises(ConnectionRefusedError):
            asyncio.run(run())
        found.clear()
        with pytest.raises(socket.gaierror):
            asyncio.run(run())


def test_a_signal_ends_the_wait_for_a_name_server(late: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "CONNECT", 30.0)
    timer = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    timer.start()
    with closing(BlockingPool(Endpoint(NAME, 9, tls=False))) as pool, pytest.raises(KeyboardInterrupt):
        pool.connect()
    timer.join()
    assert not late.is_set()
