"""How a queue is to be drained, what is known of it meanwhile, and what its answers become on the road."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smsreceipt.aliyun.mns import Message
from smsreceipt.model import Delivery, Instant, Source
from smsreceipt.sources.queue.client import Line, Queue

VISIBILITY = 30_000  #: milliseconds, where neither the queue nor a message tells


class Road(Protocol):
    """Where deliveries go."""

    def put(self, delivery: Delivery) -> None:
        """Take a delivery and return at once; its ack is called, from any thread, when it is durable."""


def delivery(
    queue: Queue, messages: Sequence[Message], received_at: Instant, ack: Callable[[], None] = lambda: None
) -> Delivery:
    """What one answer of a queue brought, as the road takes it."""
    bodies = tuple([message.body for message in messages])
    damaged = frozenset([n for n, message in enumerate(messages) if message.damaged])
    return Delivery(bodies, queue.kind, Source.MNS, queue.name, received_at, ack, damaged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to pull."""

    workers: int = 4  #: receivers that ask without waiting while a queue answers full batches
    wait: int = 5  #: seconds of a long poll; 0: ask and sleep
    follow: bool = False  #: go on when drained
    most: int | None = None  #: never receive more messages than this
    seconds: float | None = None  #: stop after so long


@dataclass(slots=True)
class Counts:
    """What was done at the queues."""

    received: int = 0
    deleted: int = 0

    @property
    def undeleted(self) -> int:
        """What will come again: the handle had died, the delete was refused, or there was no time for it."""
        return self.received - self.deleted


@dataclass(slots=True, eq=False)
class Drain:
    """What is known of one queue while it is drained."""

    line: Line
    hold_until: float = 0.0  #: by the loop's clock: until then messages may be hidden, so that empty proves nothing
    visibility: int = VISIBILITY  #: milliseconds
    told: bool = False  #: the queue itself said how long that is
    retention: int = 4 * 86_400_000  #: milliseconds
    in_flight: int = 0
    helpers: int = 0
    short: bool = False  #: long polls are answered at once: the account holds too many of them
    warned: bool = False
    failing: bool = False
    acked: deque[Message] = field(default_factory=deque)

    def hide(self, now: float) -> None:
        """A receive's answer was lost at *now*: what it took is hidden until its visibility is over."""
        self.hold_until = max(self.hold_until, now + self.visibility / 1000 + 1)
