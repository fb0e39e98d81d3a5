"""MNS in XML: errors, messages, attributes; what clients send."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from smsreceipt.sandbox.queues.queue import Message, Queue, escape
from smsreceipt.sandbox.wire.http import Answer, request_id

XMLNS = b"http://mns.aliyuncs.com/doc/v1/"
TYPE = b"text/xml;charset=utf-8"
_PROLOG = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_ROOT = b' xmlns="' + XMLNS + b'">'
_HANDLES = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>)?\s*<ReceiptHandles(?: [^>]*)?>"
    rb"(?:\s*<ReceiptHandle>[^<&]*</ReceiptHandle>)+\s*</ReceiptHandles>\s*"
)
_HANDLE = re.compile(rb"<ReceiptHandle>([^<]*)<")


class Refusal(Exception):
    """The service says no: status, code and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


def xml(root: bytes, inside: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """An answer whose root element is *root*."""
    body = b"%b<%b%b%b</%b>" % (_PROLOG, root, _ROOT, inside, root)
    return Answer(status, body, TYPE, (*headers, *standing()))


def empty(status: int = 204, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """An answer without a body."""
    return Answer(status, b"", TYPE, (*headers, *standing()))


def standing() -> tuple[tuple[bytes, bytes], ...]:
    """The headers of every MNS answer."""
    return ((b"x-mns-request-id", request_id()), (b"x-mns-version", b"2015-06-06"))


def refused(refusal: Refusal, host: bytes) -> Answer:
    """The answer that an error is."""
    headers = standing()
    inside = b"<Code>%b</Code><Message>%b</Message><RequestId>%b</RequestId><HostId>http://%b</HostId>" % (
        refusal.code.encode(),
        escape(refusal.message.encode()),
        headers[0][1],
        escape(host),
    )
    return Answer(refusal.status, b"%b<Error%b%b</Error>" % (_PROLOG, _ROOT, inside), TYPE, headers)


def received(message: Message, until: int) -> bytes:
    """The inside of a received message."""
    return (
        b"<MessageId>%b</MessageId><ReceiptHandle>%b</ReceiptHandle>%b<NextVisibleTime>%d</NextVisibleTime>"
        b"<FirstDequeueTime>%d</FirstDequeueTime><DequeueCount>%d</DequeueCount><Priority>%d</Priority>"
        % (
            message.id,
            message.handle,
            message.middle,
            until,
            message.first_dequeued,
            message.dequeued,
            message.priority,
        )
    )


def peeked(message: Message) -> bytes:
    """The inside of a message that was only looked at: no handle."""
    return (
        b"<MessageId>%b</MessageId>%b<FirstDequeueTime>%d</FirstDequeueTime><DequeueCount>%d</DequeueCount>"
        b"<Priority>%d</Priority>"
        % (message.id, message.middle, message.first_dequeued, message.dequeued, message.priority)
    )


def sent(message: Message) -> bytes:
    """What a sender is told about a message."""
    return b"<MessageId>%b</MessageId><MessageBodyMD5>%b</MessageBodyMD5>" % (message.id, message.md5)


def messages(insides: Sequence[bytes], *, batch: bool, status: int = 200) -> Answer:
    """One message, or the list of them."""
    if not batch:
        return xml(b"Message", insides[0], status)
    return xml(b"Messages", b"".join([b"\n<Message>%b</Message>" % inside for inside in insides]) + b"\n", status)


def attributes(queue: Queue) -> bytes:
    """The inside of GetQueueAttributes' answer. The three counters are withdrawn by the provider and read 0."""
    have = queue.attributes
    values = {
        "QueueName": queue.name,
        "CreateTime": queue.created,
        "LastModifyTime": queue.modified,
        "VisibilityTimeout": max(1, int(have.visibility)),
        "MaximumMessageSize": have.maximum_size,
        "MessageRetentionPeriod": have.retention,
        "DelaySeconds": have.delay,
        "PollingWaitSeconds": have.polling_wait,
        "ActiveMessages": 0,
        "InactiveMessages": 0,
        "DelayMessages": 0,
        "LoggingEnabled": have.logging,
    }
    return elements(values.items())


def elements(pairs: Iterable[tuple[str, object]]) -> bytes:
    """Flat elements."""
    return b"".join(f"<{name}>{escape(str(value).encode()).decode()}</{name}>".encode() for name, value in pairs)


def undeleted(code: str, message: str, handle: bytes) -> bytes:
    """One failed handle of a batch delete."""
    return (
        b"<Error><ErrorCode>%b</ErrorCode><ErrorMessage>%b</ErrorMessage><ReceiptHandle>%b</ReceiptHandle></Error>"
        % (
            code.encode(),
            message.encode(),
            escape(handle),
        )
    )


def handles(body: bytes) -> list[bytes]:
    """The handles of a batch delete. Raises Refusal (MalformedXML)."""
    if _HANDLES.fullmatch(body):
        return _HANDLE.findall(body)
    root = parsed(body, "ReceiptHandles")
    return [(child.text or "").strip().encode() for child in root if name_of(child) == "ReceiptHandle"]


def parsed(body: bytes, *roots: str) -> ET.Element:
    """The root element, which must be one of *roots*. Raises Refusal (MalformedXML)."""
    malformed = Refusal(400, "MalformedXML", "The XML you provided was not well-formed.")
    if b"<!DOCTYPE" in body:
        raise malformed
    try:
        root = ET.fromstring(body)  # noqa: S314 - without a DOCTYPE there is nothing to expand
    except (ET.ParseError, ValueError):
        raise malformed from None
    if name_of(root) not in roots:
        raise malformed
    return root


def name_of(element: ET.Element) -> str:
    """Its name without the namespace: clients leave it out or spell it differently."""
    return element.tag.rpartition("}")[2]


def fields(element: ET.Element) -> dict[str, str]:
    """The texts of its children by name."""
    return {name_of(child): child.text or "" for child in element}
