"""Messages, queue attributes and receipt handles in the XML of MNS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from smsreceipt.sandbox.queues.queue import Message, Queue
from smsreceipt.sandbox.wire.http import Response
from smsreceipt.sandbox.wire.mns import child_texts, escape, local_name, parsed, xml

_HANDLES = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>)?\s*<ReceiptHandles(?: [^>]*)?>"
    rb"(?:\s*<ReceiptHandle>[^<&]*</ReceiptHandle>)+\s*</ReceiptHandles>\s*"
)
_HANDLE = re.compile(rb"<ReceiptHandle>([^<]*)<")


def received(message: Message, next_visible: int) -> bytes:
    """The content of a received message; *next_visible* in milliseconds since 1970."""
    return (
        b"<MessageId>%b</MessageId><ReceiptHandle>%b</ReceiptHandle>%b<NextVisibleTime>%d</NextVisibleTime>"
        b"<FirstDequeueTime>%d</FirstDequeueTime><DequeueCount>%d</DequeueCount><Priority>%d</Priority>%b"
        % (
            message.id,
            message.handle,
            message.body_xml,
            next_visible,
            message.first_dequeued,
            message.dequeued,
            message.priority,
            message.properties_xml,
        )
    )


def peeked(message: Message) -> bytes:
    """The content of a peeked message, which has no handle."""
    return (
        b"<MessageId>%b</MessageId>%b<FirstDequeueTime>%d</FirstDequeueTime><DequeueCount>%d</DequeueCount>"
        b"<Priority>%d</Priority>%b"
        % (
            message.id,
            message.body_xml,
            message.first_dequeued,
            message.dequeued,
            message.priority,
            message.properties_xml,
        )
    )


def sent(message: Message) -> bytes:
    """The content that answers the sending of a message."""
    return b"<MessageId>%b</MessageId><MessageBodyMD5>%b</MessageBodyMD5>" % (message.id, message.md5)


def messages(contents: Sequence[bytes], *, batch: bool, status: int = 200) -> Response:
    """A response with one message, or with a list of them."""
    if not batch:
        return xml(b"Message", contents[0], status)
    return xml(b"Messages", b"".join([b"\n<Message>%b</Message>" % content for content in contents]) + b"\n", status)


_PROPERTIES = {"UserProperties": "PropertyValue", "SystemProperties": "SystemPropertyValue"}


def properties(sent: ET.Element) -> bytes:
    """The user and system properties of a message that is sent, as XML; empty where it has none."""
    found = b""
    for group in sent:
        item = _PROPERTIES.get(local_name(group))
        values = [elements(child_texts(each).items()) for each in group if local_name(each) == item]
        if item and values:
            content = "".join(f"<{item}>{each.decode()}</{item}>" for each in values)
            found += f"<{local_name(group)}>{content}</{local_name(group)}>".encode()
    return found


def attributes(queue: Queue) -> bytes:
    """The content of a GetQueueAttributes response. The provider has withdrawn the three counters: they read 0."""
    current = queue.attributes
    values = {
        "QueueName": queue.name,
        "CreateTime": queue.created,
        "LastModifyTime": queue.modified,
        "VisibilityTimeout": max(1, int(current.visibility)),
        "MaximumMessageSize": current.maximum_size,
        "MessageRetentionPeriod": current.retention,
        "DelaySeconds": current.delay,
        "PollingWaitSeconds": current.polling_wait,
        "ActiveMessages": 0,
        "InactiveMessages": 0,
        "DelayMessages": 0,
        "LoggingEnabled": current.logging,
    }
    return elements(values.items())


def elements(pairs: Iterable[tuple[str, object]]) -> bytes:
    """One element for each pair of name and text."""
    return b"".join(f"<{name}>{escape(str(value).encode()).decode()}</{name}>".encode() for name, value in pairs)


def delete_error(code: str, message: str, handle: bytes) -> bytes:
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
    return [(child.text or "").strip().encode() for child in root if local_name(child) == "ReceiptHandle"]
