"""A sandbox for each test, and the official clients pointed at it."""

from collections.abc import Callable, Iterator

import pytest

from smsreceipt.sandbox import Options, Sandbox
from tests.sandbox.clients import REPORTS, Wire, close, queue


@pytest.fixture
def make() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes; all are stopped at the end."""
    running: list[Sandbox] = []

    def started(**options: object) -> Sandbox:
        sandbox = Sandbox(Options(port=0, seed=1, **options))  # type: ignore[arg-type]
        sandbox.start()
        running.append(sandbox)
        return sandbox

    yield started
    close()
    for sandbox in running:
        sandbox.stop()


@pytest.fixture
def sandbox(make: Callable[..., Sandbox]) -> Sandbox:
    """One that behaves."""
    return make()


@pytest.fixture
def reports(sandbox: Sandbox) -> object:
    """The official client's queue of SmsReport; bodies as they are on the wire."""
    return queue(sandbox, REPORTS)


@pytest.fixture
def wire(sandbox: Sandbox) -> Iterator[Wire]:
    """A client that signs what it is told to sign and sends what it is told to send."""
    with Wire(sandbox.url) as wire:
        yield wire
