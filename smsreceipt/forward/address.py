"""The URL that receipts go to, and the connections to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.posting import session_to
from smsreceipt.aliyun.proxies import Proxies
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
            raise UsageError(_("{what}: {reason}", what="--to", reason=exc), hint=exc.hint) from None
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
        return session_to(self.endpoint, proxies)


def why(exc: BaseException) -> str:
    """Why there was no answer, without the URL; one of the reasons."""
    if isinstance(exc, requests.Timeout | TimeoutError):
        return reasons.NO_ANSWER
    if isinstance(exc, requests.exceptions.ProxyError):
        return reasons.NO_PROXY
    return reasons.NO_CERTIFICATE if isinstance(exc, requests.exceptions.SSLError) else reasons.NO_CONNECTION
