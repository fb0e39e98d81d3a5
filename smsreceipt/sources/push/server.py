"""The HTTP server of the push app: uvicorn, with time limits, size limits and no logging of request paths."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from smsreceipt.sources.push.app import ARRIVED, MAX_BODY

MAX_HEAD = 32 << 10  #: bytes of a request line and headers
_MAX_WIRE = 2 * MAX_BODY + MAX_HEAD  # bytes of a request with its framing: a body in one-byte chunks is refused early
_MAX_PIPELINE = 8  # requests sent ahead of their answers
_OFFER = {b"upgrade", b"http2-settings"}  # what offers another protocol, as a header and as a word of `connection`
_LINGER_BYTES = 8 << 20  # read and dropped after a refusal, at most


class Seconds(NamedTuple):
    """How long a client may take, in seconds."""

    head: float = 5.0  #: for a request's head, from its first byte; for the first byte, from the connection
    body: float = 10.0  #: for all of a body
    idle: float = 15.0  #: between two requests
    answer: float = 10.0  #: for the answer, until the client has taken it
    linger: float = 1.0  #: to take a refusal while it is still sending
    stop: int = 5  #: for requests in flight when the server stops


USUAL = Seconds()


class _Phase(IntEnum):
    QUIET = 0  # no request has begun
    HEAD = 1
    BODY = 2
    ANSWER = 3  # the request is complete, and not answered yet
    OVER = 4  # the last answer is written; further bytes are dropped


class _State(ServerState):
    """What the connections of a server share."""

    def __init__(self, most: int, seconds: Seconds) -> None:
        super().__init__()
        self.most, self.seconds = most, seconds

    def make_room(self) -> bool:
        """Whether one more connection may be opened; if there are too many, the longest idle one is closed for it.

        So idle connections cannot lock out other clients. Those that never sent a request are closed first.
        """
        if len(self.connections) < self.most:
            return True
        silent = [each for each in self.connections if isinstance(each, Connection) and each.silent]
        if not silent:
            return False
        min(silent, key=lambda each: (each.served, each.deadline)).abort()
        return True

    def abort_late(self, now: float) -> None:
        """Abort the connections whose deadline has passed."""
        late = [each for each in self.connections if isinstance(each, Connection) and each.deadline <= now]
        for each in late:
            each.abort()


class Connection(HttpToolsProtocol):
    """One connection: a deadline for each phase of a request, and a bound for all that a client may send."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        assert isinstance(self.server_state, _State)  # noqa: S101 - it comes from Server
        self._shared = self.server_state
        self._seconds = self._shared.seconds
        self.deadline = self.loop.time() + self._seconds.head
        self.served = False  #: a request was answered on it
        self._phase = _Phase.QUIET
        self._fed = 0  # bytes since the request under way began
        self._piece = 0
        self._status = 400  # of the refusal of a request that the parser cannot read
        self._wire: asyncio.Transport | None = None
        self._out: _Transport

    @property
    def silent(self) -> bool:
        """Whether no request is waiting for its answer."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self._phase in {_Phase.QUIET, _Phase.HEAD, _Phase.OVER}

    def abort(self) -> None:
        """Close it at once."""
        self.connections.discard(self)
        self.deadline = float("inf")
        if self._wire is not None:
            self._wire.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Accept the connection, or answer 503 at once if there are too many."""
        self._wire = transport
        if not self._shared.make_room():
            self.transport = transport
            self._phase = _Phase.OVER
            transport.write(_plain(503))
            transport.close()
            return
        super().connection_made(transport)
        self.transport = self._out = _Transport(transport, self.finish, lambda: self._phase is _Phase.OVER)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and refuse requests that are too large."""
        self._piece = len(data)
        self._fed += self._piece
        if self._phase is _Phase.OVER:
            if self._fed > _LINGER_BYTES:
                self.abort()
            return
        self._feed(data)
        if self._phase is _Phase.HEAD and self._fed > MAX_HEAD:
            self._refuse(431)
        elif self._phase is _Phase.BODY and self._fed > _MAX_WIRE:
            self._refuse(413)

    def _feed(self, data: bytes) -> None:
        """Feed the parser. It stops after a head that offers another protocol: the offer is ignored (RFC 9110, 7.8)."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stop:
                data = self._head_without_offer() + data[stop.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError:
                self.send_400_response("")
                return
            else:
                return

    def _head_without_offer(self) -> bytes:
        """The head that was read last, without its offer of another protocol."""
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                kept = [word for word in value.split(b",") if word.strip().lower() not in _OFFER]
                lines += [b"connection: " + b",".join(kept)] if kept else []
            elif name not in _OFFER:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def eof_received(self) -> bool:  # type: ignore[override]  # what a protocol may answer
        """Answer a complete request also after the client has closed its sending side."""
        if self._phase is not _Phase.ANSWER:
            return False
        self.cycle.keep_alive = False
        return True

    def finish(self) -> None:
        """Close after the answer. A client still sending gets a moment: a reset could make it lose the answer."""
        wire = self._wire
        if wire is None or wire.is_closing() or self._phase is _Phase.OVER:
            return
        self._out.flush()
        if self._phase is not _Phase.BODY:
            self._phase = _Phase.OVER
            wire.close()
            return
        self._end_phase(_Phase.OVER, self._seconds.linger)
        self._fed = 0
        self.flow.resume_reading()
        wire.write_eof()

    def on_message_begin(self) -> None:
        """Start the time limit of a request at its first byte."""
        self._end_phase(_Phase.HEAD, self._seconds.head)
        self._fed = self._piece  # the end of an earlier request may be counted too
        super().on_message_begin()
        self.scope[ARRIVED] = time.monotonic()  # type: ignore[literal-required]  # a key of this package

    def on_headers_complete(self) -> None:
        """Refuse upgrades, large headers and long pipelines."""
        if self._fed > MAX_HEAD and sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD:
            self._status = 431
            raise ValueError
        if len(self.pipeline) >= _MAX_PIPELINE:
            raise ValueError
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError
            return  # _feed reads the request again, without the offer
        self._end_phase(_Phase.BODY, self._seconds.body)
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0" and self.parser.should_keep_alive():
            self.cycle.keep_alive = True  # the client asked for it, and waits for an answer that says so
            self.cycle.default_headers = [(b"connection", b"keep-alive")]

    def on_message_complete(self) -> None:
        """Start the time limit of the answer."""
        if self.parser.should_upgrade():
            return
        if self._phase is not _Phase.OVER:
            self._end_phase(_Phase.ANSWER, self._seconds.answer)
        super().on_message_complete()
        if self.cycle.response_complete:  # it was refused by its head alone
            self._rest()

    def on_response_complete(self) -> None:
        """Continue with a pipelined request, or wait for the next one."""
        self.served = True
        self._out.flush()  # the head of an answer without a body
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        if self._phase is _Phase.ANSWER:
            self._rest()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it names the server software
        """Answer a request that the parser refused, unless another is being answered, and close the connection."""
        self._refuse(self._status)

    def _refuse(self, status: int) -> None:
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete
        if self._wire is None or self._wire.is_closing():
            return
        if self.pipeline or (under_way and self._phase is _Phase.HEAD):
            self.abort()  # the client would take it for the answer of an earlier request
            return
        if under_way and not cycle.more_body:
            cycle.keep_alive = False
            return
        if under_way:
            cycle.disconnected = True
            cycle.message_event.set()
        self._phase = _Phase.BODY  # the client may be sending more
        self._wire.write(_plain(status))
        self.finish()

    def _end_phase(self, next_phase: _Phase, seconds: float) -> None:
        self._phase = next_phase
        self.deadline = self.loop.time() + seconds

    def _rest(self) -> None:
        self._end_phase(_Phase.QUIET, self._seconds.idle)


class _Transport(asyncio.Transport):
    """What uvicorn writes to: it joins an answer's head and body, and leaves closing to the connection."""

    def __init__(self, wire: asyncio.Transport, finish: Callable[[], None], over: Callable[[], bool]) -> None:
        super().__init__()
        self._wire, self._finish, self._over = wire, finish, over
        self._head = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold a head back until its body comes: a second system call would double the cost of an answer."""
        if self._head:
            self._head += data
            self.flush()
        elif data[:9] == b"HTTP/1.1 " and data[9:12] != b"100":
            self._head = bytes(data)
        elif not self.is_closing():
            self._wire.write(data)

    def flush(self) -> None:
        """Write a head that was held back. Not on a closing transport: uvloop raises there."""
        if self._head and not self.is_closing():
            self._wire.write(self._head)
        self._head = b""

    def close(self) -> None:
        """Close after the bytes written so far."""
        self._finish()

    def is_closing(self) -> bool:
        """Whether no more bytes will be written."""
        return self._over() or self._wire.is_closing()


def _plain(status: int) -> bytes:
    return STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n"


class Server(uvicorn.Server):
    """Serves an ASGI app on a listening socket until stop(). Handles no signals and writes no logs."""

    def __init__(
        self,
        app: Any,
        *,
        connections: int,
        tell: Callable[[str], None],
        tick: Callable[[], None] = lambda: None,
        seconds: Seconds = USUAL,
    ) -> None:
        """*tick* is called ten times a second; *tell* gets a line about each bug. Nothing else is logged."""
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=seconds.stop,
            )
        )
        self._shared = self.server_state = _State(connections, seconds)
        self._tick, self._tell = tick, tell

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._shared.connections)

    def stop(self) -> None:
        """Stop accepting, and finish the requests in flight. Inside the loop, or from one of its signal handlers."""
        self.should_exit = True

    async def run_on(self, listener: socket.socket) -> None:
        """Serve until stop(), then close every connection."""
        with _only_bugs(self._tell):
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, context: self._tell(_name(context.get("exception")))
            )
            await self.serve([listener])
            for each in [*self._shared.connections]:
                if isinstance(each, Connection):
                    each.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: the caller handles signals."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Abort late connections and call tick, ten times a second."""
        self._shared.abort_late(asyncio.get_running_loop().time())
        self._tick()
        return await super().on_tick(counter)


def _name(exc: BaseException | None) -> str:
    return f"error: internal: {type(exc).__name__}"


class _Bugs(logging.Handler):
    """Reports the type of an exception that reached the server, and nothing else of what is logged."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Report only the type: messages and paths hold secrets."""
        exc = record.exc_info[1] if record.exc_info else None
        if exc is not None and not isinstance(exc, asyncio.CancelledError):
            self._tell(_name(exc))


@contextlib.contextmanager
def _only_bugs(tell: Callable[[str], None]) -> Iterator[None]:
    """Replace the log output of uvicorn and asyncio, which holds paths, and with them secrets."""
    handler = _Bugs(tell)
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "asyncio")]
    before = [(each.propagate, each.level) for each in loggers]
    for each in loggers:
        each.propagate = False
        each.addHandler(handler)
    try:
        yield
    finally:
        for each, (propagate, _) in zip(loggers, before, strict=True):
            each.propagate = propagate
            each.removeHandler(handler)
