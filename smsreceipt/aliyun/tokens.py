"""Temporary credentials for receipt queues. They are kept in memory only."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from smsreceipt.errors import AuthError
from smsreceipt.language import N_, _
from smsreceipt.model import BEIJING, Instant, Kind

from .clock import Clock
from .credentials import Credentials

EARLY = 120_000  #: milliseconds before its expiry that a token is renewed, as all the official clients do
UNKNOWN_LIFE = 60_000  #: milliseconds that a token is used whose expiry is unreadable or in the past

_HINT = N_("Check the RAM right dysms:QueryTokenForMnsQueue, and that the queue's name and type are of this account.")


class _Calls(Protocol):
    def call(self, request: Any, *, understood: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """As Caller.call."""


@dataclass(frozen=True, slots=True)
class _Token:
    credentials: Credentials
    renew_at: Instant  #: by the provider's clock


class Tokens:
    """A cache with one token per kind and queue. Threads that need the same token share one call for it."""

    def __init__(self, caller: _Calls, clock: Clock) -> None:
        self._caller = caller
        self._clock = clock
        self._held: dict[tuple[str, str], _Token] = {}
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def held(self, kind: Kind, queue: str) -> Credentials | None:
        """The cached credentials; None where get() would call the provider."""
        token = self._held.get((kind, queue))
        return token.credentials if token and self._clock.now() < token.renew_at else None

    def get(self, kind: Kind, queue: str) -> Credentials:
        """Credentials for *queue*. Blocks while they are fetched, by this thread or another.

        Raises what Caller.call raises; an answer without a token is not understood.
        """
        with self._lock:
            lock = self._locks[kind, queue]
        with lock:
            found = self.held(kind, queue)
            if found is None:
                token = self._fetch(kind, queue)
                self._held[kind, queue] = token
                found = token.credentials
            return found

    def drop(self, kind: Kind, queue: str, refused: Credentials) -> None:
        """Forget the credentials *refused* by the queue. A token that another thread has fetched since then stays."""
        with self._lock:
            token = self._held.get((kind, queue))
            if token is not None and token.credentials == refused:
                del self._held[kind, queue]

    def _fetch(self, kind: Kind, queue: str) -> _Token:
        try:
            answer = self._caller.call(_request(kind, queue), understood=_has_token)
        except AuthError as exc:
            told = _("no token for queue {queue}: {reason}", queue=queue, reason=exc)
            raise AuthError(told, hint=_hint(exc), code=exc.code) from exc
        found = answer["MessageTokenDTO"]
        return _Token(
            Credentials(*(found[name] for name in _PARTS)),
            _renewal(_beijing(found.get("ExpireTime")), self._clock.now()),
        )


_PARTS = ("AccessKeyId", "AccessKeySecret", "SecurityToken")


def _has_token(answer: dict[str, Any]) -> bool:
    found = answer.get("MessageTokenDTO")
    return isinstance(found, dict) and all(isinstance(found.get(name), str) and found[name] for name in _PARTS)


def _hint(refused: AuthError) -> str:
    """The refusal's own hint, else the one about rights."""
    return _HINT if refused.hint == AuthError.hint else refused.hint


def _request(kind: str, queue: str) -> Any:
    from aliyunsdkcore.request import RpcRequest

    request = RpcRequest("Dybaseapi", "2017-05-25", "QueryTokenForMnsQueue")
    request.add_query_param("MessageType", kind)
    request.add_query_param("QueueName", queue)
    return request


def _renewal(expires_at: Instant | None, now: Instant) -> Instant:
    """When to renew: two minutes before the expiry, but not within the first half of a short life."""
    life = 0 if expires_at is None else expires_at - now
    if life <= 0:
        # A token that was just issued has not expired: its time has an undocumented format. When the queue refuses
        # the token, a fresh one is fetched.
        return Instant(now + UNKNOWN_LIFE)
    return Instant(now + max(life - EARLY, life // 2))


def _beijing(text: object) -> Instant | None:
    """A time of the provider without a zone, which means Beijing time."""
    try:
        moment = datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return Instant(int(moment.timestamp() * 1000))
