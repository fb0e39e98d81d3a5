"""HTTP requests and responses as values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from itertools import count


class Cut(Enum):
    """How much of a response reaches the client when a fault shortens it."""

    NOTHING = "nothing"  #: the connection closes without a response
    HALF = "half"  #: the head promises the whole Content-Length, and half of the body follows
    STALL = "stall"  #: the same, but the connection stays open


@dataclass(slots=True)
class Request:
    """One request; header names are lower case."""

    method: str
    target: str  #: path with query, exactly as sent, without scheme and host
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def path(self) -> str:
        """The part of the target before the question mark."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The part of the target behind the question mark."""
        return self.target.partition("?")[2]


@dataclass(slots=True)
class Response:
    """One response, and how the server is to send it."""

    status: int
    body: bytes = b""
    content_type: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    delay: float = 0.0  #: seconds the server waits before it sends
    cut: Cut | None = None  #: None: all of it is sent


_SERIAL = count(int.from_bytes(os.urandom(15), "big"))


def request_id() -> bytes:
    """24 hexadecimal digits, never the same twice."""
    return b"%024X" % (next(_SERIAL) & 0xFFFFFFFFFFFFFFFFFFFFFFFF)


def request_uuid() -> str:
    """A RequestId as the RPC services print it."""
    digits = f"{next(_SERIAL):032X}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
