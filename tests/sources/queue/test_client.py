"""One queue's client: what is asked again, what never is, and what each refusal means."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from smsreceipt.aliyun.faults import Unreached
from smsreceipt.errors import AuthError, ProviderError, QueueNotFound, SmsReceiptError
from smsreceipt.sources.queue.client import QueueClient
from tests.sources.queue.service import (
    QUEUE,
    FakeTokens,
    Scene,
    Service,
    answering,
    half,
    lost_after,
    lost_before,
    never_sent,
    partial,
    refusing,
    run,
)

T = TypeVar("T")


def asking(
    service: Service, work: Callable[[QueueClient], Awaitable[T]]
) -> tuple[T | SmsReceiptError, FakeTokens, int]:
    """What came of it, the fake tokens, and how often an answer was lost."""

    async def main() -> tuple[T | SmsReceiptError, FakeTokens, int]:
        scene = Scene(service)
        (client,) = scene.clients
        lost = [0]

        def count() -> None:
            lost[0] += 1

        client.on_lost = count
        try:
            found: T | SmsReceiptError = await work(client)
        except SmsReceiptError as exc:
            found = exc
        return found, scene.tokens, lost[0]

    return run(main)


def test_nothing_there_is_an_empty_list_after_the_wait() -> None:
    service = Service()
    found, _, lost = asking(service, lambda client: client.receive(16, 3))
    assert (found, lost) == ([], 0)
    assert len(service.asked) == 1


def test_peeking_takes_nothing() -> None:
    service = Service()

    async def no_peek(fake: Service, request: bytes, _real: object) -> object:
        assert b"peekonly=true" in request
        return fake.answer(404, b"<Error><Code>MessageNotExist</Code></Error>")

    service.faults["GET"].append(no_peek)  # type: ignore[arg-type]
    assert asking(service, lambda client: client.peek())[0] == []


@pytest.mark.parametrize("fault", [lost_after, lost_before, half])
def test_a_receive_whose_answer_was_lost_is_told_of_and_another_is_made(fault: object) -> None:
    service = Service()
    service.put(b"one")
    service.faults["GET"].append(fault)  # type: ignore[arg-type]
    _, _, lost = asking(service, lambda client: client.receive(16, 1))
    assert lost == 1
    assert len(service.receives()) == 2


def test_a_service_that_never_was_reached_is_tried_for_as_long_as_was_announced() -> None:
    service = Service()
    for kind in ("GET", "ATTRIBUTES"):
        service.faults[kind] = deque([never_sent] * 99)
    for work in (lambda client: client.receive(16, 1), lambda client: client.attributes()):
        service.asked.clear()
        service.told.clear()
        found, _, lost = asking(service, work)
        assert isinstance(found, Unreached)
        assert (len(service.asked), lost) == (8, 0)
        assert service.told[0] == "cannot reach x (connection refused); trying again, 32 s left"
        assert service.asked[-1][3] - service.asked[0][3] == pytest.approx(32.4, abs=0.1)


def test_a_service_that_had_answered_is_tried_for_two_minutes() -> None:
    service = Service()
    service.put(b"one")
    service.faults["GET"].extend([None, *[never_sent] * 12])

    async def twice(client: QueueClient) -> float:
        await client.receive(16, 1)
        began = service.loop.time()
        await client.receive(16, 1)
        return service.loop.time() - began

    found, _, _ = asking(service, twice)
    assert isinstance(found, float)
    assert 60 < found < 120


def test_what_was_never_sent_was_not_lost() -> None:
    service = Service()
    service.put(b"one")
    service.faults["GET"].append(never_sent)
    found, _, lost = asking(service, lambda client: client.receive(16, 1))
    assert isinstance(found, list)
    assert [message.body for message in found] == [b"one"]
    assert lost == 0


def test_a_document_type_is_not_read() -> None:
    service = Service()
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><Messages><Message><MessageBody>&a;</MessageBody></Message></Messages>'
    service.faults["GET"].append(answering(200, bomb))
    service.put(b"one")
    found, _, lost = asking(service, lambda client: client.receive(16, 1))
    assert isinstance(found, list)
    assert [message.body for message in found] == [b"one"]
    assert lost == 1


NO_XML = [b"", b"garbage", b"<html><body>ok</body></html>", b"\x1f\x8b\x08\x00", b"<!DOCTYPE html><html></html>", b"{}"]


@pytest.mark.parametrize("body", NO_XML)
def test_answers_that_cannot_be_read_spend_the_budget_and_are_told(body: bytes) -> None:
    service = Service()
    service.faults["GET"] += [answering(200, body)] * 50
    told: list[tuple[str, int]] = []

    async def receive(client: QueueClient) -> object:
        client._tell = lambda text, verbosity: told.append((text, verbosity))
        return await client.receive(16, 0)

    found, _, lost = asking(service, receive)
    assert isinstance(found, ProviderError)
    assert found.exit_code == 5
    assert found.hint
    assert (len(service.receives()), lost) == (8, 8)
    assert [query["numOfMessages"] for query, _ in service.receives()] == ["16", "8", "4", "2", "1", "1", "1", "1"]
    assert any(verbosity == 0 for _, verbosity in told)


@pytest.mark.parametrize("status", [200, 204])
def test_a_peek_that_cannot_be_read_ends_too(status: int) -> None:
    service = Service()
    service.faults["GET"] += [answering(status, b"garbage")] * 50
    assert isinstance(asking(service, lambda client: client.peek())[0], ProviderError)
    assert len(service.receives()) == 8


def test_after_messages_the_same_number_of_unreadable_answers_is_waited_out() -> None:
    service = Service()
    service.put(b"one")

    async def receive(client: QueueClient) -> int:
        assert await client.receive(16, 0)
        service.faults["GET"] += [answering(200, b"garbage")] * 50
        with pytest.raises(ProviderError):
            await client.receive(16, 0)
        return len(service.receives())

    asked = asking(service, receive)[0]
    assert isinstance(asked, int)
    assert 8 < asked <= 1 + 12  # 24 tries are allowed then, but not for unreadable answers; or 120 s are over


def test_unreadable_answers_between_empty_ones_end_too() -> None:
    """A message that spoils its answer comes back after each visibility timeout; empty answers come between."""
    service = Service()
    service.faults["GET"] += [answering(200, b"garbage"), None] * 50

    async def receive(client: QueueClient) -> int:
        for empty in range(50):  # noqa: B007 - counted
            try:
                await client.receive(16, 0)
            except ProviderError:
                break
        return empty

    assert asking(service, receive)[0] == 11


def test_a_delete_that_a_gateway_answers_is_no_delete() -> None:
    service = Service()
    service.faults["DELETE"] += [answering(200, b"<html>ok</html>"), answering(204)]
    assert deleting(service) == {}
    assert service.deletes == 2
    service.faults["DELETE"] += [answering(200, b"")] * 50
    assert isinstance(deleting(service), ProviderError)


def test_a_token_that_expires_again_and_again_is_replaced_as_often() -> None:
    service = Service()
    service.faults["GET"] += [refusing(403, "SecurityTokenExpired")] * 4
    found, tokens, _ = asking(service, lambda client: client.receive(16, 0))
    assert (found, tokens.dropped) == ([], 4)


def test_a_token_that_never_works_ends() -> None:
    service = Service()
    service.faults["GET"] += [refusing(403, "SecurityTokenExpired")] * 40
    found, tokens, _ = asking(service, lambda client: client.receive(16, 0))
    assert isinstance(found, AuthError)
    assert tokens.dropped == 6


@pytest.mark.parametrize("code", ["AccessDenied", "SomethingNew", ""])
def test_any_other_403_is_worth_one_fresh_token(code: str) -> None:
    service = Service()
    service.faults["GET"] += [refusing(403, code)] * 3
    found, tokens, _ = asking(service, lambda client: client.receive(16, 0))
    assert isinstance(found, AuthError)
    assert (tokens.dropped, len(service.receives())) == (1, 2)


def test_a_403_that_a_fresh_token_cures_is_nothing() -> None:
    service = Service()
    service.tokens_refused.add("token0")
    found, tokens, _ = asking(service, lambda client: client.receive(16, 0))
    assert (found, tokens.dropped) == ([], 1)


def test_a_queue_that_does_not_exist_is_final() -> None:
    service = Service()
    del service.queues[QUEUE.name]
    found, _, _ = asking(service, lambda client: client.receive(16, 0))
    assert isinstance(found, QueueNotFound)
    assert len(service.asked) == 1


def test_a_gateways_page_is_waited_out_and_a_budget_ends() -> None:
    service = Service()
    page = answering(502, b"<html>Bad Gateway</html>")
    service.faults["GET"] += [page] * 3
    assert asking(service, lambda client: client.receive(16, 0))[0] == []
    service.faults["GET"] += [page] * 100
    found, _, _ = asking(service, lambda client: client.receive(16, 0))
    assert isinstance(found, ProviderError)
    assert len(service.receives()) == 4 + 8


def test_retry_after_is_honoured() -> None:
    service = Service()
    service.faults["GET"].append(answering(503, b"", "Retry-After: 20\r\n"))
    asking(service, lambda client: client.receive(16, 0))
    first, second = (at for _, at in service.receives())
    assert second - first >= 20


def test_a_clock_that_is_late_is_learnt_and_the_request_signed_again_once() -> None:
    service = Service()
    service.faults["GET"].append(refusing(400, "TimeExpired"))
    assert asking(service, lambda client: client.receive(16, 0))[0] == []
    service.faults["GET"] += [refusing(408, "TimeExpired")] * 2
    assert isinstance(asking(service, lambda client: client.receive(16, 0))[0], AuthError)


HANDLES = (b"1-a", b"1-b", b"1-c")


def deleting(service: Service) -> dict[bytes, str] | SmsReceiptError:
    return asking(service, lambda client: client.delete(HANDLES))[0]


def test_a_delete_that_works_has_no_failures() -> None:
    service = Service()
    service.faults["DELETE"].append(answering(204))
    assert deleting(service) == {}
    assert service.deletes == 1


def test_each_handle_that_failed_is_named_with_its_reason_and_only_what_may_pass_is_tried_again() -> None:
    service = Service()
    service.faults["DELETE"] += [
        answering(*partial([(b"1-a", "MessageNotExist"), (b"1-b", "InternalError")])),
        answering(204),
    ]
    assert deleting(service) == {b"1-a": "MessageNotExist"}
    assert service.deletes == 2


def test_what_fails_twice_is_left() -> None:
    service = Service()
    service.faults["DELETE"] += [answering(*partial([(b"1-b", "InternalError")]))] * 2
    assert deleting(service) == {b"1-b": "InternalError"}
    assert service.deletes == 2


def test_a_404_that_names_no_handle_speaks_of_all() -> None:
    service = Service()
    service.faults["DELETE"].append(refusing(404, "MessageNotExist"))
    assert deleting(service) == dict.fromkeys(HANDLES, "MessageNotExist")


def test_after_a_lost_answer_what_is_gone_was_deleted_by_it() -> None:
    service = Service()
    gone = [(handle, "MessageNotExist") for handle in HANDLES[:2]] + [(HANDLES[2], "ReceiptHandleError")]
    service.faults["DELETE"] += [lost_before, answering(*partial(gone))]
    assert deleting(service) == {}


def test_an_unreadable_refusal_of_a_delete_is_asked_for_again_and_then_left() -> None:
    service = Service()
    service.faults["DELETE"] += [answering(404, b"<Errors><Err")] * 2
    assert deleting(service) == dict.fromkeys(HANDLES, "")


@pytest.mark.parametrize("fault", [refusing(403, "AccessDenied"), refusing(500, "InternalError"), lost_before, half])
def test_attributes_that_cannot_be_had_are_none(fault: object) -> None:
    service = Service()
    service.faults["ATTRIBUTES"] += [fault] * 9  # type: ignore[list-item]
    assert asking(service, lambda client: client.attributes())[0] is None


@pytest.mark.parametrize("fault", [refusing(503, "ServiceUnavailable"), lost_before, never_sent])
def test_a_receive_that_is_tried_once_raises_its_failure(fault: object) -> None:
    service = Service()
    service.faults["GET"].append(fault)  # type: ignore[arg-type]
    found, _, lost = asking(service, lambda client: client.receive(16, 0, once=True))
    assert isinstance(found, SmsReceiptError)
    assert lost == (fault is lost_before)
    assert len(service.receives()) == 1


@pytest.mark.parametrize("once", [True, False])
def test_an_answer_that_asks_to_come_later_is_reported_with_the_time_of_its_request(once: bool) -> None:
    service = Service()
    service.latency = 0.5
    service.faults["GET"].append(refusing(429, "TooManyRequests"))
    refused: list[float] = []

    def work(client: QueueClient) -> Awaitable[object]:
        client.on_refused = refused.append
        return client.receive(16, 0, once=once)

    asking(service, work)
    assert refused == [0.0]


def test_deletes_that_fail_together_fail_once() -> None:
    service = Service()
    service.faults["DELETE"] += [refusing(503, "ServiceUnavailable")] * 64 + [answering(204)] * 32

    async def work(client: QueueClient) -> list[dict[bytes, str]]:
        return await asyncio.gather(*(client.delete([b"1-%d" % n]) for n in range(32)))

    assert asking(service, work)[0] == [{}] * 32


def test_deletes_that_fail_together_for_good_give_up_within_two_minutes() -> None:
    service = Service()
    service.faults["DELETE"] = deque([refusing(503, "ServiceUnavailable")] * 9_999)

    async def work(client: QueueClient) -> int:
        found = await asyncio.gather(*(client.delete([b"1-%d" % n]) for n in range(32)), return_exceptions=True)
        assert service.loop.time() < 160
        return sum(isinstance(each, ProviderError) for each in found)

    assert asking(service, work)[0] == 32
