"""The bounded way of pushes to the committer, and of its acks back to the loop that answers them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence

from smsreceipt.model import Delivery

ANSWER_WITHIN = 0.55  #: seconds after its arrival a push is told 503; the provider hangs up after 0.7
MAX_PUSHES = 10_000  #: in hand at once, those included that were told 503 and are still to be committed
MAX_BYTES = 32 << 20  #: of bodies in hand at once, those included that are still arriving
_SWEEP = 0.02  # seconds between two looks for pushes that waited too long
_FULL_FOR = 5.0  # seconds that a full disk is believed to stay full, when no push comes to show


class Push:
    """One push from its arrival to its answer. Called as an ack, from the committer's thread."""

    __slots__ = ("_settled", "answer", "deadline", "size")

    def __init__(
        self, size: int, deadline: float, answer: asyncio.Future[bool], settled: deque[tuple[Push, bool]]
    ) -> None:
        self.size, self.deadline, self.answer, self._settled = size, deadline, answer, settled

    def __call__(self) -> None:
        """It is safe on disk. The loop is woken once for all of a commit: see Intake.wake."""
        self._settled.append((self, True))

    def drop(self) -> None:
        """It could not be stored, and is not in hand any more."""
        self._settled.append((self, False))


class Intake:
    """What is in hand between the loop and the committer. Use it inside the loop, but for wake, full and fail."""

    def __init__(
        self,
        put: Callable[[Delivery], None],
        *,
        room: Callable[[], bool] = lambda: True,
        space: Callable[[], bool] = lambda: True,
        max_pushes: int = MAX_PUSHES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """*put* takes a delivery to be committed. *room*: whether the reader of what is reported keeps up.

        *space*: whether the disk takes more, asked only after it once was full.
        """
        self.pushes = 0  #: in hand
        self.size = 0  #: bytes in hand
        self._put, self._room, self._space = put, room, space
        self._max_pushes, self._max_bytes = max_pushes, max_bytes
        self._loop = asyncio.get_running_loop()
        self._waiting: set[Push] = set()  # for their answers
        self._settled: deque[tuple[Push, bool]] = deque()
        self._sweeping = False
        self._dead = False
        self._progress = 0.0  # when the committer last had nothing to do or got something done
        self._full_at = 0.0

    # -- inside the loop

    @property
    def open(self) -> bool:
        """Whether one more push is taken: nothing is promised by it."""
        return self.pushes < self._max_pushes and self.size < self._max_bytes and not self._dead and self._room()

    @property
    def healthy(self) -> bool:
        """Whether a push that comes now is likely to be stored in time."""
        now = time.monotonic()
        stalled = self.pushes > 0 and now - self._progress > ANSWER_WITHIN
        full = self._full_at > 0 and (now - self._full_at < _FULL_FOR or not self._space())
        return self.open and not stalled and not full

    def hold(self, size: int) -> None:
        """Bytes of a body that is arriving, to be taken back by a negative *size*."""
        self.size += size

    def offer(self, make: Callable[[Push], Delivery], size: int, deadline: float) -> asyncio.Future[bool]:
        """Hand over a push: its answer is True once it is on disk, False at *deadline* or when it could not be kept."""
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
        """Refuse what has waited too long. It stays in hand: its sender will send it again, and be a duplicate."""
        now = time.monotonic()
        for push in [push for push in self._waiting if push.deadline <= now]:
            self._tell(push, kept=False)
        self._sweeping = bool(self._waiting)
        if self._sweeping:
            self._loop.call_later(_SWEEP, self._sweep)

    def _settle(self) -> None:
        """Answer what the committer is done with."""
        while self._settled:
            push, kept = self._settled.popleft()
            self.pushes -= 1
            self.size -= push.size
            self._full_at = 0.0 if kept else time.monotonic()
            self._tell(push, kept=kept)
        self._progress = time.monotonic()

    def _tell(self, push: Push, *, kept: bool) -> None:
        self._waiting.discard(push)
        if not push.answer.done():  # it may have been cancelled with its connection
            push.answer.set_result(kept)

    def _die(self) -> None:
        self._dead = True
        for push in [*self._waiting]:
            self._tell(push, kept=False)

    # -- from the committer's thread

    def wake(self) -> None:
        """Have the loop answer what was acked: once for all of a commit."""
        self._call(self._settle)

    def full(self, batch: Sequence[Delivery]) -> None:
        """The disk has no room for *batch*: refuse it, now."""
        for delivery in batch:
            if isinstance(delivery.ack, Push):
                delivery.ack.drop()
        self._call(self._settle)

    def fail(self) -> None:
        """The committer has given up: refuse everything from now on."""
        self._call(self._die)

    def _call(self, action: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # after a stop the loop is gone, and nobody waits for an answer
            self._loop.call_soon_threadsafe(action)
