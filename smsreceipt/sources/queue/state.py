"""Options of a pull, the state of each queue while it is drained, and its answers as deliveries."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smsreceipt.aliyun.mns import Message
from smsreceipt.model import Delivery, Instant, Source
from smsreceipt.sources.queue.client import Queue, QueueClient

VISIBILITY = 30_000  #: milliseconds; assumed while neither the queue nor a message tells its own


class DeliverySink(Protocol):
    """Takes deliveries to be stored: ingest.Committer."""

    def put(self, delivery: Delivery) -> None:
        """Queue a delivery and return at once; its ack is called, from any thread, once it is stored durably."""


def delivery(
    queue: Queue, messages: Sequence[Message], received_at: Instant, ack: Callable[[], None] = lambda: None
) -> Delivery:
    """The messages of one answer as a delivery."""
    bodies = tuple([message.body for message in messages])
    damaged = frozenset([n for n, message in enumerate(messages) if message.damaged])
    return Delivery(bodies, queue.kind, Source.MNS, queue.name, received_at, ack, damaged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a pull."""

    workers: int = 4  #: receivers in all: one long poll a queue, the rest helps while full batches come
    wait: int = 5  #: seconds of a long poll; 0: short polls, a second apart
    follow: bool = False  #: go on after the queues are drained
    most: int | None = None  #: messages to receive at most
    seconds: float | None = None  #: after which the pull stops


@dataclass(slots=True)
class Counts:
    """Messages received and deleted by a pull."""

    received: int = 0
    deleted: int = 0

    @property
    def undeleted(self) -> int:
        """Messages that will be delivered again: handle expired, delete refused, or no time left for it."""
        return self.received - self.deleted


@dataclass(slots=True, eq=False)
class QueueState:
    """What is known of one queue while it is drained."""

    client: QueueClient
    hold_until: float = 0.0  #: by the loop's clock; until then messages may be invisible: empty answers prove nothing
    visibility: int = VISIBILITY  #: milliseconds
    visibility_known: bool = False  #: it is the queue's own attribute
    retention: int = 4 * 86_400_000  #: milliseconds
    in_flight: int = 0
    helpers: int = 0
    short: bool = False  #: long polls are answered at once: the account has too many of them open
    warned: bool = False  #: of the age of its messages
    failing: bool = False
    to_delete: deque[Message] = field(default_factory=deque)

    def hide(self, now: float) -> None:
        """A receive's answer was lost: until a visibility timeout after *now*, messages may be invisible."""
        self.hold_until = max(self.hold_until, now + self.visibility / 1000 + 1)
