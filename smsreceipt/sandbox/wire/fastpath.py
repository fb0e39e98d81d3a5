"""A fast parser for ordinary requests.

h11 spends 140 µs on a request and its response, more than everything else the sandbox does for it. Benchmarks measure
clients against the sandbox, so the sandbox must not be the bottleneck. This module reads one complete, ordinary
request; h11 reads everything else (chunked bodies, pipelining, HTTP/1.0, errors).
"""

from __future__ import annotations

import re
from http import HTTPStatus

from smsreceipt.sandbox.wire.http import Request

_HEAD = re.compile(rb"(GET|POST|PUT|DELETE) ([!-~]+) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[ \t]*[^\r\n\0]*\r\n)+)\r\n")
_REASON = {status.value: status.phrase.encode() for status in HTTPStatus}
_FOR_H11 = (b"transfer-encoding", b"expect", b"upgrade")


def parse_request(data: bytes, max_body: int) -> Request | int | None:
    """Parse *data*: the request; or how many bytes of its body are missing; or None when h11 has to read it."""
    match = _HEAD.match(data)
    if match is None:
        return None
    method, target, lines = match.groups()
    headers: dict[bytes, bytes] = {}
    fields = lines.split(b"\r\n")
    for field in fields[:-1]:
        name, _colon, value = field.partition(b":")
        headers[name.lower()] = value.strip()
    body = data[match.end() :]
    length = headers.get(b"content-length", b"0")
    if len(headers) < len(fields) - 1 or b"host" not in headers or not length.isdigit() or int(length) > max_body:
        return None
    if any(name in headers for name in _FOR_H11) or headers.get(b"connection", b"").lower() not in {b"", b"keep-alive"}:
        return None
    if len(body) != int(length):
        return int(length) - len(body) if len(body) < int(length) else None
    return Request(method.decode(), origin_form(target.decode()), headers, body)


def origin_form(target: str) -> str:
    """Path with query of a request target. One of the SDKs sends the absolute form even without a proxy."""
    return target if target.startswith("/") else "/" + target.partition("://")[2].partition("/")[2]


def response_head(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The status line and the headers, up to the body."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, _REASON.get(status, b""), lines)
