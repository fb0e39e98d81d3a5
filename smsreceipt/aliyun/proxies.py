"""Which HTTP proxy leads to which endpoint: the configuration decides, else the environment. Nothing here connects."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, unquote, urlsplit

from smsreceipt.errors import UsageError
from smsreceipt.language import N_, _

from .endpoints import Endpoint
from .faults import ProxyRefused, Unreached

_FORM = N_("Write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT; in the password, @ : / # and % are %XX.")
_ORIGIN = N_("the proxy")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\.?\Z")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and what it is told about the user. str() and repr() have no user and no password."""

    host: str
    port: int
    tls: bool  #: between us and the proxy
    origin: str = _ORIGIN  #: the variable or the key of the configuration that names it
    user: str = field(default="", repr=False)  #: USER:PASSWORD; empty: the proxy is told nothing

    @classmethod
    def parse(cls, text: str, origin: str = _ORIGIN) -> Proxy:
        """Parse "host:port" or a URL with http or https, and with a user and a password where the proxy wants them.

        The default port is that of the scheme. Raises UsageError, which names *origin* and quotes nothing of *text*.
        """
        scheme, found, rest = text.strip().rpartition("://")
        scheme = scheme.lower() if found else "http"
        if scheme not in {"http", "https"}:
            if re.fullmatch("[a-z][a-z0-9+.-]{0,9}", scheme):
                told = _("{origin}: {scheme} proxies are not supported", origin=_(origin), scheme=scheme)
            else:
                told = _("{origin}: such proxies are not supported", origin=_(origin))
            raise UsageError(told, hint=_("Name an http:// or https:// proxy."))
        try:
            parts = urlsplit(f"//{rest}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        if not (_HOST.match(host) or _address(host)) or port == 0 or not text.isprintable():
            raise UsageError(_("{origin} is not the address of a proxy", origin=_(origin)), hint=_FORM)
        user = "" if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(host, port or (443 if scheme == "https" else 80), scheme == "https", origin, user)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that a request to the proxy itself carries."""
        token = base64.b64encode(self.user.encode()).decode()
        return {"Proxy-Authorization": f"Basic {token}"} if self.user else {}

    @property
    def url(self) -> str:
        """The URL with the user and the password, for a library that connects by itself; never to be printed."""
        name, _, password = self.user.partition(":")
        user = f"{quote(name, safe='')}:{quote(password, safe='')}@" if self.user else ""
        return f"{'https' if self.tls else 'http'}://{user}{self}"

    def refusal(self, status: int, endpoint: Endpoint) -> Exception:
        """The exception for an answer of the proxy itself whose status is not 2xx."""
        if status == 407:
            if self.user:
                refuses = N_("the proxy {proxy} refuses the user and the password ({origin})")
            else:
                refuses = N_("the proxy {proxy} asks for a user and a password ({origin})")
            return UsageError(_(refuses, proxy=self, origin=_(self.origin)), hint=_FORM)
        values = {"proxy": self, "host": endpoint.netloc, "status": status}
        if status in {408, 429} or status >= 500:
            return Unreached(_("the proxy {proxy} cannot reach {host} (status {status})", **values))
        return ProxyRefused(_("the proxy {proxy} does not let us reach {host} (status {status})", **values))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Proxies:
    """The choice of a proxy for each endpoint.

    *configured*: for all endpoints; empty for none, None where the environment decides: HTTPS_PROXY or HTTP_PROXY by
    the endpoint's scheme, else ALL_PROXY; of a name in small and in capital letters the small one counts. Hosts of
    NO_PROXY are reached without a proxy in either case, and so is loopback.
    """

    environ: Mapping[str, str] = field(repr=False)
    configured: str | None = field(default=None, repr=False)
    origin: str = "proxy"  #: what *configured* is called in errors

    def choose(self, endpoint: Endpoint) -> Proxy | None:
        """The proxy for *endpoint*; None: connect directly. Raises UsageError for one that cannot be used."""
        if endpoint.loopback or self._excludes(endpoint):
            return None
        text, origin = self.named(tls=endpoint.tls)
        return Proxy.parse(text, origin) if text else None

    def named(self, *, tls: bool = True) -> tuple[str, str]:
        """The proxy as it was written, empty for none; and the variable or key that says so, empty for neither."""
        if self.configured is not None:
            return self.configured.strip(), self.origin
        for variable in _spellings("https_proxy" if tls else "http_proxy", "all_proxy"):
            if variable in self.environ:
                return self.environ[variable].strip(), variable
        return "", ""

    def _excludes(self, endpoint: Endpoint) -> bool:
        found = next((self.environ[name] for name in _spellings("no_proxy") if name in self.environ), "")
        return any(_covers(entry, endpoint) for entry in re.split(r"[\s,]+", found) if entry)


def hidden(text: str) -> str:
    """The URL of a proxy, well-formed or not, without its user and password."""
    head, found, _ = text.partition("://")
    scheme = head + found if found else ""
    user, found, host = text.removeprefix(scheme).rpartition("@")
    return f"{scheme}***@{host}" if found or user else text


def _spellings(*names: str) -> Iterator[str]:
    for name in names:
        yield name
        yield name.upper()


def _covers(entry: str, endpoint: Endpoint) -> bool:
    """Whether an entry of NO_PROXY is about *endpoint*.

    An entry is "*", a host with all hosts below it (a dot or "*." before it makes no difference), an address, or a
    network such as 10.0.0.0/8; a port may follow.
    """
    if entry == "*":
        return True
    name, port = entry.lower(), ""
    if name.count(":") == 1 or "]:" in name:  # more colons: an IPv6 address
        name, _, port = name.rpartition(":")
    if port and port != str(endpoint.port):
        return False
    host = endpoint.host.rstrip(".").lower()
    try:
        network = ip_network(name.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    address = _address(host)
    return address is not None and address in network


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
