"""One queue: visibility, receipt handles, delays, priorities, long polls.

Receiving and deleting a message take constant time, apart from a push to a heap.
"""

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

from smsreceipt.sandbox.wire.http import Response
from smsreceipt.sandbox.wire.mns import escape

_SERIAL = count(1)
_HANDLE = re.compile(rb"\d-[A-Za-z0-9+/]+={0,2}")
_HANDLE_CONTENT = re.compile(rb"\d+-\d+-2-\d+")


class Message:
    """One message. The constant part of its XML is rendered once, when the message enters the queue."""

    __slots__ = (
        "body_xml", "copied", "dequeued", "enqueued", "first_dequeued", "handle", "id", "md5", "priority",
        "properties_xml",
    )  # fmt: skip

    def __init__(self, body: bytes, enqueued: int, priority: int = 8, properties_xml: bytes = b"") -> None:
        """*properties_xml* holds the user and system properties, which are returned as they came."""
        self.id = b"5F290C926D472878-2-%X-%09d" % (enqueued, next(_SERIAL))
        self.md5 = hashlib.md5(body, usedforsecurity=False).hexdigest().upper().encode()
        self.body_xml = (
            b"<MessageBodyMD5>%b</MessageBodyMD5><MessageBody>%b</MessageBody><EnqueueTime>%d</EnqueueTime>"
            % (self.md5, escape(body), enqueued)
        )
        self.enqueued = enqueued
        self.priority = priority
        self.properties_xml = properties_xml
        self.dequeued = 0
        self.first_dequeued = 0
        self.handle = b""  #: the newest; the queue knows whether it is still valid
        self.copied = False

    def copy(self) -> Message:
        """A duplicate, as at-least-once delivery may produce one."""
        duplicate = object.__new__(Message)
        for name in self.__slots__:
            setattr(duplicate, name, getattr(self, name))
        duplicate.copied = self.copied = True
        return duplicate


@dataclass(slots=True)
class Attributes:
    """The attributes that SetQueueAttributes can set, in seconds and bytes."""

    visibility: float = 30
    maximum_size: int = 65_536
    retention: int = 345_600
    delay: int = 0
    polling_wait: int = 0
    logging: bool = False


@dataclass(slots=True, eq=False)
class Poll:
    """A waiting receive request. When messages come, *future* gets the result of *receive*."""

    future: asyncio.Future[Response]
    receive: Callable[[], Response]


class Queue:
    """One queue. *now* returns the sandbox's time in milliseconds since 1970; *created* and *modified* are seconds."""

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

    @property
    def visible(self) -> int:
        """How many messages a receive can return."""
        return sum(map(len, self._ready.values()))

    @property
    def invisible(self) -> int:
        """How many messages were received and are neither deleted nor visible again."""
        return len(self._in_flight)

    @property
    def delayed(self) -> int:
        """How many messages still wait for their DelaySeconds."""
        return len(self._delayed)

    def put(self, messages: Iterable[Message], delay: float = 0) -> None:
        """Add messages that become visible after *delay* seconds, and answer waiting polls."""
        until = self._now() + round(delay * 1000)
        for message in messages:
            self.sent += 1
            if delay > 0:
                heappush(self._delayed, (until, next(_SERIAL), message))
            else:
                self._show(message)
        self.serve_polls()

    def _show(self, message: Message) -> None:
        ready = self._ready.get(message.priority)
        if ready is None:
            self._ready[message.priority] = ready = deque()
            self._ready = dict(sorted(self._ready.items()))
        ready.append(message)

    def take(self, most: int, *, stale: bool = False, duplicate: bool = False) -> tuple[list[Message], int]:
        """Receive up to *most* messages: hide them under new handles, and return them with their NextVisibleTime.

        *stale*: they are visible again at once, so their handles are invalid. *duplicate*: a copy of one stays visible.
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
        content = b"%d-%d-2-%d" % (next(_SERIAL), until, message.priority)
        handle = message.handle = b"1-" + base64.b64encode(content)
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
        """The next messages, unchanged."""
        self._sweep(self._now())
        return [message for ready in self._ready.values() for message in list(ready)[:most]][:most]

    def delete(self, handle: bytes) -> str:
        """Delete a message by its newest handle. Return "", or the error code of an invalid handle."""
        if self._in_flight.pop(handle, None) is not None:
            self.deleted += 1
            return ""
        return self._error_code(handle)

    def show_again(self, handle: bytes) -> None:
        """Make a received message visible at once; its handle becomes invalid. An invalid handle changes nothing."""
        message = self._in_flight.pop(handle, None)
        if message is not None:
            self._show(message)

    def change(self, handle: bytes, seconds: int) -> tuple[bytes, int] | str:
        """Hide a message for *seconds* from now. Return its new handle and NextVisibleTime, or an error code."""
        message = self._in_flight.pop(handle, None)
        if message is None:
            return self._error_code(handle)
        until = self._now() + seconds * 1000
        self._hide(message, until)
        return message.handle, until

    @staticmethod
    def _error_code(handle: bytes) -> str:
        if not _HANDLE.fullmatch(handle):
            return "ReceiptHandleError"
        try:
            content = base64.b64decode(handle[2:], validate=True)
        except ValueError:
            return "ReceiptHandleError"
        return "MessageNotExist" if _HANDLE_CONTENT.fullmatch(content) else "ReceiptHandleError"

    def sweep(self) -> None:
        """Make the messages visible whose time has come."""
        self._sweep(self._now())

    def _sweep(self, now: int) -> None:
        while self._hidden_until and self._hidden_until[0][0] <= now:
            message = self._in_flight.pop(heappop(self._hidden_until)[1], None)
            if message is not None:
                self._show(message)
        while self._delayed and self._delayed[0][0] <= now:
            self._show(heappop(self._delayed)[2])

    def add_poll(self, poll: Poll) -> None:
        """Add a waiting receive request."""
        self.polls.append(poll)
        self._schedule()

    def remove_poll(self, poll: Poll) -> None:
        """Remove a waiting receive request, answered or not."""
        if poll in self.polls:
            self.polls.remove(poll)

    def serve_polls(self) -> None:
        """Answer waiting polls while there are messages; run again when the next message becomes visible."""
        if not self.polls:
            return
        self._sweep(self._now())
        while self.polls and self.visible:
            poll = self.polls.popleft()
            if not poll.future.done():
                poll.future.set_result(poll.receive())
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        times = [heap[0][0] for heap in (self._hidden_until, self._delayed) if heap]
        if self.polls and times:
            loop = self.polls[0].future.get_loop()
            self._timer = loop.call_later(max(0.0, (min(times) - self._now()) / 1000) + 0.001, self.serve_polls)
