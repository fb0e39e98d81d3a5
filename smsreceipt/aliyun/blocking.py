"""Connections for threads that send a request and block until its answer is complete.

urllib3 opens, secures and checks the connections; `send` writes the request and reads the answer itself. With urllib3's
own request and response an exchange costs 100 to 155 µs of CPU time instead of 27, and urllib3 logs URLs, which hold
phone numbers here.
"""

from __future__ import annotations

import queue
import re
import socket
import ssl
import threading
import time
from http.client import HTTPException

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util.ssltransport import SSLTransport

from smsreceipt.language import _

from . import way
from .answer import Response, read
from .endpoints import Endpoint
from .faults import BadAnswer, TransportError, Unreached, in_words
from .proxies import Proxy
from .reporter import ConnectionReporter

CONNECT, READ, TOTAL = 5.0, 10.0, 60.0  #: seconds: to connect, between two pieces of an answer, for all of it
_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")  # http.client has no class of its own for it


class BlockingPool:
    """Connections to one endpoint, at most *idle* of them kept open between requests. Safe for any number of threads.

    TLS is 1.2 or newer and trusts the CA certificates of the system. No redirect is followed, no request is sent
    twice. With *proxy*, it is the proxy that resolves the endpoint's name.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        proxy: Proxy | None = None,
        reporter: ConnectionReporter | None = None,
        idle: int = 16,
    ) -> None:
        self._endpoint = endpoint
        self._proxy = proxy
        self._reporter = reporter or ConnectionReporter()
        self._max_idle = idle
        self._idle: list[HTTPConnection] = []  # appending and popping are atomic
        self._tls: ssl.SSLContext | None = None

    def connect(self) -> HTTPConnection:
        """An open connection for the caller alone, who hands it to send() or closes it.

        Raises Unreached; Hopeless where trying again cannot help; UsageError when the proxy asks for a password.
        """
        while (connection := _pop(self._idle)) is not None:
            if _usable(connection):
                return connection
        connection = self._new()
        try:
            with self._reporter.connecting(way.first_peer(self._endpoint, self._proxy)):
                _connect(connection, CONNECT)
        except BaseException as exc:
            arrived = connection.has_connected_to_proxy
            connection.close()
            if isinstance(exc, OSError | HTTPException | HTTPError):
                raise self._failure(exc, arrived=arrived) from None
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
            late = _("timed out, after {seconds:.0f} s without a byte", seconds=READ)
            # Not chained: the cause may quote the request, and that holds phone numbers and the key's id.
            raise TransportError(late if isinstance(exc, TimeoutError) else in_words(exc)) from None
        if keep:
            self.give_back(connection)
        else:
            connection.close()
        if answer.status == 407 and self._proxy:
            raise self._proxy.refusal(answer.status, self._endpoint)
        return answer

    def give_back(self, connection: HTTPConnection) -> None:
        """Take back an open connection whose answer the caller has read to its end, for a later request."""
        self._idle.append(connection)
        self._close_surplus()

    def close(self) -> None:
        """Close every connection; those in use are closed after their answer. Idempotent."""
        self._max_idle = 0
        self._close_surplus()

    def _close_surplus(self) -> None:
        while len(self._idle) > self._max_idle and (connection := _pop(self._idle)) is not None:
            connection.close()

    def _request(self, method: str, query: str, form: str) -> bytes:
        base, more = "", ""
        if self._proxy and not self._endpoint.tls:  # it needs the whole URL
            base, more = (
                self._endpoint.url,
                "".join(f"{name}: {text}\r\n" for name, text in self._proxy.headers.items()),
            )
        body = form.encode()
        content_type = "Content-Type: application/x-www-form-urlencoded\r\n" if body else ""
        head = (
            f"{method} {base}/?{query} HTTP/1.1\r\nHost: {self._endpoint.netloc}\r\nUser-Agent: smsreceipt\r\n"
            f"Accept: application/json\r\n{more}{content_type}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    def _new(self) -> HTTPConnection:
        """A connection that is not open yet."""
        proxy, endpoint = self._proxy, self._endpoint
        first = proxy or endpoint
        if not (first.tls or endpoint.tls):
            return HTTPConnection(first.host, first.port, timeout=CONNECT)
        context = self._context()
        if proxy is None or not endpoint.tls:
            return HTTPSConnection(first.host, first.port, timeout=CONNECT, ssl_context=context)
        both = ProxyConfig(context, use_forwarding_for_https=False, assert_hostname=None, assert_fingerprint=None)
        connection = HTTPSConnection(proxy.host, proxy.port, timeout=CONNECT, ssl_context=context, proxy_config=both)
        scheme = "https" if proxy.tls else "http"  # of the way to the proxy
        connection.set_tunnel(endpoint.host, endpoint.port, headers=proxy.headers, scheme=scheme)
        return connection

    def _failure(self, exc: BaseException, *, arrived: bool) -> Exception:
        """The exception for a connection that could not be opened; *arrived*: only as far as the proxy."""
        if (refused := _REFUSED_TUNNEL.match(str(exc))) and self._proxy:
            return self._proxy.refusal(int(refused[1]), self._endpoint)
        if isinstance(exc, HTTPException) and not isinstance(exc, OSError):
            return Unreached(
                _("{peer} does not answer as an HTTP proxy does", peer=way.first_peer(self._endpoint, self._proxy))
            )
        return way.failure(_cause(exc), self._endpoint, self._proxy, arrived=arrived, seconds=CONNECT)

    def _context(self) -> ssl.SSLContext:
        self._tls = self._tls or way.tls_context()
        return self._tls


def _connect(connection: HTTPConnection, seconds: float) -> None:
    """Open *connection*; raise TimeoutError if that takes longer. Raises what its connect() raises.

    In a thread, because nothing else limits the time to look a name up, nor lets a signal interrupt it.
    """
    result: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    given_up = threading.Event()

    def run() -> None:
        try:
            connection.connect()
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that waits
            result.put(exc)
        else:
            result.put(None)
        if given_up.is_set():
            connection.close()

    threading.Thread(target=run, name="connect", daemon=True).start()
    try:
        failure = result.get(timeout=seconds)
    except BaseException as exc:
        given_up.set()  # before the caller closes the connection: then one of the two closes it
        if isinstance(exc, queue.Empty):
            raise TimeoutError from None
        raise
    if failure is not None:
        raise failure


def _usable(connection: HTTPConnection) -> bool:
    """Whether the peer has sent nothing unasked and has not ended the connection; if it has, close it."""
    if connection.is_connected:
        return True
    if isinstance(connection.sock, ssl.SSLSocket | SSLTransport) and _without_data(connection.sock):
        return True
    connection.close()
    return False


def _without_data(plug: ssl.SSLSocket | SSLTransport) -> bool:
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


def _cause(exc: BaseException) -> BaseException:
    """The socket's own error behind those of urllib3."""
    if isinstance(exc, LocationParseError):
        return socket.gaierror()
    return exc.__cause__ if isinstance(exc, HTTPError) and exc.__cause__ else exc
