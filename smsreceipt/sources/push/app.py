"""What the provider's pushes are, and how they are answered: 200 only after they are stored on disk.

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
from collections.abc import Callable, Sequence
from functools import partial
from hmac import compare_digest
from http import HTTPStatus

from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.sources.push.intake import ANSWER_WITHIN, Intake, Push
from smsreceipt.sources.push.latency import AnswerTimes

MAX_BODY = 1 << 20  #: bytes
MAX_ELEMENTS = 2_000

Headers = Sequence[tuple[bytes, bytes]]  #: the names in lower case
Route = tuple[Kind | None, str]  #: the kind that a path names, and the origin of what is pushed to it

_KIND = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_KINDS = 100  # kinds in paths that are cached
#: Each takes one pass over any text: a string that is not closed ends with the text.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*"?', re.DOTALL)
_OBJECT = re.compile(rb"\{[^{}]*+\}")
_DEEPEST = 4  # nested objects that the count of elements removes

#: Methods that ask whether somebody is there --> the status of the answer. Gateways and monitors use all of them.
_PROBES = {b"GET": 200, b"HEAD": 200, b"OPTIONS": 204}
_TEXTS = {200: ("成功", 0), 503: ("busy, push again", 503)}
_REASONS = {
    400: "bad request",
    404: "not found",
    405: "method not allowed",
    413: "too large",
    415: "unsupported encoding",
}
_ALLOWED = b"allow: GET, HEAD, OPTIONS, POST\r\n"
#: After any other answer the connection is closed: the request's body may be unread.
KEEPING = frozenset({*_TEXTS, 204})


def answer(status: int, *, connection: bytes = b"", body: bool = True) -> bytes:
    """The answer with this status. Nothing of a request is repeated in it.

    *connection*: the value of that header, if it is to be sent. Without *body* only the head is sent.
    """
    head = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())
    text = b""
    if status in _TEXTS or status in _REASONS:
        message, code = _TEXTS.get(status) or (_REASONS[status], status)
        text = f'{{"code":{code},"msg":"{message}"}}'.encode()
        head += b"content-type: application/json; charset=utf-8\r\n"
    if status != HTTPStatus.NO_CONTENT:
        head += b"content-length: %d\r\n" % len(text)
    if status in {204, 405}:
        head += _ALLOWED
    if connection:
        head += b"connection: %s\r\n" % connection
    return head + b"\r\n" + (text if body else b"")


class Receiver:
    """Tells how a request is answered. Its counters are read by the summary and the metrics."""

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
        self.wrong_paths = 0  #: of these, requests with a valid secret and no message type behind it
        self.intake = intake  #: of the pushes that wait
        self._secrets, self._now, self._kind = secrets, now, kind
        self._known: dict[bytes, Route] = {}

    def judge(self, method: bytes, path: bytes, headers: Headers, arrived: float) -> int | Route:
        """The status with which to answer a request by its head alone; else the route of a push: its body is awaited.

        *arrived*: time.monotonic() at its first byte.
        """
        words = _words(path)
        if self._prefix and words[: len(self._prefix)] == self._prefix:
            words = words[len(self._prefix) :]
        if words == [b"healthz"]:
            return self._health(method)
        route = self._route(words)
        if route is None:
            return self._unauthorized(404)
        if method != b"POST":
            return _PROBES.get(method) or self._unauthorized(405)
        status = refusal(headers) or (0 if self.intake.open else 503)
        return self._answered(status, arrived) if status else route

    def refuse(self, size: int, arrived: float) -> int:
        """The status with which to refuse a push of which *size* bytes have come so far; 0: read on."""
        status = 413 if size > MAX_BODY else 0 if self.intake.open else 503
        return self._answered(status, arrived) if status else 0

    def push(self, route: Route, body: bytes, arrived: float, answer: Callable[[int], None]) -> None:
        """Take a push. *answer* is called once with the status to answer, now or after the commit."""
        if len(body) > MAX_BODY or too_many_elements(body):
            answer(self._answered(413, arrived))
        elif not self.intake.open:
            answer(self._answered(503, arrived))
        else:
            make = partial(_delivery, body, route, self._now())
            self.intake.submit(make, len(body), _deadline(arrived), partial(self._settled, arrived, answer))

    def _settled(self, arrived: float, answer: Callable[[int], None], kept: bool) -> None:
        answer(self._answered(200 if kept else 503, arrived))

    def _answered(self, status: int, arrived: float) -> int:
        self.times.note(time.monotonic() - arrived)
        self.pushes[status] += 1
        return status

    def _unauthorized(self, status: int) -> int:
        self.unauthorized_requests += 1
        return status

    def _health(self, method: bytes) -> int:
        status = _PROBES.get(method, 405)
        return 503 if status == 200 and not self.intake.healthy else status

    def _route(self, words: Sequence[bytes]) -> Route | None:
        """The kind and the origin in the words of a path; None if the first is no valid secret."""
        given, *rest = words or [b""]
        # Every secret is compared, in a time that does not depend on how much of it was right.
        if not sum([compare_digest(given, secret) for secret in self._secrets()]):
            return None
        if not rest:
            return None, "/"
        route = None if len(rest) > 1 else self._known.get(rest[0]) or self._learn(rest[0])
        self.wrong_paths += route is None
        return route

    def _learn(self, name: bytes) -> Route | None:
        if not _KIND.fullmatch(name):
            return None
        kind = self._kind(name.decode("ascii"))
        found = kind, f"/{kind}"
        if len(self._known) < _KINDS:
            self._known[name] = found
        return found


def _deadline(arrived: float) -> float:
    """When to answer 503. A client that took longer than that to send its body is given the same time once more."""
    now = time.monotonic()
    return (arrived if now - arrived < ANSWER_WITHIN else now) + ANSWER_WITHIN


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
