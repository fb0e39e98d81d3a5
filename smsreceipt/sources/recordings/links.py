"""Links to recordings: which are followed, over TLS, and until when they are good.

A link is a secret: whoever has it can fetch the recording. So str() and repr() name only its host.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs, urljoin, urlsplit

from smsreceipt.language import _
from smsreceipt.model import Instant

if TYPE_CHECKING:
    from smsreceipt.aliyun.endpoints import Endpoint

#: Buckets of the provider's object store: BUCKET.oss-cn-shanghai.aliyuncs.com, BUCKET.cn-shanghai.oss.aliyuncs.com.
_OBJECT_STORE = re.compile(
    r"(?:[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\.)?(?:oss(?:-[a-z0-9]+)*|[a-z0-9-]+\.oss)\.aliyuncs\.com"
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_PATH = re.compile(r"/[!-~]*")  # printable ASCII: what a request line can carry
_DEFAULT_PORTS = {"https": 443, "http": 80}


class LinkRefused(Exception):
    """The link is not followed; the message says why, without the link."""


@dataclass(frozen=True, slots=True)
class Link:
    """A URL that may be followed."""

    endpoint: Endpoint
    target: str = field(repr=False)  #: path and query

    def __str__(self) -> str:
        return self.endpoint.netloc


@dataclass(frozen=True, slots=True)
class Policy:
    """Which links are followed: those to the provider's object store, and to the hosts that the user has named."""

    trusted: Collection[Endpoint] = ()  #: endpoints that the user configured as the provider's
    any_host: bool = False
    insecure_http: bool = False  #: follow links over plain http

    def admit(self, url: str) -> Link:
        """The link, over https wherever the object store offers it. Raises LinkRefused."""
        parts, host, port = _split(url)
        own = _OBJECT_STORE.fullmatch(host.lower()) is not None and port in {80, 443}
        if own and not self.insecure_http:
            return Link(_endpoint(host, 443, tls=True), _target(parts))
        endpoint = _endpoint(host, port, tls=parts.scheme == "https")
        if not (own or self.any_host or endpoint in self.trusted):
            raise LinkRefused(_("{host} is not the provider's object store", host=endpoint.netloc))
        if not (endpoint.tls or endpoint.loopback or self.insecure_http):
            raise LinkRefused(_("plain http to {host}", host=endpoint.netloc))
        return Link(endpoint, _target(parts))

    def follow(self, link: Link, location: str) -> Link:
        """Where a redirect leads to. Raises LinkRefused, also where the way would no longer be over TLS."""
        try:
            url = urljoin(f"{link.endpoint.url}{link.target}", location)
        except ValueError:
            raise LinkRefused(_("a redirect to what is no URL")) from None
        found = self.admit(url)
        if link.endpoint.tls and not found.endpoint.tls:
            raise LinkRefused(_("a redirect from https to plain http at {host}", host=found))
        return found


def good_until(url: str) -> Instant | None:
    """Until when a signed link is good, by its own parameters; None where it does not say."""
    with suppress(ValueError, OverflowError, KeyError):
        values = parse_qs(urlsplit(url).query)
        if "Expires" in values:
            return _instant(int(values["Expires"][0]))
        begin = datetime.strptime(values["x-oss-date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return _instant(int(begin.timestamp()) + int(values["x-oss-expires"][0]))
    return None


def _instant(seconds: int) -> Instant | None:
    return Instant(seconds * 1000) if 0 < seconds < 1 << 40 else None


def _split(url: str) -> tuple[SplitResult, str, int]:
    """Parts, host and port. Raises LinkRefused."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        raise LinkRefused(_("the link is no URL")) from None
    if not (port and _HOST.fullmatch(host)) or "@" in parts.netloc:
        raise LinkRefused(_("the link is no URL with http or https"))
    return parts, host, port


def _target(parts: SplitResult) -> str:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _PATH.fullmatch(target):
        raise LinkRefused(_("the link has characters that a URL cannot have"))
    return target


def _endpoint(host: str, port: int, *, tls: bool) -> Endpoint:
    from smsreceipt.aliyun.endpoints import Endpoint

    return Endpoint(host, port, tls)
