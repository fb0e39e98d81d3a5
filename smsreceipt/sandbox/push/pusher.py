"""Pushes receipts to a callback URL by the documented rules.

The URL is first probed with GET. Receipts of one kind are then posted in batches. A batch that is not accepted within
700 ms is posted again after 1, 5 and 10 minutes, and then given up.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any

from smsreceipt.language import _
from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.options import KINDS, Options
from smsreceipt.sandbox.push.bodies import QUEUES_ONLY, SINGLE, Fields, body_of
from smsreceipt.sandbox.push.client import Callback, CallbackConnection
from smsreceipt.sandbox.push.latency import Latencies
from smsreceipt.sandbox.wire.faults import Faults

RETRY_DELAYS = (60.0, 300.0, 600.0)  #: seconds before the second, third and last attempt, before the scale
CONNECTIONS = 64
PROBE_INTERVAL = 1.0  #: seconds between probes of a URL that has not passed yet
#: Of receipts: pushed, accepted, repeated (accepted twice), gave_up, push_lost (by a fault). Of requests: the others.
_COUNTS = ("pushed", "accepted", "repeated", "gave_up", "push_lost", "posts", "probes", "probes_failed")


@dataclass(slots=True, eq=False)
class Push:
    """A batch of receipts of one kind."""

    kind: str
    size: int
    body: bytes
    retries: int = 0
    repeat: bool = False  #: it has been accepted before


class Pusher:
    """Pushes to the callback URL. Not thread-safe: used in the sandbox's loop, or while the sandbox is stopped."""

    def __init__(self, options: Options, clock: Clock, faults: Faults) -> None:
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  #: requests that were not accepted, by fault
        self.latencies = Latencies()
        self._options = options
        self._say = options.say
        self._clock = clock
        self._faults = faults
        self._serial = count()
        self._scheduled: list[tuple[float, int, Push | tuple[str, Fields]]] = []  # a heap by due time
        self._retries: deque[Push] = deque()
        self._queued: dict[str, deque[Fields]] = {}
        self._callbacks: dict[str, Callback] = {}
        self._passed: set[Callback] = set()
        self._failing: set[Callback] = set()
        self._slowest_probe = 0.0
        self._idle: dict[Callback, list[CallbackConnection]] = {}
        self._in_flight: set[Push] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.Handle | None = None
        if options.push:
            for kind in KINDS:
                if kind not in QUEUES_ONLY:
                    self._callback(kind)

    def routes(self, kind: str | None, receipt: object) -> tuple[bool, bool]:
        """Whether a receipt goes to its queue, and whether it is pushed."""
        if not self._options.push or kind is None or kind in QUEUES_ONLY or not isinstance(receipt, dict):
            return True, False
        choice = self._faults.below(3) if self._options.route == "mixed" else 0
        return self._options.route != "push" and choice != 1, choice != 2

    def add(self, kind: str, receipt: Fields, delay: float = 0.0) -> None:
        """Push *receipt* after *delay* seconds."""
        if self._faults.hit("lose-push"):
            self.counts["push_lost"] += 1
            return
        self.counts["pushed"] += 1
        heappush(self._scheduled, (self._clock.now() + delay, next(self._serial), (kind, receipt)))
        if self._loop is not None and self._soon is None:
            self._soon = self._loop.call_soon(self.run)  # receipts of the same moment share a push

    def state(self) -> dict[str, object]:
        """Counters; always pushed = accepted + gave_up + waiting."""
        counts = {name: self.counts[name] for name in _COUNTS}
        waiting = counts["pushed"] - counts["accepted"] - counts["gave_up"]
        refused = dict(sorted(self.refused.items()))
        return {**counts, "waiting": waiting, "refused": refused, "milliseconds": self.latencies.summary()}

    def open(self) -> None:
        """Probe every callback URL and push the receipts that are due; uses the running loop."""
        self._loop = asyncio.get_running_loop()
        for callback in set(self._callbacks.values()) - self._passed:
            self._start(self._probe(callback))
        self.run()

    async def close(self) -> None:
        """Close all connections. Pushes that were in flight are sent again after the next open."""
        self._loop = None
        self._cancel_timers()
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._retries.extend(self._in_flight)
        self._in_flight.clear()
        for connection in (connection for idle in self._idle.values() for connection in idle):
            connection.close()
        self._idle.clear()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def run(self) -> None:
        """Send what is due, and run again when the next receipt or retry is due."""
        self._cancel_timers()
        loop = self._loop
        if loop is None:
            return
        now = self._clock.now()
        while self._scheduled and self._scheduled[0][0] <= now:
            item = heappop(self._scheduled)[2]
            if isinstance(item, Push):
                self._retries.append(item)
            else:
                self._queued.setdefault(item[0], deque()).append(item[1])
                self._callback(item[0])
        if self._scheduled:
            self._timer = loop.call_later(self._scheduled[0][0] - now, self.run)
        self._send_ready()

    def _cancel_timers(self) -> None:
        for handle in (self._soon, self._timer):
            if handle is not None:
                handle.cancel()
        self._soon = self._timer = None

    def _callback(self, kind: str) -> Callback:
        """The callback URL of a message type; a new URL is probed first."""
        known = self._callbacks.get(kind)
        if known is not None:
            return known
        callback = Callback.of(self._options.push.replace("{kind}", kind))
        if self._loop is not None and callback not in self._callbacks.values():
            self._start(self._probe(callback))
        self._callbacks[kind] = callback
        return callback

    def _send_ready(self) -> None:
        while self._loop is not None and len(self._in_flight) < CONNECTIONS and (push := self._next()) is not None:
            self._in_flight.add(push)
            self._start(self._send(push))

    def _next(self) -> Push | None:
        if self._retries:
            return self._retries.popleft()
        for kind, receipts in self._queued.items():
            if receipts and self._callbacks[kind] in self._passed:
                size = 1 if kind in SINGLE else min(len(receipts), self._options.push_batch)
                batch = [receipts.popleft() for _ in range(size)]
                return Push(kind, size, body_of(kind, batch))
        return None

    async def _probe(self, callback: Callback) -> None:
        """Send GET, as the console does when a URL is saved, until the URL passes; before that nothing is pushed."""
        connection = CallbackConnection(callback)
        try:
            while callback not in self._passed:
                self.counts["probes"] += 1
                reply = await connection.request("GET")
                if not reply.fault:
                    self._passed.add(callback)
                    self._slowest_probe = max(self._slowest_probe, reply.seconds)
                    break
                self.counts["probes_failed"] += 1
                if not self._failing:
                    self._say(
                        _(
                            "the callback URL failed its GET probe ({fault}); no push before it passes",
                            fault=reply.fault,
                        )
                    )
                self._failing.add(callback)
                await asyncio.sleep(PROBE_INTERVAL)
        finally:
            connection.close()
        if self._passed >= set(self._callbacks.values()):
            self._say(
                _("the callback URL passed its GET probe in {duration:.0f} ms", duration=self._slowest_probe * 1000)
            )
        self._send_ready()

    async def _send(self, push: Push) -> None:
        callback = self._callbacks[push.kind]
        idle = self._idle.setdefault(callback, [])
        connection = idle.pop() if idle else CallbackConnection(callback)
        try:
            reply = await connection.request("POST", push.body)
        except asyncio.CancelledError:
            connection.close()
            raise
        idle.append(connection)
        self._in_flight.discard(push)
        self.counts["posts"] += 1
        self.latencies.add(reply.seconds)
        if reply.fault:
            self._on_refused(push, reply.fault)
        else:
            self._on_accepted(push)
        self._send_ready()

    def _on_accepted(self, push: Push) -> None:
        self.counts["repeated" if push.repeat else "accepted"] += push.size
        if not push.repeat and self._faults.hit("repeat-push"):
            self._retries.append(Push(push.kind, push.size, push.body, repeat=True))

    def _on_refused(self, push: Push, fault: str) -> None:
        self.refused[fault] += 1
        if push.repeat:
            return
        if push.retries == len(RETRY_DELAYS):
            self.counts["gave_up"] += push.size
            return
        due = self._clock.now() + RETRY_DELAYS[push.retries] * self._options.push_scale
        push.retries += 1
        heappush(self._scheduled, (due, next(self._serial), push))
        self.run()
