"""Serves metrics to Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

from smsreceipt.errors import UsageError
from smsreceipt.language import _, of_system
from smsreceipt.runs.sockets import HostPort


@contextmanager
def expose(address: HostPort, collector: Collector) -> Iterator[None]:
    """Serve /metrics at the address, in a thread, while the context is open. Raises UsageError if it cannot listen."""
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(address.port, address.host or "0.0.0.0", registry)  # noqa: S104 - as asked
    except (OSError, UnicodeError) as exc:  # some names of hosts cannot even be looked up
        reason = of_system(exc) if isinstance(exc, OSError) else _("no name of a host")
        raise UsageError(
            _(
                "{option}: cannot listen on {address}: {reason}",
                option="--metrics-bind",
                address=address,
                reason=reason,
            ),
            hint=_("Choose another port, or --metrics-bind off."),
        ) from exc
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
