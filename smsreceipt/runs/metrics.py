"""The Prometheus metrics of listen and pull, collected from their counters at each request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from smsreceipt.insight.measure import Sums
from smsreceipt.model import Tally
from smsreceipt.runs import forward_metrics
from smsreceipt.runs.exposing import expose
from smsreceipt.runs.forward_metrics import Forwards
from smsreceipt.runs.sockets import HostPort
from smsreceipt.runs.today import Today
from smsreceipt.sources.push.app import Receiver
from smsreceipt.sources.push.intake import Intake
from smsreceipt.sources.queue.puller import Puller
from smsreceipt.sources.queue.state import Counts
from smsreceipt.store import StoreFacts
from smsreceipt.store.counts import Count

#: Bounds of the histogram in seconds, close together below the 0.7 s that the provider allows.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 1.0)


#: Bounds of the latencies of messages in seconds; above 127 s a latency is known to 3 %.
LATENCIES = (1, 2, 3, 5, 8, 10, 15, 20, 30, 60, 120, 300, 900, 3600, 14400)


class Run(Protocol):
    """A run that receives."""

    @property
    def tally(self) -> Tally:
        """Receipts by result."""

    @property
    def today(self) -> Today:
        """The messages of the present day, and the state of the store."""

    @property
    def forwards(self) -> Forwards:
        """How far receipts are handed on."""


class Listener(Run, Protocol):
    """The counters of a listener."""

    @property
    def receiver(self) -> Receiver:
        """Answers by status, and their times."""

    @property
    def intake(self) -> Intake:
        """Pushes that wait for their commit."""

    @property
    def connections(self) -> int:
        """Open connections."""


class _Collector(Collector):
    """The metrics of one run."""

    def __init__(self, run: Run, own: Callable[[], Iterator[Metric]]) -> None:
        self._run, self._own = run, own

    def collect(self) -> Iterator[Metric]:
        """The current values of all metrics."""
        receipts = CounterMetricFamily("smsreceipt_receipts", "Receipts by what became of them", labels=["result"])
        for result in ("new", "duplicate", "rejected", "forgotten"):
            receipts.add_metric([result], getattr(self._run.tally, result))
        yield receipts
        yield from self._own()
        yield from _of_store(self._run.today.facts(), self._run.today.free())
        if (days := self._run.today.open_days()) is not None:
            yield GaugeMetricFamily(
                "smsreceipt_oldest_open_send_days",
                "Age of the oldest send to reconcile; at 31 it is too late",
                value=days,
            )
        yield from _of_today(self._run.today.counts())
        yield from forward_metrics.metrics(self._run.forwards.lags())

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the store."""
        return []


def of_listener(it: Listener) -> Iterator[Metric]:
    """What only a listener has."""
    pushes = CounterMetricFamily("smsreceipt_pushes", "Pushes by the status of the answer", labels=["status"])
    for status, count in sorted({200: 0, 503: 0, **it.receiver.pushes}.items()):
        pushes.add_metric([str(status)], count)
    yield pushes
    unauthorized = it.receiver.unauthorized_requests
    yield CounterMetricFamily(
        "smsreceipt_unauthorized_requests", "Requests without a valid path or method", value=unauthorized
    )
    # The old name of the same counter, kept for one version.
    yield CounterMetricFamily(
        "smsreceipt_strangers", "Deprecated: smsreceipt_unauthorized_requests", value=unauthorized
    )
    times = it.receiver.times
    counts = [*map(str, BOUNDS), "+Inf"], [*times.cumulative(BOUNDS), times.count]
    seconds = HistogramMetricFamily("smsreceipt_push_seconds", "From a push's first byte to its answer")
    seconds.add_metric([], list(zip(*counts, strict=True)), sum_value=times.total)
    yield seconds
    yield GaugeMetricFamily("smsreceipt_pushes_in_hand", "Pushes waiting to be committed", value=it.intake.pushes)
    yield GaugeMetricFamily("smsreceipt_bytes_in_hand", "Bytes of pushes in hand", value=it.intake.size)
    yield GaugeMetricFamily("smsreceipt_connections", "Open connections", value=it.connections)


def of_puller(puller: Puller | None) -> Iterator[Metric]:
    """What only a pull has. None: it has not begun."""
    counts = puller.counts if puller else Counts()
    yield CounterMetricFamily("smsreceipt_messages_received", "Messages received", value=counts.received)
    yield CounterMetricFamily("smsreceipt_messages_deleted", "Messages stored and deleted", value=counts.deleted)
    yield CounterMetricFamily(
        "smsreceipt_refused_requests", "Requests that the provider refused for now", value=counts.refused
    )
    in_flight = puller.in_flight if puller else 0
    yield GaugeMetricFamily("smsreceipt_messages_in_flight", "Messages asked for and not yet deleted", value=in_flight)
    failing = GaugeMetricFamily(
        "smsreceipt_queue_failing", "1 while a queue of this message type cannot be received from", labels=["kind"]
    )
    for kind, fails in sorted((puller.failing if puller else {}).items()):
        failing.add_metric([kind], int(fails))
    yield failing


def _of_store(facts: StoreFacts | None, free: int | None) -> Iterator[Metric]:
    """The state of the store, a minute old at most. What is not known has no value."""
    last = GaugeMetricFamily(
        "smsreceipt_last_received_timestamp_seconds", "When the last receipt came, by any way", labels=["kind"]
    )
    gauges = {
        "smsreceipt_rejects": "Rejects that are kept",
        "smsreceipt_conflicts": "Statements that contradict others",
        "smsreceipt_open_sends": "Sends without a final receipt",
        "smsreceipt_store_bytes": "Size of the store",
    }
    if facts is not None:
        for each in facts.kinds:
            if each.last_received_at:
                last.add_metric([each.kind], each.last_received_at / 1000)
        values = (facts.rejects, facts.conflicts, facts.open_sends, facts.size)
        for (name, told), value in zip(gauges.items(), values, strict=True):
            yield GaugeMetricFamily(name, told, value=value)
    yield last
    if free is not None:
        yield GaugeMetricFamily("smsreceipt_disk_free_bytes", "Free on the disk of the store", value=free)


def _of_today(counts: Sequence[Count]) -> Iterator[Metric]:
    """What became of the messages that were sent today, by Beijing time."""
    kinds: dict[str, Sums] = defaultdict(Sums)
    for each in counts:
        kind, outcome, seconds = each.values
        kinds[kind].add(outcome, seconds, each.count, each.parts)
    rates = GaugeMetricFamily(
        "smsreceipt_delivery_rate", "Delivered of the messages sent today that have a final receipt", labels=["kind"]
    )
    latencies = HistogramMetricFamily(
        "smsreceipt_latency_seconds", "From the send to the delivery of the messages sent today", labels=["kind"]
    )
    for kind, sums in sorted(kinds.items()):
        if sums.rate is not None:
            rates.add_metric([kind], sums.rate)
        within = [sum(count for took, count in sums.seconds.items() if took <= bound) for bound in LATENCIES]
        buckets = [*zip(map(str, LATENCIES), within, strict=True), ("+Inf", sums.seconds.total())]
        latencies.add_metric([kind], buckets, sum_value=sum(took * count for took, count in sums.seconds.items()))
    yield rates
    yield latencies


@contextmanager
def serve(address: HostPort, run: Run, own: Callable[[], Iterator[Metric]]) -> Iterator[None]:
    """Serve /metrics at the address while the context is open: those of every run, and its *own*. Raises as expose."""
    with expose(address, _Collector(run, own)):
        yield
