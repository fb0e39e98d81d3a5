"""Tokens: one call however many want one, renewed in time by the provider's clock, in any zone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.tokens import Tokens
from smsreceipt.errors import AuthError, ProviderError
from smsreceipt.model import BEIJING, Kind

KIND, QUEUE = Kind("SmsReport"), "Alicom-Queue-1-SmsReport"
START = datetime(2026, 11, 20, 23, 59, 30, tzinfo=BEIJING)


class Service:
    """Issues numbered tokens with a life of *life* seconds by its own clock; a call takes *latency* seconds."""

    def __init__(self, life: float, *, skew: float = 0.0, latency: float = 0.0) -> None:
        self.local = START.timestamp()  # our clock; the provider's is ahead by skew
        self.calls: list[dict[str, Any]] = []
        self.clock = Clock(lambda: self.local)
        if skew:
            now = datetime.fromtimestamp(self.local + skew).astimezone(BEIJING) - timedelta(hours=8)
            self.clock.learn(now.strftime("%a, %d %b %Y %H:%M:%S GMT"), self.local, self.local)
        self._life = life
        self._skew = skew
        self._latency = latency

    def call(self, request: Any, *, understood: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        self.calls.append(dict(request.get_query_params()))
        time.sleep(self._latency)
        ends = datetime.fromtimestamp(self.local + self._skew + self._life, BEIJING)
        number = len(self.calls)
        token = {"AccessKeyId": f"id{number}", "AccessKeySecret": "s", "SecurityToken": f"token{number}"}
        answer = {"Code": "OK", "MessageTokenDTO": token | {"ExpireTime": ends.strftime("%Y-%m-%d %H:%M:%S")}}
        assert understood(answer)
        return answer


def used_at(service: Service, tokens: Tokens, seconds: float) -> str:
    service.local = START.timestamp() + seconds
    return tokens.get(KIND, QUEUE).security_token


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York", "Pacific/Chatham"])
@pytest.mark.parametrize("skew", [0, 700, -700, 30_000])
def test_a_token_is_renewed_two_minutes_early_by_the_providers_clock(
    zone: str, skew: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        service = Service(3600, skew=skew)
        tokens = Tokens(service, service.clock)
        seen = [used_at(service, tokens, at) for at in (0, 60, 3470, 3485, 3500)]
        assert seen == ["token1", "token1", "token1", "token2", "token2"]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("life", "still", "renewed"), [(10, 4, 6), (120, 59, 61), (240, 119, 122), (900, 778, 782)])
def test_a_short_life_is_used_at_least_by_half(life: float, still: float, renewed: float) -> None:
    service = Service(life)
    tokens = Tokens(service, service.clock)
    assert [used_at(service, tokens, at) for at in (0, still, renewed)] == ["token1", "token1", "token2"]


@pytest.mark.parametrize("life", [-3600, 0])
def test_a_token_that_says_it_is_over_is_not_asked_for_at_every_request(life: float) -> None:
    service = Service(life)
    tokens = Tokens(service, service.clock)
    assert [used_at(service, tokens, at) for at in (0, 1, 59, 61)] == ["token1", "token1", "token1", "token2"]


def test_many_threads_make_one_call() -> None:
    service = Service(3600, latency=0.01)  # long enough for the others to want the same
    tokens = Tokens(service, service.clock)
    barrier = threading.Barrier(16)

    def want(_: int) -> str:
        barrier.wait()
        return tokens.get(KIND, QUEUE).security_token

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(want, range(16))) == {"token1"}
    assert len(service.calls) == 1


def test_each_kind_and_queue_has_its_own() -> None:
    service = Service(3600)
    tokens = Tokens(service, service.clock)
    found = {tokens.get(Kind(kind), queue).security_token for kind in ("SmsReport", "SmsUp") for queue in ("a", "b")}
    assert len(found) == 4
    assert service.calls[0] == {"MessageType": "SmsReport", "QueueName": "a"}


def test_a_refused_token_is_dropped_but_not_its_successor() -> None:
    service = Service(3600)
    tokens = Tokens(service, service.clock)
    first = tokens.get(KIND, QUEUE)
    tokens.drop(KIND, QUEUE, first)
    assert tokens.held(KIND, QUEUE) is None
    second = tokens.get(KIND, QUEUE)
    tokens.drop(KIND, QUEUE, first)  # another worker, whose request was refused a moment earlier
    assert tokens.held(KIND, QUEUE) == second
    assert len(service.calls) == 2
    tokens.drop(KIND, "another", second)


class Saying:
    """Answers every call alike, or raises."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer

    def call(self, request: Any, *, understood: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:  # noqa: ARG002
        if isinstance(self._answer, Exception):
            raise self._answer
        if not understood(self._answer):
            raise ProviderError("cannot be read")
        return self._answer


WHOLE = {"AccessKeyId": "a", "AccessKeySecret": "b", "SecurityToken": "c", "ExpireTime": "d"}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"MessageTokenDTO": None},
        {"MessageTokenDTO": [1]},
        {"MessageTokenDTO": {}},
        {"MessageTokenDTO": {**WHOLE, "SecurityToken": ""}},
        {"MessageTokenDTO": {**WHOLE, "AccessKeyId": 5}},
    ],
)
def test_an_answer_without_a_token_is_not_understood(answer: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="cannot be read"):
        Tokens(Saying(answer), Clock()).get(KIND, QUEUE)


def test_an_end_that_cannot_be_read_still_gives_the_token() -> None:
    assert Tokens(Saying({"MessageTokenDTO": WHOLE}), Clock()).get(KIND, QUEUE).security_token == "c"


def test_a_refusal_names_the_queue_and_the_usual_reason() -> None:
    with pytest.raises(AuthError, match=QUEUE) as refused:
        Tokens(Saying(AuthError("no right")), Clock()).get(KIND, QUEUE)
    assert "QueryTokenForMnsQueue" in refused.value.hint
    with pytest.raises(AuthError) as late:
        Tokens(Saying(AuthError("late", hint="Set the clock")), Clock()).get(KIND, QUEUE)
    assert late.value.hint == "Set the clock"


def test_tokens_never_show_themselves() -> None:
    service = Service(3600)
    tokens = Tokens(service, service.clock)
    tokens.get(KIND, QUEUE)
    assert "token1" not in f"{tokens!r}{tokens._held!r}"
