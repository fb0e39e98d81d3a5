"""Metrics of how far receipts are handed on, for whatever process shows metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from smsreceipt.app import App
from smsreceipt.errors import StoreUnavailable
from smsreceipt.forward.lag import lags
from smsreceipt.output.objects.status import Forwarding
from smsreceipt.runs.exposing import expose
from smsreceipt.runs.sockets import HostPort

_FRESH = 5_000  #: milliseconds for which figures serve


class Forwards:
    """The lags of all cursors, read from the store some seconds apart at least."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()  # metrics may be asked for by several at once
        self._read_at: int | None = None
        self._lags: Sequence[Forwarding] = ()

    def lags(self) -> Sequence[Forwarding]:
        """The lags; those of before where the store cannot be read."""
        with self._lock:
            now = self._app.now()
            if self._read_at is None or not 0 <= now - self._read_at < _FRESH:
                self._read_at = now
                try:
                    with self._app.open_store(readonly=True) as store:
                        self._lags = lags(store, now)
                except StoreUnavailable as exc:
                    self._app.say(str(exc), verbosity=1)
            return self._lags


def metrics(lags: Sequence[Forwarding]) -> Iterator[Metric]:
    """A gauge for each figure, with the name of the cursor as its label."""
    for key, of, text in (
        ("behind", "behind", "Seqs that the store is ahead of a cursor"),
        ("lag_seconds", "seconds", "Age of the oldest receipt that a cursor has not passed"),
        ("parked", "parked", "Receipts that the receiver refused"),
        ("running", "running", "1 while a process hands on under this name"),
    ):
        gauge = GaugeMetricFamily(f"smsreceipt_forward_{key}", text, labels=["name"])
        for each in lags:
            gauge.add_metric([each.name], float(getattr(each, of)))
        yield gauge


class _Collector(Collector):
    def __init__(self, forwards: Forwards) -> None:
        self._forwards = forwards

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        return metrics(self._forwards.lags())

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the store."""
        return []


@contextmanager
def serve(app: App, address: HostPort) -> Iterator[None]:
    """Serve /metrics at the address while the context is open. Raises UsageError if it cannot listen there."""
    with expose(address, _Collector(Forwards(app))):
        yield
