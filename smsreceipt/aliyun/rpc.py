"""Calls of the provider's RPC interface, with the official request objects over pooled connections with time limits.

The official client defaults to plain http, retries nothing, signs with the local time, and returns business errors as
success. This one does none of that.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from aliyunsdkcore.acs_exception.exceptions import ServerException

from smsreceipt.errors import AuthError, ProviderError
from smsreceipt.language import N_, _

from . import signing
from .blocking import BlockingPool
from .clock import Clock
from .credentials import Credentials, Provider
from .endpoints import Endpoint
from .faults import Hopeless, TransportError, Unreached
from .proxies import Proxy
from .reporter import ConnectionReporter
from .retry import Budget, Verdict, denial_hint, denied, hint, retry_after, throttled, verdict

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

_SAME_FAILURE = 10.0  # seconds between two lines about retries
_UNREADABLE_HINT = N_(
    "A gateway or proxy may answer in place of the service: check the endpoints (smsreceipt config show) and the"
    " network. Run the same command again later."
)


class ApiError(ProviderError, ServerException):  # type: ignore[misc]  # the SDK ships no types
    """A refusal of a call. `message` is the provider's text and may quote a phone number; str() leaves it out."""

    def __init__(self, status: int, code: str, message: str, request_id: str) -> None:
        ServerException.__init__(self, code, message, status, request_id)
        self.args = (status, code, request_id)  # without the message: repr shows them
        self.status = status
        self.code = code
        if code and self.final:
            self.hint = hint(code)
        elif not code and status < HTTPStatus.INTERNAL_SERVER_ERROR:  # the provider names a code with each refusal
            self.hint = _UNREADABLE_HINT

    @property
    def final(self) -> bool:
        """Whether asking again cannot help; else the condition may pass, and the retry budget was spent."""
        return verdict(self.status, self.code, temporary=False) is Verdict.FINAL

    def __str__(self) -> str:
        what, request = self.code or self.status, self.args[2] or _("unknown")
        return _("the provider answered {what} (request {request})", what=what, request=request)


class Pace(Protocol):
    """A rate limit that many callers share, and that adapts to what the provider answers."""

    def acquire(self) -> None:
        """Block until the next request may be sent. Called before every request, retries included."""

    def throttled(self) -> None:
        """Note that the provider refused a request because there were too many."""

    def ok(self) -> None:
        """Note that a request was answered."""


