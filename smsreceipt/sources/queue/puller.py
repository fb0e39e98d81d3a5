"""Drain queues: one long poll each, further receivers while they answer full batches, deletes only after commits.

Received messages are handed on as a Delivery. Its ack, called once they are stored durably, queues them for deletion.
Each full batch starts one more receiver, so their number doubles with every round trip, up to the share of the queue.
A receiver ends when its batch is not full, when a request fails, or when so many messages are in flight that the store
is the bottleneck. The long poll of each queue always stays.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.mns import BATCH, Message
from smsreceipt.errors import QueueNotFound, SmsReceiptError
from smsreceipt.model import Instant
from smsreceipt.sources.queue import notices
from smsreceipt.sources.queue.client import QueueClient
from smsreceipt.sources.queue.concurrency import Concurrency
from smsreceipt.sources.queue.deletes import Deletes, Stored
from smsreceipt.sources.queue.state import LONGEST, VISIBILITY, Counts, DeliverySink, Options, QueueState, delivery

#: Messages received and not yet deleted, at most. The provider throttles a consumer that has 5,000 of them.
IN_FLIGHT = 2_000
_GRACE = 0.3  # seconds after a stop for receives whose answer is on its way
_FINISH = 7.0  # seconds after a stop for commits and deletes
_TOGETHER = 0.3  # seconds in which the last run's ends on several queues are told in one line
_LOOK_AGAIN = 60.0  # seconds after which a queue that failed is tried again, with --follow


class Puller:
    """Drains queues into a sink. Made and run inside one event loop; `stop` and the acks may come from any thread."""

    def __init__(
        self,
        clients: Sequence[QueueClient],
        sink: DeliverySink,
        clock: Clock,
        options: Options,
        *,
        say: Callable[[str], None] = lambda _: None,
        room: Callable[[], bool] = lambda: True,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        """*on_answer* is called when a receive was answered, or was given up after its retries.

        *room* tells whether the output can take more receipts; while it cannot, nothing is received.
        """
        self.counts = Counts()
        self.failures: list[SmsReceiptError] = []  #: one for each queue that could not be drained
        self._states = [QueueState(client) for client in clients]
        self._sink = sink
        self._clock = clock
        self._options = options
        self._say = say
        self._room = room
        self._on_answer = on_answer
        self._remaining = options.most
        self._reserved = 0
        self._in_flight = 0
        self._cap = IN_FLIGHT
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._concurrency = Concurrency(options.workers)
        self._deletes = Deletes(self._concurrency, self.counts, say, on_settled=self._settled, on_done=self._done)
        self._bugs: list[BaseException] = []
        self._answered = False  # by any queue
        self._abandoned = False
        self._stored: deque[tuple[QueueState, list[Message], list[float], float]] = deque()
        self._flush_due = False
        self._unclean: dict[str, float] = {}  # queues that are not told yet, and the seconds of each
        self._loop = asyncio.get_running_loop()

    async def run(self, unsettled: Mapping[str, float] | None = None) -> bool:
        """Drain every queue, or go on until stopped.

        *unsettled*: queues in which an earlier run may have left messages invisible, with the seconds that they stay so
        (0: a whole visibility timeout). Returns whether every queue was drained and those seconds waited out. Errors of
        the provider are not raised: see failures.
        """
        for state in self._states:
            state.client.on_lost = partial(self._lost, state)
            state.client.on_refused = partial(self._refused, state)
            self._start(self._begin(state, hidden=(unsettled or {}).get(state.client.queue.name)))
        stopped = self._loop.create_task(self._stopping.wait())
        try:
            async with asyncio.timeout(self._options.seconds):
                while self._tasks and not self._stopping.is_set():
                    await asyncio.wait({*self._tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            stopped.cancel()
        drained = not self._tasks and not self._stopping.is_set() and not self.failures and self._remaining != 0
        await self._finish()
        for bug in self._bugs:
            raise bug
        return drained

    def hidden(self) -> dict[str, float]:
        """Queues with messages that lost answers may have made invisible, and for how many seconds more."""
        now = self._loop.time()
        return {state.client.queue.name: state.hold_until - now for state in self._states if state.hold_until > now}

    @property
    def in_flight(self) -> int:
        """Messages received and not yet deleted, and those that are asked for."""
        return self._in_flight

    @property
    def failing(self) -> dict[str, bool]:
        """The message types of the queues, and whether one of each could not be received from when last tried."""
        failing: dict[str, bool] = {}
        for state in self._states:
            kind = state.client.queue.kind
            failing[kind] = failing.get(kind, False) or state.failing
        return failing

    def stop(self) -> None:
        """Stop receiving; received messages are still stored and deleted. From any thread, idempotent."""
        self._wake(self._stopping.set)

    def abandon(self) -> None:
        """Stop, and wait for no acknowledgement: the sink has given up. From any thread, idempotent."""
        self._abandoned = True
        self.stop()
        self._wake(self._changed.set)

    def _wake(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(callback)

    def _lost(self, state: QueueState) -> None:
        state.hide(self._loop.time())

    def _refused(self, state: QueueState, sent_at: float) -> None:
        state.full = False
        self.counts.refused += 1
        self._concurrency.refused(sent_at, self._loop.time())

    def _start(self, work: object) -> None:
        task: asyncio.Task[None] = self._loop.create_task(work)  # type: ignore[arg-type]  # coroutines of this class only
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if task.cancelled():
            return
        exc = task.exception()
        if isinstance(exc, SmsReceiptError):
            if str(exc) not in map(str, self.failures):  # the receivers of a queue fail alike
                self.failures.append(exc)
        elif exc is not None:
            self._bugs.append(exc)
            self._stopping.set()

    async def _begin(self, state: QueueState, *, hidden: float | None) -> None:
        """Read the queue's attributes, then drain it. With --follow, a queue that fails is tried again every minute.

        The run ends if no queue has ever answered: then the key, the names or the network are wrong.
        """
        while True:
            try:
                await self._learn(state)
                if hidden is not None:
                    self._settle(state, hidden or state.visibility / 1000)
                    hidden = None
                await self._drain(state)
            except SmsReceiptError as exc:
                state.failing = True
                hopeless = not self._answered and all(each.failing for each in self._states)
                if not self._options.follow:
                    raise
                if hopeless and not isinstance(exc, QueueNotFound):
                    self._stopping.set()
                    raise
                self._say("error: " + notices.looking_again(exc, _LOOK_AGAIN))
                self._on_answer()
                await asyncio.sleep(_LOOK_AGAIN)
            else:
                return

    async def _learn(self, state: QueueState) -> None:
        attributes = await state.client.attributes()
        if attributes is not None:
            state.visibility_known = bool(attributes.visibility)
            state.visibility = min((attributes.visibility or VISIBILITY // 1000) * 1000, LONGEST)
            state.client.batch_size.calm = 2 * state.visibility / 1000
            state.retention = (attributes.retention or state.retention // 1000) * 1000

    def _settle(self, state: QueueState, seconds: float) -> None:
        """Wait for messages that an earlier run received, or asked for, and that are invisible for so long yet."""
        state.hold_until = max(state.hold_until, self._loop.time() + seconds + 1)
        if not self._unclean:  # queues that are asked together are told together
            self._loop.call_later(_TOGETHER, self._say_unclean)
        self._unclean[state.client.queue.name] = seconds

    def _say_unclean(self) -> None:
        self._say(notices.unclean_end([*self._unclean], max(self._unclean.values())))
        self._unclean.clear()

    async def _drain(self, state: QueueState) -> None:
        """Receive until the queue is proven empty; with --follow, until stopped."""
        empty = early = 0
        while (want := await self._reserve()) > 0:
            wait = 0 if state.short else self._options.wait
            began = self._loop.time()
            if await self._receive(state, want, wait):
                empty = early = 0
                await self._let_settle(state)
                continue
            missing = wait - (self._loop.time() - began)
            if missing > 0.1 * wait:  # answered too early: it is billed and proves nothing, so pause
                early += 1
                state.short = early >= 2
                await asyncio.sleep(missing)
                continue
            empty += 1
            if empty >= (2 if wait else 3):
                if self._drained(state):
                    return
                if state.short and self._options.follow:  # pause for a whole poll, then try a long poll again
                    state.short, early = False, 0
                    await asyncio.sleep(self._options.wait)
                    continue
            if wait == 0:
                await asyncio.sleep(1)

    def _drained(self, state: QueueState) -> bool:
        quiet = not state.in_flight and not state.helpers and self._loop.time() >= state.hold_until
        return quiet and not self._options.follow

    async def _help(self, state: QueueState) -> None:
        """Receive beside the long poll while full batches come. A failure ends it: the long poll meets it too."""
        try:
            with contextlib.suppress(SmsReceiptError):
                while self._may_help(state, state.helpers) and (want := self._try_reserve()):
                    await self._receive(state, want, 0, once=True)
                    if not state.full:
                        break
        finally:
            state.helpers -= 1

    def _may_help(self, state: QueueState, helpers: int) -> bool:
        """Whether *state* may have so many *helpers*: the queues whose batches are full share them equally."""
        now = self._loop.time()
        others = sum(other.helpers for other in self._states) - state.helpers
        busy = sum(other.full for other in self._states)
        most = self._concurrency.limit(now) - 1
        return state.pause_until <= now and helpers + others <= most and helpers <= most // max(1, busy)

    async def _receive(self, state: QueueState, want: int, wait: int, *, once: bool = False) -> int:
        """Receive and hand on up to *want* reserved messages; return how many. A full batch starts a helper."""
        got = 0
        full = state.client.batch_size.at_most(want, self._loop.time())
        try:
            messages = await state.client.receive(want, wait, once=once)
            got = len(messages)
        finally:
            state.full = got >= full
            self._release(want - got)
            self._reserved -= got
        self._answered, state.failing = True, False
        if messages:
            self._deliver(state, messages)
            if state.full and self._in_flight + BATCH <= self._cap and self._may_help(state, state.helpers + 1):
                state.helpers += 1
                self._start(self._help(state))
        self._on_answer()
        return got

    async def _reserve(self) -> int:
        """Reserve a batch of messages, waiting until they may be received; 0: receive no more."""
        if self._remaining is not None:
            await asyncio.sleep(0)  # or the poll that has just given its share back would always take it again
        while not self._stopping.is_set() and (self._remaining != 0 or self._reserved):
            if want := self._try_reserve():
                return want
            if not self._room():
                await asyncio.sleep(_GRACE)
                continue
            self._changed.clear()
            await self._changed.wait()
        return 0

    def _try_reserve(self) -> int:
        """Reserve a batch of messages; 0: none may be received now."""
        want = BATCH
        if self._remaining is not None:  # each queue gets a share, or a quiet one would keep all of it for a long poll
            want = min(BATCH, self._remaining, max(1, self._remaining // len(self._states)))
        if not want or self._in_flight + want > self._cap or self._stopping.is_set() or not self._room():
            return 0
        self._in_flight += want
        self._reserved += want
        if self._remaining is not None:
            self._remaining -= want
        return want

    def _release(self, unused: int) -> None:
        self._reserved -= unused
        self._in_flight -= unused
        if self._remaining is not None:
            self._remaining += unused
        self._changed.set()

    def _deliver(self, state: QueueState, messages: list[Message]) -> None:
        now = self._clock.now()
        self.counts.received += len(messages)
        state.in_flight += len(messages)
        self._warn_of_age(state, messages[0], now)
        received_at = self._loop.time()
        expiries = state.expiries(messages, now, received_at)

        def ack() -> None:
            self._stored.append((state, messages, expiries, received_at))
            if not self._flush_due:  # one wake-up for all deliveries of a commit
                self._flush_due = True
                self._wake(self._flush)

        self._sink.put(delivery(state.client.queue, messages, now, ack))

    def _warn_of_age(self, state: QueueState, oldest: Message, now: Instant) -> None:
        if not state.warned and 0 < oldest.enqueued_at < now - state.retention // 2:
            state.warned = True
            days = (now - oldest.enqueued_at) / 86_400_000
            self._say("warning: " + notices.old_messages(state.client.queue.name, days, state.retention / 86_400_000))

    def _flush(self) -> None:
        """Delete the messages that have been stored."""
        self._flush_due = False
        now = self._loop.time()
        stored: dict[QueueState, list[Stored]] = defaultdict(list)
        while self._stored:
            state, messages, expiries, received_at = self._stored.popleft()
            stored[state].extend(zip(messages, expiries, strict=True))
            self._watch(state, messages)
            if now - received_at > state.visibility / 2000:  # the store is slower than the handles last
                self._cap = max(BATCH, self._cap // 2)
            elif self._cap < IN_FLIGHT:
                self._cap += BATCH
        for state, pairs in stored.items():
            self._deletes.put(state, pairs)

    def _watch(self, state: QueueState, messages: list[Message]) -> None:
        """Pause, and warn once, when the queue delivers little else than messages that were stored several times."""
        if not state.redelivery.stored(messages):
            return
        pause = min(state.visibility / 1000, _LOOK_AGAIN)
        state.pause_until = self._loop.time() + pause
        if not state.warned_of_redelivery:
            state.warned_of_redelivery = True
            self._say("warning: " + notices.redelivery(state.client.queue.name, pause))

    async def _let_settle(self, state: QueueState) -> None:
        """Wait for the end of a pause. Raises ProviderError when the queue has made no progress for several windows."""
        rest = state.pause_until - self._loop.time()
        if rest > 0 and not state.redelivery.stuck:
            await asyncio.sleep(rest)
        if state.redelivery.stuck:
            messages = state.redelivery.messages
            state.redelivery.forget()
            raise notices.no_progress(state.client.queue.name, messages)

    def _settled(self, state: QueueState, messages: int) -> None:
        """Count *messages* as no longer in flight."""
        state.in_flight -= messages
        self._in_flight -= messages
        self._changed.set()

    async def _finish(self) -> None:
        """Wait a moment for answers on their way, cancel the other receives, then wait for commits and deletes."""
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
            self._deletes.cancel()

    def _awaiting_acks(self) -> bool:
        return not self._abandoned and any(state.in_flight for state in self._states)
