"""The queue protocol, version 2015-06-06: requests and answers as values, without a connection.

Reading an answer costs a few microseconds a message where the official decoder takes 67: what looks exactly as the
service writes it is read by one pattern, everything else by a real parser. A cut answer never yields a message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from mns.mns_exception import MNSServerException

from smsreceipt.errors import AuthError, ProviderError, QueueNotFound, SmsReceiptError, UsageError
from smsreceipt.model import Instant

from . import retry, xml
from .faults import BadAnswer

BATCH = 16  #: the most messages that one request may receive or delete
MAX_WAIT = 30  #: seconds of the longest long poll

NAMESPACE = b"http://mns.aliyuncs.com/doc/v1/"

_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}\Z")
_HANDLE = re.compile(rb"[!-~]{1,2048}\Z")
_PLAIN_HANDLES = re.compile(rb"[!-%'-;=?-~]{1,32768}\Z")  # one look at all of them; none is near 2 KiB
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


class Request(msgspec.Struct, frozen=True):
    """What to ask of the queue service; signing makes bytes of it."""

    method: str
    target: str  #: path and query, sent and signed as they are
    body: bytes = b""


class Message(msgspec.Struct, frozen=True):
    """One message as it was received or peeked at; of a peeked one, handle is empty and next_visible_at 0."""

    id: bytes
    handle: bytes  #: what deletes it, until it is visible again
    md5: bytes  #: of the body by the service's word; empty where it said nothing
    body: bytes  #: the text as transmitted, XML escapes undone, its own base64 not
    enqueued_at: Instant
    next_visible_at: Instant
    first_received_at: Instant
    times_received: int

    @property
    def damaged(self) -> bool:
        """Whether the body is not what the service says it sent."""
        return damaged(self.body, self.md5)


@dataclass(frozen=True, slots=True)
class QueueAttributes:
    """How a queue is set; None where the service did not say."""

    visibility: int | None  #: seconds that a received message stays hidden
    retention: int | None  #: seconds that a message is kept at most


class MnsError(MNSServerException):  # type: ignore[misc]  # the SDK ships no types
    """The queue service refused. Its own words stay in `message`; str() holds only the code and the request's id."""

    def __init__(self, status: int, code: str, message: str, request_id: str) -> None:
        super().__init__(code, message, request_id, "")
        self.args = (status, code, request_id)  # without the message: repr shows them
        self.status = status
        self.code = code  #: "" where the answer was no error of the queue service, a gateway's page for example

    def __str__(self) -> str:
        what = self.code or "without a code"
        return f"the queue service answered {self.status} {what} (request {self.request_id or 'unknown'})"


# Requests


def receive(queue: str, batch: int = BATCH, wait: int = 0) -> Request:
    """Receive up to *batch* messages, waiting up to *wait* seconds for the first of them."""
    if not (1 <= batch <= BATCH and 0 <= wait <= MAX_WAIT):
        raise ValueError("a receive takes 1 to 16 messages and waits 0 to 30 seconds")
    return Request("GET", f"{_messages(queue)}?numOfMessages={batch}&waitseconds={wait}")


def peek(queue: str, batch: int = BATCH) -> Request:
    """Look at up to *batch* messages without receiving them: no handle, no change."""
    if not 1 <= batch <= BATCH:
        raise ValueError("a peek takes 1 to 16 messages")
    return Request("GET", f"{_messages(queue)}?peekonly=true&numOfMessages={batch}")


def delete(queue: str, handles: Iterable[bytes]) -> Request:
    """Delete the messages of 1 to 16 handles, all of the same queue."""
    escaped = list(handles)
    if not 1 <= len(escaped) <= BATCH:
        raise ValueError("a delete takes 1 to 16 handles")
    if not all(escaped) or not _PLAIN_HANDLES.match(b"".join(escaped)):
        escaped = [_escape(handle) for handle in escaped]
    inner = b"</ReceiptHandle><ReceiptHandle>".join(escaped)
    return Request("DELETE", _messages(queue), _DELETION % (NAMESPACE, inner))


_DELETION = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<ReceiptHandles xmlns="%b"><ReceiptHandle>%b</ReceiptHandle></ReceiptHandles>'
)


