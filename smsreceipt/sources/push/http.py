"""One connection of a pusher: HTTP/1.1, read by httptools, with limits of time and size, and its answers in order."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from enum import IntEnum
from functools import lru_cache, partial
from typing import NamedTuple, Protocol

import httptools

from smsreceipt.sources.push.app import KEEPING, MAX_BODY, Receiver, Route, answer

MAX_HEAD = 32 << 10  #: bytes of a request line and headers
_MAX_WIRE = 2 * MAX_BODY + MAX_HEAD  # bytes of a request with its framing: a body in one-byte chunks is refused early
_MAX_PIPELINE = 8  # requests sent ahead of their answers
_OFFER = {b"upgrade", b"http2-settings"}  # what offers another protocol, as a header and as a word of `connection`
_LINGER_BYTES = 8 << 20  # read and dropped after a refusal, at most
_BLOCK = 1 << 16  # bytes read at once
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

_answer = lru_cache(maxsize=64)(answer)


class Seconds(NamedTuple):
    """How long a client may take, in seconds."""

    head: float = 5.0  #: for a request's head, from its first byte; for the first byte, from the connection
    body: float = 10.0  #: for all of a body
    idle: float = 15.0  #: between two requests
    answer: float = 10.0  #: for the answer, until the client has taken it
    linger: float = 1.0  #: to take a refusal while it is still sending
    stop: float = 5.0  #: for requests in flight when the server stops


class Host(Protocol):
    """What a connection needs of its server."""

    seconds: Seconds
    app: Receiver
    stopping: bool  #: every answer is the last one on its connection
    arrived: float  #: time.monotonic() when what is read now had not come yet: a server that was held up reads late

    def watch(self, connection: Connection, events: int) -> None:
        """Call the connection's on_ready when these events come; 0: never."""

    def closed(self, connection: Connection) -> None:
        """The connection is closed."""

    def tell(self, exc: BaseException) -> None:
        """Report a bug."""


class _Phase(IntEnum):
    QUIET = 0  # no request has begun
    HEAD = 1
    BODY = 2
    ANSWER = 3  # the request is complete, and not answered yet
    OVER = 4  # the last answer is written; further bytes are dropped


class _Request:
    """One request, from its first byte to its answer."""

    __slots__ = ("answered", "arrived", "complete", "connection", "expects", "headers", "held", "keep", "method",
                 "pieces", "route", "status", "submitted", "url")  # fmt: skip

    def __init__(self, arrived: float) -> None:
        self.arrived = arrived
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.method = b""
        self.route: Route = (None, "")
        self.status = 0  # of the answer; 0: not known yet
        self.connection = b""  # what the answer says of the connection if it is kept
        self.keep = True
        self.expects = False  # it waits for a 100 before it sends its body
        self.pieces: list[bytes] = []
        self.held = 0  # bytes of the pieces
        self.complete = self.submitted = self.answered = False


