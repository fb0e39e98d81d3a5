"""The URL that receipts go to, and the connections to it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.aliyun.way import tls_context
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.output import reasons

KIND = "{kind}"  #: in a path: the message type


@dataclass(frozen=True, slots=True)
class Address:
    """A URL. str() and repr() hold its host only: the path is often a secret."""

    endpoint: Endpoint
    path: str = field(repr=False)  #: with its query

    @classmethod
    def of(cls, url: str, *, insecure_http: bool) -> Address:
        """The URL of --to. Raises UsageError, also for plain http to another host unless *insecure_http*."""
        try:
            parts = urlsplit(url.strip())
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"}:
            raise UsageError(_("--to needs a URL that begins with http:// or https://"))
        try:
            endpoint = Endpoint.parse(f"{parts.scheme}://{parts.netloc}", insecure_http=insecure_http)
        except UsageError as exc:
            raise UsageError(_("{fault}: {reason}", fault="--to", reason=exc), hint=exc.hint) from None
        return cls(endpoint, f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.endpoint.url}{self.path}"

    @property
    def by_kind(self) -> bool:
        """Whether each message type has a path of its own."""
        return KIND in self.path

    def __str__(self) -> str:
        return self.endpoint.netloc

    def session(self, proxies: Proxies | None) -> requests.Session:
        """Connections to it, kept open: certificates are verified, and nothing of the environment is used."""
        session = requests.Session()
        session.trust_env = False  # nor are passwords of a .netrc sent
        if proxies and (proxy := proxies.choose(self.endpoint)):
            session.proxies = {"http": proxy.url, "https": proxy.url}
        session.mount("https://", _Verified())
        # At level DEBUG it logs the path of every request, which is a secret.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
        session.headers.update({"Content-Type": "application/json;charset=UTF-8", "User-Agent": "smsreceipt"})
        return session


class _Verified(HTTPAdapter):
    """Verifies certificates against those that the system trusts, with TLS 1.2 or newer."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """As in the base class, with this TLS context."""
        super().init_poolmanager(*args, ssl_context=tls_context(), **more)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """As in the base class, with this TLS context."""
        return super().proxy_manager_for(proxy, ssl_context=tls_context(), proxy_ssl_context=tls_context(), **more)


def why(exc: BaseException) -> str:
    """Why there was no answer, without the URL; one of the reasons."""
    if isinstance(exc, requests.Timeout | TimeoutError):
        return reasons.NO_ANSWER
    if isinstance(exc, requests.exceptions.ProxyError):
        return reasons.NO_PROXY
    return reasons.NO_CERTIFICATE if isinstance(exc, requests.exceptions.SSLError) else reasons.NO_CONNECTION
