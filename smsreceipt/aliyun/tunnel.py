"""Connections through an HTTP proxy for asyncio: CONNECT, then TLS with the endpoint inside."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from smsreceipt.language import _

from .answer import MAX_HEAD
from .dial import dial
from .endpoints import Endpoint
from .faults import Unreached
from .proxies import Proxy

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")


class _Connection(Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio.BaseProtocol."""


_C = TypeVar("_C", bound=_Connection)


class _Tunnel(asyncio.Protocol):
    """The first answer of a proxy: its status is the result of `status`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: str) -> None:
        self.status: asyncio.Future[int] = loop.create_future()
        self._peer = peer
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        line = _STATUS.match(self._head)
        whole = self._head.find(b"\r\n\r\n") >= 0
        if line and whole and not self.status.done():
            self.status.set_result(int(line[1]))
        elif whole or len(self._head) > MAX_HEAD:
            self._fail(Unreached(_("{peer} does not answer as an HTTP proxy does", peer=self._peer)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionAbortedError())

    def _fail(self, exc: Exception) -> None:
        if not self.status.done():
            self.status.set_exception(exc)
            self.status.exception()  # nobody may be waiting any more


async def open_tunnel(
    make: Callable[[], _C], endpoint: Endpoint, proxy: Proxy, tls: ssl.SSLContext, reached: Callable[[], None]
) -> _C:
    """What *make* returns, as the protocol of a connection to *endpoint* over TLS through *proxy*.

    *reached* is called when the proxy has been reached. Raises OSError and what Proxy.refusal returns.
    """
    loop = asyncio.get_running_loop()
    first = lambda: _Tunnel(loop, _("the proxy {proxy}", proxy=proxy))  # noqa: E731
    transport, tunnel = await dial(first, proxy.host, proxy.port, tls if proxy.tls else None)
    try:
        reached()
        return await _through(transport, tunnel, make, endpoint, proxy, tls)
    except BaseException:
        transport.abort()
        raise


async def _through(
    transport: asyncio.Transport,
    tunnel: _Tunnel,
    make: Callable[[], _C],
    endpoint: Endpoint,
    proxy: Proxy,
    tls: ssl.SSLContext,
) -> _C:
    transport.write(_request(endpoint, proxy))
    status = await tunnel.status
    if not 200 <= status < 300:
        raise proxy.refusal(status, endpoint)
    connection = make()
    inside = await asyncio.get_running_loop().start_tls(
        transport, cast("asyncio.BaseProtocol", connection), tls, server_hostname=endpoint.host
    )
    if inside is None:
        raise ConnectionAbortedError
    connection.connection_made(inside)
    return connection


def _request(endpoint: Endpoint, proxy: Proxy) -> bytes:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    target = f"{host}:{endpoint.port}"
    fields = {"Host": target, "User-Agent": "smsreceipt", **proxy.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"CONNECT {target} HTTP/1.1\r\n{head}\r\n".encode("ascii")


def forwarded(request: bytes, endpoint: Endpoint, proxy: Proxy) -> bytes:
    """A request to *endpoint* over plain http as it is sent to *proxy*: with the whole URL."""
    method, _, rest = request.partition(b" ")
    line, _, others = rest.partition(b"\r\n")
    more = "".join(f"{name}: {value}\r\n" for name, value in proxy.headers.items())
    return b"%b %b%b\r\n%b%b" % (method, endpoint.url.encode("ascii"), line, more.encode("ascii"), others)
