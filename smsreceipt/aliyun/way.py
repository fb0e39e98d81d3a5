"""The way to an endpoint, directly or through a proxy: its TLS settings, and in words why it could not be gone."""

from __future__ import annotations

import socket
import ssl

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
    return f"the proxy {proxy}" if proxy else endpoint.netloc


def failure(
    exc: BaseException, endpoint: Endpoint, proxy: Proxy | None, *, arrived: bool, seconds: float
) -> Unreached | Untrusted:
    """The exception for a connection that could not be opened within *seconds*; *arrived*: only as far as the proxy."""
    way = first_peer(endpoint, proxy)
    if arrived:
        way = f"{endpoint.netloc} through {way}"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return Untrusted(f"{way if proxy else endpoint}: {exc.verify_message}")
    late = f"timed out while connecting, after {seconds:g} s"
    unresolved = isinstance(exc, socket.gaierror | UnicodeError)
    why = late if isinstance(exc, TimeoutError) else in_words(exc)
    return Unreached(f"cannot reach {way} ({why})", unresolved=unresolved)
