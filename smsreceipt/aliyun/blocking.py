"""Connections for threads that send a request and block until its answer is complete.

urllib3 opens, secures and checks the connections; `send` writes the request and reads the answer itself. With urllib3's
own request and response an exchange costs 100 to 155 µs of CPU time instead of 27, and urllib3 logs URLs, which hold
phone numbers here.
"""

from __future__ import annotations

import socket
import ssl
import time
from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationParseError

from .answer import Response, read
from .endpoints import Endpoint
from .faults import BadAnswer, TransportError, Untrusted

CONNECT, READ, TOTAL = 5.0, 10.0, 60.0  #: seconds: to connect, between two pieces of an answer, for all of it


class BlockingPool:
    """Connections to one endpoint, at most *idle* of them kept open between requests. Safe for any number of threads.

    TLS is 1.2 or newer and trusts the CA certificates of the system. No redirect is followed, no request is sent
    twice, and a proxy is used only where *proxy* (a URL) names one.
    """

    def __init__(self, endpoint: Endpoint, *, proxy: str | None = None, idle: int = 16) -> None:
        self._endpoint = endpoint
        self._proxy = urlsplit(proxy) if proxy else None
        self._max_idle = idle
        self._idle: list[HTTPConnection] = []  # appending and popping are atomic
        self._tls: ssl.SSLContext | None = None

    def connect(self) -> HTTPConnection:
        """An open connection for the caller alone, who hands it to send() or closes it.

        Raises Untrusted when the peer's certificate is not valid for the endpoint, else TransportError.
        """
        while (connection := _pop(self._idle)) is not None:
            if _usable(connection):
                return connection
        connection = self._new()
        try:
            connection.connect()
        except BaseException as exc:
            connection.close()
            if isinstance(exc, ssl.SSLCertVerificationError):
                raise Untrusted(f"{self._endpoint}: {exc.verify_message}") from None
            if isinstance(exc, OSError | HTTPException | HTTPError):
                raise TransportError(_connect_failure(exc)) from None
            raise
        connection.sock.settimeout(READ)
        return connection

    def send(self, connection: HTTPConnection, method: str, query: str, form: str = "") -> Response:
        """Send one request over *connection* and return its whole answer, whatever its status.

        Another connection is opened where *connection* has ended before the request is written. Raises as connect().
        """
        if not _usable(connection):
            connection = self.connect()
        try:
            answer, keep = _exchange(connection.sock, self._request(method, query, form))
        except BaseException as exc:
            connection.close()
            if not isinstance(exc, OSError | BadAnswer):
                raise
            # Not chained: the cause may quote the request, and that holds phone numbers and the key's id.
            raise TransportError(in_words(exc)) from None
        if keep:
            self._idle.append(connection)
            self._close_surplus()
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close every connection; those in use are closed after their answer. Idempotent."""
        self._max_idle = 0
        self._close_surplus()

    def _close_surplus(self) -> None:
        while len(self._idle) > self._max_idle and (connection := _pop(self._idle)) is not None:
            connection.close()

    def _request(self, method: str, query: str, form: str) -> bytes:
        # A proxy for plain http needs the whole URL.
        base = self._endpoint.url if self._proxy and not self._endpoint.tls else ""
        body = form.encode()
        content_type = "Content-Type: application/x-www-form-urlencoded\r\n" if body else ""
        head = (
            f"{method} {base}/?{query} HTTP/1.1\r\nHost: {self._endpoint.netloc}\r\nUser-Agent: smsreceipt\r\n"
            f"Accept: application/json\r\n{content_type}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    def _new(self) -> HTTPConnection:
        """A connection that is not open yet."""
        host, port = self._endpoint.host, self._endpoint.port
        if self._proxy:
            host, port = self._proxy.hostname or "", self._proxy.port or 80
        if not self._endpoint.tls:
            return HTTPConnection(host, port, timeout=CONNECT)
        connection = HTTPSConnection(host, port, timeout=CONNECT, ssl_context=self._context())
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
    """Whether the peer has sent nothing unasked and has not ended the connection; if it has, close it."""
    if connection.is_connected:
        return True
    if isinstance(connection.sock, ssl.SSLSocket) and _without_data(connection.sock):
        return True
    connection.close()
    return False


def _without_data(plug: ssl.SSLSocket) -> bool:
    """Whether what has arrived is of TLS itself. The session tickets of TLS 1.3 follow every handshake."""
    plug.settimeout(0)
    try:
        plug.recv(1)
    except ssl.SSLWantReadError:
        plug.settimeout(READ)
        return True
    except OSError:
        pass
    return False


def _pop(idle: list[HTTPConnection]) -> HTTPConnection | None:
    try:
        return idle.pop()
    except IndexError:  # another thread may have taken the last one
        return None


def _exchange(plug: socket.socket, request: bytes) -> tuple[Response, bool]:
    """The answer to one request, and whether the connection may be used again. Raises OSError and BadAnswer."""
    plug.sendall(request)
    began, data, need = time.monotonic(), b"", 0
    while True:
        piece = plug.recv(64 * 1024)
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


def _connect_failure(exc: BaseException) -> str:
    cause = exc.__cause__ if isinstance(exc, ConnectTimeoutError) and exc.__cause__ else exc  # the socket's own error
    if isinstance(cause, TimeoutError):
        return f"timed out while connecting, after {CONNECT:.0f} s"
    return in_words(cause)


def in_words(exc: BaseException) -> str:
    """Why no whole answer came, without anything that was sent."""
    return next((words for kind, words in _WORDS if isinstance(exc, kind)), "the connection broke off")


#: The first that fits counts.
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its name cannot be resolved"),
    (LocationParseError, "its name cannot be resolved"),
    (TimeoutError, f"timed out, after {READ:.0f} s without a byte"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (ssl.SSLError, "TLS failed"),
    (BadAnswer, "the answer cannot be read"),
)
