"""Errors of the transports: no answer arrived that the program may act on."""

from __future__ import annotations

from smsreceipt.errors import ProviderError


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


class BadAnswer(TransportError):
    """An answer that violates the protocol; the program treats it as not received."""


class Untrusted(TransportError):
    """The peer's certificate is not valid for the endpoint. Trying again cannot help."""

    sent = False
    hint = "Check the endpoint's name, the system's CA certificates and the clock."
