"""Requests and answers as values: what the services see of HTTP."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from itertools import count


class Cut(Enum):
    """How much of an answer reaches the client."""

    NOTHING = "nothing"  #: the connection closes unanswered
    HALF = "half"  #: the whole Content-Length is promised and half of the body sent


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
class Answer:
    """What goes back, and how."""

    status: int
    body: bytes = b""
    content_type: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    hold: float = 0.0  #: seconds to sit on it
    cut: Cut | None = None


_SERIAL = count(int.from_bytes(os.urandom(15), "big"))


def request_id() -> bytes:
    """24 hexadecimal digits, never the same twice."""
    return b"%024X" % (next(_SERIAL) & 0xFFFFFFFFFFFFFFFFFFFFFFFF)


def request_uuid() -> str:
    """A RequestId as the RPC services print it."""
    digits = f"{next(_SERIAL):032X}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
