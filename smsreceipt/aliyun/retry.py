"""Which failures are retried, and after how long. Pure functions: nothing here sleeps or reads a clock."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from smsreceipt import codes
from smsreceipt.language import N_, _, is_chinese

BASE = 0.2  #: seconds: the first delay is at most this
CAP = 30.0  #: seconds: no delay is longer, not even by Retry-After
_QUIET_FAILURES = 3  # failures in a row that are reported only with -v
CONNECT_CAP = 10.0  #: seconds: no delay is longer after a failure to connect


class Verdict(Enum):
    """Whether and how to retry a refused request."""

    LATER = "later"  #: the condition may pass: retry after a delay, within the budget
    TOKEN = "token"  #: retry once with a fresh token  # noqa: S105 - not a secret
    CLOCK = "clock"  #: this answer corrected the clock: retry once
    FINAL = "final"  #: a retry cannot help


def verdict(status: int, code: str, *, temporary: bool) -> Verdict:
    """Classify an answer that is not 2xx by its status and code ("" for a page that is not from the service).

    The token codes are not all documented, so every 403 to *temporary* credentials that is not about the account is
    retried with a fresh token.
    """
    about = codes.api_class(code)
    if _category(code) == "set-clock" or (about is None and status == 408 and code):
        return Verdict.CLOCK
    if temporary and about is not codes.ApiClass.ACCOUNT and (status == 403 or token_lapsed(code)):
        return Verdict.TOKEN
    if about is not None:
        return Verdict.LATER if about is codes.ApiClass.LATER else Verdict.FINAL
    if status == 429 or status >= 500:
        return Verdict.LATER
    if not code and status != 403 and not 300 <= status < 400:
        return Verdict.LATER  # a gateway's page says nothing about the request
    return Verdict.FINAL


def throttled(status: int, code: str) -> bool:
    """Whether the provider refused the request because there were too many."""
    return status == 429 or (_category(code) == "back-off" and codes.api_class(code) is codes.ApiClass.LATER)


def token_lapsed(code: str) -> bool:
    """Whether the provider refused the temporary token itself: a fresh one may be accepted."""
    return _category(code) == "refresh-token"


def denied(status: int, code: str) -> bool:
    """Whether the provider refused the key, its rights, its token, its time, or the account."""
    about = codes.api_class(code)
    if about is None:
        return status == 403 or (status == 408 and code != "")
    return about in {codes.ApiClass.CREDENTIALS, codes.ApiClass.ACCOUNT}


def hint(code: str) -> str:
    """The next step after a final refusal with *code*. It names `explain` only where that has an answer."""
    if codes.api(code) is None:
        return N_("The provider tells about a request by its id: https://api.aliyun.com/troubleshoot")
    return _("`smsreceipt explain {code}` says what it means and what to do.", code=shlex.quote(code))


def denial_hint(code: str) -> str:
    """The next step where denied() holds; "" for an unknown code."""
    about = codes.api(code)
    if about is None:
        return ""
    advice = about.advice_zh if is_chinese() else about.advice_en
    return _("{advice} (smsreceipt explain {code})", advice=advice, code=shlex.quote(code))


def _category(code: str) -> str:
    about = codes.api(code)
    return about.category if about else ""


def delay(attempt: int, retry_after: float | None, random: Callable[[], float]) -> float:
    """Seconds to wait before trying again after *attempt* failures (1, 2, …).

    Exponential backoff with full jitter: random between 0 and a bound that doubles up to 30 s, so that many clients
    do not retry together. *retry_after* is the minimum, up to the same 30 s. *random* returns 0 <= x < 1.
    """
    bound = min(CAP, BASE * 2.0 ** min(attempt, 20))
    return max(random() * bound, min(CAP, retry_after or 0.0))


def _connect_delay(attempt: int) -> float:
    return min(CONNECT_CAP, BASE * 2.0 ** min(attempt, 20))


def retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header; None where it is absent or a date, which these services do not send."""
    return float(header) if header is not None and header.isdigit() and len(header) < 7 else None


@dataclass(slots=True)
class Budget:
    """The limits on retries of one purpose: at most *tries* failures in a row, within *seconds* of the first one."""

    tries: int = 8
    seconds: float = 120.0
    failures: int = field(default=0, init=False)
    retry_at: float = field(default=0.0, init=False)  #: the end of the delay after the last failure
    _began: float | None = field(default=None, init=False)

    def failed(self, now: float, retry_after: float | None, random: Callable[[], float]) -> float | None:
        """Count a failure at *now* (monotonic seconds). Return the delay, or None when the budget is spent."""
        self.failures += 1
        if self._began is None:
            self._began = now
        wait = delay(self.failures, retry_after, random)
        if self.failures >= self.tries or now + wait - self._began > self.seconds:
            return None
        self.retry_at = now + wait
        return wait

    def unreached(self, now: float) -> float | None:
        """As failed(), for a connection that could not be opened. Its delays are not random, so that left() is true."""
        self.failures += 1
        if self._began is None:
            self._began = now
        left = self.left(now)
        if self.failures >= self.tries or left <= 0:
            return None
        return min(_connect_delay(self.failures), left)

    def left(self, now: float) -> float:
        """The seconds for which it goes on after failures to connect, at most: as long as all the delays take."""
        whole = min(self.seconds, sum(map(_connect_delay, range(1, self.tries))))
        return whole - (now - (now if self._began is None else self._began))

    def succeeded(self) -> None:
        """Reset the count and the time: an answer came."""
        self.failures = 0
        self.retry_at = 0.0
        self._began = None

    def lines(self, failure: Exception, wait: float) -> list[tuple[str, int]]:
        """What to print about a failure that is retried after *wait* seconds: texts, each with the least verbosity."""
        early = _("{failure}; trying again for up to {seconds:.0f} s", failure=failure, seconds=self.seconds)
        each = _("{failure}; trying again in {seconds:.1f} s", failure=failure, seconds=wait)
        return [(early, 0)] * (self.failures == _QUIET_FAILURES) + [(each, 1)]
