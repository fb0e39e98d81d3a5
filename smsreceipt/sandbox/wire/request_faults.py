"""What goes wrong on the way to the services and back, in the words of either protocol."""

from __future__ import annotations

from smsreceipt.sandbox.queues.xml import Refusal, refused
from smsreceipt.sandbox.wire import rpc
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.http import Answer, Cut, Request
from smsreceipt.sandbox.wire.rates import action_of
from smsreceipt.sandbox.wire.rpc import RpcError

_GATEWAY = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
_NEVER = 10.0**6  # seconds; whoever waits longer than eleven days may have an answer


class Trouble:
    """Meets requests before the services do, and says how much of an answer arrives."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def meet(self, request: Request, queues: bool) -> Answer | None:
        """The answer of a request that comes no further; None: it does."""
        faults = self._faults
        if faults.hit("drop-before"):
            return Answer(0, cut=Cut.NOTHING)
        if faults.hit("stall"):
            return Answer(0, cut=Cut.NOTHING, hold=_NEVER)
        if faults.hit("500"):
            return self._broken(request, queues)
        if faults.hit("throttle"):
            answer = self.throttled(request, queues)
            answer.hold = faults.hold()
            return answer
        return None

    def cut(self) -> Cut | None:
        """How much less than the whole answer goes back."""
        return Cut.NOTHING if self._faults.hit("drop-after") else Cut.HALF if self._faults.hit("truncate") else None

    def _broken(self, request: Request, queues: bool) -> Answer:
        if self._faults.gateway():
            return Answer(502, _GATEWAY, b"text/html")
        if queues:
            refusal = Refusal(500, "InternalError", "Internal error.")
            return refused(refusal, request.headers.get(b"host", b""))
        return rpc.refused(RpcError(500, "InternalError"), request)

    def throttled(self, request: Request, queues: bool) -> Answer:
        """Too many requests: the SMS service itself says it in an answer that looks like success by its status."""
        if queues:
            refusal = Refusal(429, "TooManyRequests", "denied by cluster flow limiter")
            return refused(refusal, request.headers.get(b"host", b""))
        if action_of(request) == "QueryTokenForMnsQueue" or self._faults.below(2):
            return rpc.refused(RpcError(400, "Throttling.User"), request)
        return rpc.limited()


def cut_short(answer: Answer, cut: Cut | None) -> None:
    """Let an answer be lost on its way; half of an empty one is nothing."""
    answer.cut = Cut.NOTHING if cut is not None and not answer.body else cut
