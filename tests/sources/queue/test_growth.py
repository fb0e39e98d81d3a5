"""Receivers and deletes grow while batches come full, fall back after refusals, and are shared among the queues."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.sources.queue.concurrency import Concurrency
from tests.sources.queue.service import OTHER, QUEUE, Scene, Service, Sink, lost_before, pull, refusing
from tests.sources.queue.test_puller import bodies


async def keep_full(service: Service, seconds: float, *queues: str) -> None:
    """Load that no puller can finish: hundreds of messages wait at any time."""
    until = service.loop.time() + seconds
    while service.loop.time() < until:
        for name in queues or (QUEUE.name,):
            lacking = 1_600 - len(service.queues[name])
            service.put(*bodies(max(0, lacking)), queue=QUEUE if name == QUEUE.name else OTHER)
        await asyncio.sleep(service.latency / 2)


def test_a_backlog_is_received_by_all_workers_within_six_round_trips() -> None:
    service = Service()
    service.latency = 0.01
    service.put(*bodies(4_000))
    pulled = pull(service, workers=32, wait=1)
    began = service.receives()[0][1]
    early = [at for _, at in service.receives() if at < began + 0.0599]
    assert len(early) >= 1 + 2 + 4 + 8 + 16 + 32
    assert service.peak["GET"] == 32
    assert 16 < service.peak["DELETE"] <= 32
    assert pulled.counts.deleted == 4_000


@pytest.mark.parametrize(("waiting", "short_polls"), [(0, 0), (15, 0), (16, 1), (17, 1), (100, 11)])
def test_a_queue_that_is_nearly_empty_is_asked_again_only_after_full_batches(waiting: int, short_polls: int) -> None:
    service = Service()
    service.put(*bodies(waiting))
    pulled = pull(service, workers=32, wait=5)
    assert pulled.counts.deleted == waiting
    waits = [query["waitseconds"] for query, _ in service.receives()]
    assert waits.count("0") <= short_polls
    assert service.waiting_peak == 1


def test_a_refusal_halves_the_receivers_and_one_more_is_tried_each_second() -> None:
    service = Service()
    service.latency = 0.1
    peaks: list[int] = []

    async def load(scene: Scene) -> None:
        full = asyncio.ensure_future(keep_full(service, 20))
        await asyncio.sleep(2)
        peaks.append(service.peak["GET"])
        service.faults["GET"].extend([refusing(429, "TooManyRequests")] * service.running["GET"])
        await asyncio.sleep(0.5)
        for seconds in (0.4, 4, 13):
            service.peak.clear()
            await asyncio.sleep(seconds)
            peaks.append(service.peak["GET"])
        await full
        scene.puller.stop()

    pulled = pull(service, workers=32, wait=1, meanwhile=load, follow=True)
    assert pulled.failures == []
    before, after, later, last = peaks
    assert before == 32
    assert after <= 16
    assert 16 < later <= 21
    assert 27 <= last <= 32


def test_the_receivers_stay_near_what_the_provider_tolerates() -> None:
    service = Service()
    service.latency = 0.05
    service.ceiling = 24

    async def load(scene: Scene) -> None:
        await keep_full(service, 20)
        scene.puller.stop()

    pulled = pull(service, workers=32, wait=1, meanwhile=load, follow=True)
    assert pulled.failures == []
    assert pulled.counts.deleted == pulled.counts.received
    assert service.refused < len(service.asked) / 50
    assert pulled.counts.received > 20 / 0.05 * 16 * 6  # a quarter of the ceiling for receives, as much for deletes


@pytest.mark.parametrize("kind", ["GET", "DELETE"])
@pytest.mark.parametrize("fault", [refusing(429, "TooManyRequests"), refusing(503, "ServiceUnavailable"), lost_before])
def test_a_burst_of_failures_ends_no_queue_and_loses_nothing(kind: str, fault: object) -> None:
    service = Service(visibility=30)
    service.latency = 0.01
    service.put(*bodies(4_000))
    service.faults[kind].extend([None] * 64 + [fault] * 40)  # type: ignore[list-item]
    pulled = pull(service, workers=32, wait=1)
    assert pulled.failures == []
    assert pulled.drained
    assert sorted(set(pulled.sink.frames)) == sorted(bodies(4_000))
    assert service.queues[QUEUE.name] == []
    assert sum("trying again for up to" in line for line in pulled.messages) <= 1


def test_queues_with_full_batches_share_the_receivers_equally_from_when_they_have_messages() -> None:
    service = Service()
    service.latency = 0.01
    shares: list[tuple[int, int]] = []

    async def load(scene: Scene) -> None:
        alone = asyncio.ensure_future(keep_full(service, 0.4))
        await asyncio.sleep(0.3)
        shares.append((service.running[f"GET {QUEUE.name}"], service.running[f"GET {OTHER.name}"]))
        await alone
        both = asyncio.ensure_future(keep_full(service, 0.4, QUEUE.name, OTHER.name))
        await asyncio.sleep(0.3)
        shares.append((service.running[f"GET {QUEUE.name}"], service.running[f"GET {OTHER.name}"]))
        await both
        scene.puller.stop()

    pulled = pull(service, QUEUE, OTHER, workers=32, wait=1, meanwhile=load, follow=True)
    assert shares == [(32, 1), (16, 16)]
    assert pulled.counts.deleted == pulled.counts.received


def test_receivers_wait_for_a_slow_store_in_the_long_poll_only() -> None:
    service = Service(visibility=600)
    service.put(*bodies(3_000))
    helpers: list[int] = []

    async def slow(scene: Scene) -> None:
        await asyncio.sleep(3)
        helpers.append(sum(state.helpers for state in scene.puller._states))
        while len(scene.sink.frames) < 3_000:
            scene.sink.ack_all()
            await asyncio.sleep(0.1)
        scene.sink.ack_all()

    pulled = pull(service, sink=Sink(ack=False), workers=32, wait=1, meanwhile=slow)
    assert helpers == [0]
    assert pulled.counts.deleted == 3_000


def test_a_limit_is_halved_once_by_the_refusals_of_requests_that_ran_together() -> None:
    limit = Concurrency(32)
    for moment in range(32):
        limit.refused(10.0, 10.5 + moment / 1000)
    assert limit.limit(10.6) == 16
    limit.refused(11.0, 11.1)
    assert [limit.limit(at) for at in (11.1, 12.2, 13.2, 100)] == [8, 9, 10, 32]


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 5)), max_size=60), st.integers(1, 64))
def test_a_limit_stays_between_1_and_the_most_and_recovers(refusals: list[tuple[float, float]], most: int) -> None:
    limit, now = Concurrency(most), 0.0
    for pause, held in refusals:
        now += pause
        limit.refused(now - held, now)
        assert 1 <= limit.limit(now) <= most
    assert limit.limit(now + most) == most
