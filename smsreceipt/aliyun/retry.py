"""When to ask again, and after how long. Pure: nothing here sleeps or looks at a clock by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

BASE = 0.2  #: seconds: the first delay is at most this
CAP = 30.0  #: seconds: no delay is longer, whatever the provider asks for

#: Codes that mean "too many", whatever the status they come with; a name that ends in * is the beginning of many.
_THROTTLED = (
    "TooManyRequests",
    "QpsLimitExceeded",
    "Throttling*",
    "isv.BUSINESS_LIMIT_CONTROL",
)
#: Codes that mean "later".
_LATER = (
    *_THROTTLED,
    "ServiceUnavailable*",
    "InternalError",
    "InternalServerError",
    "SignatureNonceUsed",
    "isp.*",
)
#: Codes that a better key, right or token would change, beside every 403.
_AUTH = (
    "InvalidAccessKeyId*",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "Forbidden*",
    "NoPermission*",
    "AccessDenied*",
    "isp.RAM_PERMISSION_DENY",
    "InvalidSecurityToken*",
    "SecurityTokenExpired",
)
_TIME = frozenset({"TimeExpired", "InvalidTimeStamp.Expired", "RequestTimeTooSkewed"})


class Verdict(Enum):
    """What a refusal means for the request."""

    LATER = "later"  #: may pass: ask again after a delay, within the budget
    TOKEN = "token"  #: a fresh token may help: ask again once with one  # noqa: S105 - not a secret
    CLOCK = "clock"  #: the provider's time was learnt from this answer: ask again once
    FINAL = "final"  #: asking again cannot help


def verdict(status: int, code: str, *, temporary: bool) -> Verdict:
    """Judge an answer other than 2xx by its status and code ("" for a page that is none of the service's errors).

    Of an unknown token code no table tells, so any 403 on *temporary* credentials is worth one fresh token.
    """
    if code in _TIME or (status == 408 and code):
        return Verdict.CLOCK
    if temporary and (status == 403 or code.startswith(("InvalidSecurityToken", "SecurityTokenExpired"))):
        return Verdict.TOKEN
    if denied(status, code):
        return Verdict.FINAL
    if status == 429 or status >= 500 or _listed(code, _LATER):
        return Verdict.LATER
    if not code and not 300 <= status < 400:
        return Verdict.LATER  # a gateway's page: it knows nothing of our queue
    return Verdict.FINAL


def throttled(status: int, code: str) -> bool:
    """Whether the provider refused a request only because there were too many."""
    return status == 429 or _listed(code, _THROTTLED)


def denied(status: int, code: str) -> bool:
    """Whether the provider refused the key, its rights or its token."""
    return status == 403 or _listed(code, _AUTH)


def _listed(code: str, names: tuple[str, ...]) -> bool:
    return any(code == name or (name[-1] == "*" and code.startswith(name[:-1])) for name in names)


def delay(attempt: int, retry_after: float | None, random: Callable[[], float]) -> float:
    """Seconds to wait before trying again after *attempt* failures (1, 2, …).

    Full jitter: anywhere between nothing and a bound that doubles up to 30 s, so that many clients do not come back
    together. A Retry-After is the least, up to the same 30 s. *random* gives 0 <= x < 1.
    """
    bound = min(CAP, BASE * 2.0 ** min(attempt, 20))
    return max(random() * bound, min(CAP, retry_after or 0.0))


def retry_after(header: str | None) -> float | None:
    """Seconds by a Retry-After header; None where it is absent or a date, which these services do not send."""
    return float(header) if header is not None and header.isdigit() and len(header) < 7 else None


@dataclass(slots=True)
class Budget:
    """How often and how long one purpose may be tried before giving up. Each purpose has its own."""

    tries: int = 8
    seconds: float = 120.0
    failures: int = field(default=0, init=False)
    _began: float | None = field(default=None, init=False)

    def failed(self, now: float, retry_after: float | None, random: Callable[[], float]) -> float | None:
        """Count a failure at *now* (any seconds that only grow); return the delay, or None: the budget is spent."""
        self.failures += 1
        if self._began is None:
            self._began = now
        wait = delay(self.failures, retry_after, random)
        if self.failures >= self.tries or now + wait - self._began > self.seconds:
            return None
        return wait

    def succeeded(self) -> None:
        """An answer came: the next trouble starts afresh."""
        self.failures = 0
        self._began = None
