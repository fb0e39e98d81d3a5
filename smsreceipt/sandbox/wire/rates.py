"""How often each action is called, and when that is too often."""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Mapping

from smsreceipt.sandbox.wire.http import Request

#: Calls a second that the provider's documentation allows an account.
CAPS = {"QuerySendDetails": 5000, "QuerySendStatistics": 20}
_ACTION = re.compile(r"(?:^|[?&])Action=(\w+)")


class Rates:
    """Sees every call, whatever becomes of it; its clock is the host's, which nobody moves."""

    def __init__(self, caps: Mapping[str, int]) -> None:
        self.peaks: dict[str, int] = {}  #: most calls of an action within any one second
        self._caps = caps
        self._times: dict[str, array[float]] = {}
        self._oldest: dict[str, int] = {}  # index of the first call of the last second
        self._taken: dict[str, array[float]] = {}  # the newest calls that were let in, as many as the cap

    def arrived(self, action: str) -> bool:
        """Note a call; False when it is one too many within a second."""
        now = time.monotonic()
        times = self._times.setdefault(action, array("d"))
        times.append(now)
        oldest = self._oldest.get(action, 0)
        while times[oldest] <= now - 1:
            oldest += 1
        self._oldest[action] = oldest
        self.peaks[action] = max(self.peaks.get(action, 0), len(times) - oldest)
        return self._admit(action, now)

    def _admit(self, action: str, now: float) -> bool:
        cap = self._caps.get(action)
        if cap is None:
            return True
        taken = self._taken.setdefault(action, array("d"))
        if len(taken) >= cap and taken[-cap] > now - 1:
            return False
        taken.append(now)
        if len(taken) > 10 * cap:
            del taken[:-cap]
        return True

    def times(self, action: str) -> tuple[float, ...]:
        """When it was called, in seconds of the host's monotonic clock."""
        return tuple(self._times.get(action, ()))


def action_of(request: Request) -> str:
    """The action that an RPC request names, well-formed or not."""
    header = request.headers.get(b"x-acs-action")
    if header:
        return header.decode("latin-1")
    found = _ACTION.search(request.target) or _ACTION.search(request.body.decode("latin-1"))
    return found[1] if found else ""