class Connection:
    """One connection: a deadline for each phase of a request, and a bound for all that a client may send."""

    def __init__(self, wire: socket.socket, host: Host) -> None:
        self.deadline = time.monotonic() + host.seconds.head
        self.served = False  #: a request was answered on it
        self.wire = wire
        self.events = 0  #: that the server watches for
        self._host, self._app, self._seconds = host, host.app, host.seconds
        self._parser = httptools.HttpRequestParser(self)
        self._phase = _Phase.QUIET
        self._fed = 0  # bytes since the request under way began
        self._piece = 0
        self._refused_with = 400  # when the parser cannot read a request
        self._requests: deque[_Request] = deque()  # whose heads are read, up to the one that is being read
        self._reading = _Request(host.arrived)
        self._unsent = b""
        self._open = True
        self._closing = False  # once everything is sent
        self._ended = False  # the client sends no more

    @property
    def silent(self) -> bool:
        """Whether no request waits for its body or its answer."""
        return all(request.answered for request in self._requests)

    @property
    def _goes_on(self) -> bool:
        """Whether the last answer is not written yet."""
        return self._open and self._phase is not _Phase.OVER

    # What the server calls

    def on_ready(self, events: int) -> None:
        """Read and write what the socket has and takes. Called by the server, and raises nothing but a bug."""
        if events & _WRITE:
            self._send(b"")
        if events & _READ and self._open:
            try:
                data = self.wire.recv(_BLOCK)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.abort()
                return
            if data:
                self._received(data)
            else:
                self._end_of_input()
            self._update()

    def abort(self) -> None:
        """Close it at once; idempotent."""
        if not self._open:
            return
        self._open = False
        self.deadline = float("inf")
        self._host.closed(self)
        self.wire.close()
        self._app.intake.hold(-sum([request.held for request in self._requests]))
        self._requests.clear()

    def finish_last(self) -> None:
        """Close it, after the answers that are due: the server stops."""
        if self.silent and self._phase is not _Phase.OVER:
            self.abort()

    # Reading

    def _received(self, data: bytes) -> None:
        """Feed the parser, answer what is complete, and refuse requests that are too large."""
        self._piece = len(data)
        self._fed += self._piece
        if self._phase is _Phase.OVER:
            if self._fed > _LINGER_BYTES:
                self.abort()
            return
        self._feed(data)
        self._advance()
        if self._phase is _Phase.HEAD and self._fed > MAX_HEAD:
            self._refuse(431)
        elif self._phase is _Phase.BODY and self._fed > _MAX_WIRE:
            self._refuse(413)

    def _feed(self, data: bytes) -> None:
        """Feed the parser. It stops after a head that offers another protocol: the offer is ignored (RFC 9110, 7.8)."""
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as stop:
                data = self._head_without_offer() + data[stop.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError:
                self._advance()
                self._refuse(self._refused_with)
                return
            else:
                return

    def _head_without_offer(self) -> bytes:
        """The head that was read last, without its offer of another protocol."""
        parser, request = self._parser, self._reading
        lines = [b"%s %s HTTP/%s" % (parser.get_method(), request.url, parser.get_http_version().encode())]
        for name, value in request.headers:
            if name == b"connection":
                kept = [word for word in value.split(b",") if word.strip().lower() not in _OFFER]
                lines += [b"connection: " + b",".join(kept)] if kept else []
            elif name not in _OFFER:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def _end_of_input(self) -> None:
        """Answer a complete request also after the client has closed its sending side."""
        self._ended = True
        if self._phase is not _Phase.ANSWER:
            self.abort()

    # What the parser calls. ValueError stops it.

    def on_message_begin(self) -> None:
        """Start the time limit of a request at its first byte."""
        if self._phase is _Phase.OVER:
            raise ValueError
        self._end_phase(_Phase.HEAD, self._seconds.head)
        self._fed = self._piece  # the end of an earlier request may be counted too
        self._reading = _Request(self._host.arrived)

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._reading.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._reading.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Judge a request by its head. Refuse tunnels, large headers and long pipelines."""
        request, parser = self._reading, self._parser
        if self._fed > MAX_HEAD and sum(len(name) + len(value) for name, value in request.headers) > MAX_HEAD:
            self._refused_with = 431
            raise ValueError
        if len(self._requests) > _MAX_PIPELINE:
            raise ValueError
        request.method = parser.get_method()
        if parser.should_upgrade():
            if request.method == b"CONNECT":
                raise ValueError
            return  # _feed reads the request again, without the offer
        self._end_phase(_Phase.BODY, self._seconds.body)
        request.keep = parser.should_keep_alive()
        if request.keep and parser.get_http_version() == "1.0":
            request.connection = b"keep-alive"  # the client asked for it, and waits for an answer that says so
        judged = self._app.judge(request.method, _path(request.url), request.headers, request.arrived)
        if isinstance(judged, int):
            request.status = judged
        else:
            request.route = judged
            request.expects = (b"expect", b"100-continue") in request.headers
        self._requests.append(request)

    def on_body(self, piece: bytes) -> None:
        """Take a piece of a body, unless the request is refused already."""
        request = self._reading
        if request.status:
            return
        request.pieces.append(piece)
        request.held += len(piece)
        self._app.intake.hold(len(piece))
        if len(request.pieces) > 1 and (status := self._app.refuse(request.held, request.arrived)):
            request.status = status
            self._drop(request)

    def on_message_complete(self) -> None:
        """Start the time limit of the answer."""
        if self._parser.should_upgrade():
            return
        self._reading.complete = True
        self._end_phase(_Phase.ANSWER, self._seconds.answer)

    # Answering

    def _advance(self) -> None:
        """Answer the requests whose turn has come, and submit the push that is complete."""
        while self._requests and self._goes_on:
            request = self._requests[0]
            if not request.status and not self._ask(request):
                return
            if not request.answered:
                self._write(request)
            if not request.complete or not self._goes_on:
                return  # the rest of its body is read and dropped
            self._requests.popleft()
        if self._phase is _Phase.ANSWER:
            self._end_phase(_Phase.QUIET, self._seconds.idle)

    def _ask(self, request: _Request) -> bool:
        """Whether the status of the request is known now."""
        if request.complete and not request.submitted:
            body = request.pieces[0] if len(request.pieces) == 1 else b"".join(request.pieces)
            self._drop(request)
            try:
                self._app.push(request.route, body, request.arrived, partial(self._answered, request))
            except Exception as exc:  # noqa: BLE001 - a bug costs one answer, not the listener
                self._host.tell(exc)
                request.status = 500
            request.submitted = True  # an answer that comes from now on has to be written by _answered
        elif request.expects and not request.complete:
            request.expects = False
            self._send(_CONTINUE)
        return bool(request.status)

    def _answered(self, request: _Request, status: int) -> None:
        """Take the status of a push: inside of _ask, or after its commit."""
        request.status = status
        if self._open and self._requests and request is self._requests[0] and request.submitted:
            self._advance()
            self._update()

    def _write(self, request: _Request) -> None:
        request.answered = self.served = True
        last = not request.keep or request.status not in KEEPING or self._host.stopping or self._ended
        says = b"close" if last else request.connection
        self._send(_answer(request.status, connection=says, body=request.method != b"HEAD"))
        if last:
            self._finish()

    def _drop(self, request: _Request) -> None:
        self._app.intake.hold(-request.held)
        request.pieces, request.held = [], 0

    def _refuse(self, status: int) -> None:
        """Refuse what cannot be read or is too large, unless another request is being answered; then close."""
        if not self._goes_on:
            return
        waiting = [request for request in self._requests if not request.answered]
        if len(waiting) > 1 or (waiting and self._phase is _Phase.HEAD):
            self.abort()  # the client would take it for the answer of an earlier request
            return
        if waiting and waiting[0].complete:
            waiting[0].keep = False
            return
        for request in waiting:
            self._drop(request)
            request.answered = True
        self._phase = _Phase.BODY  # the client may be sending more
        self._send(_answer(status, connection=b"close"))
        self._finish()

    def _finish(self) -> None:
        """Close after the answer. A client still sending gets a moment: a reset could make it lose the answer."""
        if not self._goes_on:
            return
        if self._phase is not _Phase.BODY or self._ended:
            self._phase = _Phase.OVER
            self._closing = True
            if not self._unsent:
                self.abort()
            return
        self._end_phase(_Phase.OVER, self._seconds.linger)
        self._fed = 0
        if not self._unsent:
            try:
                self.wire.shutdown(socket.SHUT_WR)
            except OSError:
                self.abort()

    def _send(self, data: bytes) -> None:
        if not self._open:
            return
        data = self._unsent + data if self._unsent else data
        try:
            sent = self.wire.send(data) if data else 0
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.abort()
            return
        self._unsent = data[sent:]
        if self._closing and not self._unsent:
            self.abort()
        elif self._unsent or self.events & _WRITE:
            self._update()

    def _update(self) -> None:
        """Watch the socket for what can be done now: a client that sends ahead is not read before it is answered."""
        if not self._open:
            return
        reads = not self._ended and (len(self._requests) < 2 or self._phase is _Phase.OVER)
        events = (_READ if reads else 0) | (_WRITE if self._unsent else 0)
        if events != self.events:
            self._host.watch(self, events)

    def _end_phase(self, next_phase: _Phase, seconds: float) -> None:
        self._phase = next_phase
        self.deadline = time.monotonic() + seconds


def _path(url: bytes) -> bytes:
    """The path in the target of a request; a target without one gives an empty path."""
    if url[:1] == b"/" and b"#" not in url:
        return url.partition(b"?")[0]
    try:
        return httptools.parse_url(url).path or b""
    except httptools.HttpParserInvalidURLError:
        return b""
