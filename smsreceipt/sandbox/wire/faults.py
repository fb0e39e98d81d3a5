"""Faults: when they occur, and what they do to a request and its response."""

from __future__ import annotations

import random
from collections.abc import Mapping

from smsreceipt.sandbox.wire import mns, rpc
from smsreceipt.sandbox.wire.http import Cut, Request, Response
from smsreceipt.sandbox.wire.mns import Refusal
from smsreceipt.sandbox.wire.rates import rpc_action
from smsreceipt.sandbox.wire.rpc import RpcError

_GATEWAY_PAGE = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
_LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to use this network.</body></html>"
)
_STALL = 10.0**6  # seconds, eleven days


class Faults:
    """Random decisions about faults; the same seed and the same requests give the same decisions."""

    def __init__(self, probabilities: Mapping[str, float], seed: int | None) -> None:
        self._probabilities = {name: share for name, share in probabilities.items() if share > 0}
        self._rng = random.Random(seed)  # noqa: S311 - faults must be repeatable, not secret

    def hit(self, name: str) -> bool:
        """Decide whether the fault *name* occurs now. A fault that is not configured takes no random number."""
        share = self._probabilities.get(name)
        return share is not None and self._rng.random() < share

    def throttle_delay(self) -> float:
        """Seconds before a throttled response is sent: 10 to 500 ms, mostly short."""
        return min(0.5, 0.01 + self._rng.expovariate(25))

    def below(self, limit: int) -> int:
        """A random number from 0 to *limit* - 1."""
        return self._rng.randrange(limit)

    def from_gateway(self) -> bool:
        """Whether a server error comes from a gateway, which responds in HTML."""
        return self._rng.random() < 1 / 3


class RequestFaults:
    """Applies faults before a request reaches a service, and to the response that leaves it."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def intercept(self, request: Request, queues: bool) -> Response | None:
        """The response of a request that reaches no service; None: the request goes on."""
        faults = self._faults
        if faults.hit("drop-before"):
            return Response(0, cut=Cut.NOTHING)
        if faults.hit("stall"):
            return Response(0, cut=Cut.NOTHING, delay=_STALL)
        if faults.hit("page"):
            return Response(200, _LOGIN_PAGE, b"text/html")
        if faults.hit("500"):
            return self._server_error(request, queues)
        if faults.hit("throttle"):
            response = self.throttled(request, queues)
            response.delay = faults.throttle_delay()
            return response
        return None

    def cut(self) -> Cut | None:
        """Decide how much of the response is sent."""
        return Cut.NOTHING if self._faults.hit("drop-after") else Cut.HALF if self._faults.hit("truncate") else None

    def _server_error(self, request: Request, queues: bool) -> Response:
        if self._faults.from_gateway():
            return Response(502, _GATEWAY_PAGE, b"text/html")
        if queues:
            return mns.refused(Refusal(500, "InternalError", "Internal error."), request)
        return rpc.refused(RpcError(500, "InternalError"), request)

    def throttled(self, request: Request, queues: bool) -> Response:
        """Too many requests. The SMS service reports it by status 400, or by a code in a response of status 200."""
        if queues:
            return mns.refused(Refusal(429, "TooManyRequests", "denied by cluster flow limiter"), request)
        if rpc_action(request) == "QueryTokenForMnsQueue" or self._faults.below(2):
            return rpc.refused(RpcError(400, "Throttling.User"), request)
        return rpc.limited()


def apply_cut(response: Response, cut: Cut | None) -> None:
    """Set how much of *response* is sent. Half of an empty response is nothing."""
    response.cut = Cut.NOTHING if cut is not None and not response.body else cut
