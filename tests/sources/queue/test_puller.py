"""Draining: nothing is deleted that was not acked, the end is proven, and no request is wasted."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise

import pytest

from smsreceipt.aliyun.http import Response
from smsreceipt.errors import AuthError, ProviderError, QueueNotFound
from smsreceipt.sources.queue.puller import IN_FLIGHT
from tests.sources.queue.service import (
    OTHER,
    QUEUE,
    Scene,
    Service,
    Sink,
    Stored,
    half,
    lost_after,
    lost_before,
    never_sent,
    partial,
    pull,
    refusing,
)


def bodies(count: int) -> list[bytes]:
    return [b"{%d}" % n for n in range(count)]


def test_a_queue_is_drained_in_batches_of_16_and_everything_deleted() -> None:
    service = Service()
    service.put(*bodies(100))
    pulled = pull(service)
    assert pulled.drained
    assert sorted(pulled.sink.frames) == sorted(bodies(100))
    assert all(len(delivery.frames) <= 16 for delivery in pulled.sink.deliveries)
    assert {query["numOfMessages"] for query, _ in service.receives()} == {"16"}
    assert (pulled.counts.received, pulled.counts.deleted, pulled.counts.undeleted) == (100, 100, 0)
    assert service.queues[QUEUE.name] == []
    assert (pulled.failures, pulled.messages) == ([], [])


def test_a_delivery_tells_its_kind_queue_and_time() -> None:
    service = Service()
    service.put(b"one", queue=OTHER)
    (delivery,) = pull(service, QUEUE, OTHER).sink.deliveries
    assert (delivery.kind, delivery.origin, delivery.source) == ("SmsUp", OTHER.name, "mns")
    assert abs(delivery.received_at - 1_795_000_000_000) < 2_000


def test_a_body_that_does_not_fit_its_checksum_is_marked_and_its_neighbours_are_not() -> None:
    service = Service()
    service.put(b"a", b"b")
    service.put(b"c", md5="0" * 32)
    service.put(b"d & <e>")
    (delivery,) = pull(service).sink.deliveries
    assert delivery.frames == (b"a", b"b", b"c", b"d & <e>")
    assert delivery.damaged == {2}


def test_nothing_is_deleted_before_its_ack() -> None:
    service = Service()
    service.put(*bodies(40))

    async def later(scene: Scene) -> None:
        await asyncio.sleep(4)
        assert (service.deletes, scene.puller.counts.deleted) == (0, 0)
        assert len(scene.sink.frames) == 40
        scene.sink.ack_all()

    pulled = pull(service, sink=Sink(ack=False), meanwhile=later, wait=1)
    assert service.deletes == 3
    assert pulled.counts.deleted == 40
    assert pulled.seconds < 10


def test_what_is_never_acked_is_never_deleted() -> None:
    service = Service()
    service.put(*bodies(5))
    pulled = pull(service, sink=Sink(ack=False), seconds=3, wait=1)
    assert not pulled.drained
    assert service.deletes == 0
    assert len(service.queues[QUEUE.name]) == 5


def test_the_end_is_two_empty_answers_that_took_the_full_wait() -> None:
    service = Service()
    pulled = pull(service, wait=5)
    assert pulled.drained
    assert [query["waitseconds"] for query, _ in service.receives()] == ["5", "5"]
    assert 10 <= pulled.seconds < 11


def test_without_a_wait_the_end_is_three_empty_answers_a_second_apart() -> None:
    service = Service()
    assert pull(service, wait=0).drained
    times = [at for _, at in service.receives()]
    assert len(times) == 3
    assert all(1 <= after - before < 1.1 for before, after in pairwise(times))


def test_a_message_between_two_empty_answers_starts_the_count_again() -> None:
    service = Service()

    async def late(_scene: Scene) -> None:
        await asyncio.sleep(7)
        service.put(b"late")

    pulled = pull(service, wait=5, meanwhile=late)
    assert pulled.sink.frames == [b"late"]
    assert pulled.seconds > 17


def test_counters_prove_nothing() -> None:
    """The service says ActiveMessages 0 all the time; what is there is received all the same."""
    service = Service()
    service.put(*bodies(20))
    assert pull(service, wait=1).counts.received == 20


@pytest.mark.parametrize("wait", [1, 5, 30])
def test_empty_answers_that_come_at_once_are_neither_believed_nor_asked_for_again_without_a_pause(wait: int) -> None:
    service = Service()
    service.early.add(QUEUE.name)
    pulled = pull(service, wait=wait)
    assert pulled.drained
    assert len(service.receives()) <= 6
    assert pulled.seconds >= 2 * wait


def test_following_never_spins_on_early_answers_nor_ends() -> None:
    service = Service()
    service.early.add(QUEUE.name)
    pulled = pull(service, wait=5, follow=True, seconds=3600)
    assert not pulled.drained
    assert 3600 <= pulled.seconds < 3601
    assert len(service.receives()) <= 3700  # at most one a second, where the service does not hold a poll


def test_following_goes_on_when_drained_until_it_is_stopped() -> None:
    service = Service()

    async def later(scene: Scene) -> None:
        await asyncio.sleep(100)
        service.put(b"late")
        await asyncio.sleep(1)
        scene.puller.stop()
        scene.puller.stop()

    pulled = pull(service, follow=True, meanwhile=later)
    assert pulled.sink.frames == [b"late"]
    assert pulled.counts.deleted == 1
    assert 101 <= pulled.seconds < 102  # the long poll under way does not hold up the stop
    assert not pulled.drained


def test_a_store_that_gives_up_after_the_stop_is_waited_for_no_longer() -> None:
    service = Service()
    service.put(*bodies(3))

    async def gives_up(scene: Scene) -> None:
        await asyncio.sleep(1)
        scene.puller.stop()
        await asyncio.sleep(1)
        scene.puller.abandon()

    pulled = pull(service, sink=Sink(ack=False), follow=True, meanwhile=gives_up)
    assert pulled.seconds < 2.1
    assert pulled.counts.deleted == 0


def test_for_stops_after_its_time_and_still_deletes_what_was_received() -> None:
    service = Service()
    service.put(*bodies(3))
    pulled = pull(service, seconds=7, wait=30)
    assert 7 <= pulled.seconds < 8
    assert (pulled.counts.deleted, pulled.drained) == (3, False)


@pytest.mark.parametrize("most", [1, 15, 16, 17, 100, 250])
@pytest.mark.parametrize("workers", [1, 4, 16])
def test_max_is_never_overshot_however_many_receive(most: int, workers: int) -> None:
    service = Service()
    service.put(*bodies(120))
    service.put(*bodies(120), queue=OTHER)
    pulled = pull(service, QUEUE, OTHER, most=most, workers=workers, wait=1)
    assert pulled.counts.received == min(most, 240)
    assert pulled.counts.deleted == min(most, 240)
    assert sum(message.times for queue in service.queues.values() for message in queue) == 0
    assert pulled.drained == (most > 240)


def test_one_long_poll_a_queue_and_helpers_that_do_not_wait() -> None:
    service = Service()
    service.put(*bodies(2_000))
    pulled = pull(service, workers=4, wait=5)
    waits = [query["waitseconds"] for query, _ in service.receives()]
    assert service.waiting_peak == 1
    assert waits.count("0") > 10
    assert pulled.counts.deleted == 2_000


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_there_are_never_more_helpers_than_workers_allow(workers: int) -> None:
    service = Service()
    service.put(*bodies(600))
    service.put(*bodies(1_600), queue=OTHER)  # alone in the end: the share of the first one passes to it
    peak = [0]

    async def watch(scene: Scene) -> None:
        while scene.puller._tasks or not scene.sink.frames:
            peak[0] = max(peak[0], sum(state.helpers for state in scene.puller._states))
            await asyncio.sleep(0.0005)

    pulled = pull(service, QUEUE, OTHER, workers=workers, wait=1, meanwhile=watch)
    assert pulled.counts.deleted == 2_200
    assert peak[0] == workers - 1


@pytest.mark.parametrize("workers", [4, 64])
def test_no_more_than_2000_messages_are_in_flight_however_slow_the_store_is(workers: int) -> None:
    service = Service(visibility=600)
    service.put(*bodies(5_000))

    async def slow(scene: Scene) -> None:
        for _ in range(400):
            await asyncio.sleep(0.2)
            scene.sink.ack_all()

    pulled = pull(service, sink=Sink(ack=False), workers=workers, wait=1, meanwhile=slow)
    assert pulled.counts.deleted == 5_000
    assert 1_000 < service.hidden_peak <= IN_FLIGHT


def test_a_store_slower_than_half_the_visibility_is_given_less_at_a_time() -> None:
    service = Service(visibility=30)
    service.put(*bodies(4_000))
    in_flight: list[int] = []

    async def slow(scene: Scene) -> None:
        for _ in range(3):
            await asyncio.sleep(16)
            scene.sink.ack_all()
            await asyncio.sleep(1)
            in_flight.append(scene.puller._cap)
        scene.puller.stop()
        await asyncio.sleep(0.1)
        scene.sink.ack_all()

    pull(service, sink=Sink(ack=False), workers=4, wait=1, meanwhile=slow)
    assert in_flight[-1] < IN_FLIGHT


def test_a_lost_answer_holds_the_end_until_what_it_took_comes_back() -> None:
    service = Service(visibility=30)
    service.put(*bodies(16))
    service.faults["GET"].append(lost_after)
    pulled = pull(service, wait=1)
    assert pulled.drained
    assert sorted(pulled.sink.frames) == sorted(bodies(16))
    assert 30 <= pulled.seconds < 40
    assert pulled.hiding == set()


def test_a_lost_answer_is_remembered_when_the_run_is_stopped_before_its_messages_are_back() -> None:
    service = Service(visibility=30)
    service.put(*bodies(16))
    service.faults["GET"].append(lost_after)
    pulled = pull(service, wait=1, seconds=10)
    assert pulled.hiding == {QUEUE.name}
    assert not pulled.drained


def test_half_an_answer_yields_no_message_and_loses_none() -> None:
    service = Service(visibility=30)
    service.put(*bodies(16))
    service.faults["GET"].append(half)
    pulled = pull(service, wait=1)
    assert sorted(pulled.sink.frames) == sorted(bodies(16))
    assert pulled.seconds >= 30


def test_a_request_that_was_never_sent_hides_nothing() -> None:
    service = Service()
    service.faults["GET"] += [never_sent, never_sent]
    service.put(b"one")
    pulled = pull(service, wait=1)
    assert pulled.sink.frames == [b"one"]
    assert pulled.seconds < 10


def test_a_delete_whose_answer_was_lost_is_sent_again_and_what_is_gone_is_done() -> None:
    service = Service()
    service.put(*bodies(4))
    service.faults["DELETE"].append(lost_after)
    pulled = pull(service, wait=1)
    assert (pulled.counts.deleted, pulled.counts.undeleted) == (4, 0)
    assert service.deletes == 2
    assert pulled.seconds < 5


def test_a_delete_that_never_arrived_is_sent_again() -> None:
    service = Service()
    service.put(*bodies(4))
    service.faults["DELETE"].append(lost_before)
    assert pull(service, wait=1).counts.deleted == 4
    assert service.queues[QUEUE.name] == []


def test_of_a_partly_failed_delete_the_rest_is_tried_again_and_then_received_again() -> None:
    service = Service(visibility=30)
    service.put(*bodies(4))

    async def refuse_two(fake: Service, request: bytes, _real: object) -> object:
        handles = [message.handle for message in fake.queues[QUEUE.name]]
        keep = [
            message
            for message in fake.queues[QUEUE.name]
            if message.handle in handles[:2] and message.handle in request
        ]
        fake.queues[QUEUE.name] = keep
        return fake.answer(*partial([(message.handle, "InternalError") for message in keep]))

    service.faults["DELETE"] += [refuse_two, refuse_two]  # type: ignore[list-item]  # an answer, all the same
    pulled = pull(service, wait=1)
    assert (pulled.counts.received, pulled.counts.deleted, pulled.counts.undeleted) == (6, 4, 2)
    assert service.queues[QUEUE.name] == []
    assert pulled.seconds >= 30  # it waited for them


def test_a_handle_that_is_about_to_die_is_not_used() -> None:
    service = Service(visibility=10)
    service.put(*bodies(3))

    async def late(scene: Scene) -> None:
        await asyncio.sleep(9)
        scene.sink.ack_all()
        await asyncio.sleep(0.5)
        assert (service.deletes, scene.puller.counts.undeleted) == (0, 3)
        while len(scene.sink.deliveries) < 2:  # noqa: ASYNC110 - costs no time
            await asyncio.sleep(0.1)
        scene.sink.ack_all()

    pulled = pull(service, sink=Sink(ack=False), wait=1, meanwhile=late)
    assert (pulled.counts.received, pulled.counts.deleted, pulled.counts.undeleted) == (6, 3, 3)


def test_a_stale_handle_is_no_error() -> None:
    service = Service(visibility=30)
    service.put(*bodies(2))

    async def forget_handles(fake: Service, _request: bytes, real: object) -> object:
        for message in fake.queues[QUEUE.name]:
            message.handle += b"x"
        return await real()  # type: ignore[operator]

    service.faults["DELETE"].append(forget_handles)  # type: ignore[arg-type]
    pulled = pull(service, wait=1)
    assert pulled.failures == []
    assert (pulled.counts.deleted, pulled.counts.undeleted) == (2, 2)


def test_when_deleting_fails_for_good_what_is_stored_stays_stored_and_is_said() -> None:
    service = Service()
    service.put(*bodies(2))
    service.faults["DELETE"] += [refusing(500, "InternalError")] * 50
    pulled = pull(service, wait=1, seconds=200)
    assert pulled.counts.undeleted >= 2
    assert any("2 stored messages were not deleted" in line for line in pulled.messages)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_trouble_that_passes_is_waited_out(status: int) -> None:
    service = Service()
    service.put(*bodies(20))
    service.faults["GET"] += [refusing(status, "InternalError" if status != 429 else "TooManyRequests")] * 5
    service.faults["DELETE"] += [refusing(status, "InternalError")] * 5
    pulled = pull(service, wait=1)
    assert (pulled.counts.deleted, pulled.failures) == (20, [])


def test_trouble_that_stays_ends_the_queue_but_what_was_received_is_deleted() -> None:
    service = Service()
    service.put(*bodies(16))
    service.faults["GET"] += [None, *[refusing(500, "InternalError")] * 50]
    pulled = pull(service, wait=1)
    (failure,) = pulled.failures
    assert isinstance(failure, ProviderError)
    assert pulled.counts.deleted == 16
    assert not pulled.drained


def test_a_queue_that_does_not_exist_does_not_stop_the_other() -> None:
    service = Service()
    service.put(*bodies(20))
    del service.queues[OTHER.name]
    pulled = pull(service, OTHER, QUEUE, wait=1)
    (failure,) = pulled.failures
    assert isinstance(failure, QueueNotFound)
    assert failure.exit_code == 8
    assert pulled.counts.deleted == 20
    assert not pulled.drained


def test_following_looks_for_an_absent_queue_every_minute() -> None:
    service = Service()
    del service.queues[OTHER.name]

    async def create(_scene: Scene) -> None:
        await asyncio.sleep(90)
        service.queues[OTHER.name] = [Stored(b"at last")]

    pulled = pull(service, OTHER, follow=True, seconds=150, meanwhile=create)
    assert pulled.sink.frames == [b"at last"]
    assert pulled.failures == []
    assert len([line for line in pulled.messages if "looking again in 60 s" in line]) == 2


def test_without_the_right_to_ask_how_the_queue_is_set_it_is_drained_all_the_same() -> None:
    service = Service(visibility=7)
    service.put(*bodies(3))
    service.faults["ATTRIBUTES"] += [refusing(403, "AccessDenied")] * 9
    service.faults["GET"].append(lost_after)
    pulled = pull(service, wait=1)
    assert pulled.failures == []
    assert pulled.counts.deleted == 3


def test_the_visibility_is_read_off_the_messages_where_the_queue_does_not_tell() -> None:
    service = Service(visibility=300)
    service.put(*bodies(3))
    service.faults["ATTRIBUTES"] += [refusing(403, "AccessDenied")] * 9
    service.faults["GET"] += [None, lost_after]

    async def more(scene: Scene) -> None:
        await asyncio.sleep(0.05)
        service.put(b"hidden by a lost answer")
        assert scene.sink.frames

    pulled = pull(service, wait=1, meanwhile=more)
    assert b"hidden by a lost answer" in pulled.sink.frames
    assert pulled.seconds >= 300


def test_a_denied_queue_is_an_auth_error_after_one_fresh_token() -> None:
    service = Service()
    service.faults["GET"] += [refusing(403, "AccessDenied")] * 9
    pulled = pull(service, wait=1)
    (failure,) = pulled.failures
    assert isinstance(failure, AuthError)
    assert len(service.receives()) == 2
    assert pulled.tokens.dropped == 1


def test_after_an_unclean_end_the_visibility_is_waited_out_first() -> None:
    service = Service(visibility=45)
    hidden = Stored(b"hidden")
    hidden.visible_at = 44.0
    service.queues[QUEUE.name].append(hidden)
    pulled = pull(service, wait=1, unsettled={QUEUE.name: 0.0})
    assert pulled.drained
    assert pulled.sink.frames == [b"hidden"]
    assert pulled.seconds >= 46
    (message,) = pulled.messages
    assert "45 s" in message
    assert "--no-settle" in message


def test_messages_older_than_half_the_retention_are_warned_of_once() -> None:
    service = Service(retention=86_400)
    service.put(*bodies(20), enqueued_at=-50_000)
    pulled = pull(service, wait=1)
    (message,) = pulled.messages
    assert "0.6 days old" in message
    fresh = Service(retention=86_400)
    fresh.put(*bodies(20), enqueued_at=-40_000)
    assert pull(fresh, wait=1).messages == []


def test_a_bug_in_the_road_is_raised_and_nothing_is_deleted() -> None:
    class Broken(Sink):
        def put(self, _delivery: object) -> None:
            raise ZeroDivisionError

    service = Service()
    service.put(*bodies(3))
    with pytest.raises(ZeroDivisionError):
        pull(service, sink=Broken(), wait=1)
    assert service.deletes == 0


def test_with_max_a_quiet_queue_does_not_keep_the_others_from_their_share() -> None:
    service = Service()
    service.put(*bodies(10), queue=OTHER)
    pulled = pull(service, QUEUE, OTHER, most=10, follow=True, seconds=60)
    assert pulled.counts.received == 10
    assert pulled.seconds < 20


@pytest.mark.parametrize("most", [2, 5, 30])
def test_with_max_quiet_queues_are_polled_at_once_and_not_one_after_the_other(most: int) -> None:
    pulled = pull(Service(), QUEUE, OTHER, most=most, wait=5)
    assert pulled.drained
    assert pulled.seconds < 12


def test_a_message_that_spoils_its_answer_costs_its_neighbours_nothing_and_the_run_ends() -> None:
    service = Service()
    service.put(*bodies(40), b"POISON")
    real = service.answer

    def spoilt(status: int, body: bytes = b"", headers: str = "") -> Response:
        return real(status, b"garbage" if b"POISON" in body else body, headers)

    service.answer = spoilt  # type: ignore[method-assign]
    pulled = pull(service)
    assert sorted(pulled.sink.frames) == sorted(bodies(40))
    assert pulled.counts.deleted == 40
    assert [failure.exit_code for failure in pulled.failures] == [5]
    assert len(service.receives()) < 200


def for_ever(service: Service) -> None:
    """Let each delete be answered as a success that has no effect, and show its messages again at once."""

    async def no_effect(fake: Service, _request: bytes, _real: object) -> object:
        for message in fake.queues[QUEUE.name]:
            message.visible_at = 0.0
        return fake.answer(204)

    service.faults["DELETE"] += [no_effect] * 5_000  # type: ignore[list-item]


@pytest.mark.parametrize("count", [1, 16, 150])
def test_messages_that_are_deleted_and_come_again_for_ever_are_told_and_end(count: int) -> None:
    service = Service(visibility=30)
    service.put(*bodies(count))
    for_ever(service)
    pulled = pull(service)
    (failure,) = pulled.failures
    assert failure.exit_code == 5
    assert "no progress" in str(failure)
    assert [line.startswith("warning") for line in pulled.messages] == [True]
    assert pulled.counts.received < 4_000
    assert pulled.seconds >= 60


def test_following_looks_again_in_a_minute_at_a_queue_that_makes_no_progress() -> None:
    service = Service(visibility=30)
    service.put(*bodies(16))
    for_ever(service)
    pulled = pull(service, follow=True, seconds=600)
    assert any("looking again in 60 s" in line for line in pulled.messages)
    assert pulled.counts.received < 12_000


def test_messages_that_come_a_second_and_third_time_are_no_trouble() -> None:
    service = Service(visibility=30)
    service.put(*bodies(1_000))
    for message in list(service.queues[QUEUE.name]):
        for _ in range(2):
            again = Stored(message.body)
            again.number = message.number
            service.queues[QUEUE.name].append(again)
    pulled = pull(service)
    assert (pulled.counts.deleted, pulled.failures, pulled.messages) == (3_000, [], [])


@pytest.mark.parametrize("behind", [-40, -3_000, 40, 3_000])
def test_handles_are_used_although_the_clock_that_stamps_them_is_wrong(behind: int) -> None:
    """The Date of the answers and the times inside of them come from two machines of the provider."""
    service = Service(visibility=30)
    service.put(*bodies(20))
    real = service.answer

    def stamped(status: int, body: bytes = b"", headers: str = "") -> Response:
        def shift(match: re.Match[bytes]) -> bytes:
            return b"<NextVisibleTime>%d<" % (int(match[1]) - behind * 1000)

        return real(status, re.sub(rb"<NextVisibleTime>(\d+)<", shift, body), headers)

    service.answer = stamped  # type: ignore[method-assign]
    pulled = pull(service)
    assert (pulled.counts.received, pulled.counts.deleted, pulled.failures) == (20, 20, [])


def test_a_clock_that_is_set_during_the_run_costs_no_delete() -> None:
    service = Service(visibility=30)
    service.put(*bodies(20))

    async def later(scene: Scene) -> None:
        await asyncio.sleep(4)
        scene.clock.offset += 3_600
        scene.sink.ack_all()

    assert pull(service, sink=Sink(ack=False), meanwhile=later).counts.deleted == 20


@pytest.mark.parametrize("stamp", [b"0", b"", b"999999999999999999"])
def test_a_time_that_cannot_be_meant_keeps_no_run_waiting(stamp: bytes) -> None:
    service = Service(visibility=30)
    service.put(*bodies(4))
    service.faults["ATTRIBUTES"] += [refusing(403, "AccessDenied")] * 9
    real = service.answer
    service.answer = lambda status, body=b"", headers="": real(  # type: ignore[method-assign]
        status, re.sub(rb"<NextVisibleTime>\d+<", b"<NextVisibleTime>" + stamp + b"<", body), headers
    )
    service.faults["DELETE"].append(lost_before)
    pulled = pull(service)
    assert (pulled.counts.deleted, pulled.failures) == (4, [])
    assert pulled.seconds < 100
