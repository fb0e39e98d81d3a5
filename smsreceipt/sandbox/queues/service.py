"""The queue service: MNS, version 2015-06-06, as its documentation describes it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.options import Options
from smsreceipt.sandbox.queues import xml
from smsreceipt.sandbox.queues.parameters import changed, integer, query_parameters
from smsreceipt.sandbox.queues.queue import Attributes, Message, Poll, Queue
from smsreceipt.sandbox.wire import mns
from smsreceipt.sandbox.wire.admission import Admission
from smsreceipt.sandbox.wire.credentials import Keyring, Token
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.http import Request, Response
from smsreceipt.sandbox.wire.mns import Refusal

MAX_BATCH = 16
_PATH = re.compile(r"/queues(?:/([^/]+)(/messages)?)?/?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,119}")
_ACCOUNT_QUEUE = re.compile(r"Alicom-Queue-(\d+)-([A-Za-z]+)(?:-.*)?")  # account uid, message type

Result = Response | asyncio.Future[Response]


class QueueService:
    """All queues of one account, and the requests about them. Not thread-safe: belongs to one event loop."""

    def __init__(self, options: Options, clock: Clock, keys: Keyring, faults: Faults) -> None:
        self.queues: dict[str, Queue] = {}
        self.calls: Counter[str] = Counter()
        self._options = options
        self._clock = clock
        self._admission = Admission(clock, keys, faults)
        self._faults = faults
        self._polling = 0
        self._logging_bucket = ""

    def queue(self, name: str, kind: str | None = None) -> Queue:
        """The queue of that name, created if it does not exist."""
        queue = self.queues.get(name)
        if queue is None:
            match = _ACCOUNT_QUEUE.fullmatch(name)
            attributes = Attributes(visibility=self._options.visibility)
            queue = Queue(name, kind or (match[2] if match else None), attributes, self._clock.ms)
            self.queues[name] = queue
        return queue

    def message(self, body: bytes, priority: int = 8, properties_xml: bytes = b"") -> Message:
        """A message with the current time as its EnqueueTime."""
        return Message(body, self._clock.ms(), priority, properties_xml)

    def respond(self, request: Request) -> Result:
        """The response, or a future of it for a long poll."""
        try:
            token = self._admission.check(request)
            action, queue = _action_of(request)
            return action(self, request, token, queue)
        except Refusal as refusal:
            return mns.refused(refusal, request)

    def _existing(self, name: str, token: Token | None) -> Queue:
        queue = self.queues.get(name)
        match = _ACCOUNT_QUEUE.fullmatch(name)
        kind = queue.kind if queue else match[2] if match else None
        if token is not None and not token.permits(name, kind):
            raise Refusal(403, "AccessDenied", "The OwnerId that your Access Key Id associated to is forbidden.")
        if queue is None:
            if match and match[1] != self._options.uid:
                raise Refusal(403, "AccessDenied", "The queue belongs to another account.")
            raise Refusal(404, "QueueNotExist", "The queue name you provided is not exist.")
        return queue

    def receive(self, request: Request, token: Token | None, name: str) -> Result:
        """Receive or peek one message or a batch; wait for messages where the queue is empty (long poll)."""
        queue = self._existing(name, token)
        query = query_parameters(request.query)
        most = integer(query, "numofmessages", 1, MAX_BATCH)
        peek = query.get("peekonly") == "true"
        self.calls[f"{'Batch' if most else ''}{'Peek' if peek else 'Receive'}Message"] += 1
        if peek:
            found = [xml.peeked(message) for message in queue.peek(most or 1)]
            return xml.messages(found, batch=most is not None) if found else mns.refused(_NO_MESSAGE, request)
        wait = integer(query, "waitseconds", 0, 30)
        take = self._taker(request, queue, most)
        queue.sweep()
        if queue.visible:
            return take()
        seconds = queue.attributes.polling_wait if wait is None else wait
        if not seconds or self._polling >= self._options.long_polls:
            return mns.refused(_NO_MESSAGE, request)
        return self._poll(request, queue, seconds, take)

    def _taker(self, request: Request, queue: Queue, most: int | None) -> Callable[[], Response]:
        stale = self._faults.hit("stale")
        duplicate = self._faults.hit("duplicate")

        def take() -> Response:
            taken, next_visible = queue.take(most or 1, stale=stale, duplicate=duplicate)
            if not taken:  # every message has exceeded the retention period
                return mns.refused(_NO_MESSAGE, request)
            return xml.messages([xml.received(message, next_visible) for message in taken], batch=most is not None)

        return take

    def _poll(
        self, request: Request, queue: Queue, seconds: int, take: Callable[[], Response]
    ) -> asyncio.Future[Response]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Response] = loop.create_future()
        poll = Poll(future, take)

        def over() -> None:
            if not future.done():  # its client may have gone just now
                future.set_result(mns.refused(_NO_MESSAGE, request))

        timer = loop.call_later(seconds, over)
        self._polling += 1

        def done(_future: asyncio.Future[Response]) -> None:
            self._polling -= 1
            timer.cancel()
            queue.remove_poll(poll)

        future.add_done_callback(done)
        queue.add_poll(poll)
        return future

    def delete(self, request: Request, token: Token | None, name: str) -> Result:
        """Delete one message by the handle in the query, or a batch by the handles in the body."""
        queue = self._existing(name, token)
        queue.sweep()
        if not request.body:
            return self._delete_one(queue, request)
        self.calls["BatchDeleteMessage"] += 1
        handles = xml.handles(request.body)
        if not 1 <= len(handles) <= MAX_BATCH:
            raise Refusal(400, "InvalidArgument", f"The number of receipt handles must be between 1 and {MAX_BATCH}.")
        if self._faults.hit("undelete"):
            return self._undelete(queue, handles)
        errors = [(handle, code) for handle in handles if (code := queue.delete(handle))]
        if not errors:
            return mns.empty()
        content = b"".join(xml.delete_error(code, _HANDLE_ERRORS[code][1], handle) for handle, code in errors)
        return mns.xml(b"Errors", content, 404)

    def _delete_one(self, queue: Queue, request: Request) -> Response:
        self.calls["DeleteMessage"] += 1
        handle = query_parameters(request.query).get("receipthandle")
        if not handle:
            raise Refusal(400, "MissingReceiptHandle", "ReceiptHandle is required.")
        if self._faults.hit("undelete"):
            return self._undelete(queue, [handle.encode()])
        if code := queue.delete(handle.encode()):
            raise _handle_refusal(code)
        return mns.empty()

    @staticmethod
    def _undelete(queue: Queue, handles: Iterable[bytes]) -> Response:
        """Accept a delete, and make its messages visible again."""
        for handle in handles:
            queue.show_again(handle)
        queue.serve_polls()
        return mns.empty()

    def change_visibility(self, request: Request, token: Token | None, name: str) -> Result:
        """Set for how long a received message stays hidden; its old handle becomes invalid."""
        queue = self._existing(name, token)
        queue.sweep()
        self.calls["ChangeMessageVisibility"] += 1
        query = query_parameters(request.query)
        handle = query.get("receipthandle")
        if not handle:
            raise Refusal(400, "MissingReceiptHandle", "ReceiptHandle is required.")
        seconds = integer(query, "visibilitytimeout", 1, 43_200)
        if seconds is None:
            raise Refusal(400, "MissingVisibilityTimeout", "VisibilityTimeout is required.")
        result = queue.change(handle.encode(), seconds)
        if isinstance(result, str):
            raise _handle_refusal(result)
        queue.serve_polls()
        content = b"<ReceiptHandle>%b</ReceiptHandle><NextVisibleTime>%d</NextVisibleTime>" % result
        return mns.xml(b"ChangeVisibility", content)

    def send(self, request: Request, token: Token | None, name: str) -> Result:
        """Send one message or a batch. A token does not permit it."""
        _refuse_token(token)
        queue = self._existing(name, token)
        root = mns.parsed(request.body, "Message", "Messages")
        batch = mns.local_name(root) == "Messages"
        self.calls["BatchSendMessage" if batch else "SendMessage"] += 1
        items = list(root) if batch else [root]
        if not 1 <= len(items) <= MAX_BATCH:
            raise Refusal(400, "InvalidArgument", f"The number of messages must be between 1 and {MAX_BATCH}.")
        ready = [self._sendable(queue, item) for item in items]
        for message, delay in ready:
            queue.put([message], delay)
        return xml.messages([xml.sent(message) for message, _delay in ready], batch=batch, status=201)

    def _sendable(self, queue: Queue, sent: ET.Element) -> tuple[Message, int]:
        item = mns.child_texts(sent)
        body = item.get("MessageBody", "").encode()
        if not body:
            raise Refusal(400, "InvalidArgument", "MessageBody must not be empty.")
        if len(body) > queue.attributes.maximum_size:
            raise Refusal(400, "InvalidArgument", "The message is larger than MaximumMessageSize.")
        delay = integer(item, "DelaySeconds", 0, 604_800)
        priority = integer(item, "Priority", 1, 16)
        return self.message(
            body, priority or 8, xml.properties(sent)
        ), queue.attributes.delay if delay is None else delay

    def get_attributes(self, _request: Request, token: Token | None, name: str) -> Result:
        """GetQueueAttributes."""
        self.calls["GetQueueAttributes"] += 1
        return mns.xml(b"Queue", xml.attributes(self._existing(name, token)))

    def put_queue(self, request: Request, token: Token | None, name: str) -> Result:
        """CreateQueue, or SetQueueAttributes with metaoverride."""
        _refuse_token(token)
        changes = mns.child_texts(mns.parsed(request.body, "Queue")) if request.body else {}
        if query_parameters(request.query).get("metaoverride") == "true":
            self.calls["SetQueueAttributes"] += 1
            queue = self._existing(name, token)
            queue.attributes = changed(queue.attributes, changes)
            queue.modified = self._clock.ms() // 1000
            return mns.empty()
        return self._create(request, name, changed(Attributes(), changes))

    def _create(self, request: Request, name: str, attributes: Attributes) -> Response:
        self.calls["CreateQueue"] += 1
        if not _NAME.fullmatch(name):
            raise Refusal(400, "InvalidQueueName", "A queue name has up to 120 letters, digits and hyphens.")
        location = (b"Location", b"http://%b/queues/%b" % (request.headers.get(b"host", b""), name.encode()))
        if name in self.queues:
            if self.queues[name].attributes != attributes:
                raise Refusal(409, "QueueAlreadyExist", "The queue already exists with other attributes.")
            return mns.empty(204, (location,))
        self.queue(name).attributes = attributes
        return mns.empty(201, (location,))

    def delete_queue(self, _request: Request, token: Token | None, name: str) -> Result:
        """DeleteQueue, with every message in it."""
        _refuse_token(token)
        self.calls["DeleteQueue"] += 1
        self.queues.pop(name, None)
        return mns.empty()

    def get_account(self, _request: Request, token: Token | None, _name: str) -> Result:
        """GetAccountAttributes: the bucket for the logs of the service."""
        _refuse_token(token)
        self.calls["GetAccountAttributes"] += 1
        return mns.xml(b"Account", xml.elements([("LoggingBucket", self._logging_bucket)]))

    def put_account(self, request: Request, token: Token | None, _name: str) -> Result:
        """SetAccountAttributes."""
        _refuse_token(token)
        self.calls["SetAccountAttributes"] += 1
        changes = mns.child_texts(mns.parsed(request.body, "Account"))
        self._logging_bucket = changes.get("LoggingBucket", self._logging_bucket)
        return mns.empty()

    def list_queues(self, request: Request, token: Token | None, _name: str) -> Result:
        """ListQueue: by prefix, in pages, with attributes on request."""
        _refuse_token(token)
        self.calls["ListQueue"] += 1
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers.items()}
        most = integer(headers, "x-mns-ret-number", 1, 1000) or 1000
        prefix, marker = headers.get("x-mns-prefix", ""), headers.get("x-mns-marker", "")
        names = sorted(name for name in self.queues if name.startswith(prefix) and name > marker)
        page, more = names[:most], len(names) > most
        content = b"".join(self._listed(name, headers) for name in page)
        content += xml.elements([("NextMarker", page[-1])]) if more else b""
        return mns.xml(b"Queues", content)

    def _listed(self, name: str, headers: Mapping[str, str]) -> bytes:
        content = xml.elements([("QueueURL", f"http://{headers.get('host', '')}/queues/{name}")])
        if headers.get("x-mns-with-meta") == "true":
            content += xml.attributes(self.queues[name])
        return b"<Queue>%b</Queue>" % content


_NO_MESSAGE = Refusal(404, "MessageNotExist", "Message not exist.")
_HANDLE_ERRORS = {
    "MessageNotExist": (404, "The message you process does not exist."),
    "ReceiptHandleError": (400, "The receipt handle you provided is not valid."),
}

Action = Callable[[QueueService, Request, Token | None, str], Result]
_ACTIONS: dict[str, Action] = {
    "GET messages": QueueService.receive,
    "DELETE messages": QueueService.delete,
    "PUT messages": QueueService.change_visibility,
    "POST messages": QueueService.send,
    "GET queue": QueueService.get_attributes,
    "PUT queue": QueueService.put_queue,
    "DELETE queue": QueueService.delete_queue,
    "GET queues": QueueService.list_queues,
    "GET account": QueueService.get_account,
    "PUT account": QueueService.put_account,
}


def about_account(request: Request) -> bool:
    """Whether a request without a path is about the account's queue service, not for the RPC services."""
    return request.path == "/" and query_parameters(request.query).get("accountmeta") == "true"


def _action_of(request: Request) -> tuple[Action, str]:
    """The action, and the queue's name ("" for ListQueue). Raises Refusal (InvalidRequestURL)."""
    if about_account(request) and (action := _ACTIONS.get(f"{request.method} account")):
        return action, ""
    match = _PATH.fullmatch(request.path)
    level = "" if match is None else "messages" if match[2] else "queue" if match[1] else "queues"
    action = _ACTIONS.get(f"{request.method} {level}")
    if match is None or action is None:
        raise Refusal(400, "InvalidRequestURL", "Http request URL invalid.")
    return action, unquote(match[1] or "")


def _handle_refusal(code: str) -> Refusal:
    status, message = _HANDLE_ERRORS[code]
    return Refusal(status, code, message)


def _refuse_token(token: Token | None) -> None:
    if token is not None:
        raise Refusal(403, "AccessDenied", "The token may only receive and delete.")
