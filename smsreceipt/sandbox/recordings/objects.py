"""An object store with signed links, as the provider's: ranges, ETag, Content-MD5, links that expire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from urllib.parse import parse_qs, quote, unquote
from xml.sax.saxutils import escape

from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.wire.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.http import Cut, Request, Response, request_id

BUCKET = "secret-axb-record-files"
PATH = f"/{BUCKET}/"  #: that every object's path begins with
_RANGE = re.compile(rb"bytes=(\d{1,15})-(\d{0,15})|bytes=-(\d{1,15})")
_CRC64 = [reduce(lambda crc, _: (crc >> 1) ^ 0xC96C5795D7870F42 * (crc & 1), range(8), byte) for byte in range(256)]
_ELSEWHERE = "http://169.254.169.254/latest/meta-data"  # where the fault "oss-redirect" leads to


@dataclass(frozen=True)
class Object:
    """An object as it is stored."""

    content: bytes
    in_parts: bool  #: it was uploaded in parts: it has no MD5

    @cached_property
    def crc64(self) -> int:
        """Of the whole: CRC-64/XZ."""
        crc = (1 << 64) - 1
        for byte in self.content:
            crc = _CRC64[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        return crc ^ ((1 << 64) - 1)


class ObjectStore:
    """Objects by name, and the answers to requests for them."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock, self._faults = clock, faults
        self._objects: dict[str, Object] = {}

    def put(self, name: str, content: bytes, *, in_parts: bool = False) -> None:
        """Store an object; one of that name is replaced. *in_parts*: as if it was uploaded so, which leaves no MD5."""
        self._objects[name] = Object(content, in_parts)

    def remove(self, name: str) -> None:
        """Delete an object; idempotent."""
        self._objects.pop(name, None)

    def link(self, name: str, seconds: float) -> str:
        """Path and query of a signed link that is good for so many seconds."""
        expires = 1 if self._faults.hit("oss-expire") else int(self._clock.now() + seconds)
        values = (
            f"Expires={expires}&OSSAccessKeyId={ACCESS_KEY_ID}&Signature={quote(_signature(expires, name), safe='')}"
        )
        return f"{PATH}{quote(name)}?{values}"

    def respond(self, request: Request) -> Response:
        """The answer to a GET or HEAD of an object."""
        name = unquote(request.path.removeprefix(PATH))
        if request.method not in {"GET", "HEAD"}:
            return _refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        if refusal := self._refuse(name, parse_qs(request.query)):
            return refusal
        found = self._objects.get(name)
        if found is None:
            return _refused(404, "NoSuchKey", "The specified key does not exist.")
        if self._faults.hit("oss-500"):
            return _refused(500, "InternalError", "We encountered an internal error. Please try again.")
        if self._faults.hit("oss-redirect"):
            return Response(302, headers=((b"Location", f"{_ELSEWHERE}/{name}".encode()),))
        return self._spoil(_whole_or_range(request.headers, found))

    def _refuse(self, name: str, query: Mapping[str, list[str]]) -> Response | None:
        given = [query.get(key, [""])[0] for key in ("Expires", "OSSAccessKeyId", "Signature")]
        if not all(given) or not given[0].isdigit():
            return _refused(403, "AccessDenied", "You have no right to access this object because of bucket acl.")
        if given[1] != ACCESS_KEY_ID:
            return _refused(
                403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records."
            )
        if self._clock.now() > int(given[0]):
            return _refused(403, "AccessDenied", "Request has expired.")
        if not hmac.compare_digest(given[2], _signature(int(given[0]), name)):
            return _refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        return None

    def _spoil(self, response: Response) -> Response:
        """Apply the faults of bodies."""
        hit, body = self._faults.hit, response.body
        if hit("oss-corrupt"):
            response.body = bytes([body[0] ^ 1]) + body[1:]
        if hit("oss-length"):  # fewer bytes than the object has, and a length that fits them
            response.body = response.body[: len(body) // 2] or b"?"
        if hit("oss-cut"):
            response.cut = Cut.HALF
        elif hit("oss-stall"):
            response.cut = Cut.STALL
        return response


def _whole_or_range(headers: Mapping[bytes, bytes], found: Object) -> Response:
    """The object or a range of it. A range that it does not have is answered with the whole, as the provider does."""
    content = found.content
    digest = hashlib.md5(content, usedforsecurity=False)
    etag = f'"{digest.hexdigest().upper()}{"-2" if found.in_parts else ""}"'.encode()
    about = [
        (b"ETag", etag),
        (b"Accept-Ranges", b"bytes"),
        (b"x-oss-object-type", b"Multipart" if found.in_parts else b"Normal"),
        (b"x-oss-hash-crc64ecma", b"%d" % found.crc64),
        (b"x-oss-request-id", request_id()),
    ]
    if headers.get(b"if-match") not in {None, etag, b"*"}:
        return _refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
    wanted = _range(headers.get(b"range", b""), len(content))
    if wanted is None or headers.get(b"if-range") not in {None, etag}:
        if not found.in_parts:
            about.append((b"Content-MD5", base64.b64encode(digest.digest())))
        return Response(200, content, b"audio/mpeg", tuple(about))
    first, last = wanted
    about.append((b"Content-Range", b"bytes %d-%d/%d" % (first, last, len(content))))
    return Response(206, content[first : last + 1], b"audio/mpeg", tuple(about))


def _range(header: bytes, size: int) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(header)
    if found is None:
        return None
    if found[3]:
        first, last = max(0, size - int(found[3])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
    return (first, last) if first <= last else None


def _signature(expires: int, name: str) -> str:
    text = f"GET\n\n\n{expires}\n{PATH}{name}".encode()
    return base64.b64encode(hmac.digest(ACCESS_KEY_SECRET.encode(), text, "sha1")).decode()


def _refused(status: int, code: str, message: str) -> Response:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>{code}</Code>\n'
        f"  <Message>{escape(message)}</Message>\n"
        f"  <RequestId>{request_id().decode()}</RequestId>\n  <HostId>{BUCKET}</HostId>\n</Error>\n"
    )
    return Response(status, body.encode(), b"application/xml")
