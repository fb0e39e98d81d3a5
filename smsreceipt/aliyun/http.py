"""Keep-alive connections to one endpoint for asyncio. A request is sent once and gets its whole answer or an exception.

The official clients have no timeout on https, share one unlocked connection, and silently repeat a request that got no
answer, which hides a batch of messages for the length of their visibility timeout. This transport does none of that,
follows no redirect, and accepts only the HTTP/1.1 that the services send.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import cast

from smsreceipt.language import N_, _

from . import way
from .answer import Response, may_end, read
from .dial import dial
from .endpoints import Endpoint
from .faults import BadAnswer, ConnectionLost, TimedOut
from .proxies import Proxy
from .reporter import ConnectionReporter
from .tunnel import forwarded, open_tunnel

_SMALL = 128 * 1024  # bytes of an answer that is parsed anew for each packet

__all__ = ["Pool", "Response"]


class _Connection(asyncio.BufferedProtocol):
    """One connection with at most one request at a time. A BufferedProtocol saves the loop an allocation per read."""

    def __init__(self, idle: list[_Connection]) -> None:
        self.alive = False
        self.idle_since = 0.0
        self._idle = idle
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Response] | None = None
        self._window = memoryview(bytearray(32 * 1024))
        self._buffer = bytearray()
        self._seen = 0  # bytes of it that were searched for the end of the answer
        self._ending = False  # the end may be in the buffer
        self._parse_at = _SMALL  # bytes from which on it is parsed even so, to find errors
        self._need = 0  # bytes below which the buffered answer cannot be complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # what create_connection promises
        self.alive = True

    def send(self, request: bytes, waiter: asyncio.Future[Response]) -> None:
        """Write *request*; *waiter* gets the answer or a TransportError."""
        assert self._transport is not None  # noqa: S101
        self._waiter = waiter
        self._transport.write(request)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the window has a fixed size
        return self._window

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._window[:nbytes])
        if self._waiter is None:
            self.abort()  # unrequested bytes must not become the answer to the next request
            return
        if self._buffer or self._need:
            self._buffer += data
            if len(self._buffer) < self._need or not self._worth_parsing():
                return
            data = bytes(self._buffer)
        try:
            found = read(data)
        except BadAnswer as exc:
            self._settle(exc)
            self.abort()
            return
        if isinstance(found, int):
            if not self._buffer:
                self._buffer += data
            self._need = found
            if found > len(data) + _SMALL:  # the length is known: it is complete or wrong with so many bytes
                self._parse_at = found
            return
        self._buffer.clear()
        self._need = self._seen = 0
        self._ending, self._parse_at = False, _SMALL
        response, end, keep = found
        if not keep or end != len(data):
            self.abort()
        self._settle(response)

    def _worth_parsing(self) -> bool:
        """Whether a large answer, of which no length is known, may be complete now."""
        size = len(self._buffer)
        if size <= _SMALL:
            return True
        self._ending = self._ending or may_end(self._buffer, self._seen)
        self._seen = size
        if not self._ending and size < self._parse_at:
            return False
        self._parse_at = size * 2
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason makes no difference
        self.alive = False
        if self in self._idle:
            self._idle.remove(self)
        within, before = (
            N_("the connection ended in the middle of the answer"),
            N_("the connection ended before the answer"),
        )
        self._settle(ConnectionLost(_(within if self._buffer else before), sent=True))

    def _settle(self, outcome: Response | Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if isinstance(outcome, Response):
            waiter.set_result(outcome)
        else:
            waiter.set_exception(outcome)

    def expire(self) -> None:
        """Fail the request because its time limit has passed."""
        self._settle(TimedOut(_("no complete answer in time"), sent=True))
        self.abort()

    def abort(self) -> None:
        """Close at once and drop unread and unsent data."""
        self.alive = False
        if self._transport is not None:
            self._transport.abort()


class _Forwarded(_Connection):
    """A connection to a proxy that forwards plain http."""

    def __init__(self, idle: list[_Connection], endpoint: Endpoint, proxy: Proxy) -> None:
        super().__init__(idle)
        self._endpoint, self._proxy = endpoint, proxy

    def send(self, request: bytes, waiter: asyncio.Future[Response]) -> None:
        super().send(forwarded(request, self._endpoint, self._proxy), waiter)

    def _settle(self, outcome: Response | Exception) -> None:
        if isinstance(outcome, Response) and outcome.status == 407:  # of the proxy: no service answers so
            self.abort()
            outcome = self._proxy.refusal(outcome.status, self._endpoint)
        super()._settle(outcome)


class Pool:
    """Connections to one endpoint for one event loop: one for each concurrent request, each kept for later requests.

    A connection that has been idle for *idle* seconds is not used again, because the peer may be about to close it
    and the request would be lost. With *proxy*, it is the proxy that resolves the endpoint's name.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        proxy: Proxy | None = None,
        reporter: ConnectionReporter | None = None,
        connect_timeout: float = 5.0,
        idle: float = 15.0,
        tls: ssl.SSLContext | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.endpoint = endpoint
        self.reporter = reporter or ConnectionReporter()
        self._proxy = proxy
        self._connect_timeout = connect_timeout
        self._max_idle = idle
        self._tls = tls
        self._wall = wall
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._closed = False

    async def send(self, request: bytes, timeout: float) -> Response:  # noqa: ASYNC109 - one timer, not a task's scope
        """Send one whole request and return its whole answer, whatever its status.

        *timeout* is in seconds from the moment the request is written; opening a connection has its own limit. Raises
        ConnectionLost, TimedOut, BadAnswer, Unreached or Hopeless; their `sent` is False only where the provider cannot
        have received the request. Raises UsageError when the proxy asks for a password. Cancelling closes the
        connection.
        """
        loop = asyncio.get_running_loop()
        connection = self._take(loop.time()) or await self._open()
        waiter: asyncio.Future[Response] = loop.create_future()
        self._busy.add(connection)
        timer = loop.call_later(timeout, connection.expire)
        sent_at = self._wall()
        try:
            connection.send(request, waiter)
            response = await waiter
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            timer.cancel()
            self._busy.discard(connection)
        response.sent_at = sent_at
        response.received_at = self._wall()
        if connection.alive:
            connection.idle_since = loop.time()
            self._idle.append(connection)
        return response

    def close(self) -> None:
        """Close every connection now; running requests raise ConnectionLost. Idempotent."""
        self._closed = True
        for connection in (*self._idle, *self._busy):
            connection.abort()
        self._idle.clear()

    def _take(self, now: float) -> _Connection | None:
        """The connection that was used last, which the peer is the least likely to close."""
        if self._closed:
            raise ConnectionLost(_("the pool is closed"), sent=False)
        while self._idle:
            connection = self._idle.pop()
            if connection.alive and now - connection.idle_since < self._max_idle:
                return connection
            connection.abort()
        return None

    async def _open(self) -> _Connection:
        arrived: list[bool] = []  # at the proxy
        try:
            with self.reporter.connecting(way.first_peer(self.endpoint, self._proxy)):
                async with asyncio.timeout(self._connect_timeout):
                    connection = await self._connected(lambda: arrived.append(True))
        except (OSError, UnicodeError) as exc:  # TimeoutError and errors of TLS are OSErrors
            raise way.failure(
                exc, self.endpoint, self._proxy, arrived=bool(arrived), seconds=self._connect_timeout
            ) from exc
        if self._closed:
            connection.abort()
            raise ConnectionLost(_("the pool is closed"), sent=False)
        return connection

    async def _connected(self, reached: Callable[[], None]) -> _Connection:
        endpoint, proxy = self.endpoint, self._proxy
        if proxy and endpoint.tls:
            return await open_tunnel(lambda: _Connection(self._idle), endpoint, proxy, self._context(), reached)
        first = proxy or endpoint
        make = lambda: _Forwarded(self._idle, endpoint, proxy) if proxy else _Connection(self._idle)  # noqa: E731
        return (await dial(make, first.host, first.port, self._context() if first.tls else None))[1]

    def _context(self) -> ssl.SSLContext:
        self._tls = self._tls or way.tls_context()
        return self._tls
