"""Sends one POST: TLS except on loopback, no redirect, ten seconds for all of it, through the proxy that is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from smsreceipt.aliyun.deadline import within
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import in_words
from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.notify.faults import NotTold

if TYPE_CHECKING:
    from smsreceipt.aliyun.posting import Answer

LIMIT = 10.0  #: seconds for an answer


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
            said = _("{what}: {reason}", what=f"--notify {where}", reason=exc)
            raise UsageError(said, hint=_("A robot's URL begins with https://")) from None
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return cls(endpoint, path, proxies, limit)

    def post(self, body: bytes, headers: Mapping[str, str], query: str = "") -> Answer:
        """The answer to one POST of *body*; *query* is added to that of the URL. Raises NotTold if there is none."""
        url = f"{self.endpoint.url}{self.path}"
        if query:
            url += f"{'&' if '?' in self.path else '?'}{query}"
        try:
            return within(self.limit, lambda: self._exchange(url, body, headers))
        except OSError as exc:
            # Not chained: the cause may quote the URL.
            said = _("{what}: {reason}", what=self.endpoint.netloc, reason=_why(exc, self.limit))
            raise NotTold(said, again=not _untrusted(exc)) from None

    def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        from smsreceipt.aliyun.posting import post, session_to

        with session_to(self.endpoint, self.proxies) as session:
            return post(session, url, body, headers, limit=self.limit)


def _split(url: str) -> SplitResult | None:
    """The parts of a URL of http or https without a user; None for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.scheme in {"http", "https"} and parts.hostname and parts.username is None else None


def _untrusted(exc: BaseException) -> bool:
    import requests

    return isinstance(exc, requests.exceptions.SSLError)


def _why(exc: BaseException, limit: float) -> str:
    """Why there was no answer, without what was sent."""
    import requests
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    if _untrusted(exc):
        return _("its certificate is not valid")
    if isinstance(exc, requests.exceptions.ProxyError):
        return _("no connection through the proxy")
    if isinstance(exc, requests.Timeout | TimeoutError):
        return _("no answer within {seconds:g} s", seconds=limit)
    failed = exc.args[0] if exc.args else None
    if isinstance(failed, MaxRetryError) and isinstance(failed.reason, NewConnectionError):
        return _("no connection ({reason})", reason=in_words(failed.reason.__cause__ or failed.reason))
    return _("the connection broke off")
