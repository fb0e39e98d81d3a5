"""Options of a pull, the state of each queue while it is drained, and its answers as deliveries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smsreceipt.aliyun.mns import Message, damaged
from smsreceipt.model import Delivery, Instant, Source
from smsreceipt.sources.queue.client import Queue, QueueClient
from smsreceipt.sources.queue.redelivery import Redelivery

VISIBILITY = 30_000  #: milliseconds; assumed while neither the queue nor a message tells its own
LONGEST = 43_200_000  #: milliseconds of the longest visibility timeout that a queue can have


class DeliverySink(Protocol):
    """Takes deliveries to be stored: ingest.Committer."""

    def put(self, delivery: Delivery) -> None:
        """Queue a delivery and return at once; its ack is called, from any thread, once it is stored durably."""


def delivery(
    queue: Queue, messages: Sequence[Message], received_at: Instant, ack: Callable[[], None] = lambda: None
) -> Delivery:
    """The messages of one answer as a delivery."""
    bodies = tuple([message.body for message in messages])
    spoilt = frozenset([n for n, message in enumerate(messages) if damaged(message.body, message.md5)])
    return Delivery(bodies, queue.kind, Source.MNS, queue.name, received_at, ack, spoilt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a pull."""

    workers: int = 32  #: receivers at most: one long poll a queue, the rest helps while full batches come
    wait: int = 5  #: seconds of a long poll; 0: short polls, a second apart
    follow: bool = False  #: go on after the queues are drained
    most: int | None = None  #: messages to receive at most
    seconds: float | None = None  #: after which the pull stops


@dataclass(slots=True)
class Counts:
    """Messages received and deleted by a pull."""

    received: int = 0
    deleted: int = 0
    refused: int = 0  #: requests that the provider refused for now: throttled, or a failure of its own

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
    full: bool = False  #: the last answer had as many messages as were asked for
    short: bool = False  #: long polls are answered at once: the account has too many of them open
    warned: bool = False  #: of the age of its messages
    failing: bool = False
    pause_until: float = 0.0  #: by the loop's clock; until then nothing is received
    warned_of_redelivery: bool = False
    redelivery: Redelivery = field(default_factory=Redelivery)

    def expiries(self, messages: Sequence[Message], wall: Instant, now: float) -> list[float]:
        """Until when the handle of each message is valid, by the loop's clock; 0.0 where the answer does not tell.

        *wall* is the provider's time at which the answer came, *now* the loop's. The provider gives the end by its wall
        clock, which both sides may correct meanwhile: only how long the handle lives is taken from it. An answer whose
        own handles have ended proves that the clocks disagree; its handles live for a visibility timeout from now.
        """
        if not self.visibility_known and messages[0].next_visible_at > wall:
            self.visibility = min(messages[0].next_visible_at - wall, LONGEST)
        ends = [message.next_visible_at for message in messages]
        expiry = {end: self._expiry(end, wall, now) for end in set(ends)}  # one, as a rule
        return [expiry[end] for end in ends]

    def _expiry(self, end: Instant, wall: Instant, now: float) -> float:
        if not end:
            return 0.0
        life = end - wall
        longest = self.visibility if self.visibility_known else LONGEST
        return now + (self.visibility if life <= 0 else min(life, longest)) / 1000

    def hide(self, now: float) -> None:
        """A receive's answer was lost: until a visibility timeout after *now*, messages may be invisible."""
        self.hold_until = max(self.hold_until, now + self.visibility / 1000 + 1)
