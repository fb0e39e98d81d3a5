"""Counters of the calls of each RPC action, and the limits on calls a second."""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Mapping

from smsreceipt.sandbox.wire.http import Request

#: Calls a second that the provider's documentation allows an account.
LIMITS = {
    "QuerySendDetails": 5000,
    "QuerySendStatistics": 20,
    "QueryMessage": 300,
    "SendMessageToGlobe": 2000,
    "QueryRecordFileDownloadUrl": 3000,
}
_ACTION = re.compile(r"(?:^|[?&])Action=(\w+)")


class Rates:
    """Counts every call, also refused ones. Uses the host's monotonic clock, which Sandbox.advance does not move."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self.peaks: dict[str, int] = {}  #: most calls of an action within any one second
        self._limits = limits
        self._times: dict[str, array[float]] = {}
        self._oldest: dict[str, int] = {}  # index of the first call within the last second
        self._accepted: dict[str, array[float]] = {}  # the newest accepted calls, at least as many as the limit

    def arrived(self, action: str) -> bool:
        """Count a call; False when it exceeds the limit of its action."""
        now = time.monotonic()
        times = self._times.setdefault(action, array("d"))
        times.append(now)
        oldest = self._oldest.get(action, 0)
        while times[oldest] <= now - 1:
            oldest += 1
        self._oldest[action] = oldest
        self.peaks[action] = max(self.peaks.get(action, 0), len(times) - oldest)
        return self._accept(action, now)

    def _accept(self, action: str, now: float) -> bool:
        limit = self._limits.get(action)
        if limit is None:
            return True
        accepted = self._accepted.setdefault(action, array("d"))
        if len(accepted) >= limit and accepted[-limit] > now - 1:
            return False
        accepted.append(now)
        if len(accepted) > 10 * limit:
            del accepted[:-limit]
        return True

    def times(self, action: str) -> tuple[float, ...]:
        """When the action was called, in seconds of the host's monotonic clock."""
        return tuple(self._times.get(action, ()))


def rpc_action(request: Request) -> str:
    """The action that an RPC request names, also in a malformed request; "" when it names none."""
    header = request.headers.get(b"x-acs-action")
    if header:
        return header.decode("latin-1")
    found = _ACTION.search(request.target) or _ACTION.search(request.body.decode("latin-1"))
    return found[1] if found else ""
