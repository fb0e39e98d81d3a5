"""A short cut for plain requests, which nearly all are.

h11 spends 140 µs on a request and its answer, more than everything else the sandbox does for it; a sandbox that is the
peer in a benchmark must not be what the benchmark measures. So one whole, unremarkable request is read here, and
whatever is out of the ordinary (chunks, pipelining, HTTP/1.0, errors) is h11's.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from smsreceipt.sandbox.wire.http import Answer, Request

_HEAD = re.compile(rb"(GET|POST|PUT|DELETE) ([!-~]+) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[ \t]*[^\r\n\0]*\r\n)+)\r\n")
_REASON = {status.value: status.phrase.encode() for status in HTTPStatus}
_REMARKABLE = (b"transfer-encoding", b"expect", b"upgrade")


def request_in(data: bytes, most: int) -> Request | int | None:
    """The request that *data* is; None when it is for h11 to say; or how many bytes of its body are missing."""
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
    if len(headers) < len(fields) - 1 or b"host" not in headers or not length.isdigit() or int(length) > most:
        return None
    if any(name in headers for name in _REMARKABLE) or headers.get(b"connection", b"").lower() not in {
        b"",
        b"keep-alive",
    }:
        return None
    if len(body) != int(length):
        return int(length) - len(body) if len(body) < int(length) else None
    return Request(method.decode(), path_of(target.decode()), headers, body)


def path_of(target: str) -> str:
    """Path with query of a request target, which may be absolute: one of the SDKs sends it so even without a proxy."""
    return target if target.startswith("/") else "/" + target.partition("://")[2].partition("/")[2]


def head_of(answer: Answer, headers: list[tuple[bytes, bytes]]) -> bytes:
    """An answer up to its body."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (answer.status, _REASON.get(answer.status, b""), lines)
