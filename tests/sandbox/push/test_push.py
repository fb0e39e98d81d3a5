"""Pushes: the probe, the body, the retries, the time limit, the counters."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest

from smsreceipt.decode import decode
from smsreceipt.errors import UsageError
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.sandbox import Options, Sandbox, generate
from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.push.bodies import QUEUES_ONLY, body_of
from smsreceipt.sandbox.push.client import Callback, CallbackConnection, fault_of
from smsreceipt.sandbox.push.latency import Latencies
from smsreceipt.sandbox.push.pusher import Pusher
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.receipts import TEST_KINDS, console_receipt
from tests.sandbox.clients import REPORTS, send_sms
from tests.sandbox.receiver import ACCEPTED, Receiver, Request, Response

pytestmark = pytest.mark.slow

Make = Callable[..., Sandbox]


def counted(sandbox: Sandbox, *names: str) -> tuple[Any, ...]:
    state = sandbox.state()
    return tuple(state[name] for name in names)


def settled(sandbox: Sandbox) -> bool:
    return sandbox.state()["waiting"] == 0


def test_the_url_is_probed_with_get_before_anything_is_pushed(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=f"{receiver.url}/secret?a=1")
        sandbox.put_object("SmsUp", {"a": 1})
        receiver.until(lambda: settled(sandbox))
        probe, post = receiver.requests
        assert (probe.method, probe.path, probe.body) == ("GET", "/secret?a=1", b"")
        assert (post.method, post.path, post.receipts) == ("POST", "/secret?a=1", [{"a": 1}])
        assert post.headers["content-type"] == "application/json;charset=utf-8"
        assert counted(sandbox, "probes", "probes_failed", "posts", "accepted") == (1, 0, 1, 1)


@pytest.mark.parametrize("probe", [(302, b""), (200, b"ok"), (200, b'{"code":"0"}'), (500, ACCEPTED[1])])
def test_nothing_is_pushed_to_a_url_that_fails_its_probe(make: Make, probe: Response) -> None:
    lines: list[str] = []
    with Receiver(probe=probe) as receiver:
        sandbox = make(push=receiver.url, say=lines.append)
        sandbox.put_object("SmsUp", {"a": 1})
        receiver.until(lambda: bool(receiver.requests) and bool(lines))
        assert counted(sandbox, "probes_failed", "posts", "waiting") == (1, 0, 1)
        assert "failed its GET probe" in lines[0]
        receiver.probe = ACCEPTED  # the next probe, a second later
        receiver.until(lambda: settled(sandbox))
        assert len(lines) == 2


def test_a_url_for_each_kind_is_probed_for_each_kind(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=f"{receiver.url}/s/{{kind}}")
        sandbox.put_object("SmsReport", {"a": 1})
        sandbox.put_object("NewReport", {"b": 1})
        receiver.until(lambda: settled(sandbox))
        probed = {request.path for request in receiver.requests if request.method == "GET"}
        assert {"/s/SmsReport", "/s/SecretReport", "/s/NewReport"} <= probed
        assert {(post.path, post.body) for post in receiver.posts()} == {
            ("/s/SmsReport", b'[{"a":1}]'),
            ("/s/NewReport", b'[{"b":1}]'),
        }


def test_a_push_holds_receipts_of_one_kind_and_no_more_than_the_batch(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url, push_batch=10)
        sandbox.put_object("SmsReport", *({"phone_number": str(n)} for n in range(25)))
        sandbox.put_object("SmsUp", *({"content": str(n)} for n in range(5)))
        sandbox.put_object("SignSmsReport", *({"sign_name": str(n), "order_id": "1"} for n in range(3)))
        receiver.until(lambda: settled(sandbox))
        pushed = [post.receipts for post in receiver.posts()]
        kinds = [{name for receipt in receipts for name in receipt} for receipts in pushed]
        assert all(len(kind & {"phone_number", "content", "sign_name"}) == 1 for kind in kinds)
        assert {len(receipts) for receipts in pushed if "sign_name" in receipts[0]} == {1}
        assert max(map(len, pushed)) == 10
        assert sum(map(len, pushed)) == 33


def test_some_fields_have_other_names_over_http() -> None:
    def pushed(kind: str, **fields: object) -> dict[str, Any]:
        (shown,) = json.loads(body_of(kind, [fields]))
        return dict(shown)

    assert pushed("TemplateSmsReport", order_id="1") == {"orderId": "1"}
    assert pushed("SecretSmsIntercept", **{"sms-intercept-type": "NORMAL"}) == {"sms_intercept_type": "NORMAL"}
    assert pushed("SecretRecording", subs_id=1) == {"sub_id": 1}
    start = pushed("SecretStartReport", pool_key="p", call_id="c")
    end = pushed("SecretReport", pool_key="p", call_id="c")
    assert start.pop("id") == str(end.pop("id"))
    assert start == end == {"pool_key": "p", "call_id": "c", "partner_key": "p", "city": "杭州"}


def test_a_refused_push_is_retried_after_1_5_and_10_minutes_and_then_given_up(make: Make) -> None:
    with Receiver(answer=lambda _request: (503, b"")) as receiver:
        sandbox = make(push=receiver.url)
        sandbox.put_object("SmsUp", {"a": 1})
        for tries, minutes in enumerate((1, 5, 10), 1):
            receiver.until(lambda tries=tries: counted(sandbox, "posts") == (tries,))  # type: ignore[misc]
            sandbox.advance(minutes * 60 - 2)
            assert counted(sandbox, "posts", "waiting") == (tries, 1)
            sandbox.advance(2)
        receiver.until(lambda: settled(sandbox))
        assert counted(sandbox, "posts", "gave_up", "accepted") == (4, 1, 0)
        assert counted(sandbox, "refused") == ({"status 503": 4},)
        assert len({post.body for post in receiver.posts()}) == 1
        sandbox.advance(86_400)
        assert counted(sandbox, "posts") == (4,)


def test_the_schedule_can_be_scaled(make: Make) -> None:
    answers = iter([(500, b""), (500, b""), (500, b""), ACCEPTED])
    with Receiver(answer=lambda _request: next(answers)) as receiver:
        sandbox = make(push=receiver.url, push_scale=0.0001)
        sandbox.put_object("SmsUp", {"a": 1})
        receiver.until(lambda: settled(sandbox))
        assert counted(sandbox, "posts", "accepted", "gave_up") == (4, 1, 0)


def test_a_response_after_700_ms_is_a_timeout(make: Make) -> None:
    hold = threading.Event()

    def slow(_request: Request) -> Response:
        hold.wait(5)
        return ACCEPTED

    with Receiver(answer=slow) as receiver:
        sandbox = make(push=receiver.url)
        sandbox.put_object("SmsUp", {"a": 1})
        receiver.until(lambda: counted(sandbox, "refused") == ({"timeout": 1},))
        hold.set()
        sandbox.advance(60)
        receiver.until(lambda: settled(sandbox))
        assert counted(sandbox, "accepted") == (1,)
        times = sandbox.state()["milliseconds"]
        assert isinstance(times, dict)
        assert times["max"] >= 700


def test_a_dropped_connection_is_a_fault(make: Make) -> None:
    answers = iter([None, ACCEPTED])
    with Receiver(answer=lambda _request: next(answers)) as receiver:
        sandbox = make(push=receiver.url)
        sandbox.put_object("SmsUp", {"a": 1})
        receiver.until(lambda: counted(sandbox, "refused") == ({"connection": 1},))
        sandbox.advance(60)
        receiver.until(lambda: settled(sandbox))


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, b'{"code":0}', ""),
        (200, b'{"code":1.5,"msg":1}', ""),
        (200, b'{"code":true}', "answer"),
        (200, b'{"code":"0"}', "answer"),
        (200, b"[0]", "answer"),
        (200, b"", "answer"),
        (200, b"\xff", "answer"),
        (201, b'{"code":0}', "status 201"),
    ],
)
def test_a_push_is_accepted_by_200_and_a_numeric_code(status: int, body: bytes, fault: str) -> None:
    assert fault_of(status, body) == fault


def test_connections_are_reused_and_limited_to_64(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url, push_batch=1)
        sandbox.put_object("SmsUp", *({"n": n} for n in range(400)))
        receiver.until(lambda: settled(sandbox))
        assert sorted(post.receipts[0]["n"] for post in receiver.posts()) == list(range(400))
        assert 1 < len({post.peer for post in receiver.posts()}) <= 64


def test_receipts_of_sends_are_queued_and_pushed(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url)
        biz_id = send_sms(sandbox, "13800000001,13800000002")["BizId"]
        receiver.until(lambda: settled(sandbox))
        (post,) = receiver.posts()
        assert [receipt["phone_number"] for receipt in post.receipts] == ["13800000001", "13800000002"]
        assert {receipt["biz_id"] for receipt in post.receipts} == {biz_id}
        assert counted(sandbox, "sent", "pushed", "accepted") == (2, 2, 2)


def test_a_delayed_report_is_pushed_after_its_delay(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url, report_delay=50)
        send_sms(sandbox, "13800000001")
        assert counted(sandbox, "posts", "waiting") == (0, 1)
        sandbox.advance(51)
        receiver.until(lambda: settled(sandbox))


@pytest.mark.parametrize("route", ["push", "mixed"])
def test_receipts_follow_the_route_option(make: Make, route: str) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url, route=route, generate=300, poison=0.1)
        receiver.until(lambda: settled(sandbox))
        good = [message for message in generate(1, 300, 0.1) if not message.is_poison]
        fit = sum(message.kind not in QUEUES_ONLY for message in good)
        queued, pushed = counted(sandbox, "sent", "accepted")
        assert pushed == sum(len(post.receipts) for post in receiver.posts())
        if route == "push":
            assert (queued, pushed) == (300 - fit, fit)
        else:
            both = queued + pushed - 300
            assert pushed < fit
            assert 0.2 * fit < both < 0.45 * fit


def test_raw_texts_are_queued_only(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url)
        sandbox.put(REPORTS, "{}")
        assert counted(sandbox, "sent", "pushed") == (1, 0)


def test_push_faults_lose_and_repeat_receipts(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url, push_batch=1, faults={"lose-push": 0.2, "repeat-push": 0.2})
        sandbox.put_object("SmsUp", *({"n": n} for n in range(200)))
        receiver.until(lambda: settled(sandbox))
        receiver.until(lambda: len(receiver.posts()) == counted(sandbox, "posts")[0])
        lost, pushed, accepted, repeated = counted(sandbox, "push_lost", "pushed", "accepted", "repeated")
        came = [post.receipts[0]["n"] for post in receiver.posts()]
        assert lost + pushed == 200
        assert len(set(came)) == accepted == pushed
        assert 10 < lost < 80
        assert 0 < repeated <= len(came) - len(set(came)) + 1


def test_a_push_in_flight_at_a_stop_is_sent_after_the_next_start(make: Make) -> None:
    hold = threading.Event()

    def slow(_request: Request) -> Response:
        hold.wait(5)
        return ACCEPTED

    with Receiver(answer=slow) as receiver:
        sandbox = make(push=receiver.url)
        sandbox.put_object("SmsUp", {"a": 1})
        receiver.until(lambda: sandbox.state()["probes"] == 1)
        sandbox.stop()
        hold.set()
        assert counted(sandbox, "accepted", "waiting") == (0, 1)
        sandbox.start()
        receiver.until(lambda: settled(sandbox))
        assert counted(sandbox, "accepted") == (1,)


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "example.com", "http://", "http://a:x/", "http://a/ b", "http://a/\u00e9"]
)
def test_an_invalid_callback_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="callback URL"):
        Sandbox(Options(push=url))


@pytest.mark.parametrize("options", [{"push_scale": 0}, {"push_batch": 0}, {"route": "air"}, {"qps_limit": 0}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Options(**options)


def test_callback_urls_are_parsed() -> None:
    assert Callback.of("https://a.example/x?y=1") == ("a.example", 443, True, "/x?y=1", "a.example")
    assert Callback.of("http://127.0.0.1:80") == ("127.0.0.1", 80, False, "/", "127.0.0.1:80")


def test_a_push_cancelled_before_it_was_sent_is_kept() -> None:
    options = Options(push="http://127.0.0.1:1/")
    pusher = Pusher(options, Clock(), Faults({}, 1))
    pusher._passed.add(Callback.of(options.push))

    async def stopped_at_once() -> None:
        pusher.open()
        pusher.add("SmsUp", {"a": 1})
        pusher.run()
        assert pusher._next() is None, "it is in flight"
        await pusher.close()

    asyncio.run(stopped_at_once())
    push = pusher._next()
    assert push is not None
    assert push.body == b'[{"a":1}]'


def test_a_connection_closed_while_idle_is_reopened(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url)
        sandbox.put_object("SmsUp", {"a": 1})
        receiver.until(lambda: settled(sandbox))
        receiver.disconnect()
        sandbox.put_object("SmsUp", {"a": 2})
        receiver.until(lambda: settled(sandbox))
        assert counted(sandbox, "posts", "accepted", "refused") == (2, 2, {})
        first, second = receiver.posts()
        assert first.peer != second.peer


def test_a_response_that_is_not_http_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            client, _address = server.accept()
            with client:
                client.recv(1000)
                client.sendall(b"hello\r\n\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        connection = CallbackConnection(Callback.of(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        reply = asyncio.run(connection.request("GET"))
        thread.join()
    assert reply.fault == "protocol"


@pytest.mark.parametrize("host", ["127.0.0.1:1", f"{'a' * 70}.example"])
def test_a_host_that_cannot_be_reached_is_a_fault(host: str) -> None:
    assert asyncio.run(CallbackConnection(Callback.of(f"http://{host}/")).request("GET")).fault == "connection"


def test_latencies_are_summarized_in_milliseconds() -> None:
    latencies = Latencies()
    assert latencies.summary() == {"p50": 0.0, "p99": 0.0, "max": 0.0}
    for milliseconds in range(1, 101):
        latencies.add(milliseconds / 1000 + 0.00001)
    latencies.add(2.5)
    assert latencies.summary() == {"p50": 51.0, "p99": 100.0, "max": 2500.0}


def ask_test_push(sandbox: Sandbox, kind: str = "", method: str = "POST") -> tuple[int, dict[str, Any]]:
    """What the sandbox answers when the console's test push is asked for."""
    http = HTTPConnection(sandbox.url.removeprefix("http://"), timeout=5)
    with contextlib.closing(http):
        http.request(method, "/_sandbox/test-push" + (f"?kind={kind}" if kind else ""))
        answer = http.getresponse()
        return answer.status, json.loads(answer.read())