class Caller:
    """Calls one service, from any number of threads.

    At most *connections* stay open between calls. Failures that may pass are retried within a budget; *budget* makes
    one for each call. *tell* gets a line about each retry, and the verbosity (count of -v) from which on it is shown.
    Close the caller after use.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        provider: Provider,
        clock: Clock,
        *,
        region: str = "cn-hangzhou",
        proxy: Proxy | None = None,
        reporter: ConnectionReporter | None = None,
        connections: int = 16,
        budget: Callable[[], Budget] = Budget,
        tell: Callable[[str, int], None] = lambda _text, _verbosity: None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.endpoint = endpoint
        self._provider = provider
        self._clock = clock
        self._region = region
        self._budget = budget
        self._tell = tell
        self._told_at = float("-inf")
        self._sleep = sleep
        self._chance = chance
        self._reporter = reporter or ConnectionReporter()
        self._pool = BlockingPool(endpoint, proxy=proxy, reporter=self._reporter, idle=connections)

    def call(
        self,
        request: RpcRequest,
        *,
        pace: Pace | None = None,
        understood: Callable[[dict[str, Any]], bool] = bool,
    ) -> dict[str, Any]:
        """Send an official request object and return its answer, whose Code is OK and which is *understood*.

        Use it only for requests that change nothing, because a retry sends them again. Raises AuthError (key, right,
        token, clock, account), ApiError (any other refusal), Hopeless (certificate, proxy), UsageError (the proxy asks
        for a password), and ProviderError when the retry budget is spent; an answer that is not understood spends it.
        """
        budget = self._budget()
        once = {Verdict.CLOCK, Verdict.TOKEN}  # each is retried once, outside the budget
        while True:
            credentials = self._provider.get()
            wait: float | None = None
            try:
                status, answer, wait = self._send(request, credentials, pace)
            except Hopeless:
                raise
            except Unreached as exc:
                self._back_off(budget, exc)
                continue
            except TransportError as exc:
                failure: Exception = ProviderError(
                    _("no answer from {endpoint}: {reason}", endpoint=self.endpoint, reason=exc)
                )
                judged = Verdict.LATER
            else:
                code = _code(answer)
                if status == 200 and not code and _from_provider(answer) and understood(answer):
                    if pace:
                        pace.ok()
                    return answer
                if pace and throttled(status, code):
                    pace.throttled()
                failure = self._failure(status, code, answer)
                judged = verdict(status, code, temporary=credentials.temporary)
            if judged in once:
                once.discard(judged)
            else:
                pause = budget.failed(time.monotonic(), wait, self._chance) if judged is Verdict.LATER else None
                if pause is None:
                    raise failure
                self._report(request, budget.lines(failure, pause))
                self._sleep(pause)

    def _back_off(self, budget: Budget, failure: Unreached) -> None:
        """Wait before connecting again. Raises *failure* when the budget is spent."""
        pause = budget.unreached(time.monotonic())
        if pause is None:
            raise failure
        self._reporter.failed(failure, budget.left(time.monotonic()))
        self._sleep(pause)

    def close(self) -> None:
        """Close every connection. Idempotent."""
        self._pool.close()

    def _failure(self, status: int, code: str, answer: dict[str, Any]) -> Exception:
        if status == 200 and not code:
            return ProviderError(
                _("the answer of {endpoint} cannot be read", endpoint=self.endpoint), hint=_UNREADABLE_HINT
            )
        error = ApiError(status, code, _text(answer, "Message"), _text(answer, "RequestId"))
        return AuthError(str(error), hint=denial_hint(code), code=code) if denied(status, code) else error

    def _report(self, request: RpcRequest, lines: list[tuple[str, int]]) -> None:
        """Tell about a retry. Many threads fail alike: without -v one of them is told in ten seconds."""
        for line, verbosity in lines:
            now = time.monotonic()
            if verbosity > 0 or now - self._told_at >= _SAME_FAILURE:
                self._told_at = now if verbosity == 0 else self._told_at
                self._tell(f"{request.get_action_name()}: {line}", verbosity)

    def _send(
        self, request: RpcRequest, credentials: Credentials, pace: Pace | None
    ) -> tuple[int, dict[str, Any], float | None]:
        """Status, JSON object ({} where there is none) and Retry-After of the answer."""
        # Connect before acquire(): after it, slow handshakes would release many requests at the same moment.
        connection = self._pool.connect()
        try:
            if pace:
                pace.acquire()
            stamp, sent_at = self._clock.rpc_timestamp(), self._clock.local()
            query, form = signing.rpc_request(request, credentials, stamp, str(uuid.uuid4()), self._region)
        except BaseException:
            connection.close()
            raise
        response = self._pool.send(connection, request.get_method(), query, form)
        headers = response.headers
        self._clock.learn(headers.get("date"), sent_at, self._clock.local())
        return response.status, _object(response.body), retry_after(headers.get("retry-after"))


def _object(body: bytes) -> dict[str, Any]:
    found: object
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        try:
            found = json.loads(body)  # accepts half a surrogate pair, so that one row cannot hide the others
        except (ValueError, RecursionError):
            return {}
    return found if isinstance(found, dict) else {}


def _from_provider(answer: dict[str, Any]) -> bool:
    """Whether an answer with status 200 has the marks of a success: a gateway may answer 200 with JSON of its own."""
    return answer.get("Code", "OK") == "OK" and not {"Code", "RequestId", "ResponseCode"}.isdisjoint(answer)


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _code(answer: dict[str, Any]) -> str:
    """The code of a refusal. International actions name it ResponseCode; beside a Status that is the send's own."""
    code = _text(answer, "Code") or ("" if answer.get("Status") else _text(answer, "ResponseCode"))
    return "" if code == "OK" else code
