"""RPC calls over a socket, to a service that refuses, throttles, drops and redirects."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest
from urllib3.connection import HTTPConnection

from smsreceipt.aliyun import rpc
from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.credentials import Credentials, Fixed
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import Unreached
from smsreceipt.aliyun.proxies import Proxy
from smsreceipt.aliyun.retry import Budget
from smsreceipt.aliyun.rpc import ApiError, Caller
from smsreceipt.aliyun.signing import query_string, rpc_signature
from smsreceipt.errors import AuthError, ProviderError, SmsReceiptError

ID, SECRET, PHONE = "CanaryId", "CanarySecret", "13800000001"
OK: tuple[int, Any] = (200, {"Code": "OK", "TotalCount": "0"})
DROP = (0, None)


class Service:
    """Plays *script*, one answer a request, the last one for ever."""

    def __init__(self) -> None:
        self.script: list[tuple[int, Any]] = [OK]
        self.extra: dict[str, str] = {}
        self.ahead = 0.0  # seconds
        self.seen: list[dict[str, str]] = []
        self.peers: set[tuple[str, int]] = set()
        self.callers: list[Caller] = []  # to be closed at the end
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                service.answer(self)

            def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
                return formatdate(time.time() + service.ahead, usegmt=True)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.peers.add(handler.client_address)
        query = parse_qs(urlsplit(handler.path).query, keep_blank_values=True)
        self.seen.append({name: values[0] for name, values in query.items()})
        status, answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if not status:
            handler.close_connection = True
            return
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        handler.send_response(status)
        for name, value in {**self.extra, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever, args=(0.01,))
    thread.start()
    yield service
    for caller in service.callers:
        caller.close()
    service.server.shutdown()
    service.server.server_close()
    thread.join()


class Calls:
    """A caller for the service, what it slept, and its clock."""

    def __init__(
        self,
        service: Service,
        *,
        token: str = "",
        proxy: Proxy | None = None,
        tries: int = 4,
        endpoint: Endpoint | None = None,
    ) -> None:
        self.slept: list[float] = []
        self.told: list[tuple[str, int]] = []
        self.clock = Clock()
        self.caller = Caller(
            endpoint or Endpoint.parse(f"127.0.0.1:{service.server.server_port}"),
            Fixed(Credentials(ID, SECRET, token)),
            self.clock,
            proxy=proxy,
            budget=lambda: Budget(tries=tries),
            tell=lambda text, verbosity: self.told.append((text, verbosity)),
            sleep=self.slept.append,
            chance=lambda: 0.5,
        )
        service.callers.append(self.caller)

    def ask(self, pace: rpc.Pace | None = None, understood: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        request = QuerySendDetailsRequest()
        request.set_PhoneNumber(PHONE)
        return self.caller.call(request, pace=pace, understood=understood)


def test_a_call_is_signed_and_answered(service: Service) -> None:
    calls = Calls(service, token="CanaryToken")
    assert calls.ask() == {"Code": "OK", "TotalCount": "0"}
    (sent,) = service.seen
    signature = sent.pop("Signature")
    assert signature == rpc_signature("POST", query_string(sent), SECRET)
    assert (sent["Action"], sent["PhoneNumber"], sent["SecurityToken"]) == ("QuerySendDetails", PHONE, "CanaryToken")


def test_calls_share_a_connection_and_no_nonce(service: Service) -> None:
    calls = Calls(service)
    for _ in range(5):
        calls.ask()
    assert len(service.peers) == 1
    assert len({sent["SignatureNonce"] for sent in service.seen}) == 5


def refusal(code: str) -> dict[str, str]:
    return {"Code": code, "Message": f"the number {PHONE} of {ID}", "RequestId": "R-1"}


@pytest.mark.parametrize(
    "passing",
    [
        (500, b"<html>"),
        (503, refusal("ServiceUnavailable")),
        (429, b""),
        (400, refusal("Throttling.User")),
        (200, refusal("isv.BUSINESS_LIMIT_CONTROL")),
        (200, refusal("isp.SYSTEM_ERROR")),
        (200, b""),
        (200, b"[1]"),
        (200, b"not json"),
        DROP,
    ],
)
def test_what_may_pass_is_asked_again_within_the_budget(service: Service, passing: tuple[int, Any]) -> None:
    service.script = [passing, passing, OK]
    calls = Calls(service)
    assert calls.ask() == OK[1]
    assert len(calls.slept) == 2
    service.script = [passing]
    service.seen.clear()
    with pytest.raises(ProviderError) as spent:
        calls.ask()
    assert spent.value.exit_code == 5
    assert len(service.seen) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"<html>login</html>",
        b"",
        b"[1]",
        b"\xff\0",
        {},
        {"error": "sign in", "TotalCount": 0},
        {"Code": 200, "TotalCount": 0},
        {"Code": "OK", "Message": "OK"},
    ],
)
def test_an_answer_that_is_not_understood_spends_the_budget_and_is_told(service: Service, body: Any) -> None:
    service.script = [(200, body)]
    calls = Calls(service)
    with pytest.raises(ProviderError, match="cannot be read") as spent:
        calls.ask(understood=lambda answer: "TotalCount" in answer)
    assert (spent.value.exit_code, len(service.seen)) == (5, 4)
    assert "gateway" in spent.value.hint
    (line,) = [text for text, verbosity in calls.told if verbosity == 0]
    assert line.startswith("QuerySendDetails: the answer of http://127.0.0.1:")
    assert [verbosity for _, verbosity in calls.told].count(1) == 3
    service.script = [(200, body), OK]
    assert calls.ask(understood=lambda answer: "TotalCount" in answer) == OK[1]


def test_many_calls_that_fail_alike_print_one_line(service: Service) -> None:
    service.script = [(503, b"")]
    calls = Calls(service)
    for _ in range(3):
        with pytest.raises(ProviderError):
            calls.ask()
    assert [verbosity for _, verbosity in calls.told].count(0) == 1


def test_a_retry_after_is_honoured(service: Service) -> None:
    service.extra = {"Retry-After": "7"}
    service.script = [(503, b""), OK]
    calls = Calls(service)
    calls.ask()
    assert calls.slept == [7.0]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "InvalidAccessKeyId.NotFound"),
        (400, "SignatureDoesNotMatch"),
        (403, "Forbidden.RAM"),
        (403, "NoPermission"),
        (200, "isp.RAM_PERMISSION_DENY"),
        (200, "RAM_PERMISSION_DENY"),
        (400, "AccessDeniedByRamPolicy"),
        (400, "MissingSecurityToken"),
        (400, "InvalidTimeStamp.Expired"),
        (200, "isv.OUT_OF_SERVICE"),
        (200, "OUT_OF_SERVICE"),
        (200, "isv.AMOUNT_NOT_ENOUGH"),
        (200, "isv.PRODUCT_UN_SUBSCRIPT"),
        (200, "isv.ACCOUNT_ABNORMAL"),
        (403, "NeverSeenBefore"),
    ],
)
def test_a_refused_key_right_clock_or_account_is_exit_4(service: Service, status: int, code: str) -> None:
    service.script = [(status, refusal(code))]
    calls = Calls(service)
    with pytest.raises(AuthError) as refused:
        calls.ask()
    assert refused.value.exit_code == 4
    assert code in str(refused.value)
    assert "run again" not in refused.value.hint
    assert ("explain" in refused.value.hint) == (code != "NeverSeenBefore")
    assert ("ALIBABA_CLOUD_SECURITY_TOKEN" in refused.value.hint) == (code == "MissingSecurityToken")
    assert len(service.seen) == (2 if "Time" in code else 1)


def test_a_refused_token_is_worth_one_more_try(service: Service) -> None:
    service.script = [(403, refusal("InvalidSecurityToken.Expired")), OK]
    assert Calls(service, token="t").ask() == OK[1]
    service.script = [(403, refusal("InvalidSecurityToken.Expired"))]
    service.seen.clear()
    with pytest.raises(AuthError):
        Calls(service, token="t").ask()
    assert len(service.seen) == 2


def test_the_providers_clock_is_learnt_and_used(service: Service) -> None:
    service.ahead = 3600.0
    service.script = [(400, refusal("InvalidTimeStamp.Expired")), OK]
    calls = Calls(service)
    calls.ask()
    first, second = (sent["Timestamp"] for sent in service.seen)
    seconds = [time.mktime(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")) for stamp in (first, second)]
    assert 3590 < seconds[1] - seconds[0] < 3610
    assert calls.slept == []
    assert calls.clock.warning() is not None


def test_a_clock_half_a_day_off_is_not_corrected(service: Service) -> None:
    service.ahead = -86_400.0
    with pytest.raises(AuthError, match="clock"):
        Calls(service).ask()


def test_any_other_refusal_is_final_and_the_official_clients_kind(service: Service) -> None:
    service.script = [(200, refusal("isv.MOBILE_NUMBER_ILLEGAL"))]
    with pytest.raises(ApiError) as refused:
        Calls(service).ask()
    error = refused.value
    assert isinstance(error, ServerException)
    assert (error.code, error.get_error_code(), error.request_id) == (error.code, "isv.MOBILE_NUMBER_ILLEGAL", "R-1")
    assert PHONE in error.message
    assert len(service.seen) == 1


def test_a_redirect_is_not_followed(service: Service) -> None:
    service.extra = {"Location": f"http://127.0.0.1:{service.server.server_port}/"}
    service.script = [(302, b""), OK]
    with pytest.raises(ApiError):
        Calls(service).ask()
    assert len(service.seen) == 1


def test_a_proxy_is_used_only_when_given(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert Calls(service).ask() == OK[1]
    with pytest.raises(Unreached, match=r"^cannot reach the proxy 127\.0\.0\.1:9 \(connection refused\)$"):
        Calls(service, proxy=Proxy.parse("http://127.0.0.1:9"), tries=1).ask()


@pytest.mark.parametrize(
    "answer",
    [
        (500, refusal("InternalError")),
        (200, refusal("isv.X")),
        (403, refusal("Forbidden")),
        (302, b""),
        (200, b"x"),
        DROP,
    ],
)
def test_nothing_that_is_raised_or_logged_holds_a_key_or_a_number(
    service: Service, answer: tuple[int, Any], caplog: pytest.LogCaptureFixture
) -> None:
    service.script = [answer]
    with caplog.at_level(logging.DEBUG), pytest.raises(SmsReceiptError) as raised:
        Calls(service, token="CanaryToken").ask()
    error: BaseException | None = raised.value
    while error is not None:
        assert not re.search(f"Canary|{PHONE}", f"{error!r} {error}")
        error = error.__cause__ or error.__context__
    assert not re.search(f"Canary|{PHONE}", caplog.text)


def test_the_official_packages_leave_no_handler_behind() -> None:
    script = """
