"""The pushes between their arrival and their answer: how many there may be, when each is refused, which are stored."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from smsreceipt.model import Delivery

ANSWER_WITHIN = 0.55  #: seconds after which a push is answered 503; the provider closes the connection after 0.7
MAX_PUSHES = 10_000  #: pending at once, those included that were answered 503 and wait for their commit
MAX_BYTES = 32 << 20  #: of pending bodies, those included that are still arriving
SWEEP = 0.01  #: seconds between two checks for pushes that waited too long
_FULL_FOR = 5.0  # seconds before the free space of a full disk is looked at again


class Push:
    """One push from its arrival to its answer. It is the ack of its delivery, called in the thread of the commit."""

    __slots__ = ("_settled", "answer", "deadline", "size")

    def __init__(
        self, size: int, deadline: float, answer: Callable[[bool], None], settled: deque[tuple[Push, bool]]
    ) -> None:
        self.size, self.deadline, self.answer, self._settled = size, deadline, answer, settled

    def __call__(self) -> None:
        """Note that it is stored."""
        self._settled.append((self, True))

    def drop(self) -> None:
        """Note that it could not be stored."""
        self._settled.append((self, False))


class Intake:
    """The pending pushes. Its methods are called by the thread that serves; full, begin and fail by any thread."""

    def __init__(
        self,
        put: Callable[[Delivery], None],
        *,
        room: Callable[[], bool] = lambda: True,
        space: Callable[[], bool] = lambda: True,
        max_pushes: int = MAX_PUSHES,
        max_bytes: int = MAX_BYTES,
        ready: bool = True,
    ) -> None:
        """*put* queues a delivery for its commit. *room* tells whether the output can take more receipts.

        *space* tells whether the disk has free space, and is called only after the disk was full. Unless *ready*, every
        push is refused until begin().
        """
        self.pushes = 0  #: pending
        self.size = 0  #: pending bytes
        self._put, self._room, self._space = put, room, space
        self._max_pushes, self._max_bytes = max_pushes, max_bytes
        self._waiting: set[Push] = set()  # not answered yet
        self._settled: deque[tuple[Push, bool]] = deque()
        self._sweep_at = 0.0
        self._shut = not ready
        self._failed = False
        self._progress = 0.0  # when nothing was pending, or a commit was completed
        self._full_at = 0.0

    @property
    def open(self) -> bool:
        """Whether one more push is accepted."""
        return self.pushes < self._max_pushes and self.size < self._max_bytes and not self._shut and self._room()

    @property
    def healthy(self) -> bool:
        """Whether a push that arrives now is likely to be stored in time."""
        now = time.monotonic()
        late = self.pushes > len(self._waiting)  # some were refused after their time, and are not stored yet
        stalled = late or (self.pushes > 0 and now - self._progress > ANSWER_WITHIN)
        full = self._full_at > 0 and (now - self._full_at < _FULL_FOR or not self._space())
        return self.open and not stalled and not full

    @property
    def waits(self) -> bool:
        """Whether a push waits for its answer."""
        return bool(self._waiting)

    def begin(self) -> None:
        """Accept pushes from now on: the store is there."""
        self._shut = False

    def hold(self, size: int) -> None:
        """Count bytes of a body that is arriving; a negative *size* gives them back."""
        self.size += size

    def submit(
        self, make: Callable[[Push], Delivery], size: int, deadline: float, answer: Callable[[bool], None]
    ) -> None:
        """Queue a push. *answer* is called once: with True when it is stored, False at *deadline* or on a failure."""
        push = Push(size, deadline, answer, self._settled)
        delivery = make(push)
        self._put(delivery)
        if not self.pushes:
            self._progress = time.monotonic()
        self.pushes += 1
        self.size += size
        self._waiting.add(push)

    def settle(self) -> None:
        """Answer the pushes that were stored or given back, and refuse those that have waited too long.

        These are committed all the same; repeated, they count as duplicates.
        """
        if self._settled:
            while self._settled:
                push, kept = self._settled.popleft()
                self.pushes -= 1
                self.size -= push.size
                self._full_at = 0.0 if kept else time.monotonic()
                self._answer(push, kept=kept)
            self._progress = time.monotonic()
        if self._waiting and (now := time.monotonic()) >= self._sweep_at:
            self._sweep_at = now + SWEEP
            for push in [push for push in self._waiting if push.deadline <= now or self._failed]:
                self._answer(push, kept=False)

    def _answer(self, push: Push, *, kept: bool) -> None:
        if push in self._waiting:
            self._waiting.discard(push)
            push.answer(kept)

    def full(self, batch: Sequence[Delivery]) -> None:
        """Refuse *batch*, for which the disk has no space."""
        for delivery in batch:
            if isinstance(delivery.ack, Push):
                delivery.ack.drop()

    def fail(self) -> None:
        """Refuse all pushes from now on: nothing is stored any more."""
        self._shut = self._failed = True
        self._sweep_at = 0.0
