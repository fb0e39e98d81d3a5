"""The client's side against the provider's side: token, receive, keep hidden, delete, and every refusal on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Protocol

import pytest
from aliyunsdkdysmsapi.request.v20170525.SendSmsRequest import SendSmsRequest

from smsreceipt.aliyun import mns, retry, signing, xml
from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.credentials import Credentials, Fixed
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import ConnectionLost
from smsreceipt.aliyun.http import Pool, Response
from smsreceipt.aliyun.retry import Verdict
from smsreceipt.aliyun.rpc import Caller
from smsreceipt.aliyun.tokens import Tokens
from smsreceipt.errors import AuthError
from smsreceipt.model import Kind
from smsreceipt.sandbox import Options, Sandbox

KIND = Kind("SmsReport")
KEY = Credentials("sandbox", "sandbox-secret")
PLAIN = '{"phone_number": "13800000001", "note": "<&>"}'


class Client:
    """Everything that a pull needs, for one sandbox."""

    def __init__(self, url: str, key: Credentials = KEY) -> None:
        self.endpoint = Endpoint.parse(url)
        self.clock = Clock()
        self.caller = Caller(self.endpoint, Fixed(key), self.clock)
        self.tokens = Tokens(self.caller, self.clock)

    def close(self) -> None:
        self.caller.close()

    async def ask(self, pool: Pool, request: mns.Request, credentials: Credentials) -> Response:
        whole = signing.mns(request, self.endpoint.netloc, credentials, self.clock.http_date())
        response = await pool.send(whole, 10)
        self.clock.learn(response.headers.get("date"), response.sent_at, response.received_at)
        return response

    def all(self, *requests: mns.Request, queue: str) -> list[Response]:
        """The answers to *requests*, one after another over one connection."""
        credentials = self.tokens.get(KIND, queue)

        async def run() -> list[Response]:
            with closing(Pool(self.endpoint)) as pool:
                return [await self.ask(pool, request, credentials) for request in requests]

        return asyncio.run(run())


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(port=0)) as sandbox:
        yield sandbox


class Connect(Protocol):
    def __call__(self, url: str, key: Credentials = KEY) -> Client: ...


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make clients that are closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda url, key=KEY: stack.enter_context(closing(Client(url, key)))


QUEUE = Options().queue_of(KIND)


def test_receive_hide_and_delete(sandbox: Sandbox, connect: Connect) -> None:
    client = connect(sandbox.url)
    for index in range(20):
        sandbox.put(QUEUE, PLAIN.replace("1380000", f"139{index:04}"))
    (peeked,) = client.all(mns.peek(QUEUE), queue=QUEUE)
    assert len(mns.messages(peeked.body)) == 16
    assert not any(message.handle for message in mns.messages(peeked.body))
    first, second, empty = client.all(mns.receive(QUEUE), mns.receive(QUEUE), mns.receive(QUEUE), queue=QUEUE)
    received = mns.messages(first.body) + mns.messages(second.body)
    assert len({message.body for message in received}) == 20
    assert not any(message.damaged for message in received)
    assert all(25_000 < message.next_visible_at - client.clock.now() < 31_000 for message in received)
    assert mns.error(empty.status, empty.body).code == "MessageNotExist"
    handles = [message.handle for message in received]
    target = f"/queues/{QUEUE}/messages?receiptHandle={handles[0].decode()}&visibilityTimeout=100"
    (changed,) = client.all(mns.Request("PUT", target), queue=QUEUE)
    (fields,) = xml.records(changed.body, "", "ChangeVisibility")
    renewed = fields["ReceiptHandle"]
    assert int(fields["NextVisibleTime"]) - client.clock.now() > 90_000
    stale, gone, again = client.all(
        mns.delete(QUEUE, handles[:16]),
        mns.delete(QUEUE, [renewed, *handles[16:]]),
        mns.delete(QUEUE, handles[1:3]),
        queue=QUEUE,
    )
    assert set(mns.failed_handles(stale.body)) == {handles[0]}
    assert (gone.status, gone.body) == (204, b"")
    assert set(mns.failed_handles(again.body)) == set(handles[1:3])


def test_attributes(sandbox: Sandbox, connect: Connect) -> None:
    client = connect(sandbox.url)
    (answer,) = client.all(mns.attributes(QUEUE), queue=QUEUE)
    assert mns.queue_attributes(answer.body).visibility == 30


def test_a_wrong_secret_is_exit_4(sandbox: Sandbox, connect: Connect) -> None:
    with pytest.raises(AuthError):
        connect(sandbox.url, Credentials("sandbox", "wrong")).tokens.get(KIND, QUEUE)


@pytest.mark.parametrize("skew", [3600.0, -3600.0, 40_000.0])
def test_a_wrong_local_clock_is_corrected_on_the_way(skew: float, connect: Connect) -> None:
    with Sandbox(Options(port=0, skew=skew)) as sandbox:
        sandbox.put(QUEUE, PLAIN)
        client = connect(sandbox.url)
        (answer,) = client.all(mns.receive(QUEUE), queue=QUEUE)
        assert len(mns.messages(answer.body)) == 1
        assert abs(client.clock.offset - skew) < 2


def test_a_token_for_another_queue_is_refused_in_a_way_that_a_fresh_one_may_cure(
    sandbox: Sandbox, connect: Connect
) -> None:
    client = connect(sandbox.url)
    other = Options().queue_of("SmsUp")
    (refused,) = client.all(mns.receive(other), queue=QUEUE)
    error = mns.error(refused.status, refused.body)
    assert retry.verdict(error.status, error.code, temporary=True) is Verdict.TOKEN
    assert isinstance(mns.refusal(error, other), AuthError)


@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "truncate"])
def test_a_lost_answer_is_known_as_lost(fault: str, connect: Connect) -> None:
    with Sandbox(Options(port=0, faults={fault: 1.0})) as sandbox:
        sandbox.put(QUEUE, PLAIN)
        client = connect(sandbox.url)

        async def run() -> None:
            with closing(Pool(client.endpoint)) as pool, pytest.raises(ConnectionLost) as lost:
                await client.ask(pool, mns.receive(QUEUE), KEY)
            assert lost.value.sent

        asyncio.run(run())


def test_an_official_request_object_is_answered(sandbox: Sandbox, connect: Connect) -> None:
    request = SendSmsRequest()
    request.set_PhoneNumbers("13800000001")
    request.set_SignName("阿里云")
    request.set_TemplateCode("SMS_1")
    request.set_TemplateParam('{"code":"1 2*~/"}')
    assert connect(sandbox.url).caller.call(request)["BizId"]
