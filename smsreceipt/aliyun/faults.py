"""Errors of the transports: no answer arrived that the program may act on."""

from __future__ import annotations

import socket
import ssl

from smsreceipt.errors import ProviderError
from smsreceipt.language import N_, _


class TransportError(ProviderError):
    """No valid answer arrived. The provider may have acted on the request, except where `sent` is False."""

    sent = True


class ConnectionLost(TransportError):
    """The connection could not be opened (`sent` is False), or ended before the answer was complete (`sent` is True).

    A receive whose answer was lost may have hidden messages until their visibility timeout, so the transport never
    repeats a request. A delete may be repeated: the provider answers MessageNotExist for messages that are gone.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOut(ConnectionLost):
    """As ConnectionLost, because a time limit passed."""


class Unreached(ConnectionLost):
    """No connection could be opened, so no request was sent."""

    hint = N_(
        "Nothing is lost: run the same command again. Check the network and its DNS, the proxy"
        " (HTTPS_PROXY, NO_PROXY, `proxy` in the configuration), and the endpoints"
        " (SMSRECEIPT_*_ENDPOINT)."
    )

    def __init__(self, message: str, *, unresolved: bool = False, without_tls: bool = False) -> None:
        """*unresolved*: the name of the peer leads to no address. *without_tls*: something answers, but not in TLS."""
        super().__init__(message, sent=False)
        self.unresolved, self.without_tls = unresolved, without_tls


class BadAnswer(TransportError):
    """An answer that violates the protocol; the program treats it as not received."""


class Hopeless(TransportError):
    """No connection could be opened, and trying again cannot help."""

    sent = False


class Untrusted(Hopeless):
    """The peer's certificate is not valid for the endpoint."""

    hint = N_("Check the endpoint's name, the system's CA certificates and the clock.")


class ProxyRefused(Hopeless):
    """The proxy does not permit the connection."""

    hint = N_(
        "Let the proxy's owner permit this host and port, or list the host in NO_PROXY if it can be reached without."
    )


def in_words(exc: BaseException) -> str:
    """Why a connection could not be opened, or ended, without anything that was sent."""
    return next((_(words) for kind, words in _WORDS if isinstance(exc, kind)), _("the connection broke off"))


#: The first that fits counts.
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, N_("its name cannot be resolved")),
    (UnicodeError, N_("its name cannot be resolved")),  # a part of it is empty or too long
    (TimeoutError, N_("timed out")),
    (ConnectionRefusedError, N_("connection refused")),
    (ConnectionResetError, N_("connection reset")),
    (ssl.SSLError, N_("TLS failed")),
    (BadAnswer, N_("the answer cannot be read")),
)
