"""The Prometheus metrics of a listener, collected from its counters at each request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
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
from smsreceipt.store.counts import Count

#: Bounds of the histogram in seconds, close together below the 0.7 s that the provider allows.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 1.0)


#: Bounds of the latencies of messages in seconds; above 127 s a latency is known to 3 %.
LATENCIES = (1, 2, 3, 5, 8, 10, 15, 20, 30, 60, 120, 300, 900, 3600, 14400)


class Listener(Protocol):
    """The counters of a listener."""

    @property
    def receiver(self) -> Receiver:
        """Answers by status, and their times."""

    @property
    def intake(self) -> Intake:
        """Pushes that wait for their commit."""

    @property
    def tally(self) -> Tally:
        """Receipts by result."""

    @property
    def connections(self) -> int:
        """Open connections."""

    @property
    def today(self) -> Today:
        """The messages of the present day."""

    @property
    def forwards(self) -> Forwards:
        """How far receipts are handed on."""


class _ListenerCollector(Collector):
    """The metrics of one listener."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def collect(self) -> Iterator[Metric]:
        """The current values of all metrics."""
        it = self._listener
        receipts = CounterMetricFamily("smsreceipt_receipts", "Receipts by what became of them", labels=["result"])
        for result in ("new", "duplicate", "rejected"):
            receipts.add_metric([result], getattr(it.tally, result))
        yield receipts
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
        yield from _of_today(it.today.counts())
        yield from forward_metrics.metrics(it.forwards.lags())

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the store."""
        return []


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
def serve(address: HostPort, listener: Listener) -> Iterator[None]:
    """Serve the listener's /metrics at the address while the context is open. Raises UsageError as expose does."""
    with expose(address, _ListenerCollector(listener)):
        yield
