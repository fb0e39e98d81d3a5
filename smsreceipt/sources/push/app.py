"""An ASGI app that takes the provider's pushes as deliveries, and answers 200 only after they are stored on disk.

By the provider's documentation (SMS and number privacy, "HTTP batch push"): a POST with a JSON array, to be answered
within 700 ms with 200 and ``{"code": 0, "msg": "成功"}``; otherwise it is sent again after 1, 5 and 10 minutes.
A GET checks the address when it is saved in the console. Pushes are not signed and come from no fixed address: the path
is the only credential.
"""

from __future__ import annotations

import re
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from hmac import compare_digest
from typing import Any

from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.sources.push.intake import ANSWER_WITHIN, Intake, Push
from smsreceipt.sources.push.latency import AnswerTimes

MAX_BODY = 1 << 20  #: bytes
MAX_ELEMENTS = 2_000
ARRIVED = "smsreceipt.arrived"  #: key of the scope: time.monotonic() at the request's first byte

Scope = Mapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

_KIND = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_KINDS = 100  # kinds in paths that are cached
#: Each takes one pass over any text: a string that is not closed ends with the text.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*"?', re.DOTALL)
_OBJECT = re.compile(rb"\{[^{}]*+\}")
_DEEPEST = 4  # nested objects that the count of elements removes

#: Methods that ask whether somebody is there --> the status of the answer. Gateways and monitors use all of them.
_PROBES = {"GET": 200, "HEAD": 200, "OPTIONS": 204}
_TEXTS = {200: ("成功", 0), 503: ("busy, push again", 503)}
_REASONS = {
    400: "bad request",
    404: "not found",
    405: "method not allowed",
    413: "too large",
    415: "unsupported encoding",
}


_ALLOWED = b"GET, HEAD, OPTIONS, POST"


def _answer(status: int) -> tuple[Message, Message]:
    """The two ASGI messages of an answer. They are constants: nothing of a request is repeated in them."""
    text, code = _TEXTS.get(status) or (_REASONS[status], status)
    body = f'{{"code":{code},"msg":"{text}"}}'.encode()
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    if status == 405:
        headers.append((b"allow", _ALLOWED))
    if status not in _TEXTS:  # the request's body may be unread
        headers.append((b"connection", b"close"))
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


_ANSWERS = {status: _answer(status) for status in (*_TEXTS, *_REASONS)}
_ANSWERS[204] = (  # to OPTIONS
    {"type": "http.response.start", "status": 204, "headers": [(b"allow", _ALLOWED)]},
    {"type": "http.response.body", "body": b""},
)


