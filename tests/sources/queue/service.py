"""A queue service without a wire, in simulated time, which passes only when no task is ready."""

from __future__ import annotations

import asyncio
import hashlib
import re
import selectors
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from email.utils import formatdate
from itertools import count, islice
from typing import Any, TypeVar, cast

from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.credentials import Credentials
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import ConnectionLost, Unreached
from smsreceipt.aliyun.http import Pool, Response
from smsreceipt.aliyun.reporter import ConnectionReporter
from smsreceipt.aliyun.tokens import Tokens
from smsreceipt.errors import ProviderError
from smsreceipt.model import Delivery, Kind
from smsreceipt.sources.queue.client import Queue, QueueClient
from smsreceipt.sources.queue.puller import Puller
from smsreceipt.sources.queue.state import Options

T = TypeVar("T")
EPOCH = 1_795_000_000.0
QUEUE = Queue("Alicom-Queue-1000000001-SmsReport", Kind("SmsReport"))
OTHER = Queue("Alicom-Queue-1000000001-SmsUp", Kind("SmsUp"))
_ASKED = re.compile(rb"(\w+) /queues/([^/ ?]+)(/messages)?(?:\?([^ ]*))? HTTP")
_HANDLES = re.compile(rb"<ReceiptHandle>([^<]*)</ReceiptHandle>")