import logging, sys
from smsreceipt.aliyun import clock, credentials, endpoints, mns, rpc, tokens
from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest
endpoint = endpoints.Endpoint.parse("127.0.0.1:9")
rpc.Caller(endpoint, credentials.Fixed(credentials.Credentials("a", "b")), clock.Clock())
tokens._request("SmsReport", "q")
for name in logging.root.manager.loggerDict:
    found = logging.getLogger(name)
    loud = [handler for handler in found.handlers if type(handler).__name__ != "NullHandler"]
    if name.startswith(("aliyunsdkcore", "mns", "root")) and (loud or found.level == logging.DEBUG):
        sys.exit(f"{name} {loud} {found.level}")
sys.exit(f"root {logging.root.handlers}" if logging.root.handlers else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_other_troubles_of_tls_are_tried_again(service: Service) -> None:
    # It speaks plain http, where TLS is expected.
    calls = Calls(service, tries=3, endpoint=Endpoint("127.0.0.1", service.server.server_port, tls=True))
    with pytest.raises(Unreached, match=r"\(TLS failed\)$"):
        calls.ask()
    assert len(calls.slept) == 2


def test_a_port_that_nobody_listens_on_refuses_the_connection(service: Service) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, and nobody listens
        calls = Calls(service, tries=1, endpoint=Endpoint("127.0.0.1", free.getsockname()[1], tls=False))
        with pytest.raises(Unreached, match=r"^cannot reach 127\.0\.0\.1:\d+ \(connection refused\)$"):
            calls.ask()


class Pace:
    """Records its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def acquire(self) -> None:
        self.calls.append("acquire")

    def throttled(self) -> None:
        self.calls.append("throttled")

    def ok(self) -> None:
        self.calls.append("ok")


def test_a_pace_is_asked_before_every_request_and_told_of_refusals_for_being_too_many(service: Service) -> None:
    service.script = [(400, refusal("Throttling.User")), (503, b""), DROP, OK]
    pace = Pace()
    Calls(service).ask(pace)
    assert pace.calls == ["acquire", "throttled", "acquire", "acquire", "acquire", "ok"]


def test_a_turn_is_waited_for_with_an_open_connection_and_none_is_spent_where_there_is_none(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        class Over(Exception):
            pass

        class Waiting(Pace):
            def acquire(self) -> None:
                super().acquire()
                connection, _ = server.accept()  # it is there before anything may be sent
                connection.setblocking(False)
                with connection, pytest.raises(BlockingIOError):
                    connection.recv(1)
                raise Over

        calls, pace = Calls(service, endpoint=Endpoint("127.0.0.1", server.getsockname()[1], tls=False)), Waiting()
        for _ in range(2):
            with pytest.raises(Over):
                calls.ask(pace)
    with pytest.raises(ProviderError, match="connection refused"):
        calls.ask(pace)
    assert pace.calls == ["acquire"] * 2


def test_a_connection_that_ends_before_its_turn_costs_no_call(service: Service) -> None:
    class Late(Pace):
        def acquire(self) -> None:
            super().acquire()
            for connection in held:
                connection.sock.shutdown(socket.SHUT_RDWR)

    calls, pace, held = Calls(service), Late(), list[HTTPConnection]()
    opened = calls.caller._pool.connect

    def noted() -> HTTPConnection:
        held[:] = [opened()]
        return held[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls.caller._pool, "connect", noted)
        calls.ask(pace)
    assert pace.calls == ["acquire", "ok"]
