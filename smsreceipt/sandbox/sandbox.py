"""The provider, whole, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Self, TypeVar

from smsreceipt.errors import UsageError
from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.options import KINDS, Options
from smsreceipt.sandbox.push.pusher import Pusher
from smsreceipt.sandbox.queues.queue import Queue
from smsreceipt.sandbox.queues.service import Mns
from smsreceipt.sandbox.sms.actions import Sms
from smsreceipt.sandbox.sms.sends import PastSend, Send, Sends
from smsreceipt.sandbox.traffic.generator import generate
from smsreceipt.sandbox.traffic.load import encoded, lines_of
from smsreceipt.sandbox.wire import rpc
from smsreceipt.sandbox.wire import signatures as auth
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.http import Answer, Request
from smsreceipt.sandbox.wire.rates import CAPS, Rates, action_of
from smsreceipt.sandbox.wire.request_faults import Trouble, cut_short
from smsreceipt.sandbox.wire.rpc import Rpc
from smsreceipt.sandbox.wire.server import Connection
from smsreceipt.sandbox.wire.signatures import Keyring

T = TypeVar("T")

HOST = "127.0.0.1"
#: of a queue, and in total: sent + duplicated = queued + invisible + deleted + expired; polling: receives that wait
COUNTERS = ("sent", "duplicated", "queued", "invisible", "deleted", "expired", "polling")


class Sandbox:
    """MNS, the token desk and the SMS service on one loopback port; and pushes, where there is a callback URL.

    Every method but start and stop may be called from any thread, before and while it runs; what it holds is in
    memory and gone with it.
    """

    def __init__(self, options: Options = Options()) -> None:  # noqa: B008 - frozen
        self._options = options
        self._clock = Clock(options.skew)
        self._keys = Keyring(self._clock, options.token_life)
        self._faults = Faults(options.faults, options.seed)
        self._mns = Mns(options, self._clock, self._keys, self._faults)
        self._pusher = Pusher(options, self._clock, self._faults)
        self._sends = Sends(self._clock, options.seed, options.report_delay)
        self._sms = Sms(self._clock, self._keys, self._faults, self._sends, self._deliver)
        self._rpc = Rpc(self._clock, self._keys, self._sms)
        self._trouble = Trouble(self._faults)
        self._rates = Rates(CAPS if options.qps_limit is None else {**CAPS, "QuerySendDetails": options.qps_limit})
        self._gate = threading.Lock()  # who is not the loop's thread comes one by one
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped = asyncio.Event()
        self._connections: set[Connection] = set()
        self._port = options.port
        for kind in KINDS:
            self._mns.queue(options.queue_of(kind), kind)
        for path in options.load:
            for line in lines_of(path):
                if isinstance(line, PastSend):
                    self._sends.remember(line)
                else:
                    text = line.body.encode() if isinstance(line.body, str) else encoded(line.body)
                    self._hand(line.queue or options.queue_of(line.kind), line.kind or None, [(text, line.body)])
        for message in generate(options.seed, options.generate, options.poison):
            self._hand(options.queue_of(message.kind), message.kind, [(message.text.encode(), message.receipt)])

    # -- life

    def start(self) -> None:
        """Listen; returns when requests are answered. After a stop: on the same port, with the same messages.

        Raises UsageError when the port is taken.
        """
        ready: Future[int] = Future()
        thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),), name="sandbox", daemon=True)
        with self._gate:
            thread.start()
            try:
                self._port = ready.result()
            except OSError as error:
                thread.join()
                hint = "Choose another with --port, or 0 for any free one."
                raise UsageError(f"port {self._port} cannot be had: {error.strerror}", hint=hint) from error
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
        # A server that is closed while it accepts leaks the socket: let the half-accepted in, then close all.
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
        """Close the port and every connection; idempotent. The messages stay until the sandbox is started again."""
        with self._gate:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            if loop is not None and thread is not None:
                loop.call_soon_threadsafe(self._stopped.set)
                thread.join()

    def join(self) -> None:
        """Wait until somebody stops it."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._port}"

    def environment(self) -> dict[str, str]:
        """What a client needs in its environment to talk to this sandbox and to keep its play apart from real data."""
        return {
            "SMSRECEIPT_MNS_ENDPOINT": self.url,
            "SMSRECEIPT_DYBASEAPI_ENDPOINT": self.url,
            "SMSRECEIPT_DYSMSAPI_ENDPOINT": self.url,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": auth.ACCESS_KEY_ID,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": auth.ACCESS_KEY_SECRET,
            "SMSRECEIPT_STORE": "./sandbox.db",
        }

    # -- the provider's own hands

    def put(self, queue: str, *bodies: str | bytes) -> None:
        """Queue raw message texts, exactly as given (even what XML cannot carry); a new name makes a new queue."""
        self._put(queue, None, bodies)

    def put_object(self, queue_or_kind: str, *objects: Mapping[str, object]) -> None:
        """Queue receipts as the service does: compact UTF-8 JSON in base64. A kind means its default queue."""
        known = queue_or_kind in self._mns.queues or queue_or_kind.startswith("Alicom-Queue-")
        queue = queue_or_kind if known else self._options.queue_of(queue_or_kind)
        kind = None if known else queue_or_kind
        self._hand(queue, kind, [(encoded(each), each) for each in objects])

    def remember(self, sends: Iterable[PastSend]) -> None:
        """Put sends of the past into the provider's record: they can be queried, and bring no receipts."""
        past = list(sends)
        self._call(lambda: self._sends.remember(*past))

    def _put(self, queue: str, kind: str | None, bodies: Iterable[str | bytes]) -> None:
        ready = [
            self._mns.message(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
            for body in bodies
        ]
        self._call(lambda: self._mns.queue(queue, kind).put(ready))

    def _deliver(self, send: Send) -> None:
        receipt = send.receipt()
        queue = self._options.queue_of("SmsReport")
        self._hand(queue, "SmsReport", [(encoded(receipt), receipt)], self._options.report_delay)

    def _hand(self, name: str, kind: str | None, receipts: Sequence[tuple[bytes, object]], delay: float = 0.0) -> None:
        """Let receipts, each as message text and as an object, go their way or ways."""
        ready = [(self._mns.message(text), receipt) for text, receipt in receipts]

        def hand() -> None:
            queue = self._mns.queue(name, kind)
            ways = [(message, receipt, *self._pusher.ways(queue.kind, receipt)) for message, receipt in ready]
            queue.put([message for message, _receipt, queued, _pushed in ways if queued], delay)
            for _message, receipt, _queued, pushed in ways:
                if pushed and isinstance(receipt, dict):
                    self._pusher.take(queue.kind or "", receipt, delay)

        self._call(hand)

    # -- looking in, and time

    def state(self) -> dict[str, object]:
        """What GET /_sandbox/state shows: sent + duplicated = queued + invisible + deleted + expired, always."""
        return self._call(self._state)

    def _state(self) -> dict[str, object]:
        queues = {name: counters(queue) for name, queue in sorted(self._mns.queues.items())}
        totals = {name: sum(each[name] for each in queues.values()) for name in COUNTERS}
        return {
            **totals,
            **self._pusher.state(),
            "lost": self._sms.lost,
            "calls": dict(sorted((self._mns.calls + self._rpc.calls).items())),
            "peaks": dict(sorted(self._rates.peaks.items())),
            "queues": queues,
        }

    def call_times(self, action: str) -> tuple[float, ...]:
        """When an RPC action was called, whatever became of it, in seconds of the host's monotonic clock."""
        return self._call(lambda: self._rates.times(action))

    def advance(self, seconds: float) -> None:
        """Move the clock: tokens age, hidden messages come back, delayed ones appear."""
        self._move(self._clock.offset + seconds)

    @property
    def skew(self) -> float:
        """How many seconds the sandbox's clock is ahead of the host's. Setting it moves the clock."""
        return self._clock.offset

    @skew.setter
    def skew(self, seconds: float) -> None:
        self._move(seconds)

    def _move(self, offset: float) -> None:
        def move() -> None:
            self._clock.offset = offset
            for queue in self._mns.queues.values():
                queue.wake()
            self._pusher.wake()

        self._call(move)

    def _call(self, act: Callable[[], T]) -> T:
        """Act between two requests, or right here while nobody listens."""
        if threading.current_thread() is self._thread:
            return act()
        with self._gate:
            if self._loop is None:
                return act()
            done: Future[T] = Future()
            self._loop.call_soon_threadsafe(settle, done, act)
            return done.result()

    # -- one request

    def _respond(self, request: Request) -> Answer | asyncio.Future[Answer]:
        path = request.path
        if path == "/_sandbox/state":
            return rpc.answer(200, self._state())
        queues = path != "/"
        too_often = not queues and not self._rates.arrived(action_of(request))
        refusal = self._trouble.meet(request, queues)
        if refusal is not None:
            return refusal
        if too_often:
            return self._trouble.throttled(request, queues)
        cut = self._trouble.cut()
        result = self._mns.respond(request) if queues else self._rpc.respond(request)
        if isinstance(result, Answer):
            cut_short(result, cut)
        elif cut is not None:
            result.add_done_callback(lambda future: None if future.cancelled() else cut_short(future.result(), cut))
        return result


def serve(options: Options, ready: Callable[[Sandbox], None]) -> None:
    """Run a sandbox until KeyboardInterrupt or its stop(); *ready* is called once it listens."""
    with Sandbox(options) as sandbox:
        try:
            ready(sandbox)
            sandbox.join()
        except KeyboardInterrupt:
            return


def settle(done: Future[T], act: Callable[[], T]) -> None:
    """Give *done* what *act* returns or raises."""
    try:
        done.set_result(act())
    except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
        done.set_exception(error)


def counters(queue: Queue) -> dict[str, int]:
    """What became of a queue's messages."""
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
