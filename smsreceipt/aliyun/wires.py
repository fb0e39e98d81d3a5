"""Connections for threads that ask and wait: kept for the next request, limited in time, one request on each at once.

A session of requests costs five times what it takes to write a request of some hundred bytes and read its answer, and
comparing a day means as many of them as numbers have no receipt.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
import weakref
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from .answer import Response, read
from .endpoints import Endpoint
from .faults import BadAnswer, Untrusted

CONNECT, READ, TOTAL = 5.0, 10.0, 60.0  #: seconds: to connect, between two pieces of an answer, for all of it


class Trouble(Exception):
    """No whole answer came. The message says why, in words that quote nothing of what was sent."""


class Wires:
    """Connections to one endpoint, at most *kept* of them kept open; from any number of threads.

    TLS is of at least 1.2, trusting what the system trusts. No redirect is followed; a proxy is used only where one is
    given.
    """

    def __init__(self, endpoint: Endpoint, *, proxy: str | None = None, kept: int = 16) -> None:
        self._endpoint = endpoint
        self._proxy = urlsplit(proxy) if proxy else None
        self._kept = kept
        self._idle: list[HTTPConnection] = []  # appending and popping are atomic
        self._tls: ssl.SSLContext | None = None
        weakref.finalize(self, _close_all, self._idle)

    def open(self) -> HTTPConnection:
        """An open connection for the caller alone, to be handed to send() or closed. Raises as send() does."""
        return self._take() or self._open()

    def send(self, method: str, query: str, form: str = "", *, over: HTTPConnection | None = None) -> Response:
        """Send one request, once, and return its whole answer. Raises Trouble, and Untrusted where a name is false.

        It goes *over* that connection, unless that has ended meanwhile.
        """
        connection = over if over is not None and _usable(over) else self.open()
        try:
            answer, keep = _exchange(connection.sock, self._request(method, query, form))
        except BaseException as exc:
            connection.close()
            if not isinstance(exc, OSError | BadAnswer):
                raise
            # Not chained: what is below may quote what was sent, and that phone numbers and the key's id.
            raise Trouble(in_words(exc)) from None
        if keep and len(self._idle) < self._kept:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close every connection that is not in use. Idempotent."""
        _close_all(self._idle)

    def _request(self, method: str, query: str, form: str) -> bytes:
        # A proxy for plain http is told the whole URL.
        base = self._endpoint.url if self._proxy and not self._endpoint.tls else ""
        body = form.encode()
        kind = "Content-Type: application/x-www-form-urlencoded\r\n" if body else ""
        head = (
            f"{method} {base}/?{query} HTTP/1.1\r\nHost: {self._endpoint.netloc}\r\nUser-Agent: smsreceipt\r\n"
            f"Accept: application/json\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    def _take(self) -> HTTPConnection | None:
        """A connection that is open and silent; bytes that nobody asked for, an end among them, make it useless."""
        while (connection := _pop(self._idle)) is not None:
            if _usable(connection):
                return connection
        return None

    def _open(self) -> HTTPConnection:
        connection = self._unopened()
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as exc:
            raise Untrusted(f"{self._endpoint}: {exc.verify_message}") from None
        except TimeoutError:
            raise Trouble(f"timed out while connecting, after {CONNECT:.0f} s") from None
        except (OSError, HTTPException) as exc:
            raise Trouble(in_words(exc)) from None
        connection.sock.settimeout(READ)
        return connection

    def _unopened(self) -> HTTPConnection:
        host, port = self._endpoint.host, self._endpoint.port
        if self._proxy:
            host, port = self._proxy.hostname or "", self._proxy.port or 80
        if not self._endpoint.tls:
            return HTTPConnection(host, port, timeout=CONNECT)
        connection = HTTPSConnection(host, port, timeout=CONNECT, context=self._context())
        if self._proxy:
            connection.set_tunnel(self._endpoint.host, self._endpoint.port)
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._tls = context
        return self._tls


def _usable(connection: HTTPConnection) -> bool:
    """Whether a connection is open and silent; any other is closed."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    if not poll.poll(0):
        return True
    connection.close()
    return False


def _pop(idle: list[HTTPConnection]) -> HTTPConnection | None:
    try:
        return idle.pop()
    except IndexError:  # another thread may have taken the last one
        return None


def _close_all(idle: list[HTTPConnection]) -> None:
    while (connection := _pop(idle)) is not None:
        connection.close()


def _exchange(connection: socket.socket, request: bytes) -> tuple[Response, bool]:
    """The answer to one request, and whether the connection may be used again. Raises OSError and BadAnswer."""
    connection.sendall(request)
    began, data, need = time.monotonic(), b"", 0
    while True:
        piece = connection.recv(64 * 1024)
        if not piece:
            raise ConnectionAbortedError
        data += piece
        if len(data) >= need:
            found = read(data)
            if not isinstance(found, int):
                answer, end, keep = found
                return answer, keep and end == len(data)
            need = found
        if time.monotonic() - began > TOTAL:
            raise TimeoutError


def in_words(exc: BaseException) -> str:
    """What went wrong on the way, without anything that was sent."""
    return next((words for kind, words in _WORDS if isinstance(exc, kind)), "the connection broke off")


#: The first that fits counts.
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its name cannot be resolved"),
    (TimeoutError, f"timed out, after {READ:.0f} s without a byte"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (ssl.SSLError, "TLS failed"),
    (BadAnswer, "the answer cannot be read"),
)
