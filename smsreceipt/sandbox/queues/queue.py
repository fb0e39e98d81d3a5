"""Queues: visibility, handles, delays, priorities, long polls. Everything on the hot path is O(1) or a heap push."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count

from smsreceipt.sandbox.wire.http import Answer

_SERIAL = count(1)
_HANDLE = re.compile(rb"\d-[A-Za-z0-9+/]+={0,2}")
_HANDLE_INSIDE = re.compile(rb"\d+-\d+-2-\d+")


class Message:
    """One message; what never changes of its XML is rendered when it enters the queue."""

    __slots__ = ("copied", "dequeued", "enqueued", "first_dequeued", "handle", "id", "md5", "middle", "priority")

    def __init__(self, body: bytes, enqueued: int, priority: int = 8) -> None:
        self.id = b"5F290C926D472878-2-%X-%09d" % (enqueued, next(_SERIAL))
        self.md5 = hashlib.md5(body, usedforsecurity=False).hexdigest().upper().encode()
        self.middle = (
            b"<MessageBodyMD5>%b</MessageBodyMD5><MessageBody>%b</MessageBody><EnqueueTime>%d</EnqueueTime>"
            % (self.md5, escape(body), enqueued)
        )
        self.enqueued = enqueued
        self.priority = priority
        self.dequeued = 0
        self.first_dequeued = 0
        self.handle = b""  #: the newest one; whether it lives, the queue knows
        self.copied = False

    def copy(self) -> Message:
        """The same message once more, as at-least-once delivery may show it."""
        twin = object.__new__(Message)
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.copied = self.copied = True
        return twin


def escape(body: bytes) -> bytes:
    """*body* as XML text. What XML cannot carry at all is left as it is: clients must survive it."""
    if b"&" in body:
        body = body.replace(b"&", b"&amp;")
    if b"<" in body:
        body = body.replace(b"<", b"&lt;")
    if b">" in body:
        body = body.replace(b">", b"&gt;")
    return body


@dataclass(slots=True)
class Attributes:
    """What SetQueueAttributes can set; seconds and bytes."""

    visibility: float = 30
    maximum_size: int = 65_536
    retention: int = 345_600
    delay: int = 0
    polling_wait: int = 0
    logging: bool = False


@dataclass(slots=True, eq=False)
class Poll:
    """A receive that waits: what *serve* takes and renders goes to its future."""

    future: asyncio.Future[Answer]
    serve: Callable[[], Answer]


class Queue:
    """One queue. Times are milliseconds of the sandbox's clock, handed in by the caller or asked from *now*."""

    def __init__(self, name: str, kind: str | None, attributes: Attributes, now: Callable[[], int]) -> None:
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.created = self.modified = now() // 1000
        self.sent = self.deleted = self.expired = self.duplicated = 0
        self.polls: deque[Poll] = deque()
        self._now = now
        self._ready: dict[int, deque[Message]] = {8: deque()}
        self._in_flight: dict[bytes, Message] = {}
        self._hidden_until: list[tuple[int, bytes]] = []  # a heap; entries of deleted messages are skipped
        self._delayed: list[tuple[int, int, Message]] = []  # a heap
        self._timer: asyncio.TimerHandle | None = None

    # -- what is where

    @property
    def visible(self) -> int:
        """Messages that a receive would find."""
        return sum(map(len, self._ready.values()))

    @property
    def invisible(self) -> int:
        """Messages that were received and neither deleted nor visible again."""
        return len(self._in_flight)

    @property
    def delayed(self) -> int:
        """Messages whose DelaySeconds have not passed."""
        return len(self._delayed)

    # -- in

    def put(self, messages: Iterable[Message], delay: float = 0) -> None:
        """Add messages that become visible after *delay* seconds, and serve who waits for them."""
        until = self._now() + round(delay * 1000)
        for message in messages:
            self.sent += 1
            if delay > 0:
                heappush(self._delayed, (until, next(_SERIAL), message))
            else:
                self._show(message)
        self.wake()

    def _show(self, message: Message) -> None:
        ready = self._ready.get(message.priority)
        if ready is None:
            self._ready[message.priority] = ready = deque()
            self._ready = dict(sorted(self._ready.items()))
        ready.append(message)

    # -- out

    def take(self, most: int, *, stale: bool = False, duplicate: bool = False) -> tuple[list[Message], int]:
        """Receive: hide up to *most* messages until NextVisibleTime, which is returned too, under new handles.

        *stale*: they are visible again at once, so the handles are dead. *duplicate*: one of them stays visible too.
        """
        now = self._now()
        self._sweep(now)
        until = now + int(self.attributes.visibility * 1000)
        taken = self._next(most, now)
        for message in taken:
            if not message.dequeued:
                message.first_dequeued = now
            message.dequeued += 1
            self._hide(message, until)
        if duplicate:
            self._duplicate(taken)
        if stale:
            for message in taken:
                del self._in_flight[message.handle]
                self._show(message)
        return taken, until

    def _next(self, most: int, now: int) -> list[Message]:
        oldest = now - self.attributes.retention * 1000
        taken: list[Message] = []
        for ready in self._ready.values():
            while ready and len(taken) < most:
                message = ready.popleft()
                if message.enqueued < oldest:
                    self.expired += 1
                else:
                    taken.append(message)
        return taken

    def _hide(self, message: Message, until: int) -> None:
        inside = b"%d-%d-2-%d" % (next(_SERIAL), until, message.priority)
        handle = message.handle = b"1-" + base64.b64encode(inside)
        self._in_flight[handle] = message
        heappush(self._hidden_until, (until, handle))
        if len(self._hidden_until) > 1000 + 4 * len(self._in_flight):
            self._hidden_until = [entry for entry in self._hidden_until if entry[1] in self._in_flight]
            heapify(self._hidden_until)

    def _duplicate(self, taken: list[Message]) -> None:
        fresh = next((message for message in taken if not message.copied), None)
        if fresh is not None:
            self.duplicated += 1
            self._show(fresh.copy())

    def peek(self, most: int) -> list[Message]:
        """Look without touching."""
        self._sweep(self._now())
        return [message for ready in self._ready.values() for message in list(ready)[:most]][:most]

    # -- handles

    def delete(self, handle: bytes) -> str:
        """Delete by the newest handle while it lives; otherwise return the error code that says why not."""
        if self._in_flight.pop(handle, None) is not None:
            self.deleted += 1
            return ""
        return self._dead(handle)

    def change(self, handle: bytes, seconds: int) -> tuple[bytes, int] | str:
        """Hide a message for *seconds* from now under a new handle: (handle, NextVisibleTime), or an error code."""
        message = self._in_flight.pop(handle, None)
        if message is None:
            return self._dead(handle)
        until = self._now() + seconds * 1000
        self._hide(message, until)
        return message.handle, until

    @staticmethod
    def _dead(handle: bytes) -> str:
        if not _HANDLE.fullmatch(handle):
            return "ReceiptHandleError"
        try:
            inside = base64.b64decode(handle[2:], validate=True)
        except ValueError:
            return "ReceiptHandleError"
        return "MessageNotExist" if _HANDLE_INSIDE.fullmatch(inside) else "ReceiptHandleError"

    # -- time

    def sweep(self) -> None:
        """Bring back what has become visible again."""
        self._sweep(self._now())

    def _sweep(self, now: int) -> None:
        while self._hidden_until and self._hidden_until[0][0] <= now:
            message = self._in_flight.pop(heappop(self._hidden_until)[1], None)
            if message is not None:
                self._show(message)
        while self._delayed and self._delayed[0][0] <= now:
            self._show(heappop(self._delayed)[2])

    # -- long polls

    def wait(self, poll: Poll) -> None:
        """Let *poll* have the next messages."""
        self.polls.append(poll)
        self._arm()

    def forget(self, poll: Poll) -> None:
        """A poll is over, served or not."""
        if poll in self.polls:
            self.polls.remove(poll)

    def wake(self) -> None:
        """Serve the polls that wait, as far as messages go; then sleep until the next one becomes visible."""
        if not self.polls:
            return
        self._sweep(self._now())
        while self.polls and self.visible:
            poll = self.polls.popleft()
            if not poll.future.done():
                poll.future.set_result(poll.serve())
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        nexts = [heap[0][0] for heap in (self._hidden_until, self._delayed) if heap]
        if self.polls and nexts:
            loop = self.polls[0].future.get_loop()
            self._timer = loop.call_later(max(0.0, (min(nexts) - self._now()) / 1000) + 0.001, self.wake)
