"""The addresses of the provider's services."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from smsreceipt.errors import UsageError
from smsreceipt.language import _

#: The hosts for mainland accounts, by the provider's documentation. The number in the MNS host is the account of the
#: messaging services, to which all receipt queues belong.
DEFAULTS = {
    "mns": "1943695596114318.mns.cn-hangzhou.aliyuncs.com",
    "dybaseapi": "dybaseapi.aliyuncs.com",
    "dysmsapi": "dysmsapi.aliyuncs.com",
    "dyplsapi": "dyplsapi.aliyuncs.com",
}

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\.?\Z")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The host and port of an HTTP service, and whether it is reached over TLS."""

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, text: str, *, insecure_http: bool = False) -> Endpoint:
        """Parse "host", "host:port" or a URL of scheme, host and port.

        The default scheme is http on loopback and https elsewhere. Plain http to any other host raises UsageError
        unless *insecure_http*, because tokens and phone numbers would be sent unencrypted.
        """
        scheme, host, port = _split(text.strip())
        local = _is_loopback(host)
        scheme = scheme or ("http" if local else "https")
        if scheme == "http" and not local and not insecure_http:
            raise UsageError(
                _("plain http to {host} is refused", host=host),
                hint=_("Use https, or --insecure-http if nobody can listen in between."),
            )
        return cls(host, port or (443 if scheme == "https" else 80), scheme == "https")

    @property
    def netloc(self) -> str:
        """Host and port in the format of the Host header: the port only where it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine."""
        return _is_loopback(self.host)

    @property
    def url(self) -> str:
        """The root URL, without a trailing slash."""
        return f"{'https' if self.tls else 'http'}://{self.netloc}"

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The services that the program calls."""

    mns: Endpoint
    dybaseapi: Endpoint
    dysmsapi: Endpoint
    dyplsapi: Endpoint

    @classmethod
    def of(cls, environ: Mapping[str, str], *, insecure_http: bool = False) -> Endpoints:
        """Read SMSRECEIPT_MNS_ENDPOINT and the variables of the other services, such as SMSRECEIPT_DYSMSAPI_ENDPOINT.

        A variable that is absent or empty stands for the mainland default. Raises UsageError, naming the variable.
        """
        found = {}
        for service, default in DEFAULTS.items():
            variable = f"SMSRECEIPT_{service.upper()}_ENDPOINT"
            try:
                found[service] = Endpoint.parse(environ.get(variable, "") or default, insecure_http=insecure_http)
            except UsageError as exc:
                raise UsageError(_("{what}: {reason}", what=variable, reason=exc), hint=exc.hint) from None
        return cls(**found)


def _split(text: str) -> tuple[str, str, int | None]:
    """Scheme ("" where absent), host and port. Raises UsageError for a path, query, user or fragment."""
    if text.count(":") > 1 and not text.startswith("[") and "://" not in text:
        text = f"[{text}]"  # a bare IPv6 address
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError:
        raise UsageError(_("an endpoint is a host, host:port or URL with scheme and port")) from None
    host = parts.hostname or ""
    well_formed = _HOST.match(host) is not None or ":" in host
    if parts.scheme not in {"", "http", "https"} or not well_formed or port == 0:
        raise UsageError(_("an endpoint is a host, host:port or URL with scheme http or https"))
    if "@" in parts.netloc:
        raise UsageError(_("an endpoint has no user name"))
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError(_("an endpoint has no path and no query"))
    return parts.scheme, host, port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