class Receiver:
    """The ASGI app. Its counters are read by the summary and the metrics."""

    def __init__(
        self,
        intake: Intake,
        secrets: Callable[[], Sequence[bytes]],
        *,
        now: Callable[[], Instant],
        kind: Callable[[str], Kind] = Kind,
        prefix: str = "",
    ) -> None:
        """*secrets* returns the valid ones; *kind* turns a message type, in any spelling, into a kind.

        *prefix*: the path below which the routes stand as well, for hosts in front that cannot rewrite a path.
        """
        self._prefix = _words(prefix.encode())
        self.times = AnswerTimes()  #: from a push's first byte to its answer
        self.pushes: Counter[int] = Counter()  #: by the status of the answer
        self.unauthorized_requests = 0  #: without a valid secret, or with another method
        self._intake, self._secrets, self._now, self._kind = intake, secrets, now, kind
        self._known: dict[bytes, tuple[Kind, str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        arrived = scope.get(ARRIVED) or time.monotonic()
        path = scope["raw_path"]
        words = _words(path)
        if words[: len(self._prefix)] == self._prefix:
            words = words[len(self._prefix) :]
        if words == [b"healthz"]:
            status = self._health(scope["method"])
        elif (route := self._route(words)) is None:
            status = self._unauthorized(404)
        elif scope["method"] == "POST":
            status = await self._push(route, scope["headers"], receive, arrived)
            if not status:
                return
            self.times.note(time.monotonic() - arrived)
            self.pushes[status] += 1
        else:
            status = _PROBES.get(scope["method"]) or self._unauthorized(405)
        start, body = _ANSWERS[status]
        await send(start)
        await send(body)

    def _unauthorized(self, status: int) -> int:
        self.unauthorized_requests += 1
        return status

    def _health(self, method: str) -> int:
        status = _PROBES.get(method, 405)
        return 503 if status == 200 and not self._intake.healthy else status

    def _route(self, words: Sequence[bytes]) -> tuple[Kind | None, str] | None:
        """The kind and the origin in the words of a path; None if the first is no valid secret."""
        given, *rest = words or [b""]
        # Every secret is compared, in a time that does not depend on how much of it was right.
        if not sum(compare_digest(given, secret) for secret in self._secrets()):
            return None
        if not rest:
            return None, "/"
        if len(rest) > 1:
            return None
        return self._known.get(rest[0]) or self._learn(rest[0])

    def _learn(self, name: bytes) -> tuple[Kind, str] | None:
        if not _KIND.fullmatch(name):
            return None
        kind = self._kind(name.decode("ascii"))
        found = kind, f"/{kind}"
        if len(self._known) < _KINDS:
            self._known[name] = found
        return found

    async def _push(self, route: tuple[Kind | None, str], headers: Headers, receive: Receive, arrived: float) -> int:
        """The status to answer; 0 if the client has disconnected."""
        if status := refusal(headers):
            return status
        intake = self._intake
        if not intake.open:
            return 503
        message = await receive()
        if message["type"] == "http.disconnect":
            return 0
        body = message["body"]
        if message["more_body"]:
            whole = await self._rest(body, receive)
            if isinstance(whole, int):
                return whole
            body = whole
        if len(body) > MAX_BODY or too_many_elements(body):
            return 413
        if not intake.open:
            return 503
        make = partial(_delivery, body, route, self._now())
        return 200 if await intake.submit(make, len(body), self._deadline(arrived)) else 503

    def _deadline(self, arrived: float) -> float:
        """When to answer 503. A client that took longer than that to send its body is given the same time once more."""
        now = time.monotonic()
        return (arrived if now - arrived < ANSWER_WITHIN else now) + ANSWER_WITHIN

    async def _rest(self, body: bytes, receive: Receive) -> bytes | int:
        """The whole of a body that comes in pieces, or the status to answer at once."""
        pieces, size, more = [body], len(body), True
        self._intake.hold(size)
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return 0
                body, more = message["body"], message["more_body"]
                pieces.append(body)
                size += len(body)
                self._intake.hold(len(body))
                if size > MAX_BODY:
                    return 413
                if not self._intake.open:
                    return 503
        finally:
            self._intake.hold(-size)
        return b"".join(pieces)


def _words(path: bytes) -> list[bytes]:
    """The parts of a path. Doubled slashes and one at the end come from addresses that are put together."""
    return [word for word in path.split(b"/") if word]


def _delivery(body: bytes, route: tuple[Kind | None, str], at: Instant, push: Push) -> Delivery:
    kind, origin = route
    return Delivery((body,), kind, Source.PUSH, origin, at, push)


def refusal(headers: Headers) -> int:
    """The status with which to refuse a push by its headers alone (names in lower case); 0: none."""
    length = encoding = None
    for name, value in headers:
        if name == b"content-length":
            length = value
        elif name == b"transfer-encoding":
            encoding = value
        elif name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            return 415
    if encoding is not None and (length is not None or encoding.strip().lower() != b"chunked"):
        return 400
    if length is None:
        return 0
    if not length.isdigit():
        return 400
    return 413 if len(length) > 18 or int(length) > MAX_BODY else 0


def too_many_elements(body: bytes) -> bool:
    """Whether an array holds more than MAX_ELEMENTS, without parsing it, valid or not.

    Few commas prove that it does not. Otherwise strings, and then objects from the inside out, are removed first.
    """
    if body[:1] not in (b"[", b"{"):
        body = unpacked(body)
    if body.count(b",") < MAX_ELEMENTS:
        return False
    text = _STRING.sub(b"", body)
    for _ in range(_DEEPEST):
        text, found = _OBJECT.subn(b"", text)
        if not found:
            break
    return text.count(b",") >= MAX_ELEMENTS


def unpacked(body: bytes) -> bytes:
    """A body in base64 decoded, any other body as it is.

    Every text that decoding takes for base64 is taken for it here; a few more are.
    """
    try:
        return b64decode(body.strip().removeprefix(b"\xef\xbb\xbf").strip(), validate=True)
    except ValueError:
        return body