class _NoWaiting(selectors.DefaultSelector):
    """Instead of waiting, move the loop's time on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready: list[Any] = super().select(0)
        if not ready:
            assert timeout is not None, "nothing would ever happen again"
            self.now += max(timeout, 0.0)
        return ready


class Timeless(asyncio.SelectorEventLoop):
    """A loop whose hours are over in a moment."""

    def __init__(self) -> None:
        self._watch = _NoWaiting()
        super().__init__(self._watch)

    def time(self) -> float:
        return self._watch.now


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=Timeless) as runner:
        return runner.run(work())


class Stored:
    """One message of the fake service."""

    _serial = count(1)

    def __init__(self, body: bytes, enqueued_at: float = 0.0, md5: str | None = None) -> None:
        self.number = next(self._serial)
        self.body = body
        self.md5 = md5 if md5 is not None else hashlib.md5(body, usedforsecurity=False).hexdigest().upper()
        self.enqueued_at = enqueued_at
        self.visible_at = 0.0
        self.handle = b""
        self.times = 0


Reply = tuple[int, bytes]
Fault = Callable[["Service", bytes, Callable[[], Awaitable[Response]]], Awaitable[Response]]


class Service:
    """Stands for a QueueClient's pool: `faults` answer requests in their order, None lets one through."""

    def __init__(self, *, visibility: float = 30, retention: int = 345_600) -> None:
        self.endpoint = Endpoint("queues.example", 443, tls=True)
        self.visibility = visibility
        self.retention = retention
        self.queues: dict[str, list[Stored]] = {QUEUE.name: [], OTHER.name: []}
        self.faults: dict[str, deque[Fault | None]] = {"GET": deque(), "DELETE": deque(), "ATTRIBUTES": deque()}
        self.asked: list[tuple[str, str, dict[str, str], float]] = []
        self.early: set[str] = set()  #: queues whose long polls are answered at once
        self.deleted: list[int] = []
        self.hidden_peak = 0
        self.waiting: dict[str, int] = {}
        self.waiting_peak = 0
        self.tokens_refused: set[str] = set()
        self.latency = 0.001
        self.ceiling = 10**9  #: requests at once beyond which the service refuses
        self.running: Counter[str] = Counter()  #: requests at present, by queue and kind
        self.peak: Counter[str] = Counter()  #: the most of them since the test emptied it
        self.refused = 0
        self.told: list[str] = []
        self.reporter = ConnectionReporter(lambda text, _verbosity: self.told.append(text))

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def put(self, *bodies: bytes, queue: Queue = QUEUE, **more: Any) -> None:
        self.queues[queue.name] += [Stored(body, **more) for body in bodies]

    def receives(self, queue: Queue = QUEUE) -> list[tuple[dict[str, str], float]]:
        return [(query, at) for verb, name, query, at in self.asked if verb == "GET" and name == queue.name]

    @property
    def deletes(self) -> int:
        return sum(verb == "DELETE" for verb, *_ in self.asked)

    async def send(self, request: bytes, _timeout: float) -> Response:
        match = _ASKED.match(request)
        assert match is not None
        verb, name, path, query = (part.decode() if part else "" for part in match.groups())
        kind = verb if path else "ATTRIBUTES"
        parameters = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        self.asked.append((kind, name, parameters, self.loop.time()))
        self._count(kind, name, 1)
        try:
            await asyncio.sleep(self.latency)
            return await self._respond(kind, name, parameters, request)
        finally:
            self._count(kind, name, -1)

    def _count(self, kind: str, name: str, change: int) -> None:
        for key in (kind, f"{kind} {name}"):
            self.running[key] += change
            self.peak[key] = max(self.peak[key], self.running[key])

    async def _respond(self, kind: str, name: str, parameters: dict[str, str], request: bytes) -> Response:
        if self.running["GET"] + self.running["DELETE"] > self.ceiling:
            self.refused += 1
            return self.answer(*refusal(429, "TooManyRequests"))
        token = re.search(rb"security-token: (\S+)", request)
        if token and token[1].decode() in self.tokens_refused:
            return self.answer(*refusal(403, "SecurityTokenExpired"))

        async def real() -> Response:
            return await self._real(kind, name, parameters, request)

        script = self.faults[kind]
        fault = script.popleft() if script else None
        return await (real() if fault is None else fault(self, request, real))

    def answer(self, status: int, body: bytes = b"", headers: str = "") -> Response:
        at = EPOCH + self.loop.time()
        found = Response(
            status, f"HTTP/1.1 {status} X\r\nDate: {formatdate(at, usegmt=True)}\r\n{headers}".encode(), body
        )
        found.sent_at = found.received_at = at
        return found

    async def _real(self, kind: str, name: str, query: dict[str, str], request: bytes) -> Response:
        if name not in self.queues:
            return self.answer(*refusal(404, "QueueNotExist"))
        if kind == "ATTRIBUTES":
            body = (
                b"<Queue><VisibilityTimeout>%d</VisibilityTimeout><MessageRetentionPeriod>%d</MessageRetentionPeriod>"
                b"<ActiveMessages>0</ActiveMessages><InactiveMessages>0</InactiveMessages></Queue>"
            )
            return self.answer(200, body % (self.visibility, self.retention))
        if kind == "DELETE":
            return self._delete(name, _HANDLES.findall(request))
        return await self._receive(name, int(query["numOfMessages"]), int(query.get("waitseconds", "0")))

    async def _receive(self, name: str, batch: int, wait: int) -> Response:
        until = self.loop.time() + (0 if name in self.early else wait)
        self.waiting[name] = self.waiting.get(name, 0) + (wait > 0)
        self.waiting_peak = max(self.waiting_peak, self.waiting[name])
        try:
            while not (taken := self._take(name, batch)) and self.loop.time() < until:  # noqa: ASYNC110 - costs no time
                await asyncio.sleep(0.02)
        finally:
            self.waiting[name] -= wait > 0
        return self.answer(200, messages(taken)) if taken else self.answer(*refusal(404, "MessageNotExist"))

    def _take(self, name: str, batch: int) -> list[Stored]:
        now = self.loop.time()
        taken = [*islice((message for message in self.queues[name] if message.visible_at <= now), batch)]
        for message in taken:
            message.visible_at = now + self.visibility
            message.times += 1
            message.handle = b"1-%d-%d" % (message.number, message.times)
        hidden = len([1 for queue in self.queues.values() for message in queue if message.visible_at > now])
        self.hidden_peak = max(self.hidden_peak, hidden)
        return taken

    def _delete(self, name: str, handles: Sequence[bytes]) -> Response:
        failed, now = [], self.loop.time()
        wanted = set(handles)
        held = [each for each in self.queues[name] if each.handle in wanted and each.visible_at > now]
        for handle in handles:
            if found := next((each for each in held if each.handle == handle), None):
                held.remove(found)
                self.queues[name].remove(found)
                self.deleted.append(found.number)
            else:
                failed.append((handle, "MessageNotExist"))
        return self.answer(*partial(failed)) if failed else self.answer(204)


def messages(taken: Sequence[Stored]) -> bytes:
    one = (
        b"<Message><MessageId>%d</MessageId><ReceiptHandle>%b</ReceiptHandle><MessageBodyMD5>%b</MessageBodyMD5>"
        b"<MessageBody>%b</MessageBody><EnqueueTime>%d</EnqueueTime><NextVisibleTime>%d</NextVisibleTime>"
        b"<FirstDequeueTime>%d</FirstDequeueTime><DequeueCount>%d</DequeueCount><Priority>8</Priority></Message>"
    )
    epoch = EPOCH
    inside = b"".join(
        one
        % (
            each.number,
            each.handle,
            each.md5.encode(),
            each.body.replace(b"&", b"&amp;").replace(b"<", b"&lt;"),
            int((epoch + each.enqueued_at) * 1000),
            int((epoch + each.visible_at) * 1000),
            int(epoch * 1000),
            each.times,
        )
        for each in taken
    )
    return b'<?xml version="1.0"?><Messages xmlns="http://mns.aliyuncs.com/doc/v1/">%b</Messages>' % inside


