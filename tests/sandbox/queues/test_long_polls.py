"""Long polls: they end with a message or with their time, and their number is limited."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from smsreceipt.sandbox import Sandbox
from smsreceipt.sandbox.wire.http import Request, Response
from tests.sandbox.clients import REPORTS, Got, Wire

MESSAGES = f"/queues/{REPORTS}/messages"


def poll(sandbox: Sandbox, seconds: int) -> Got:
    with Wire(sandbox.url) as wire:
        return wire.ask("GET", f"{MESSAGES}?numOfMessages=16&waitseconds={seconds}")


def wait_for_polls(sandbox: Sandbox, count: int) -> None:
    """Return when *count* receives wait in the sandbox."""
    deadline = time.monotonic() + 30
    while sandbox.state()["polling"] != count:
        assert time.monotonic() < deadline


def test_an_empty_response_comes_when_the_wait_is_over(sandbox: Sandbox) -> None:
    began = time.monotonic()
    assert poll(sandbox, 1).code == "MessageNotExist"
    assert 0.9 < time.monotonic() - began < 5


def test_a_new_message_answers_a_waiting_receive_at_once(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(poll, sandbox, 20)
        wait_for_polls(sandbox, 1)
        sandbox.put(REPORTS, "news")
        assert answer.result(30).text("MessageBody") == "news"


def test_a_message_that_becomes_visible_again_answers_a_waiting_receive(sandbox: Sandbox) -> None:
    sandbox.put(REPORTS, "again")
    poll(sandbox, 0)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(poll, sandbox, 20)
        wait_for_polls(sandbox, 1)
        sandbox.advance(31)
        assert answer.result(30).text("DequeueCount") == "2"


def test_visibility_expires_while_a_receive_waits(make: Callable[..., Sandbox]) -> None:
    sandbox = make(visibility=0.2)
    sandbox.put(REPORTS, "again")
    assert poll(sandbox, 0).status == 200
    assert poll(sandbox, 5).text("DequeueCount") == "2"


def test_the_queues_polling_wait_is_the_default_of_a_receive(sandbox: Sandbox, wire: Wire) -> None:
    wire.ask(
        "PUT", f"/queues/{REPORTS}?metaoverride=true", b"<Queue><PollingWaitSeconds>1</PollingWaitSeconds></Queue>"
    )
    began = time.monotonic()
    assert wire.ask("GET", MESSAGES).code == "MessageNotExist"
    assert time.monotonic() - began > 0.9
    began = time.monotonic()
    assert wire.ask("GET", f"{MESSAGES}?waitseconds=0").code == "MessageNotExist"
    assert time.monotonic() - began < 0.9


def test_a_poll_above_the_limit_gets_404_at_once(make: Callable[..., Sandbox]) -> None:
    sandbox = make(long_polls=1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(poll, sandbox, 20)
        wait_for_polls(sandbox, 1)
        began = time.monotonic()
        assert poll(sandbox, 20).code == "MessageNotExist"
        assert time.monotonic() - began < 5
        sandbox.put(REPORTS, "a")
        assert first.result(30).status == 200
    assert sandbox.state()["invisible"] == 1


def test_a_disconnected_client_takes_no_message(sandbox: Sandbox) -> None:
    with Wire(sandbox.url) as wire:
        wire.http.timeout = 0.3
        try:
            wire.ask("GET", f"{MESSAGES}?waitseconds=20")
        except TimeoutError:
            wire.http.close()
    wait_for_polls(sandbox, 0)
    sandbox.put(REPORTS, "a")
    assert sandbox.state()["queued"] == 1


def test_a_client_that_leaves_at_the_very_end_of_its_poll_is_no_fault(sandbox: Sandbox) -> None:
    faults: list[object] = []

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: faults.append(context))
        polls: list[asyncio.Future[Response]] = []

        def go() -> None:
            polls[0].cancel()

        loop.call_later(0, go)  # in the same turn of the loop as the end, and before it
        request = Request("GET", MESSAGES, {}, b"")
        polls.append(sandbox._queues._poll(request, sandbox._queues.queue(REPORTS), 0, lambda: Response(200)))
        await asyncio.sleep(0.05)
        assert polls[0].cancelled()

    asyncio.run(leave())
    assert faults == []


def test_a_stopped_sandbox_drops_waiting_receives_and_keeps_its_messages(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(poll, sandbox, 20)
        wait_for_polls(sandbox, 1)
        sandbox.stop()
        assert isinstance(answer.exception(30), ConnectionError)
    sandbox.put(REPORTS, "kept")
    sandbox.start()
    assert poll(sandbox, 0).text("MessageBody") == "kept"
