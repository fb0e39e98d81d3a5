"""The queue service: MNS, version 2015-06-06, as its documentation describes it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import unquote

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.options import Options
from smsreceipt.sandbox.queues import xml as mnsxml
from smsreceipt.sandbox.queues.queue import Attributes, Message, Poll, Queue
from smsreceipt.sandbox.queues.xml import Refusal
from smsreceipt.sandbox.wire.admission import Admission
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.http import Answer, Request
from smsreceipt.sandbox.wire.signatures import Keyring, Token

BATCH = 16
_PATH = re.compile(r"/queues(?:/([^/]+)(/messages)?)?/?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,119}")
_OWNED = re.compile(r"Alicom-Queue-(\d+)-([A-Za-z]+)(?:-.*)?")

Reply = Answer | asyncio.Future[Answer]


class Mns:
    """All queues of one account, and the requests about them. Lives in one event loop."""

    def __init__(self, options: Options, clock: Clock, keys: Keyring, faults: Faults) -> None:
        self.queues: dict[str, Queue] = {}
        self.calls: Counter[str] = Counter()
        self._options = options
        self._clock = clock
        self._admission = Admission(clock, keys, faults)
        self._faults = faults
        self._polling = 0

    # -- queues

    def queue(self, name: str, kind: str | None = None) -> Queue:
        """The queue of that name, made if it is not there."""
        queue = self.queues.get(name)
        if queue is None:
            owned = _OWNED.fullmatch(name)
            attributes = Attributes(visibility=self._options.visibility)
            queue = Queue(name, kind or (owned[2] if owned else None), attributes, self._clock.ms)
            self.queues[name] = queue
        return queue

    def message(self, body: bytes, priority: int = 8) -> Message:
        """A message that enters now."""
        return Message(body, self._clock.ms(), priority)

    def _existing(self, name: str, token: Token | None) -> Queue:
        queue = self.queues.get(name)
        owned = _OWNED.fullmatch(name)
        kind = queue.kind if queue else owned[2] if owned else None
        if token is not None and not token.fits(name, kind):
            raise Refusal(403, "AccessDenied", "The OwnerId that your Access Key Id associated to is forbidden.")
        if queue is None:
            if owned and owned[1] != self._options.uid:
                raise Refusal(403, "AccessDenied", "The queue belongs to another account.")
            raise Refusal(404, "QueueNotExist", "The queue name you provided is not exist.")
        return queue

    # -- one request

    def respond(self, request: Request) -> Reply:
        """The answer, or the promise of one for a long poll."""
        host = request.headers.get(b"host", b"")
        try:
            token = self._admission.check(request)
            act, queue = action_of(request)
            return act(self, request, token, queue)
        except Refusal as refusal:
            return mnsxml.refused(refusal, host)

    # -- messages

    def receive(self, request: Request, token: Token | None, name: str) -> Reply:
        """Receive or peek, one or a batch; with a long poll where nothing is there yet."""
        queue = self._existing(name, token)
        query = arguments(request.query)
        most = number(query, "numofmessages", 1, BATCH)
        peek = query.get("peekonly") == "true"
        self.calls[f"{'Batch' if most else ''}{'Peek' if peek else 'Receive'}Message"] += 1
        if peek:
            found = [mnsxml.peeked(message) for message in queue.peek(most or 1)]
            return mnsxml.messages(found, batch=most is not None) if found else self._nothing(request)
        wait = number(query, "waitseconds", 0, 30)
        take = self._taker(queue, most)
        queue.sweep()
        if queue.visible:
            return take()
        seconds = queue.attributes.polling_wait if wait is None else wait
        if not seconds or self._polling >= self._options.long_polls:
            return self._nothing(request)
        return self._poll(queue, seconds, take, request)

    def _taker(self, queue: Queue, most: int | None) -> Callable[[], Answer]:
        stale = self._faults.hit("stale")
        duplicate = self._faults.hit("duplicate")

        def take() -> Answer:
            taken, until = queue.take(most or 1, stale=stale, duplicate=duplicate)
            if not taken:  # all that was left had outlived the retention period
                return mnsxml.refused(_NO_MESSAGE, b"")
            return mnsxml.messages([mnsxml.received(message, until) for message in taken], batch=most is not None)

        return take

    @staticmethod
    def _nothing(request: Request) -> Answer:
        return mnsxml.refused(_NO_MESSAGE, request.headers.get(b"host", b""))

    def _poll(self, queue: Queue, seconds: int, take: Callable[[], Answer], request: Request) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        poll = Poll(future, take)
        timer = loop.call_later(seconds, lambda: future.set_result(self._nothing(request)))
        self._polling += 1

        def over(_future: asyncio.Future[Answer]) -> None:
            self._polling -= 1
            timer.cancel()
            queue.forget(poll)

        future.add_done_callback(over)
        queue.wait(poll)
        return future

    def delete(self, request: Request, token: Token | None, name: str) -> Reply:
        """Delete one message by the handle in the query, or a batch by those in the body."""
        queue = self._existing(name, token)
        queue.sweep()
        if not request.body:
            return self._delete_one(queue, request)
        self.calls["BatchDeleteMessage"] += 1
        handles = mnsxml.handles(request.body)
        if not 1 <= len(handles) <= BATCH:
            raise Refusal(400, "InvalidArgument", f"The number of receipt handles must be between 1 and {BATCH}.")
        errors = [(handle, code) for handle in handles if (code := queue.delete(handle))]
        if not errors:
            return mnsxml.empty()
        inside = b"".join(mnsxml.undeleted(code, _DEAD[code], handle) for handle, code in errors)
        return mnsxml.xml(b"Errors", inside, 404)

    def _delete_one(self, queue: Queue, request: Request) -> Answer:
        self.calls["DeleteMessage"] += 1
        handle = arguments(request.query).get("receipthandle")
        if not handle:
            raise Refusal(400, "MissingReceiptHandle", "ReceiptHandle is required.")
        if code := queue.delete(handle.encode()):
            raise dead(code)
        return mnsxml.empty()

    def change_visibility(self, request: Request, token: Token | None, name: str) -> Reply:
        """Hide a received message for longer or shorter; the old handle dies."""
        queue = self._existing(name, token)
        queue.sweep()
        self.calls["ChangeMessageVisibility"] += 1
        query = arguments(request.query)
        handle = query.get("receipthandle")
        if not handle:
            raise Refusal(400, "MissingReceiptHandle", "ReceiptHandle is required.")
        seconds = number(query, "visibilitytimeout", 1, 43_200)
        if seconds is None:
            raise Refusal(400, "MissingVisibilityTimeout", "VisibilityTimeout is required.")
        changed = queue.change(handle.encode(), seconds)
        if isinstance(changed, str):
            raise dead(changed)
        inside = b"<ReceiptHandle>%b</ReceiptHandle><NextVisibleTime>%d</NextVisibleTime>" % changed
        queue.wake()
        return mnsxml.xml(b"ChangeVisibility", inside)

    def send(self, request: Request, token: Token | None, name: str) -> Reply:
        """Send one message or a batch. A token only reads."""
        if token is not None:
            raise Refusal(403, "AccessDenied", "The token may only receive and delete.")
        queue = self._existing(name, token)
        root = mnsxml.parsed(request.body, "Message", "Messages")
        batch = mnsxml.name_of(root) == "Messages"
        self.calls["BatchSendMessage" if batch else "SendMessage"] += 1
        items = [mnsxml.fields(element) for element in (root if batch else [root])]
        if not 1 <= len(items) <= BATCH:
            raise Refusal(400, "InvalidArgument", f"The number of messages must be between 1 and {BATCH}.")
        ready = [self._sendable(queue, item) for item in items]
        for message, delay in ready:
            queue.put([message], delay)
        return mnsxml.messages([mnsxml.sent(message) for message, _delay in ready], batch=batch, status=201)

    def _sendable(self, queue: Queue, item: Mapping[str, str]) -> tuple[Message, int]:
        body = item.get("MessageBody", "").encode()
        if not body:
            raise Refusal(400, "InvalidArgument", "MessageBody must not be empty.")
        if len(body) > queue.attributes.maximum_size:
            raise Refusal(400, "InvalidArgument", "The message is larger than MaximumMessageSize.")
        delay = number(item, "DelaySeconds", 0, 604_800)
        priority = number(item, "Priority", 1, 16)
        return self.message(body, priority or 8), queue.attributes.delay if delay is None else delay

    # -- queues

    def get_attributes(self, _request: Request, token: Token | None, name: str) -> Reply:
        """GetQueueAttributes."""
        self.calls["GetQueueAttributes"] += 1
        return mnsxml.xml(b"Queue", mnsxml.attributes(self._existing(name, token)))

    def put_queue(self, request: Request, token: Token | None, name: str) -> Reply:
        """CreateQueue, or SetQueueAttributes with metaoverride."""
        if token is not None:
            raise Refusal(403, "AccessDenied", "The token may only receive and delete.")
        wanted = mnsxml.fields(mnsxml.parsed(request.body, "Queue")) if request.body else {}
        if arguments(request.query).get("metaoverride") == "true":
            self.calls["SetQueueAttributes"] += 1
            queue = self._existing(name, token)
            queue.attributes = overridden(queue.attributes, wanted)
            queue.modified = self._clock.ms() // 1000
            return mnsxml.empty()
        return self._create(request, name, overridden(Attributes(), wanted))

    def _create(self, request: Request, name: str, attributes: Attributes) -> Answer:
        self.calls["CreateQueue"] += 1
        if not _NAME.fullmatch(name):
            raise Refusal(400, "InvalidQueueName", "A queue name has up to 120 letters, digits and hyphens.")
        location = (b"Location", b"http://%b/queues/%b" % (request.headers.get(b"host", b""), name.encode()))
        if name in self.queues:
            if self.queues[name].attributes != attributes:
                raise Refusal(409, "QueueAlreadyExist", "The queue already exists with other attributes.")
            return mnsxml.empty(204, (location,))
        self.queue(name).attributes = attributes
        return mnsxml.empty(201, (location,))

    def delete_queue(self, _request: Request, token: Token | None, name: str) -> Reply:
        """DeleteQueue, with everything in it."""
        if token is not None:
            raise Refusal(403, "AccessDenied", "The token may only receive and delete.")
        self.calls["DeleteQueue"] += 1
        self.queues.pop(name, None)
        return mnsxml.empty()

    def list_queues(self, request: Request, token: Token | None, _name: str) -> Reply:
        """ListQueue: by prefix, in pages, with attributes on request."""
        if token is not None:
            raise Refusal(403, "AccessDenied", "The token may only receive and delete.")
        self.calls["ListQueue"] += 1
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers.items()}
        most = number(headers, "x-mns-ret-number", 1, 1000) or 1000
        prefix, marker = headers.get("x-mns-prefix", ""), headers.get("x-mns-marker", "")
        names = sorted(name for name in self.queues if name.startswith(prefix) and name > marker)
        page, more = names[:most], len(names) > most
        inside = b"".join(self._listed(name, headers) for name in page)
        inside += mnsxml.elements([("NextMarker", page[-1])]) if more else b""
        return mnsxml.xml(b"Queues", inside)

    def _listed(self, name: str, headers: Mapping[str, str]) -> bytes:
        url = mnsxml.elements([("QueueURL", f"http://{headers.get('host', '')}/queues/{name}")])
        if headers.get("x-mns-with-meta") == "true":
            url += mnsxml.attributes(self.queues[name])
        return b"<Queue>%b</Queue>" % url


_NO_MESSAGE = Refusal(404, "MessageNotExist", "Message not exist.")
_DEAD = {
    "MessageNotExist": "The message you process does not exist.",
    "ReceiptHandleError": "The receipt handle you provided is not valid.",
}
_STATUS = {"MessageNotExist": 404, "ReceiptHandleError": 400}

Act = Callable[[Mns, Request, Token | None, str], Reply]
_ACTIONS: dict[str, Act] = {
    "GET messages": Mns.receive,
    "DELETE messages": Mns.delete,
    "PUT messages": Mns.change_visibility,
    "POST messages": Mns.send,
    "GET queue": Mns.get_attributes,
    "PUT queue": Mns.put_queue,
    "DELETE queue": Mns.delete_queue,
    "GET queues": Mns.list_queues,
}


def action_of(request: Request) -> tuple[Act, str]:
    """What is to be done, and the queue's name ("" for all of them). Raises Refusal (InvalidRequestURL)."""
    match = _PATH.fullmatch(request.path)
    level = "" if match is None else "messages" if match[2] else "queue" if match[1] else "queues"
    act = _ACTIONS.get(f"{request.method} {level}")
    if match is None or act is None:
        raise Refusal(400, "InvalidRequestURL", "Http request URL invalid.")
    return act, unquote(match[1] or "")


