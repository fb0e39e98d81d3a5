"""POST requests to URLs of the user: certificates are verified, and redirects are not followed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from .endpoints import Endpoint
from .interim import FinalResponse
from .proxies import Proxies
from .way import tls_context

_LONGEST = 64 * 1024  # bytes of an answer that are read


@dataclass(frozen=True, slots=True)
class Answer:
    """What a URL answered."""

    status: int
    body: bytes  #: of a long one the beginning
    retry_after: str  #: "" where the answer has no such header


def session_to(endpoint: Endpoint, proxies: Proxies | None) -> requests.Session:
    """Connections to an endpoint, kept open until the session is closed. Raises UsageError for an unusable proxy."""
    session = requests.Session()
    session.trust_env = False  # nor are passwords of a .netrc sent
    if proxies and (proxy := proxies.choose(endpoint)):
        session.proxies = {"http": proxy.url, "https": proxy.url}
    session.mount("https://" if endpoint.tls else "http://", _Verified() if endpoint.tls else _Adapter())
    # At level DEBUG it logs the path of every request, which is a secret.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    session.headers.update({"Content-Type": "application/json;charset=UTF-8", "User-Agent": "smsreceipt"})
    return session


def post(
    session: requests.Session, url: str, body: bytes, headers: Mapping[str, str] | None = None, *, limit: float
) -> Answer:
    """The answer to one POST. Raises OSError, which may quote the URL; the errors of requests are such.

    Raises TimeoutError where the answer is not whole after *limit* seconds. To look a name up, and an answer that comes
    in small pieces, may take longer: deadline.within() limits all of it.
    """
    until = time.monotonic() + limit
    with session.post(url, data=body, headers=headers, timeout=limit, allow_redirects=False, stream=True) as answer:
        read = b""
        for block in answer.iter_content(4096):
            read += block
            if len(read) > _LONGEST:
                break
            if time.monotonic() > until:
                raise TimeoutError
        return Answer(answer.status_code, read, answer.headers.get("Retry-After", ""))


class _Connection(HTTPConnection):
    response_class = FinalResponse


class _TlsConnection(HTTPSConnection):
    response_class = FinalResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _with_pools(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


class _Adapter(HTTPAdapter):
    """Passes over interim answers."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """As in the base class, with connections of our own."""
        super().init_poolmanager(*args, **more)
        _with_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """As in the base class, with connections of our own."""
        return _with_pools(super().proxy_manager_for(proxy, **more))


class _Verified(_Adapter):
    """Verifies certificates against those that the system trusts, with TLS 1.2 or newer."""

    def __init__(self) -> None:
        self._tls = tls_context()  # takes 40 ms; the base class makes its pool with it
        super().__init__()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002 - the base class's
        """Leave out what the base class does here: it adds the CA certificates of its own."""
        conn.cert_reqs = "CERT_REQUIRED"

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """As in the base class, with this TLS context."""
        super().init_poolmanager(*args, ssl_context=self._tls, **more)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """As in the base class, with this TLS context."""
        return super().proxy_manager_for(proxy, ssl_context=self._tls, proxy_ssl_context=self._tls, **more)