def change_visibility(queue: str, handle: bytes, seconds: int) -> Request:
    """Hide a received message for *seconds* from now (1 to 43200). The answer has a new handle; the old one is dead."""
    if not 1 <= seconds <= 43_200:
        raise ValueError("a message stays hidden for 1 to 43200 seconds")
    _escape(handle)  # refuses what would end the request line
    # The handle goes into the query raw, and is signed raw: that is what all the official clients do.
    return Request("PUT", f"{_messages(queue)}?receiptHandle={handle.decode()}&visibilityTimeout={seconds}")


def attributes(queue: str) -> Request:
    """Ask how a queue is set."""
    return Request("GET", _path(queue))


@lru_cache(maxsize=256)
def _path(queue: str) -> str:
    if not _QUEUE.match(queue):
        raise UsageError("a queue's name has 1 to 256 letters, digits and hyphens")
    return f"/queues/{queue}"


@lru_cache(maxsize=256)
def _messages(queue: str) -> str:
    return f"{_path(queue)}/messages"


def _escape(handle: bytes) -> bytes:
    if not _HANDLE.match(handle):
        raise ValueError("a receipt handle is visible ASCII")
    if b"&" in handle or b"<" in handle or b">" in handle:
        return handle.decode().translate(_ESCAPES).encode()
    return handle


# Answers

# Possessive, so that what does not fit fails at once instead of being tried in every way. "Up to the next <" is the
# one repeat that the engine runs at full speed; references are dealt with afterwards, where there are any.
_TEXT = rb"([^<]*+)"
_NUMBER = rb"([0-9]{1,18}+)"
_OPENING = re.compile(
    rb"\s*+(?:<\?xml version=[\"']1\.0[\"'](?: encoding=[\"'](?i:utf-8)[\"'])?\s*+\?>)?\s*+"
    rb"<Messages(?: xmlns=\"[^\"<&]*+\")?>\s*+<Message>"
)
_MESSAGE = re.compile(
    rb"\s*+<MessageId>" + _TEXT + rb"</MessageId>"
    rb"\s*+<ReceiptHandle>([!-%'-;=-~]++)</ReceiptHandle>"
    rb"\s*+<MessageBodyMD5>" + _TEXT + rb"</MessageBodyMD5>"
    rb"\s*+<MessageBody>" + _TEXT + rb"</MessageBody>"
    rb"\s*+<EnqueueTime>" + _NUMBER + rb"</EnqueueTime>"
    rb"\s*+<NextVisibleTime>" + _NUMBER + rb"</NextVisibleTime>"
    rb"\s*+<FirstDequeueTime>" + _NUMBER + rb"</FirstDequeueTime>"
    rb"\s*+<DequeueCount>" + _NUMBER + rb"</DequeueCount>"
    rb"\s*+<Priority>[0-9]++</Priority>\s*+</Message>\s*+(?:<Message>|(</Messages>)\s*+\Z)"
)


def messages(body: bytes) -> list[Message]:
    """Return every message of a 200 answer to a receive or a peek that has its body and, received, its handle.

    One without them is left out: it will be visible again, and its neighbours are no worse for it. Numbers that are
    none read 0. Raises BadAnswer, and yields nothing, when the answer is cut, is not what the protocol allows, holds
    a DOCTYPE or an entity declaration, or no message of use among those it holds: it counts as not received.
    """
    found: list[Message] = []
    escaped = b"&" in body
    opening = None if b"\r" in body else _OPENING.match(body)  # XML changes line ends, and the parser knows how
    at = opening.end() if opening else -1
    match = _MESSAGE.match
    while at >= 0 and (one := match(body, at)) is not None:
        id_, handle, md5, text, enqueued, visible, first, count, last = one.groups()
        if escaped and b"&" in one[0]:
            if b"&" in id_ or _OTHER_REFERENCE.search(text):
                break
            text = _plain(text)
        times = Instant(int(enqueued)), Instant(int(visible)), Instant(int(first)), int(count)
        found.append(Message(id_, handle, md5, text, *times))
        if last:
            return found
        at = one.end()
    elements = xml.records(body, "Messages", "Message")
    usable = [message for fields in elements if (message := _message(fields)) is not None]
    if elements and not usable:
        raise BadAnswer("no message in the answer has its body and its handle")
    return usable


#: JSON that its sender did not put in base64 arrives with these five in it, and hardly ever with others.
_PREDEFINED = ((b"&quot;", b'"'), (b"&lt;", b"<"), (b"&gt;", b">"), (b"&apos;", b"'"), (b"&amp;", b"&"))
_OTHER_REFERENCE = re.compile(rb"&(?!(?:quot|lt|gt|apos|amp);)")