def test_the_consoles_test_push_is_sent_when_asked_for_once_and_not_counted(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=f"{receiver.url}/s/{{kind}}")
        for kind, fields in (
            ("", {"phone_number": "18612345678", "biz_id": "932702304080415357^0", "send_time": "2017-08-30 00:00:00"}),
            ("SmsUp", {"phone_number": "18612345678", "content": "内容", "sequence_id": "1234567890"}),
        ):
            status, answer = ask_test_push(sandbox, kind)
            assert (status, answer["accepted"], answer["fault"]) == (200, True, None)
            assert 0 < answer["milliseconds"] < 700
            post = receiver.posts()[-1]
            assert post.path == f"/s/{kind or 'SmsReport'}"
            [receipt] = post.receipts
            assert fields.items() <= receipt.items()
        assert counted(sandbox, "pushed", "posts", "waiting") == (0, 0, 0)


def test_a_test_push_that_is_refused_is_not_repeated(make: Make) -> None:
    with Receiver(answer=lambda _: (500, b"")) as receiver:
        sandbox = make(push=receiver.url, push_scale=0.001)
        status, answer = ask_test_push(sandbox)
        assert (status, answer["accepted"], answer["fault"]) == (200, False, "status 500")
        time.sleep(0.2)
        assert len(receiver.posts()) == 1


def test_a_test_push_needs_a_url_a_known_kind_and_post(make: Make) -> None:
    with Receiver() as receiver:
        sandbox = make(push=receiver.url)
        assert ask_test_push(sandbox, "SecretReport")[0] == 404
        assert ask_test_push(sandbox, method="GET")[0] == 405
        assert receiver.posts() == []
    assert ask_test_push(make())[0] == 409


def test_the_store_tells_a_test_push_from_a_message() -> None:
    for kind in TEST_KINDS:
        frame = body_of(kind, [console_receipt(kind, "2026-11-20 16:01:00")])
        decoded = decode(Delivery((frame,), Kind(kind), Source.PUSH, "/s", Instant(0)))
        assert [each.test for each in decoded.receipts] == [True]
