"""What can go wrong on the wire, before any answer that the provider meant to give."""

from __future__ import annotations

from smsreceipt.errors import ProviderError


class TransportError(ProviderError):
    """No answer that may be acted upon. What the provider did with the request is unknown unless `sent` is False."""

    sent = True


class ConnectionLost(TransportError):
    """The connection could not be opened (sent is False), or ended before the answer was complete (sent is True).

    A receive whose answer was lost may have hidden messages until their visibility ends; it is never sent again
    silently. A delete may be sent again: for what is already gone the provider answers MessageNotExist.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOut(ConnectionLost):
    """As ConnectionLost, because a time limit passed."""


class BadAnswer(TransportError):
    """The answer was complete but is not what the protocol allows; it counts as not received."""


class Untrusted(TransportError):
    """The peer could not prove by its certificate that it is the host we meant; asking again cannot help."""

    sent = False
    hint = "Check the endpoint's name, the system's CA certificates and the clock."
