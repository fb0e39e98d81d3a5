"""A sandbox for each test, and the official clients connected to it."""

from collections.abc import Callable, Iterator

import pytest

from smsreceipt.sandbox import Options, Sandbox
from tests.sandbox.clients import REPORTS, Wire, close_accounts, queue


@pytest.fixture
def make() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes; all of them are stopped at the end of the test."""
    running: list[Sandbox] = []

    def started(**options: object) -> Sandbox:
        sandbox = Sandbox(Options(port=0, seed=1, **options))  # type: ignore[arg-type]
        sandbox.start()
        running.append(sandbox)
        return sandbox

    yield started
    close_accounts()
    for sandbox in running:
        sandbox.stop()


@pytest.fixture
def sandbox(make: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox without faults."""
    return make()


@pytest.fixture
def reports(sandbox: Sandbox) -> object:
    """The official client's queue of SmsReport, with bodies as they are sent."""
    return queue(sandbox, REPORTS)


@pytest.fixture
def wire(sandbox: Sandbox) -> Iterator[Wire]:
    """A client that signs and sends any request."""
    with Wire(sandbox.url) as wire:
        yield wire
