"""The wire: HTTP/1.1 on loopback by h11 under asyncio, able to drop and to cut what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import h11

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.wire.fastpath import head_of, path_of, request_in
from smsreceipt.sandbox.wire.http import Answer, Cut, Request

MAX_BODY = 4 * 1024 * 1024

Respond = Callable[[Request], Answer | asyncio.Future[Answer]]


class Connection(asyncio.Protocol):
    """One client: requests one after the other, pipelined ones wait."""

    def __init__(self, respond: Respond, clock: Clock, latency: float, others: set[Connection]) -> None:
        self._respond = respond
        self._clock = clock
        self._latency = latency
        self._others = others
        self._peer = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._held = b""  # the beginning of a plain request
        self._plain = True  # the request under way was read without h11, which knows nothing of it
        self._busy = False  # its answer is not there yet
        self._pending: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast("asyncio.Transport", transport)
        self._others.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client went: nothing is to be handed to nobody."""
        self._transport = None
        self._others.discard(self)
        if self._pending is not None:
            self._pending.cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._busy or not self._idle():
            self._peer.receive_data(data)
        else:
            data = self._held + data if self._held else data
            request = request_in(data, MAX_BODY)
            if isinstance(request, Request):
                self._held = b""
                self._plain = True
                self._answer(request)
                return
            if request is not None:
                self._held = data
                return
            self._held = b""
            self._peer.receive_data(data)
        if not self._busy:
            self._advance()

    def _idle(self) -> bool:
        peer = self._peer
        return peer.our_state is h11.IDLE and peer.their_state is h11.IDLE and not peer.trailing_data[0]

    def eof_received(self) -> bool:
        """The client will send no more; it may still read. A promise is kept only to who keeps the line open."""
        return False

    def _advance(self) -> None:
        """Answer every request that is complete, as long as answers are at hand."""
        try:
            while self._next():
                pass
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)

    def _next(self) -> bool:
        """Take one event; False when there is nothing more to do for now."""
        event = self._peer.next_event()
        if isinstance(event, h11.Data):
            self._size += len(event.data)
            if self._size > MAX_BODY:
                self._refuse(413)
                return False
            self._body.append(bytes(event.data))
        elif isinstance(event, h11.Request):
            self._head, self._size = event, 0
            self._body.clear()
            if self._peer.they_are_waiting_for_100_continue:
                self._write(self._peer.send(h11.InformationalResponse(status_code=100, headers=[])))
        elif isinstance(event, h11.EndOfMessage):
            return self._dispatch()
        else:
            return False
        return True

    def _dispatch(self) -> bool:
        head = self._head
        if head is None:
            return False
        self._plain = False
        target = path_of(head.target.decode("latin-1"))
        return self._answer(Request(head.method.decode("latin-1"), target, dict(head.headers), b"".join(self._body)))

    def _answer(self, request: Request) -> bool:
        """Answer now, or as soon as the answer is there; True when the connection can take the next request."""
        result = self._respond(request)
        if isinstance(result, Answer):
            if not (self._latency or result.hold):
                return self._reply(result)
            self._later(result)
        else:
            self._pending = result
            result.add_done_callback(self._promised)
        self._busy = True
        return False

    def _promised(self, future: asyncio.Future[Answer]) -> None:
        self._pending = None
        if not future.cancelled():
            self._later(future.result())

    def _later(self, answer: Answer) -> None:
        asyncio.get_running_loop().call_later(self._latency + answer.hold, self._resume, answer)

    def _resume(self, answer: Answer) -> None:
        self._busy = False
        if self._transport is not None and self._reply(answer):
            self._advance()

    def _reply(self, answer: Answer) -> bool:
        """Write an answer, or as much of it as is to be; True when the connection can take the next request."""
        if answer.cut is Cut.NOTHING:
            self._close()
            return False
        body = answer.body
        headers = [(b"Date", self._clock.http_date()), *answer.headers]
        if answer.status != 204:
            headers.append((b"Content-Length", b"%d" % len(body)))
        if body:
            headers.append((b"Content-Type", answer.content_type))
        if self._plain:
            head = head_of(answer, headers)
        else:
            head = self._peer.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        if answer.cut is Cut.HALF:
            self._write(head + body[: len(body) // 2])
            self._close()
            return False
        if self._plain:
            self._write(head + body)
            return True
        return self._finish(head, body)

    def _finish(self, head: bytes, body: bytes) -> bool:
        if body and self._head is not None and self._head.method != b"HEAD":
            head += self._peer.send(h11.Data(data=body)) or b""
        self._write(head + (self._peer.send(h11.EndOfMessage()) or b""))
        return self._recycle()

    def _recycle(self) -> bool:
        if self._peer.our_state is h11.DONE and self._peer.their_state is h11.DONE:
            self._peer.start_next_cycle()
            return True
        self._close()
        return False

    def _refuse(self, status: int) -> None:
        if self._peer.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [(b"Content-Length", b"0"), (b"Connection", b"close"), (b"Date", self._clock.http_date())]
            self._write(self._peer.send(h11.Response(status_code=status, headers=headers)))
        self._close()

    def _write(self, data: bytes | None) -> None:
        if self._transport is not None and data:
            self._transport.write(data)

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
