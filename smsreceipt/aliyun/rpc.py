"""Calls of the provider's RPC interface: the official request objects over our own time-limited, pooled connections.

The official client speaks plain http unless told otherwise, retries nothing, stamps the local time, and returns a
business error as success. This one does not.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import requests
from aliyunsdkcore.acs_exception.exceptions import ServerException
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError

from smsreceipt.errors import AuthError, ProviderError

from . import signing
from .clock import Clock
from .credentials import Credentials, Provider
from .endpoints import Endpoint
from .faults import Untrusted
from .retry import Budget, Verdict, denied, retry_after, verdict

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

CONNECT, READ, TOTAL = 5.0, 10.0, 60.0  #: seconds: to connect, between two pieces of an answer, for all of it
MAX_BODY = 4 * 1024 * 1024

_CLOCK_HINT = "Set the clock of this machine, then run again."


class ApiError(ProviderError, ServerException):  # type: ignore[misc]  # the SDK ships no types
    """The provider refused a call for good. Its own words stay in `message`: they may quote a phone number."""

    def __init__(self, status: int, code: str, message: str, request_id: str) -> None:
        ServerException.__init__(self, code, message, status, request_id)
        self.args = (status, code, request_id)  # without the message: repr shows them
        self.status = status
        self.code = code
        if code and verdict(status, code, temporary=False) is Verdict.FINAL:
            self.hint = f"`smsreceipt explain {code}` says what it means."

    def __str__(self) -> str:
        return f"the provider answered {self.code or self.status} (request {self.args[2] or 'unknown'})"


class Caller:
    """Calls one service, from any number of threads.

    Connections are https unless the endpoint says otherwise; redirects are not followed, proxies are used only where
    one is given. What may pass is tried again within *budget*, which is made afresh for every call.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        provider: Provider,
        clock: Clock,
        *,
        region: str = "cn-hangzhou",
        proxy: str | None = None,
        connections: int = 16,
        budget: Callable[[], Budget] = Budget,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.endpoint = endpoint
        self._provider = provider
        self._clock = clock
        self._region = region
        self._budget = budget
        self._sleep = sleep
        self._chance = chance
        self._session = _session(endpoint, proxy, connections)

    def call(self, request: RpcRequest) -> dict[str, Any]:
        """Return the answer to an official request object, once its Code is OK.

        Raises AuthError (key, right, token or clock), ApiError (any other refusal) and ProviderError (the retry
        budget is spent; Untrusted at once). Calls may be sent more than once: only for requests that change nothing.
        """
        budget = self._budget()
        once = {Verdict.CLOCK, Verdict.TOKEN}  # what is worth one more try of its own
        while True:
            credentials = self._provider.get()
            wait: float | None = None
            try:
                status, answer, wait = self._send(request, credentials)
            except requests.RequestException as exc:
                if unproven := _unproven(exc):
                    raise Untrusted(f"{self.endpoint}: {unproven.verify_message}") from None
                # Not chained and not quoted: the message holds the URL, and that phone numbers and the key's id.
                failure: Exception = ProviderError(f"no answer from {self.endpoint}: {_trouble(exc)}")
                judged = Verdict.LATER
            else:
                code = _text(answer, "Code")
                if status == 200 and answer and code in {"", "OK"}:
                    return answer
                failure = _failure(status, code, answer)
                judged = verdict(status, code, temporary=credentials.temporary)
            if judged in once:
                once.discard(judged)
            else:
                pause = budget.failed(time.monotonic(), wait, self._chance) if judged is Verdict.LATER else None
                if pause is None:
                    raise failure
                self._sleep(pause)

    def close(self) -> None:
        """Close every connection. Idempotent."""
        self._session.close()

    def _send(self, request: RpcRequest, credentials: Credentials) -> tuple[int, dict[str, Any], float | None]:
        """Status, JSON object ({} where there is none) and Retry-After of the answer."""
        stamp = self._clock.rpc_timestamp()
        query = signing.rpc_parameters(request, credentials, stamp, str(uuid.uuid4()), self._region)
        began = time.monotonic()
        sent_at = self._clock.local()
        with self._session.request(
            request.get_method(),
            f"{self.endpoint.url}/?{signing.query_string(query)}",
            data=request.get_body_params() or None,
            timeout=(CONNECT, READ),
            allow_redirects=False,
            stream=True,
        ) as response:
            self._clock.learn(response.headers.get("Date"), sent_at, self._clock.local())
            body = b""
            for piece in response.iter_content(64 * 1024):
                body += piece
                if len(body) > MAX_BODY or time.monotonic() - began > TOTAL:
                    raise requests.RequestException
            return response.status_code, _object(body), retry_after(response.headers.get("Retry-After"))


def _session(endpoint: Endpoint, proxy: str | None, connections: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount(endpoint.url, _Adapter(pool_connections=1, pool_maxsize=connections))
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    # At DEBUG it prints every request line, and with it phone numbers, the key's id and the signature.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    return session


class _Adapter(HTTPAdapter):
    """TLS of at least 1.2, trusting what the system trusts."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        super().init_poolmanager(*args, ssl_context=context, **kwargs)


def _trouble(exc: BaseException) -> str:
    """What went wrong on the way, in words that name no address."""
    chain = [*_inside(exc)]
    for kind, words in _TROUBLES:
        if any(isinstance(each, kind) for each in chain):
            return words
    return "the connection broke off" if isinstance(exc, requests.ConnectionError) else "the answer cannot be read"


def _inside(exc: BaseException) -> Iterator[BaseException]:
    """The exception, and those that requests and urllib3 wrapped into it."""
    yield exc
    for each in (*exc.args, getattr(exc, "reason", None), exc.__cause__, exc.__context__):
        if isinstance(each, BaseException):
            yield from _inside(each)


#: The first that is found counts.
_TROUBLES: tuple[tuple[type[BaseException], str], ...] = (
    (requests.exceptions.ProxyError, "the proxy does not let us through"),
    (requests.ConnectTimeout, f"timed out while connecting, after {CONNECT:.0f} s"),
    (requests.Timeout, f"timed out, after {READ:.0f} s without a byte"),
    (NameResolutionError, "its name cannot be resolved"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (ssl.SSLError, "TLS failed"),
)


def _unproven(exc: BaseException) -> ssl.SSLCertVerificationError | None:
    """What is wrong with the peer's certificate, where that is behind *exc*; other troubles of TLS may pass."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return exc
    inside = (*exc.args, getattr(exc, "reason", None))
    return next(filter(None, (_unproven(each) for each in inside if isinstance(each, BaseException))), None)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _failure(status: int, code: str, answer: dict[str, Any]) -> Exception:
    request_id = _text(answer, "RequestId")
    error = ApiError(status, code, _text(answer, "Message"), request_id)
    if verdict(status, code, temporary=False) is Verdict.CLOCK:
        return AuthError(str(error), hint=_CLOCK_HINT)
    return AuthError(str(error)) if denied(status, code) else error