def dead(code: str) -> Refusal:
    """What a handle's error *code* is answered with."""
    return Refusal(_STATUS[code], code, _DEAD[code])


def arguments(query: str) -> dict[str, str]:
    """Query parameters by lower-case name (SDKs send both cases). A plus sign is one: handles hold some."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {name.lower(): unquote(value) if "%" in value else value for name, _equals, value in pairs}


def number(values: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """An integer within its bounds; None when it is not given. Raises Refusal (InvalidArgument)."""
    text = values.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise Refusal(400, "InvalidArgument", f"The value of {name} must be between {least} and {most}.")
    return int(text)


def overridden(attributes: Attributes, wanted: Mapping[str, str]) -> Attributes:
    """*attributes* with what *wanted* names. Raises Refusal (InvalidArgument)."""
    bounds = {
        "VisibilityTimeout": ("visibility", 1, 43_200),
        "MaximumMessageSize": ("maximum_size", 1024, 65_536),
        "MessageRetentionPeriod": ("retention", 60, 604_800),
        "DelaySeconds": ("delay", 0, 604_800),
        "PollingWaitSeconds": ("polling_wait", 0, 30),
    }
    given = {
        field: value
        for name, (field, least, most) in bounds.items()
        if (value := number(wanted, name, least, most)) is not None
    }
    logging = wanted.get("LoggingEnabled", str(attributes.logging)).lower() == "true"
    return replace(attributes, logging=logging, **given)
