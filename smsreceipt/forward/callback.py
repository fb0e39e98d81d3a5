"""Send receipts to a callback URL with the requests, the time limit and the retries of the provider.

By its documentation (help.aliyun.com, "HTTP batch push"): a POST of a JSON array, to be answered within 700 ms with 200
and an object whose code is a number; otherwise it is repeated after 1, 5 and 10 minutes, then never again.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from smsreceipt.aliyun.posting import post
from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.forward.address import KIND, Address, why
from smsreceipt.language import _
from smsreceipt.model import Kind
from smsreceipt.output import reasons

LIMIT = 0.7  #: seconds for an answer
RETRY_AFTER = (60.0, 300.0, 600.0)  #: seconds before each retry of a push
MOST_RETRIES = 1_000  #: pushes that wait for a retry, beyond which no new push is sent


@dataclass(slots=True)
class Push:
    """One array of receipts, and the outcome of sending it."""

    number: int
    kind: Kind | None
    receipts: int
    body: bytes
    attempts: int = 0
    status: int | None = None  #: of the last answer; None if none came in time
    seconds: float = 0.0  #: of the last attempt
    over_limit: bool = False  #: some attempt took longer than LIMIT
    accepted: bool = False
    trouble: str = ""  #: why it was not accepted; see reasons


class Callback:
    """A callback URL. Certificates are verified, redirects not followed, connections kept open."""

    def __init__(self, url: str, *, insecure_http: bool = False, proxies: Proxies | None = None) -> None:
        """*url* may contain {kind}. *proxies* choose the proxy to it.

        Raises UsageError for plain http to another host, unless *insecure_http*, and for a proxy that cannot be used.
        """
        self._address = Address.of(url, insecure_http=insecure_http)
        self.endpoint, self.by_kind = self._address.endpoint, self._address.by_kind
        self._session = self._address.session(proxies)

    def post(self, push: Push) -> None:
        """Send *push* once, and set its fields to the outcome."""
        url = self._address.url.replace(KIND, quote(push.kind or "", safe=""))
        push.attempts += 1
        push.status, push.accepted, push.trouble = None, False, ""
        began = time.monotonic()
        try:
            answer = post(self._session, url, push.body, limit=LIMIT)
        except OSError as exc:
            push.trouble = why(exc)
        else:
            push.status, push.trouble = answer.status, _fault(answer.status, answer.body)
        push.seconds = time.monotonic() - began
        if push.seconds > LIMIT:
            push.over_limit = True
            push.trouble = reasons.NO_ANSWER
        push.accepted = not push.trouble

    def close(self) -> None:
        """Close every connection."""
        self._session.close()


def _fault(status: int, body: bytes) -> str:
    """Why the provider would not accept an answer; "" if it would."""
    if status != 200:
        return reasons.ANSWERED.format(n=status)
    try:
        code = msgspec.json.decode(body, type=dict[str, object]).get("code")
    except (ValueError, RecursionError):
        return reasons.NO_OBJECT
    number = isinstance(code, int | float) and not isinstance(code, bool)
    return "" if number else reasons.NO_NUMBER


class Sender:
    """Puts receipts into arrays, sends these, and retries those that are not accepted. Nothing is kept on disk."""

    def __init__(
        self,
        callback: Callback,
        *,
        batch: int,
        rate: float | None,
        scale: float,
        settled: Callable[[Push], None],
        tell: Callable[[str], None],
        wait: Callable[[float], bool],
    ) -> None:
        """*settled* is called once for each push; *wait* sleeps, and returns True when it is time to stop."""
        self._callback, self._batch, self._scale = callback, batch, scale
        self._pause = 1 / rate if rate else 0.0
        self._settled, self._tell, self._wait = settled, tell, wait
        self._gathered: dict[Kind | None, list[bytes]] = {}
        self._retries: list[tuple[float, int, Push]] = []  # a heap, by time.monotonic() of the retry
        self._next_at = 0.0  # when the rate permits the next push
        self._number = 0
        self.stopped = False

    def add(self, kind: Kind | None, body: bytes) -> None:
        """Send one receipt, together with others of its kind: a callback URL is registered for one message type."""
        gathered = self._gathered.setdefault(kind, [])
        gathered.append(body)
        if len(gathered) >= self._batch:
            self._send(kind, self._gathered.pop(kind))

    def finish(self) -> None:
        """Send the rest, and wait until every push is accepted or has had its last retry."""
        for kind in [*self._gathered]:
            self._send(kind, self._gathered.pop(kind))
        while self._retries:
            self._retry()

    def _send(self, kind: Kind | None, bodies: Sequence[bytes]) -> None:
        while self._retries and (self._retries[0][0] <= time.monotonic() or len(self._retries) >= MOST_RETRIES):
            self._retry()
        self._number += 1
        self._try(Push(self._number, kind, len(bodies), b"[" + b",".join(bodies) + b"]"))

    def _retry(self) -> None:
        """Wait for the next retry, and make it."""
        due, _number, push = heapq.heappop(self._retries)
        self._sleep(due - time.monotonic())
        self._try(push)

    def _try(self, push: Push) -> None:
        self._sleep(self._next_at - time.monotonic())
        if self.stopped:
            push.trouble = push.trouble or reasons.NOT_SENT
            self._settled(push)
            return
        self._next_at = time.monotonic() + self._pause
        self._callback.post(push)
        if push.accepted or push.attempts > len(RETRY_AFTER):
            self._settled(push)
            return
        seconds = RETRY_AFTER[push.attempts - 1] * self._scale
        number, reason = push.number, reasons.in_words(push.trouble)
        self._tell(_("push {number}: {reason}; again in {seconds:g} s", number=number, reason=reason, seconds=seconds))
        heapq.heappush(self._retries, (time.monotonic() + seconds, push.number, push))

    def _sleep(self, seconds: float) -> None:
        if not self.stopped:
            self.stopped = self._wait(max(seconds, 0.0))
