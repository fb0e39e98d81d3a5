"""Draining queues: one long poll each, helpers while they answer full batches, deletes only after commits.

What is received travels as a Delivery; its ack, called once it is durable, brings the handles back here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.mns import BATCH, Message
from smsreceipt.errors import QueueNotFound, SmsReceiptError
from smsreceipt.model import Instant
from smsreceipt.sources.queue.client import Line
from smsreceipt.sources.queue.state import VISIBILITY, Counts, Drain, Options, Road, delivery

#: Messages received and not yet deleted, at most. The provider throttles a consumer that has 5,000 of them.
IN_FLIGHT = 2_000
_MARGIN = 2_000  # milliseconds before a handle dies within which it is not used any more
_GRACE = 0.3  # seconds that a receive which is about to answer gets after a stop
_FINISH = 7.0  # seconds for commits and deletes after a stop
_LOOK_AGAIN = 60.0  # seconds until a queue that failed is asked again, with --follow
_PATIENCE = 5  # a message received more often than this is not waited for again in the same run


class Puller:
    """Drains queues into a road. For one event loop; `stop` and the acks may come from other threads."""

    def __init__(
        self,
        lines: Sequence[Line],
        road: Road,
        clock: Clock,
        options: Options,
        *,
        say: Callable[[str], None] = lambda _: None,
        room: Callable[[], bool] = lambda: True,
    ) -> None:
        """*room* tells whether whatever takes the receipts can take more; while it cannot, nothing is received."""
        self.counts = Counts()
        self.failures: list[SmsReceiptError] = []  #: of queues that could not be drained; the others were
        self._drains = [Drain(line) for line in lines]
        self._road = road
        self._clock = clock
        self._options = options
        self._say = say
        self._room = room
        self._left = options.most
        self._reserved = 0
        self._in_flight = 0
        self._cap = IN_FLIGHT
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._deletes: set[asyncio.Task[None]] = set()
        self._deleters = asyncio.Semaphore(max(2, options.workers))
        self._bugs: list[BaseException] = []
        self._worked = False  # some queue has answered
        self._dead_end = False
        self._safe: deque[tuple[Drain, list[Message], Instant]] = deque()
        self._flush_due = False
        self._loop = asyncio.get_running_loop()

    async def run(self, unsettled: Mapping[str, float] | None = None) -> bool:
        """Drain every queue, or go on until stopped.

        *unsettled*: queues that may hide what an earlier run had taken, with the seconds (0: a whole visibility).
        Returns whether every queue was drained and what was hidden waited for. Raises nothing of the provider's: see
        failures.
        """
        for drain in self._drains:
            drain.line.on_lost = partial(self._lost, drain)
            self._start(self._begin(drain, hidden=(unsettled or {}).get(drain.line.queue.name)))
        stopped = self._loop.create_task(self._stopping.wait())
        try:
            async with asyncio.timeout(self._options.seconds):
                while self._tasks and not self._stopping.is_set():
                    await asyncio.wait({*self._tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            stopped.cancel()
        drained = not self._tasks and not self._stopping.is_set() and not self.failures and self._left != 0
        await self._finish()
        for bug in self._bugs:
            raise bug
        return drained

    def hidden(self) -> dict[str, float]:
        """Queues in which messages may be hidden that this run asked for and never saw; for how many seconds more."""
        now = self._loop.time()
        return {drain.line.queue.name: drain.hold_until - now for drain in self._drains if drain.hold_until > now}

    def stop(self) -> None:
        """Stop receiving; what was received is still stored and deleted. From any thread, idempotent."""
        self._wake(self._stopping.set)

    def dead_end(self) -> None:
        """The road takes nothing any more, and what it has is never acked: stop. From any thread, idempotent."""
        self._dead_end = True
        self.stop()

    def _wake(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: it is all over
            self._loop.call_soon_threadsafe(callback)

    def _lost(self, drain: Drain) -> None:
        drain.hide(self._loop.time())

    # -- receiving -----------------------------------------------------------------------------------------------

    def _start(self, work: object) -> None:
        task: asyncio.Task[None] = self._loop.create_task(work)  # type: ignore[arg-type]  # coroutines of ours only
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if task.cancelled():
            return
        exc = task.exception()
        if isinstance(exc, SmsReceiptError):
            if str(exc) not in map(str, self.failures):  # a queue's helpers fail as its long poll does
                self.failures.append(exc)
        elif exc is not None:
            self._bugs.append(exc)
            self._stopping.set()

    async def _begin(self, drain: Drain, *, hidden: float | None) -> None:
        """Learn how the queue is set, then drain it. With --follow, a queue that fails is asked again and again.

        Unless nothing has ever worked: then it is the key, the names or the network, and somebody should know.
        """
        while True:
            try:
                await self._learn(drain)
                if hidden is not None:
                    self._settle(drain, hidden or drain.visibility / 1000)
                    hidden = None
                await self._drain(drain)
            except SmsReceiptError as exc:
                drain.failing = True
                hopeless = not self._worked and all(each.failing for each in self._drains)
                if not self._options.follow:
                    raise
                if hopeless and not isinstance(exc, QueueNotFound):
                    self._stopping.set()
                    raise
                self._say(f"error: {exc}; looking again in {_LOOK_AGAIN:.0f} s")
                await asyncio.sleep(_LOOK_AGAIN)
            else:
                return

    async def _learn(self, drain: Drain) -> None:
        attributes = await drain.line.attributes()
        if attributes is not None:
            drain.told = bool(attributes.visibility)
            drain.visibility = (attributes.visibility or VISIBILITY // 1000) * 1000
            drain.retention = (attributes.retention or drain.retention // 1000) * 1000

    def _settle(self, drain: Drain, seconds: float) -> None:
        """What an earlier run here had in hand, or had asked for, comes back when its visibility is over."""
        drain.hold_until = max(drain.hold_until, self._loop.time() + seconds + 1)
        self._say(
            f"the last run on {drain.line.queue.name} ended unclean: what it had received may be invisible for up to"
            f" {seconds:.0f} s more; waiting for it (--no-settle skips this)"
        )

    async def _drain(self, drain: Drain) -> None:
        """Receive until the queue is proven empty; with --follow, for ever."""
        empty = early = 0
        while (want := await self._reserve()) > 0:
            wait = 0 if drain.short else self._options.wait
            began = self._loop.time()
            if await self._receive(drain, want, wait):
                empty = early = 0
                continue
            missing = wait - (self._loop.time() - began)
            if missing > 0.1 * wait:  # answered at once: billed, and no proof; never ask again without a pause
                early += 1
                drain.short = early >= 2
                await asyncio.sleep(missing)
                continue
            empty += 1
            if empty >= (2 if wait else 3):
                if self._drained(drain):
                    return
                if drain.short and self._options.follow:  # quiet: pause as long as the poll would, then try one again
                    drain.short, early = False, 0
                    await asyncio.sleep(self._options.wait)
                    continue
            if wait == 0:
                await asyncio.sleep(1)

    def _drained(self, drain: Drain) -> bool:
        quiet = not drain.in_flight and not drain.helpers and self._loop.time() >= drain.hold_until
        return quiet and not self._options.follow

    async def _help(self, drain: Drain) -> None:
        """Receive beside the long poll as long as full batches come."""
        try:
            while (want := await self._reserve(helping=True)) > 0 and await self._receive(drain, want, 0) == want:
                pass
        finally:
            drain.helpers -= 1

    async def _receive(self, drain: Drain, want: int, wait: int) -> int:
        got = 0
        try:
            messages = await drain.line.receive(want, wait)
            got = len(messages)
        finally:
            self._release(want - got)
            self._reserved -= got
        self._worked, drain.failing = True, False
        if messages:
            self._deliver(drain, messages)
            helpers = sum(other.helpers for other in self._drains)
            if got == want and helpers < self._options.workers - 1 and not self._stopping.is_set():
                drain.helpers += 1
                self._start(self._help(drain))
        return got

    async def _reserve(self, *, helping: bool = False) -> int:
        """Room for a batch, waiting for it; 0: nothing more is to be received.

        While others hold the last of --max, a helper does not wait for what they may give back: its queue could not
        be called drained as long.
        """
        if self._left is not None:
            await asyncio.sleep(0)  # or the poll that has just given its share back would take it again, for ever
        while not self._stopping.is_set():
            if self._left == 0 and (helping or not self._reserved):
                return 0
            want = BATCH if self._left is None else min(BATCH, self._left)
            if not self._room():
                await asyncio.sleep(_GRACE)
                continue
            if want and self._in_flight + want <= self._cap:
                self._in_flight += want
                self._reserved += want
                if self._left is not None:
                    self._left -= want
                return want
            self._changed.clear()
            await self._changed.wait()
        return 0

    def _release(self, unused: int) -> None:
        self._reserved -= unused
        self._in_flight -= unused
        if self._left is not None:
            self._left += unused
        self._changed.set()

    def _deliver(self, drain: Drain, messages: list[Message]) -> None:
        now = self._clock.now()
        self.counts.received += len(messages)
        drain.in_flight += len(messages)
        self._warn_of_age(drain, messages[0], now)
        if not drain.told and messages[0].next_visible_at > now:
            drain.visibility = messages[0].next_visible_at - now

        def ack() -> None:
            self._safe.append((drain, messages, now))
            if not self._flush_due:  # one wake-up for all that a commit made safe
                self._flush_due = True
                self._wake(self._flush)

        self._road.put(delivery(drain.line.queue, messages, now, ack))

    def _warn_of_age(self, drain: Drain, oldest: Message, now: Instant) -> None:
        if not drain.warned and 0 < oldest.enqueued_at < now - drain.retention // 2:
            drain.warned = True
            days = (now - oldest.enqueued_at) / 86_400_000
            self._say(
                f"warning: {drain.line.queue.name} holds messages {days:.1f} days old; after"
                f" {drain.retention / 86_400_000:.1f} days it drops them: pull more often"
            )

    # -- deleting ------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Delete what has become safe."""
        self._flush_due = False
        now = self._clock.now()
        while self._safe:
            drain, messages, received_at = self._safe.popleft()
            drain.acked.extend(messages)
            if now - received_at > drain.visibility // 2:  # the store is slower than the queue
                self._cap = max(BATCH, self._cap // 2)
            elif self._cap < IN_FLIGHT:
                self._cap += BATCH
        for drain in self._drains:
            while drain.acked:
                batch = [drain.acked.popleft() for _ in range(min(BATCH, len(drain.acked)))]
                task = self._loop.create_task(self._delete(drain, batch))
                self._deletes.add(task)
                task.add_done_callback(self._deleted)

    def _deleted(self, task: asyncio.Task[None]) -> None:
        self._deletes.discard(task)
        self._done(task)

    async def _delete(self, drain: Drain, batch: list[Message]) -> None:
        """Delete what is stored; what cannot be is received again and counts as a duplicate then."""
        try:
            async with self._deleters:
                left = await self._try_delete(drain, batch)
        except SmsReceiptError as exc:
            self._say(f"{len(batch)} stored messages were not deleted and will come again: {exc}")
            left = batch
        finally:
            drain.in_flight -= len(batch)
            self._in_flight -= len(batch)
            self._changed.set()
        self.counts.deleted += len(batch) - len(left)
        again = [message.next_visible_at for message in left if message.times_received < _PATIENCE]
        if again:
            hidden = max(again) - self._clock.now()
            drain.hold_until = max(drain.hold_until, self._loop.time() + max(hidden, 0) / 1000 + 1)

    async def _try_delete(self, drain: Drain, batch: list[Message]) -> list[Message]:
        margin = min(_MARGIN, drain.visibility // 4)
        deadline = self._clock.now() + margin
        dead = {message.handle for message in batch if 0 < message.next_visible_at < deadline}
        alive = [message.handle for message in batch if message.handle not in dead]
        left = dead | (await drain.line.delete(alive)).keys() if alive else dead
        return [message for message in batch if message.handle in left] if left else []

    # -- ending --------------------------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Let receives that are about to answer come in, end the others, then wait for commits and deletes."""
        self._stopping.set()
        self._changed.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE)
        for task in self._tasks:
            task.cancel()
        try:
            async with asyncio.timeout(_FINISH):
                while self._tasks or self._deletes or self._awaiting_acks():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            for task in self._deletes:
                task.cancel()

    def _awaiting_acks(self) -> bool:
        return not self._dead_end and any(drain.in_flight for drain in self._drains)
