"""A strict parser of HTTP/1.1 answers. It gets bytes, does no I/O, and returns complete answers only."""

from __future__ import annotations

import re
from functools import cached_property

from smsreceipt.language import _

from .faults import BadAnswer

MAX_HEAD = 64 * 1024
MAX_BODY = 8 * 1024 * 1024  #: bytes; 16 messages of 64 KiB in which each character is &quot; take more than 6 MiB

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_CLOSE = re.compile(rb"\r\nconnection:[^\r\n]*close")
_LAST_CHUNK = re.compile(rb"\r\n0+[ \t]*[;\r]")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


class Response:
    """A complete answer: status, headers and body, and the times at which it was requested and received."""

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        self.status = status
        self.body = body
        self.sent_at = 0.0  #: Unix seconds by the local clock
        self.received_at = 0.0  #: Unix seconds by the local clock
        self._head = head

    @cached_property
    def headers(self) -> dict[str, str]:
        """Header values by lower-case name. The last one counts where a header is repeated."""
        lines = self._head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if ":" in line)
        return {name.lower(): value.strip() for name, _, value in pairs}

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"


def read(data: bytes) -> tuple[Response, int, bool] | int:
    """Parse the answer that *data* begins with.

    Returns the answer, the offset at which it ends, and whether the connection may be used again. Returns an int
    while the answer is incomplete: it cannot be complete with fewer bytes than that. Raises BadAnswer.
    """
    found = _read_head(data)
    if found is None:
        return len(data) + 1
    status, head, begin = found
    lines = head.lower()
    keep = head.startswith(b"HTTP/1.1") and _CLOSE.search(lines) is None
    if status in {204, 304}:
        return Response(status, head, b""), begin, keep
    length, coding = _value(lines, b"content-length"), _value(lines, b"transfer-encoding")
    if coding:
        if coding != b"chunked" or length:
            raise BadAnswer(_("the answer's length is stated twice or in an unknown way"))
        return _read_chunks(data, begin, status, head, keep=keep)
    if length:
        return _read_sized(data, begin, status, head, length, keep=keep)
    if status >= 400:
        return Response(status, head, b""), len(data), False  # a gateway's page; the status is enough
    raise BadAnswer(_("the answer does not state its length"))


def _read_head(data: bytes) -> tuple[int, bytes, int] | None:
    """The status of the final answer, its head, and where that ends; None while it is incomplete. Raises BadAnswer."""
    start = 0
    while True:
        end = data.find(b"\r\n\r\n", start)
        if end < 0 or end > MAX_HEAD:
            if len(data) > MAX_HEAD:
                raise BadAnswer(_("the answer's headers are too long"))
            if not b"HTTP/1.".startswith(data[start : start + 7]):
                raise BadAnswer(_("the answer is not HTTP"))
            return None
        head = data[start : end + 2]
        begin = end + 4
        line = _STATUS.match(head)
        if line is None:
            raise BadAnswer(_("the answer is not HTTP"))
        status = int(line[1])
        if status >= 200:
            return status, head, begin
        if status == 101:
            raise BadAnswer(_("the answer changes the protocol, which was not asked for"))
        start = begin  # after an interim answer, which a proxy may send unasked (RFC 9110, section 15.2)


def may_end(data: bytearray, begin: int) -> bool:
    """Whether the last chunk of an answer may begin at *begin* or later, or in the few bytes before it.

    Parsing an answer of thousands of chunks anew for each packet would take minutes; this looks at the new bytes only.
    """
    return _LAST_CHUNK.search(data, max(0, begin - 16)) is not None


def _value(lines: bytes, name: bytes) -> bytes:
    """The value of a header in *lines* (lower case), empty where it is absent. Raises BadAnswer when it is repeated."""
    at = lines.find(b"\r\n%b:" % name)
    if at < 0:
        return b""
    begin = at + len(name) + 3
    if lines.find(b"\r\n%b:" % name, begin) >= 0:
        raise BadAnswer(_("a header of the answer is there twice"))
    return lines[begin : lines.index(b"\r\n", begin)].strip()


def _read_sized(
    data: bytes, begin: int, status: int, head: bytes, length: bytes, *, keep: bool
) -> tuple[Response, int, bool] | int:
    if not length.isdigit() or len(length) > 10 or int(length) > MAX_BODY:
        raise BadAnswer(_("the answer's length is no number or too large"))
    end = begin + int(length)
    if end > len(data):
        return end
    return Response(status, head, data[begin:end]), end, keep


def _read_chunks(data: bytes, at: int, status: int, head: bytes, *, keep: bool) -> tuple[Response, int, bool] | int:
    parts: list[bytes] = []
    total = 0
    while (line := _CHUNK.match(data, at)) is not None:
        size = int(line[1], 16)
        total += size
        if total > MAX_BODY:
            raise BadAnswer(_("the answer is too large"))
        begin = line.end()
        if size == 0:
            return _read_trailer(data, begin, Response(status, head, b"".join(parts)), keep=keep)
        at = begin + size + 2
        if at > len(data):
            return at
        if data[at - 2 : at] != b"\r\n":
            raise BadAnswer(_("the answer's chunks do not fit"))
        parts.append(data[begin : at - 2])
    if data.find(b"\n", at) >= 0 or len(data) - at > 1024:
        raise BadAnswer(_("the answer's chunks do not fit"))
    return len(data) + 1


def _read_trailer(data: bytes, at: int, response: Response, *, keep: bool) -> tuple[Response, int, bool] | int:
    if data.startswith(b"\r\n", at):
        return response, at + 2, keep
    end = data.find(b"\r\n\r\n", at)
    if end < 0:
        if len(data) - at > MAX_HEAD:
            raise BadAnswer(_("the answer's trailers are too long"))
        return len(data) + 1
    return response, end + 4, keep
