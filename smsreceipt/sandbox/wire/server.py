"""The HTTP/1.1 server: h11 under asyncio, able to drop, shorten and delay its responses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import h11

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.wire.fastpath import origin_form, parse_request, response_head
from smsreceipt.sandbox.wire.http import Cut, Request, Response

MAX_BODY = 4 * 1024 * 1024

Respond = Callable[[Request], Response | asyncio.Future[Response]]


class Connection(asyncio.Protocol):
    """One client connection. It serves requests one at a time; pipelined requests wait."""

    def __init__(self, respond: Respond, clock: Clock, latency: float, connections: set[Connection]) -> None:
        self._respond = respond
        self._clock = clock
        self._latency = latency
        self._connections = connections
        self._h11 = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._incomplete = b""  # the beginning of a request that the fast parser has accepted so far
        self._fast = True  # the current request was read by the fast parser; h11 has not seen it
        self._busy = False  # the current request has no response yet
        self._pending: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Cancel a pending long poll, so that no message is taken for a client that is gone."""
        self._transport = None
        self._connections.discard(self)
        if self._pending is not None:
            self._pending.cancel()

    def data_received(self, data: bytes) -> None:
        """Read with the fast parser where that is possible, otherwise with h11."""
        if self._busy or not self._idle():
            self._h11.receive_data(data)
        else:
            data = self._incomplete + data if self._incomplete else data
            request = parse_request(data, MAX_BODY)
            if isinstance(request, Request):
                self._incomplete = b""
                self._fast = True
                self._serve(request)
                return
            if request is not None:
                self._incomplete = data
                return
            self._incomplete = b""
            self._h11.receive_data(data)
        if not self._busy:
            self._advance()

    def _idle(self) -> bool:
        state = self._h11
        return state.our_state is h11.IDLE and state.their_state is h11.IDLE and not state.trailing_data[0]

    def eof_received(self) -> bool:
        """Close the connection, also where the client could still read: a long poll ends with its connection."""
        return False

    def _advance(self) -> None:
        """Serve every complete request until one has to wait for its response."""
        try:
            while self._next():
                pass
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)

    def _next(self) -> bool:
        """Take one event from h11; False when nothing more can be done now."""
        event = self._h11.next_event()
        if isinstance(event, h11.Data):
            self._size += len(event.data)
            if self._size > MAX_BODY:
                self._refuse(413)
                return False
            self._body.append(bytes(event.data))
        elif isinstance(event, h11.Request):
            self._head, self._size = event, 0
            self._body.clear()
            if self._h11.they_are_waiting_for_100_continue:
                self._write(self._h11.send(h11.InformationalResponse(status_code=100, headers=[])))
        elif isinstance(event, h11.EndOfMessage):
            return self._dispatch()
        else:
            return False
        return True

    def _dispatch(self) -> bool:
        head = self._head
        if head is None:
            return False
        self._fast = False
        target = origin_form(head.target.decode("latin-1"))
        return self._serve(Request(head.method.decode("latin-1"), target, dict(head.headers), b"".join(self._body)))

    def _serve(self, request: Request) -> bool:
        """Respond now or when the response is ready; True when the connection can take the next request."""
        result = self._respond(request)
        if isinstance(result, Response):
            if not (self._latency or result.delay):
                return self._send(result)
            self._send_later(result)
        else:
            self._pending = result
            result.add_done_callback(self._poll_done)
        self._busy = True
        return False

    def _poll_done(self, future: asyncio.Future[Response]) -> None:
        self._pending = None
        if not future.cancelled():
            self._send_later(future.result())

    def _send_later(self, response: Response) -> None:
        asyncio.get_running_loop().call_later(self._latency + response.delay, self._resume, response)

    def _resume(self, response: Response) -> None:
        self._busy = False
        if self._transport is not None and self._send(response):
            self._advance()

    def _send(self, response: Response) -> bool:
        """Write as much of a response as its cut allows; True when the connection can take the next request."""
        if response.cut is Cut.NOTHING:
            self._close()
            return False
        body = response.body
        headers = [(b"Date", self._clock.http_date()), *response.headers]
        if response.status != 204:
            headers.append((b"Content-Length", b"%d" % len(body)))
        if body:
            headers.append((b"Content-Type", response.content_type))
        if self._fast:
            head = response_head(response.status, headers)
        else:
            head = self._h11.send(h11.Response(status_code=response.status, headers=headers)) or b""
        if response.cut is not None:
            self._write(head + body[: len(body) // 2])
            if response.cut is Cut.HALF:
                self._close()
            return False
        if self._fast:
            self._write(head + body)
            return True
        return self._finish(head, body)

    def _finish(self, head: bytes, body: bytes) -> bool:
        if body and self._head is not None and self._head.method != b"HEAD":
            head += self._h11.send(h11.Data(data=body)) or b""
        self._write(head + (self._h11.send(h11.EndOfMessage()) or b""))
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            return True
        self._close()
        return False

    def _refuse(self, status: int) -> None:
        if self._h11.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [(b"Content-Length", b"0"), (b"Connection", b"close"), (b"Date", self._clock.http_date())]
            self._write(self._h11.send(h11.Response(status_code=status, headers=headers)))
        self._close()

    def _write(self, data: bytes | None) -> None:
        if self._transport is not None and data:
            self._transport.write(data)

    def abort(self) -> None:
        """Close at once and discard what is not sent."""
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
