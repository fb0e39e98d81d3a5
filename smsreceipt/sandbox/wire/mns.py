"""The MNS envelope: XML responses, errors, and the parsing of XML requests."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from smsreceipt.sandbox.wire.http import Request, Response, request_id

VERSION = b"2015-06-06"
_TYPE = b"text/xml;charset=utf-8"
_PROLOG = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_ROOT = b' xmlns="http://mns.aliyuncs.com/doc/v1/">'


class Refusal(Exception):
    """An error of the queue service: status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


def xml(root: bytes, content: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """A response whose root element is *root* and holds *content*."""
    body = b"%b<%b%b%b</%b>" % (_PROLOG, root, _ROOT, content, root)
    return Response(status, body, _TYPE, (*headers, *_common_headers()))


def empty(status: int = 204, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """A response without a body."""
    return Response(status, b"", _TYPE, (*headers, *_common_headers()))


def refused(refusal: Refusal, request: Request) -> Response:
    """The response that reports *refusal*."""
    headers = _common_headers()
    content = b"<Code>%b</Code><Message>%b</Message><RequestId>%b</RequestId><HostId>http://%b</HostId>" % (
        refusal.code.encode(),
        escape(refusal.message.encode()),
        headers[0][1],
        escape(request.headers.get(b"host", b"")),
    )
    return Response(refusal.status, b"%b<Error%b%b</Error>" % (_PROLOG, _ROOT, content), _TYPE, headers)


def _common_headers() -> tuple[tuple[bytes, bytes], ...]:
    return ((b"x-mns-request-id", request_id()), (b"x-mns-version", VERSION))


def escape(text: bytes) -> bytes:
    """*text* as XML text. Characters that XML cannot carry are left as they are: clients must survive them."""
    if b"&" in text:
        text = text.replace(b"&", b"&amp;")
    if b"<" in text:
        text = text.replace(b"<", b"&lt;")
    if b">" in text:
        text = text.replace(b">", b"&gt;")
    return text


def parsed(body: bytes, *roots: str) -> ET.Element:
    """The root element, which must be one of *roots*. Raises Refusal (MalformedXML)."""
    malformed = Refusal(400, "MalformedXML", "The XML you provided was not well-formed.")
    if b"<!DOCTYPE" in body:
        raise malformed
    try:
        root = ET.fromstring(body)  # noqa: S314 - without a DOCTYPE there is nothing to expand
    except (ET.ParseError, ValueError):
        raise malformed from None
    if local_name(root) not in roots:
        raise malformed
    return root


def local_name(element: ET.Element) -> str:
    """The element's name without its namespace: clients omit the namespace or spell it differently."""
    return element.tag.rpartition("}")[2]


def child_texts(element: ET.Element) -> dict[str, str]:
    """The texts of the element's children by name."""
    return {local_name(child): child.text or "" for child in element}
