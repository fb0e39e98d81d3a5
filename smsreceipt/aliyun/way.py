"""The way to an endpoint, directly or through a proxy: its TLS settings, and in words why it could not be gone."""

from __future__ import annotations

import socket
import ssl

from smsreceipt.language import N_, _

from .endpoints import Endpoint
from .faults import Unreached, Untrusted, in_words
from .proxies import Proxy


def tls_context() -> ssl.SSLContext:
    """The settings of TLS for every connection: version 1.2 or newer, and the CA certificates of the system."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def first_peer(endpoint: Endpoint, proxy: Proxy | None) -> str:
    """Who is connected to first, in words."""
    return _("the proxy {proxy}", proxy=proxy) if proxy else endpoint.netloc


def failure(
    exc: BaseException, endpoint: Endpoint, proxy: Proxy | None, *, arrived: bool, seconds: float
) -> Unreached | Untrusted:
    """The exception for a connection that could not be opened within *seconds*; *arrived*: only as far as the proxy."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        way = first_peer(endpoint, proxy) if proxy else endpoint
        if arrived:
            way = _("{endpoint} through the proxy {proxy}", endpoint=endpoint.netloc, proxy=proxy)
        return Untrusted(_("{what}: {reason}", what=way, reason=exc.verify_message))
    late = _("timed out while connecting, after {seconds:g} s", seconds=seconds)
    values = {
        "endpoint": endpoint.netloc,
        "proxy": proxy,
        "reason": late if isinstance(exc, TimeoutError) else in_words(exc),
    }
    if arrived:
        message = N_("cannot reach {endpoint} through the proxy {proxy} ({reason})")
    elif proxy:
        message = N_("cannot reach the proxy {proxy} ({reason})")
    else:
        message = N_("cannot reach {endpoint} ({reason})")
    return Unreached(
        _(message, **values),
        unresolved=isinstance(exc, socket.gaierror | UnicodeError),
        without_tls=isinstance(exc, ssl.SSLError),
    )
