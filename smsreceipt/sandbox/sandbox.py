"""The whole provider on loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Self, TypeVar

from smsreceipt.errors import UsageError
from smsreceipt.language import _, of_system
from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.options import KINDS, Options
from smsreceipt.sandbox.push import console
from smsreceipt.sandbox.push.pusher import Pusher
from smsreceipt.sandbox.queues.queue import Queue
from smsreceipt.sandbox.queues.service import QueueService, about_account
from smsreceipt.sandbox.recordings.actions import Recordings
from smsreceipt.sandbox.recordings.objects import PATH as RECORDING_PATH
from smsreceipt.sandbox.recordings.objects import ObjectStore
from smsreceipt.sandbox.sends import PastSend, Send
from smsreceipt.sandbox.sms.actions import Sms
from smsreceipt.sandbox.sms.record import Sends
from smsreceipt.sandbox.sms.tokens import Tokens
from smsreceipt.sandbox.traffic.generator import generate
from smsreceipt.sandbox.traffic.load import read_lines
from smsreceipt.sandbox.wire.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, Keyring
from smsreceipt.sandbox.wire.faults import Faults, RequestFaults, apply_cut
from smsreceipt.sandbox.wire.http import Request, Response
from smsreceipt.sandbox.wire.rates import LIMITS, Rates, rpc_action
from smsreceipt.sandbox.wire.receipts import queue_body
from smsreceipt.sandbox.wire.rpc import Rpc, json_response
from smsreceipt.sandbox.wire.server import Connection

T = TypeVar("T")

HOST = "127.0.0.1"
#: Of each queue and in total. sent + duplicated = queued + invisible + deleted + expired; polling: waiting receives.
COUNTERS = ("sent", "duplicated", "queued", "invisible", "deleted", "expired", "polling")


class Sandbox:
    """The queue service, the token service and the SMS service on one loopback port, and pushes to a callback URL.

    Every method but start and stop can be called from any thread, while the sandbox runs and while it is stopped.
    All data is in memory and is lost with the object.
    """

    def __init__(self, options: Options = Options()) -> None:  # noqa: B008 - frozen
        self._options = options
        self._clock = Clock(options.skew)
        self._keys = Keyring(self._clock, options.token_life)
        self._faults = Faults(options.faults, options.seed)
        self._queues = QueueService(options, self._clock, self._keys, self._faults)
        self._pusher = Pusher(options, self._clock, self._faults)
        self._sends = Sends(self._clock, options.seed, options.report_delay)
        self._sms = Sms(self._clock, self._faults, self._sends, self._deliver)
        self._objects = ObjectStore(self._clock, self._faults)
        self._recordings = Recordings(self._clock, self._objects, lambda: self.url)
        actions = {**Tokens(self._keys).actions, **self._sms.actions, **self._recordings.actions}
        self._rpc = Rpc(self._clock, self._keys, actions)
        self._request_faults = RequestFaults(self._faults)
        limits = LIMITS if options.qps_limit is None else {**LIMITS, "QuerySendDetails": options.qps_limit}
        self._rates = Rates(limits)
        self._lock = threading.Lock()  # one caller at a time from outside the loop's thread
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped = asyncio.Event()
        self._connections: set[Connection] = set()
        self._port = options.port
        self._fill()

    def _fill(self) -> None:
        options = self._options
        for kind in KINDS:
            self._queues.queue(options.queue_of(kind), kind)
        for path in options.load:
            for line in read_lines(path):
                if isinstance(line, PastSend):
                    self._sends.add_past(line)
                else:
                    body = line.body.encode() if isinstance(line.body, str) else queue_body(line.body)
                    self._route(line.queue or options.queue_of(line.kind), line.kind or None, [(body, line.body)])
        for message in generate(options.seed, options.generate, options.poison):
            self._route(options.queue_of(message.kind), message.kind, [(message.text.encode(), message.receipt)])
            if message.receipt and "record_url" in message.receipt:  # a link of nobody: the action gives a good one
                self._call(partial(self._recordings.notice, message.receipt))

    def start(self) -> None:
        """Listen; return when requests are answered. After stop, listen on the same port with the same messages.

        Raises UsageError when the port is not available.
        """
        ready: Future[int] = Future()
        thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),), name="sandbox", daemon=True)
        with self._lock:
            thread.start()
            try:
                self._port = ready.result()
            except OSError as error:
                thread.join()
                hint = _("Choose another with --port, or 0 for any free one.")
                raise UsageError(
                    _("port {port} cannot be had: {reason}", port=self._port, reason=of_system(error)), hint=hint
                ) from error
            self._thread = thread

    async def _serve(self, ready: Future[int]) -> None:
        loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        try:
            server = await loop.create_server(self._connection, HOST, self._port, backlog=512)
        except OSError as error:
            ready.set_exception(error)
            return
        self._loop = loop
        self._pusher.open()
        ready.set_result(server.sockets[0].getsockname()[1])
        await self._stopped.wait()
        await self._pusher.close()
        # A server that is closed while it accepts a connection leaks the socket, so finish the accepting first.
        while accepting := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(accepting)
        server.close()
        while self._connections:
            for connection in self._connections:
                connection.abort()
            await asyncio.sleep(0)

    def _connection(self) -> Connection:
        return Connection(self._respond, self._clock, self._options.latency / 1000, self._connections)

    def stop(self) -> None:
        """Close the port and every connection. Messages are kept for the next start. Can be called repeatedly."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            if loop is not None and thread is not None:
                loop.call_soon_threadsafe(self._stopped.set)
                thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The URL of all services."""
        return f"http://{HOST}:{self._port}"

    def environment(self) -> dict[str, str]:
        """Environment variables for a client: endpoints, access key, and a store apart from real data."""
        return {
            "SMSRECEIPT_MNS_ENDPOINT": self.url,
            "SMSRECEIPT_DYBASEAPI_ENDPOINT": self.url,
            "SMSRECEIPT_DYSMSAPI_ENDPOINT": self.url,
            "SMSRECEIPT_DYPLSAPI_ENDPOINT": self.url,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ACCESS_KEY_SECRET,
            "SMSRECEIPT_STORE": "./sandbox.db",
        }

    def put(self, queue: str, *bodies: str | bytes) -> None:
        """Queue message texts exactly as given, also what XML cannot carry. A new name creates a queue."""
        messages = [
            self._queues.message(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
            for body in bodies
        ]
        self._call(lambda: self._queues.queue(queue).put(messages))

    def put_object(self, queue_or_kind: str, *objects: Mapping[str, object]) -> None:
        """Queue receipts as the service does: compact UTF-8 JSON in base64. A kind means its default queue.

        With a callback URL they are pushed too, according to the route.
        """
        known = queue_or_kind in self._queues.queues or queue_or_kind.startswith("Alicom-Queue-")
        queue = queue_or_kind if known else self._options.queue_of(queue_or_kind)
        kind = None if known else queue_or_kind
        self._route(queue, kind, [(queue_body(each), each) for each in objects])

    def remember(self, sends: Iterable[PastSend]) -> None:
        """Record sends of the past: queries find them, and they have no receipts."""
        past = list(sends)

        def record() -> None:
            for send in past:
                self._sends.add_past(send)

        self._call(record)

    def record(
        self, pool_key: str, call_id: str, called_at: float, content: bytes | None = None, *,
        link_life: float = 604_800, in_parts: bool = False,
    ) -> str:  # fmt: skip
        """Record a call of *called_at*, seconds since 1970; the link to it, good for so many seconds.

        Without *content* it is made up. *in_parts*: its file has no MD5, as if it was uploaded in parts. A
        SecretRecording that is queued records its call too.
        """

        def add() -> str:
            self._recordings.add(pool_key, call_id, called_at, content, in_parts=in_parts)
            return self._recordings.link(pool_key, call_id, link_life)

        return self._call(add)

    def _deliver(self, send: Send) -> None:
        receipt = send.receipt()
        queue = self._options.queue_of(send.kind)
        self._route(queue, send.kind, [(queue_body(receipt), receipt)], self._options.report_delay)

    def _route(self, name: str, kind: str | None, receipts: Sequence[tuple[bytes, object]], delay: float = 0.0) -> None:
        """Queue and push receipts, each given as message text and as an object, after *delay* seconds."""
        ready = [(self._queues.message(text), receipt) for text, receipt in receipts]

        def route() -> None:
            queue = self._queues.queue(name, kind)
            if queue.kind == "SecretRecording":
                for _message, receipt in ready:
                    self._recordings.notice(receipt)
            routes = [(message, receipt, *self._pusher.routes(queue.kind, receipt)) for message, receipt in ready]
            queue.put([message for message, _receipt, queued, _pushed in routes if queued], delay)
            for _message, receipt, _queued, pushed in routes:
                if pushed and isinstance(receipt, dict):
                    self._pusher.add(queue.kind or "", receipt, delay)

        self._call(route)

    def state(self) -> dict[str, object]:
        """The counters of GET /_sandbox/state. Always sent + duplicated = queued + invisible + deleted + expired."""
        return self._call(self._state)

    def _state(self) -> dict[str, object]:
        queues = {name: _counters(queue) for name, queue in sorted(self._queues.queues.items())}
        totals = {name: sum(each[name] for each in queues.values()) for name in COUNTERS}
        return {
            **totals,
            **self._pusher.state(),
            "lost": self._sms.lost,
            "calls": dict(sorted((self._queues.calls + self._rpc.calls).items())),
            "peaks": dict(sorted(self._rates.peaks.items())),
            "queues": queues,
        }

    def call_times(self, action: str) -> tuple[float, ...]:
        """When an RPC action was called, also without success, in seconds of the host's monotonic clock."""
        return self._call(lambda: self._rates.times(action))

    def advance(self, seconds: float) -> None:
        """Move the clock forward: tokens age, hidden messages and delayed messages become visible."""
        self._set_clock(self._clock.offset + seconds)

    @property
    def skew(self) -> float:
        """Seconds that the sandbox's clock is ahead of the host's. Setting it moves the clock."""
        return self._clock.offset

    @skew.setter
    def skew(self, seconds: float) -> None:
        self._set_clock(seconds)

    def _set_clock(self, offset: float) -> None:
        def move() -> None:
            self._clock.offset = offset
            for queue in self._queues.queues.values():
                queue.serve_polls()
            self._pusher.run()

        self._call(move)

    def _call(self, act: Callable[[], T]) -> T:
        """Run *act* in the loop's thread, between two requests; while the sandbox is stopped, in this thread."""
        if threading.current_thread() is self._thread:
            return act()
        with self._lock:
            if self._loop is None:
                return act()
            done: Future[T] = Future()
            self._loop.call_soon_threadsafe(_complete, done, act)
            return done.result()

    def _respond(self, request: Request) -> Response | asyncio.Future[Response]:
        path = request.path
        if path == "/_sandbox/state":
            return json_response(200, self._state())
        if path == console.PATH:
            return console.respond(request, self._options.push, self._clock)
        if path.startswith(RECORDING_PATH):
            return self._objects.respond(request)
        queues = path != "/" or about_account(request)
        too_often = not queues and not self._rates.arrived(rpc_action(request))
        refusal = self._request_faults.intercept(request, queues)
        if refusal is not None:
            return refusal
        if too_often:
            return self._request_faults.throttled(request, queues)
        cut = self._request_faults.cut()
        result = self._queues.respond(request) if queues else self._rpc.respond(request)
        if isinstance(result, Response):
            apply_cut(result, cut)
        elif cut is not None:
            result.add_done_callback(lambda future: None if future.cancelled() else apply_cut(future.result(), cut))
        return result


def _complete(done: Future[T], act: Callable[[], T]) -> None:
    try:
        done.set_result(act())
    except Exception as error:  # noqa: BLE001 - raised again in the thread that waits for it
        done.set_exception(error)


def _counters(queue: Queue) -> dict[str, int]:
    queue.sweep()
    return {
        "sent": queue.sent,
        "duplicated": queue.duplicated,
        "queued": queue.visible + queue.delayed,
        "invisible": queue.invisible,
        "deleted": queue.deleted,
        "expired": queue.expired,
        "polling": len(queue.polls),
    }
