"""A bounded queue of pushes to the committer, and its acknowledgements back to the loop that answers them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence

from smsreceipt.model import Delivery

ANSWER_WITHIN = 0.55  #: seconds after which a push is answered 503; the provider closes the connection after 0.7
MAX_PUSHES = 10_000  #: pending at once, those included that were answered 503 and wait for their commit
MAX_BYTES = 32 << 20  #: of pending bodies, those included that are still arriving
_SWEEP = 0.02  # seconds between two checks for pushes that waited too long
_FULL_FOR = 5.0  # seconds before the free space of a full disk is looked at again


class Push:
    """One push from its arrival to its answer. It is the ack of its delivery, called in the committer's thread."""

    __slots__ = ("_settled", "answer", "deadline", "size")

    def __init__(
        self, size: int, deadline: float, answer: asyncio.Future[bool], settled: deque[tuple[Push, bool]]
    ) -> None:
        self.size, self.deadline, self.answer, self._settled = size, deadline, answer, settled

    def __call__(self) -> None:
        """Note that it is stored. Intake.wake, called once for each commit, has the loop answer it."""
        self._settled.append((self, True))

    def drop(self) -> None:
        """Note that it could not be stored."""
        self._settled.append((self, False))


class Intake:
    """The pushes between the loop and the committer. Only wake, full and fail may be called outside the loop."""

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
        """*put* queues a delivery for the committer. *room* tells whether the output can take more receipts.

        *space* tells whether the disk has free space, and is called only after the disk was full. Unless *ready*, every
        push is refused until begin().
        """
        self.pushes = 0  #: pending
        self.size = 0  #: pending bytes
        self._put, self._room, self._space = put, room, space
        self._max_pushes, self._max_bytes = max_pushes, max_bytes
        self._loop = asyncio.get_running_loop()
        self._waiting: set[Push] = set()  # not answered yet
        self._settled: deque[tuple[Push, bool]] = deque()
        self._sweeping = False
        self._shut = not ready
        self._progress = 0.0  # when the committer was last idle or completed a commit
        self._full_at = 0.0

    @property
    def open(self) -> bool:
        """Whether one more push is accepted."""
        return self.pushes < self._max_pushes and self.size < self._max_bytes and not self._shut and self._room()

    @property
    def healthy(self) -> bool:
        """Whether a push that arrives now is likely to be stored in time."""
        now = time.monotonic()
        stalled = self.pushes > 0 and now - self._progress > ANSWER_WITHIN
        full = self._full_at > 0 and (now - self._full_at < _FULL_FOR or not self._space())
        return self.open and not stalled and not full

    def begin(self) -> None:
        """Accept pushes from now on: the store is there."""
        self._shut = False

    def hold(self, size: int) -> None:
        """Count bytes of a body that is arriving; a negative *size* gives them back."""
        self.size += size

    def submit(self, make: Callable[[Push], Delivery], size: int, deadline: float) -> asyncio.Future[bool]:
        """Hand a push to the committer. The future is True once it is stored, False at *deadline* or on a failure."""
        answer = self._loop.create_future()
        push = Push(size, deadline, answer, self._settled)
        if not self.pushes:
            self._progress = time.monotonic()
        self.pushes += 1
        self.size += size
        self._waiting.add(push)
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(_SWEEP, self._sweep)
        self._put(make(push))
        return answer

    def _sweep(self) -> None:
        """Refuse pushes that waited too long. They are committed all the same; repeated, they count as duplicates."""
        now = time.monotonic()
        for push in [push for push in self._waiting if push.deadline <= now]:
            self._answer(push, kept=False)
        self._sweeping = bool(self._waiting)
        if self._sweeping:
            self._loop.call_later(_SWEEP, self._sweep)

    def _settle(self) -> None:
        """Answer the pushes that the committer has stored or given back."""
        while self._settled:
            push, kept = self._settled.popleft()
            self.pushes -= 1
            self.size -= push.size
            self._full_at = 0.0 if kept else time.monotonic()
            self._answer(push, kept=kept)
        self._progress = time.monotonic()

    def _answer(self, push: Push, *, kept: bool) -> None:
        self._waiting.discard(push)
        if not push.answer.done():  # its connection may have been closed
            push.answer.set_result(kept)

    def _refuse_all(self) -> None:
        self._shut = True
        for push in [*self._waiting]:
            self._answer(push, kept=False)

    def wake(self) -> None:
        """Have the loop answer the acknowledged pushes. Called once after each commit, in the committer's thread."""
        self._call(self._settle)

    def full(self, batch: Sequence[Delivery]) -> None:
        """Have the loop refuse *batch*, for which the disk has no space. Called in the committer's thread."""
        for delivery in batch:
            if isinstance(delivery.ack, Push):
                delivery.ack.drop()
        self._call(self._settle)

    def fail(self) -> None:
        """Refuse all pushes from now on: the committer has given up. Called in its thread."""
        self._call(self._refuse_all)

    def _call(self, action: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing to answer
            self._loop.call_soon_threadsafe(action)
