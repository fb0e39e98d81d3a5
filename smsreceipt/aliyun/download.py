"""Streams files over HTTP: one GET at a time, a body of any length, never in memory as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, IncompleteRead, ProtocolError, ReadTimeoutError
from urllib3.response import HTTPResponse

from smsreceipt.language import _

from . import blocking
from .blocking import BlockingPool
from .endpoints import Endpoint
from .faults import BadAnswer, TransportError, in_words
from .interim import FinalResponse
from .proxies import Proxy
from .reporter import ConnectionReporter

PIECE = 64 * 1024  #: bytes that read() returns at most


class Download:
    """An answer whose body is not read yet."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._response = response

    @property
    def whole(self) -> bool:
        """Whether the body was read to its end."""
        return self._response.length_remaining == 0

    def read(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises TransportError where it breaks off or stalls."""
        try:
            return self._response.read1(PIECE) or b""
        except (OSError, HTTPError, HTTPException, ValueError) as exc:
            raise _broken(exc) from None  # the cause may quote the URL


class Downloads:
    """Connections to any number of hosts, for any number of threads.

    TLS, proxies and time limits are those of BlockingPool: 5 s to connect, 10 s between two pieces of an answer. No
    redirect is followed and no request is sent twice. *choose* gives the proxy for an endpoint.
    """

    def __init__(
        self,
        choose: Callable[[Endpoint], Proxy | None],
        *,
        reporter: ConnectionReporter | None = None,
        connections: int = 8,
    ) -> None:
        self._choose = choose
        self._reporter = reporter
        self._connections = connections
        self._lock = threading.Lock()
        self._pools: dict[Endpoint, tuple[BlockingPool, Proxy | None]] = {}

    @contextmanager
    def get(self, endpoint: Endpoint, target: str, headers: Mapping[str, str]) -> Iterator[Download]:
        """The answer to a GET of *target*, a path with its query, whatever its status.

        Raises TransportError where no answer comes, Unreached and Hopeless where no connection can be opened, and
        UsageError when the proxy asks for a password. No message contains *target*.
        """
        pool, proxy = self._pool(endpoint)
        connection = pool.connect()
        keep = False
        try:
            download = Download(_asked(connection, endpoint, proxy, target, headers))
            if download.status == 407 and proxy:
                raise proxy.refusal(407, endpoint)
            yield download
            keep = download.whole and not download.read() and connection.is_connected
        finally:
            if keep:
                pool.give_back(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close every connection. Idempotent."""
        with self._lock:
            for pool, _ in self._pools.values():
                pool.close()

    def _pool(self, endpoint: Endpoint) -> tuple[BlockingPool, Proxy | None]:
        with self._lock:
            if endpoint not in self._pools:
                proxy = self._choose(endpoint)
                pool = BlockingPool(endpoint, proxy=proxy, reporter=self._reporter, idle=self._connections)
                self._pools[endpoint] = pool, proxy
            return self._pools[endpoint]


def _asked(
    connection: HTTPConnection, endpoint: Endpoint, proxy: Proxy | None, target: str, headers: Mapping[str, str]
) -> HTTPResponse:
    forwarded = proxy is not None and not endpoint.tls  # such a proxy needs the whole URL
    sent = {"Host": endpoint.netloc, "User-Agent": "smsreceipt", "Accept": "*/*", "Accept-Encoding": "identity"}
    if forwarded and proxy is not None:
        sent |= proxy.headers
    connection.response_class = FinalResponse
    connection.timeout = blocking.READ  # urllib3 sets it on the socket before each request and each answer
    try:
        connection.request(
            "GET",
            f"{endpoint.url}{target}" if forwarded else target,
            headers={**sent, **headers},
            preload_content=False,
            decode_content=False,
            enforce_content_length=True,
        )
        return connection.getresponse()
    except (OSError, HTTPError, HTTPException, ValueError) as exc:
        raise _broken(exc) from None


def _broken(exc: BaseException) -> TransportError:
    if isinstance(exc, TimeoutError | ReadTimeoutError):
        return TransportError(_("timed out while waiting for more of the answer"))
    if isinstance(exc, IncompleteRead):
        return TransportError(_("the answer broke off"))
    if isinstance(exc, ProtocolError | HTTPException | ValueError) and not isinstance(exc, OSError):
        return BadAnswer(_("the answer broke off or cannot be read"))
    return TransportError(in_words(exc))
