"""Pushes receipts to a callback URL by the documented rules.

First the URL is probed with GET. Then batches of one kind are posted; what is not accepted within 700 ms comes again
after 1, 5 and 10 minutes, and never after that.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.options import KINDS, Options
from smsreceipt.sandbox.push.bodies import ALONE, QUEUES_ONLY, Fields, body_of
from smsreceipt.sandbox.push.client import Callback, Line
from smsreceipt.sandbox.push.latency import Times
from smsreceipt.sandbox.wire.faults import Faults

SCHEDULE = (60.0, 300.0, 600.0)  #: seconds to the next try, before the scale; after the last of them there is none
CONNECTIONS = 64
PROBE_AGAIN = 1.0  #: seconds between probes of a URL that has not passed: what saving it again and again would do
#: receipts: pushed, accepted, repeated (accepted once more), gave_up, push_lost (on purpose); exchanges: the others
_COUNTS = ("pushed", "accepted", "repeated", "gave_up", "push_lost", "posts", "probes", "probes_failed")


@dataclass(slots=True, eq=False)
class Push:
    """Some receipts of one kind on their way."""

    kind: str
    size: int
    body: bytes
    tries: int = 0
    repeat: bool = False  #: it was accepted before


class Pusher:
    """Everything that goes to the callback URL. Used from the sandbox's loop, or while nobody listens."""

    def __init__(self, options: Options, clock: Clock, faults: Faults) -> None:
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  #: attempts that were not accepted, by what came back
        self.times = Times()
        self._options = options
        self._say = options.say
        self._clock = clock
        self._faults = faults
        self._serial = count()
        self._later: list[tuple[float, int, Push | tuple[str, Fields]]] = []  # a heap, by the sandbox's clock
        self._again: deque[Push] = deque()
        self._waiting: dict[str, deque[Fields]] = {}
        self._callbacks: dict[str, Callback] = {}
        self._passed: set[Callback] = set()
        self._failing: set[Callback] = set()
        self._slowest = 0.0  # probe
        self._idle: dict[Callback, list[Line]] = {}
        self._flying: set[Push] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.Handle | None = None
        if options.push:
            for kind in KINDS:
                if kind not in QUEUES_ONLY:
                    self._callback(kind)

    def ways(self, kind: str | None, receipt: object) -> tuple[bool, bool]:
        """Whether this one is queued, and whether it is pushed."""
        if not self._options.push or kind is None or kind in QUEUES_ONLY or not isinstance(receipt, dict):
            return True, False
        way = self._faults.below(3) if self._options.route == "mixed" else 0
        return self._options.route != "push" and way != 1, way != 2

    def take(self, kind: str, receipt: Fields, delay: float = 0.0) -> None:
        """Push *receipt* after *delay* seconds."""
        if self._faults.hit("lose-push"):
            self.counts["push_lost"] += 1
            return
        self.counts["pushed"] += 1
        heappush(self._later, (self._clock.now() + delay, next(self._serial), (kind, receipt)))
        if self._loop is not None and self._soon is None:
            self._soon = self._loop.call_soon(self.wake)  # what comes in the same moment shares a push

    def state(self) -> dict[str, object]:
        """Counters; of receipts: pushed = accepted + gave_up + waiting."""
        counts = {name: self.counts[name] for name in _COUNTS}
        waiting = counts["pushed"] - counts["accepted"] - counts["gave_up"]
        refused = dict(sorted(self.refused.items()))
        return {**counts, "waiting": waiting, "refused": refused, "milliseconds": self.times.shown()}

    # -- life

    def open(self) -> None:
        """Probe every callback URL, then push what waits; in the running loop."""
        self._loop = asyncio.get_running_loop()
        for callback in set(self._callbacks.values()) - self._passed:
            self._start(self._probe(callback))
        self.wake()

    async def close(self) -> None:
        """Hang up; what was under way is pushed again after the next open."""
        self._loop = None
        self._disarm()
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._again.extend(self._flying)
        self._flying.clear()
        for line in (line for lines in self._idle.values() for line in lines):
            line.close()
        self._idle.clear()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the schedule

    def wake(self) -> None:
        """Send what is due, and come back when something more is."""
        self._disarm()
        loop = self._loop
        if loop is None:
            return
        now = self._clock.now()
        while self._later and self._later[0][0] <= now:
            item = heappop(self._later)[2]
            if isinstance(item, Push):
                self._again.append(item)
            else:
                self._waiting.setdefault(item[0], deque()).append(item[1])
                self._callback(item[0])
        if self._later:
            self._timer = loop.call_later(self._later[0][0] - now, self.wake)
        self._pump()

    def _disarm(self) -> None:
        for handle in (self._soon, self._timer):
            if handle is not None:
                handle.cancel()
        self._soon = self._timer = None

    def _callback(self, kind: str) -> Callback:
        """Where receipts of a kind go; a new place is probed first."""
        known = self._callbacks.get(kind)
        if known is not None:
            return known
        callback = Callback.of(self._options.push.replace("{kind}", kind))
        if self._loop is not None and callback not in self._callbacks.values():
            self._start(self._probe(callback))
        self._callbacks[kind] = callback
        return callback

    def _pump(self) -> None:
        while self._loop is not None and len(self._flying) < CONNECTIONS and (push := self._next()) is not None:
            self._flying.add(push)
            self._start(self._send(push))

    def _next(self) -> Push | None:
        if self._again:
            return self._again.popleft()
        for kind, receipts in self._waiting.items():
            if receipts and self._callbacks[kind] in self._passed:
                size = 1 if kind in ALONE else min(len(receipts), self._options.push_batch)
                batch = [receipts.popleft() for _ in range(size)]
                return Push(kind, size, body_of(kind, batch))
        return None

    # -- the exchanges

    async def _probe(self, callback: Callback) -> None:
        """Do what saving the URL does; a URL that does not pass gets nothing pushed."""
        line = Line(callback)
        try:
            while callback not in self._passed:
                self.counts["probes"] += 1
                reply = await line.exchange("GET")
                if not reply.fault:
                    self._passed.add(callback)
                    self._slowest = max(self._slowest, reply.seconds)
                    break
                self.counts["probes_failed"] += 1
                if not self._failing:
                    self._say(f"the callback URL failed its GET probe ({reply.fault}); no push before it passes")
                self._failing.add(callback)
                await asyncio.sleep(PROBE_AGAIN)
        finally:
            line.close()
        if self._passed >= set(self._callbacks.values()):
            self._say(f"the callback URL passed its GET probe in {self._slowest * 1000:.0f} ms")
        self._pump()

    async def _send(self, push: Push) -> None:
        callback = self._callbacks[push.kind]
        lines = self._idle.setdefault(callback, [])
        line = lines.pop() if lines else Line(callback)
        try:
            reply = await line.exchange("POST", push.body)
        except asyncio.CancelledError:
            line.close()
            raise
        lines.append(line)
        self._flying.discard(push)
        self.counts["posts"] += 1
        self.times.add(reply.seconds)
        if reply.fault:
            self._refused(push, reply.fault)
        else:
            self._accepted(push)
        self._pump()

    def _accepted(self, push: Push) -> None:
        self.counts["repeated" if push.repeat else "accepted"] += push.size
        if not push.repeat and self._faults.hit("repeat-push"):
            self._again.append(Push(push.kind, push.size, push.body, repeat=True))

    def _refused(self, push: Push, fault: str) -> None:
        self.refused[fault] += 1
        if push.repeat:
            return
        if push.tries == len(SCHEDULE):
            self.counts["gave_up"] += push.size
            return
        due = self._clock.now() + SCHEDULE[push.tries] * self._options.push_scale
        push.tries += 1
        heappush(self._later, (due, next(self._serial), push))
        self.wake()