def _plain(text: bytes) -> bytes:
    """*text* without its predefined references; that of the & itself comes last, so that nothing is undone twice."""
    for reference, character in _PREDEFINED:
        text = text.replace(reference, character)
    return text


def _message(fields: dict[str, bytes]) -> Message | None:
    """The message of elements in any order, some of them absent; None without a body, or without a handle to it."""
    body, handle = fields.get("MessageBody"), fields.get("ReceiptHandle", b"").strip()
    # Only what was received has a time at which it will be visible again; what was peeked at has no handle.
    received = bool(handle) or "NextVisibleTime" in fields
    if body is None or (received and not _HANDLE.match(handle)):
        return None
    return Message(
        id=fields.get("MessageId", b"").strip(),
        handle=handle,
        md5=fields.get("MessageBodyMD5", b"").strip(),
        body=body,
        enqueued_at=Instant(_whole(fields.get("EnqueueTime", b"")) or 0),
        next_visible_at=Instant(_whole(fields.get("NextVisibleTime", b"")) or 0),
        first_received_at=Instant(_whole(fields.get("FirstDequeueTime", b"")) or 0),
        times_received=_whole(fields.get("DequeueCount", b"")) or 0,
    )


def damaged(body: bytes, md5: bytes) -> bool:
    """Whether *md5*, hexadecimal over the body as transmitted, does not fit *body*. An empty one fits everything."""
    return bool(md5) and hashlib.md5(body, usedforsecurity=False).hexdigest().encode() != md5.lower()


def failed_handles(body: bytes) -> dict[bytes, str]:
    """Return which handles a refused batch delete could not delete, with the code of each; the others are deleted.

    Raises BadAnswer when the body is not such a list: then nothing is known of any of them.
    """
    failed = {}
    for fields in xml.records(body, "Errors", "Error"):
        if not fields.get("ReceiptHandle"):
            raise BadAnswer("an error in the answer names no handle")
        failed[fields["ReceiptHandle"].strip()] = fields.get("ErrorCode", b"").decode("utf-8", "replace").strip()
    if not failed:
        raise BadAnswer("the answer names no handle")
    return failed


def error(status: int, body: bytes) -> MnsError:
    """The error that an answer of *status* other than 2xx states; never raises. A gateway's page has no code."""
    try:
        (fields,) = xml.records(body, "", "Error")
    except (BadAnswer, ValueError):
        return MnsError(status, "", "", "")
    code, message, request = (fields.get(name, b"").decode("utf-8", "replace").strip() for name in _ERROR)
    return MnsError(status, code if _CODE.match(code) else "", message, request if _CODE.match(request) else "")


_ERROR = ("Code", "Message", "RequestId")
_CODE = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")


def refusal(error: MnsError, queue: str) -> SmsReceiptError:
    """What to end with when the service refused for good what was asked of *queue*."""
    if error.code == "QueueNotExist":
        return QueueNotFound(f"queue {queue} does not exist")
    if error.code.startswith("AccessDenied"):
        hint = "Usually the queue's name is of another account, or its type does not fit the queue."
        return AuthError(f"access to queue {queue} was denied (request {error.request_id})", hint=hint)
    if error.code == "TimeExpired":
        return AuthError(f"{error}", hint="Set the clock of this machine, then run again.")
    return AuthError(str(error)) if retry.denied(error.status, error.code) else ProviderError(str(error))


def new_handle(body: bytes) -> tuple[bytes, Instant]:
    """The handle that replaces the old one after change_visibility, and until when it holds. Raises BadAnswer."""
    try:
        (fields,) = xml.records(body, "", "ChangeVisibility")
        return fields["ReceiptHandle"].strip(), Instant(int(fields["NextVisibleTime"]))
    except (KeyError, ValueError):
        raise BadAnswer("the answer holds no new handle") from None


def queue_attributes(body: bytes) -> QueueAttributes:
    """How the queue is set, by a 200 answer to attributes(). Raises BadAnswer."""
    found = xml.records(body, "", "Queue")
    if len(found) != 1:
        raise BadAnswer("the answer describes no queue")
    return QueueAttributes(*(_whole(found[0].get(name, b"")) for name in _ATTRIBUTES))


#: The counters (ActiveMessages and the like) are to be withdrawn, and will read 0: they prove nothing.
_ATTRIBUTES = ("VisibilityTimeout", "MessageRetentionPeriod")


def _whole(text: bytes) -> int | None:
    text = text.strip()
    return int(text) if text.isdigit() and len(text) < 19 else None