def refusal(status: int, code: str) -> Reply:
    return status, b"<Error><Code>%b</Code><Message>no</Message><RequestId>R</RequestId></Error>" % code.encode()


def partial(failed: Sequence[tuple[bytes, str]]) -> Reply:
    one = b"<Error><ErrorCode>%b</ErrorCode><ErrorMessage>no</ErrorMessage><ReceiptHandle>%b</ReceiptHandle></Error>"
    return 404, b"<Errors>%b</Errors>" % b"".join(one % (code.encode(), handle) for handle, code in failed)


def answering(status: int, body: bytes = b"", headers: str = "") -> Fault:
    """Say this instead, having done nothing."""

    async def fault(service: Service, _request: bytes, _real: Callable[[], Awaitable[Response]]) -> Response:
        return service.answer(status, body, headers)

    return fault


def refusing(status: int, code: str) -> Fault:
    return answering(*refusal(status, code))


async def lost_after(_service: Service, _request: bytes, real: Callable[[], Awaitable[Response]]) -> Response:
    """Do it, and lose the answer."""
    await real()
    raise ConnectionLost("cut", sent=True)


async def lost_before(_service: Service, _request: bytes, _real: Callable[[], Awaitable[Response]]) -> Response:
    """The request never arrived, but the client cannot know."""
    raise ConnectionLost("cut", sent=True)


async def never_sent(_service: Service, _request: bytes, _real: Callable[[], Awaitable[Response]]) -> Response:
    raise Unreached("cannot reach x (connection refused)")


async def half(_service: Service, _request: bytes, real: Callable[[], Awaitable[Response]]) -> Response:
    """Do it; of the answer, the first half arrives as if it were whole."""
    answer = await real()
    answer.body = answer.body[: len(answer.body) // 2]
    return answer


class FakeTokens:
    """Tokens that are always at hand; counts how often a fresh one was wanted."""

    def __init__(self) -> None:
        self.dropped = 0

    def held(self, _kind: Kind, _queue: str) -> Credentials:
        return Credentials("id", "secret", f"token{self.dropped}")

    def drop(self, _kind: Kind, _queue: str, _refused: Credentials) -> None:
        self.dropped += 1


class Sink:
    """Takes deliveries, and acks them at once or when the test calls ack_all."""

    def __init__(self, *, ack: bool = True) -> None:
        self.deliveries: list[Delivery] = []
        self.acked = 0
        self._ack = ack

    def put(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if self._ack:
            self.ack_all()

    def ack_all(self) -> None:
        while self.acked < len(self.deliveries):
            self.acked += 1
            self.deliveries[self.acked - 1].ack()

    @property
    def frames(self) -> list[bytes]:
        return [frame for delivery in self.deliveries for frame in delivery.frames]


class Scene:
    """A service, and a puller of one or two of its queues."""

    def __init__(self, service: Service, *queues: Queue, sink: Sink | None = None, **options: Any) -> None:
        """For use inside of the loop."""
        self.service = service
        self.sink = sink or Sink()
        self.tokens = FakeTokens()
        self.messages: list[str] = []
        loop = asyncio.get_running_loop()
        self.clock = Clock(lambda: EPOCH + loop.time())
        pool, tokens = cast("Pool", service), cast("Tokens", self.tokens)
        self.clients = [QueueClient(queue, pool, tokens, self.clock) for queue in queues or (QUEUE,)]
        self.puller = Puller(self.clients, self.sink, self.clock, Options(**options), say=self.messages.append)


class Pulled:
    """How it went."""

    def __init__(self, scene: Scene, *, drained: bool, seconds: float) -> None:
        self.drained = drained
        self.seconds = seconds  #: by the loop's clock
        self.counts = scene.puller.counts
        self.failures: list[ProviderError | Any] = list(scene.puller.failures)
        self.messages = scene.messages
        self.sink = scene.sink
        self.tokens = scene.tokens
        self.hiding = set[str]()


def pull(
    service: Service,
    *queues: Queue,
    sink: Sink | None = None,
    unsettled: Mapping[str, float] | None = None,
    meanwhile: Callable[[Scene], Awaitable[None]] | None = None,
    **options: Any,
) -> Pulled:
    """Pull once, in no time; *meanwhile* runs beside it."""

    async def work() -> Pulled:
        scene = Scene(service, *queues, sink=sink, **options)
        beside = asyncio.ensure_future(meanwhile(scene)) if meanwhile else None
        drained = await scene.puller.run(unsettled)
        pulled = Pulled(scene, drained=drained, seconds=asyncio.get_running_loop().time())
        pulled.hiding = set(scene.puller.hidden())
        if beside is not None:
            await beside
        return pulled

    return run(work)
