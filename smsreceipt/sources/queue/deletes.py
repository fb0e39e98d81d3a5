"""Deletes stored messages from their queues, several batches at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from smsreceipt.aliyun.mns import BATCH, Message
from smsreceipt.errors import SmsReceiptError
from smsreceipt.language import _
from smsreceipt.sources.queue.concurrency import Concurrency
from smsreceipt.sources.queue.state import Counts, QueueState

Stored = tuple[Message, float]  #: a stored message, and when its handle expires by the loop's clock (0: not known)

_MARGIN = 2_000  # milliseconds before its expiry from which on a handle is not used
_LEAST = 2  # deletes at once, whatever the limit on requests is
_MOST_WAITS = 5  # a message received more often than this is not waited for again in the same run


class Deletes:
    """The deletes of a pull: the oldest batches first, whichever queue they belong to. For use inside one event loop.

    A message that cannot be deleted is received again, and counts as a duplicate then.
    """

    def __init__(
        self,
        concurrency: Concurrency,
        counts: Counts,
        say: Callable[[str], None],
        *,
        on_settled: Callable[[QueueState, int], None],
        on_done: Callable[[asyncio.Task[None]], None],
    ) -> None:
        """*on_settled* gets how many messages of a queue were deleted or given up, *on_done* each task that ended."""
        self._concurrency = concurrency
        self._counts = counts
        self._say = say
        self._on_settled = on_settled
        self._on_done = on_done
        self._waiting: deque[tuple[QueueState, Sequence[Stored]]] = deque()
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def __bool__(self) -> bool:
        """Whether a delete is under way."""
        return bool(self._tasks)

    def put(self, state: QueueState, stored: Sequence[Stored]) -> None:
        """Delete *stored*, messages of one queue, as soon as the limit on requests permits."""
        self._waiting.extend((state, stored[at : at + BATCH]) for at in range(0, len(stored), BATCH))
        for _each in range(min(len(self._waiting), self._limit() - self._running)):
            self._running += 1
            task = self._loop.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Cancel all deletes; messages that were not deleted are received again."""
        for task in self._tasks:
            task.cancel()

    def _limit(self) -> int:
        return max(_LEAST, self._concurrency.limit(self._loop.time()))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._on_done(task)

    async def _run(self) -> None:
        try:
            while self._waiting and self._running <= self._limit():
                await self._delete(*self._waiting.popleft())
        finally:
            self._running -= 1

    async def _delete(self, state: QueueState, batch: Sequence[Stored]) -> None:
        try:
            left = await self._try_delete(state, batch)
        except SmsReceiptError as exc:
            self._say(_("{n} stored messages were not deleted and will come again: {reason}", n=len(batch), reason=exc))
            left = batch
        finally:
            self._on_settled(state, len(batch))
        self._counts.deleted += len(batch) - len(left)
        again = [expiry for message, expiry in left if message.times_received < _MOST_WAITS]
        if again:
            state.hold_until = max(state.hold_until, max(again) + 1, self._loop.time() + 1)

    async def _try_delete(self, state: QueueState, batch: Sequence[Stored]) -> Sequence[Stored]:
        """Delete a batch; return the messages that were not deleted."""
        deadline = self._loop.time() + min(_MARGIN, state.visibility // 4) / 1000
        dead = {message.handle for message, expiry in batch if 0 < expiry < deadline}
        alive = [message.handle for message, _ in batch if message.handle not in dead]
        left = dead | (await state.client.delete(alive)).keys() if alive else dead
        return [pair for pair in batch if pair[0].handle in left] if left else []
