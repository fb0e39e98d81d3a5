"""Sends one POST: TLS except on loopback, no redirect, ten seconds for all of it, through the proxy that is set."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

import urllib3

from smsreceipt.aliyun.deadline import within
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import in_words
from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.aliyun.way import tls_context
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.notify.faults import NotTold

LIMIT = 10.0  #: seconds for an answer
_LONGEST = 64 * 1024  # bytes of an answer that are read


@dataclass(frozen=True, slots=True)
class Answer:
    """What a robot answered."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Way:
    """Where a robot is, and how it is reached. str() and repr() hold the host only."""

    endpoint: Endpoint
    path: str = field(repr=False)  #: with its query, which is a secret
    proxies: Proxies = field(repr=False)
    limit: float = LIMIT

    @classmethod
    def to(cls, url: str, proxies: Proxies, *, where: str, limit: float = LIMIT) -> Way:
        """The way to a URL. Raises UsageError, which names *where* the URL stands and quotes nothing of it."""
        parts = _split(url)
        if parts is None:
            raise UsageError(
                _("--notify {where}: there is no URL of a robot", where=where), hint=_("It begins with https://")
            )
        try:
            endpoint = Endpoint.parse(f"{parts.scheme}://{parts.netloc}")
        except UsageError as exc:
            said = _("{fault}: {reason}", fault=f"--notify {where}", reason=exc)
            raise UsageError(said, hint=_("A robot's URL begins with https://")) from None
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return cls(endpoint, path, proxies, limit)

    def post(self, body: bytes, headers: Mapping[str, str], query: str = "") -> Answer:
        """The answer to one POST of *body*; *query* is added to that of the URL. Raises NotTold if there is none."""
        url = f"{self.endpoint.url}{self.path}"
        if query:
            url += f"{'&' if '?' in self.path else '?'}{query}"
        # At level DEBUG it logs the path of every request, which is a secret.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
        try:
            return within(self.limit, lambda: self._exchange(url, body, headers))
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            # Not chained: the cause may quote the URL.
            said = _("{fault}: {reason}", fault=self.endpoint.netloc, reason=_why(exc, self.limit))
            raise NotTold(said, again=not _untrusted(exc)) from None

    def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        until = time.monotonic() + self.limit
        with self._pool() as pool:
            answer = pool.request(
                "POST",
                url,
                body=body,
                headers={"User-Agent": "smsreceipt", **headers},
                timeout=urllib3.Timeout(total=self.limit),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            return Answer(answer.status, _read(answer, until))

    def _pool(self) -> urllib3.PoolManager:
        proxy = self.proxies.choose(self.endpoint)
        if proxy is None:
            return urllib3.PoolManager(ssl_context=tls_context())
        return urllib3.ProxyManager(
            f"{'https' if proxy.tls else 'http'}://{proxy}",
            proxy_headers=proxy.headers,
            ssl_context=tls_context(),
            proxy_ssl_context=tls_context(),
        )


def _split(url: str) -> SplitResult | None:
    """The parts of a URL of http or https without a user; None for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.scheme in {"http", "https"} and parts.hostname and parts.username is None else None


def _read(answer: urllib3.BaseHTTPResponse, until: float) -> bytes:
    """The answer's body, or its beginning."""
    body = b""
    for block in answer.stream(4096):
        body += block
        if len(body) > _LONGEST:
            break
        if time.monotonic() > until:
            raise TimeoutError
    return body


def _untrusted(exc: BaseException) -> bool:
    return isinstance(exc, urllib3.exceptions.SSLError) or isinstance(exc.__cause__, ssl.SSLCertVerificationError)


def _why(exc: BaseException, limit: float) -> str:
    """Why there was no answer, without what was sent."""
    cause = exc.__cause__ or exc
    if _untrusted(exc):
        return _("its certificate is not valid")
    if isinstance(exc, urllib3.exceptions.ProxyError):
        return _("no connection through the proxy")
    if isinstance(exc, urllib3.exceptions.NewConnectionError):
        return _("no connection ({reason})", reason=in_words(cause))
    if isinstance(exc, urllib3.exceptions.TimeoutError | TimeoutError):
        return _("no answer within {seconds:g} s", seconds=limit)
    return _("the connection broke off")
