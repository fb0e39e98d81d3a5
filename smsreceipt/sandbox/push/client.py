"""The provider as a client: one exchange after the other over a connection of its own, each within the time limit."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import h11

from smsreceipt.errors import UsageError

LIMIT = 0.7  #: seconds for a whole exchange, connecting included, by the provider's documentation
MAX_ANSWER = 65_536
_AGENT = b"smsreceipt-sandbox"


class Callback(NamedTuple):
    """A callback URL, taken apart."""

    host: str
    port: int
    tls: bool
    target: str
    authority: str  #: what the Host header says

    @classmethod
    def of(cls, url: str) -> Callback:
        """Raises UsageError when it is no URL that can be called."""
        try:
            parts = urlsplit(url)
            tls, port = parts.scheme == "https", parts.port
        except ValueError:
            parts, tls, port = urlsplit(""), False, None
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or " " in url:
            raise UsageError("the callback URL must be http://HOST[:PORT]/PATH, or https")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname, port or (443 if tls else 80), tls, target, parts.netloc.rpartition("@")[2])


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a fault in words, or nothing to complain of."""

    fault: str  #: "" when it was accepted, else why not
    seconds: float  #: from the first byte out, or from dialling, to the last byte in


class Line:
    """A connection to one callback, kept open between exchanges and dialled anew when it is gone."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._peer = h11.Connection(h11.CLIENT)

    async def exchange(self, method: str, body: bytes = b"") -> Reply:
        """Send, wait for the whole answer, and judge it; never raises for what the other side does."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(LIMIT):
                fault = await self._exchange(method, body)
        except TimeoutError:
            fault = "timeout"
        except (OSError, UnicodeError):  # some names of hosts cannot even be looked up
            fault = "connection"
        except h11.ProtocolError:
            fault = "protocol"
        if fault:
            self.close()
        return Reply(fault, loop.time() - began)

    async def _exchange(self, method: str, body: bytes) -> str:
        if self._streams is not None:
            try:
                return await self._ask(self._streams, method, body)
            except ConnectionError:  # it was closed while nobody used it: no verdict about this exchange
                self.close()
        callback = self._callback
        tls = ssl.create_default_context() if callback.tls else None
        self._streams = await asyncio.open_connection(callback.host, callback.port, ssl=tls)
        self._peer = h11.Connection(h11.CLIENT)
        return await self._ask(self._streams, method, body)

    async def _ask(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], method: str, body: bytes) -> str:
        reader, writer = streams
        headers = [(b"Host", self._callback.authority.encode()), (b"User-Agent", _AGENT)]
        if method == "POST":
            headers += [(b"Content-Type", b"application/json;charset=utf-8"), (b"Content-Length", b"%d" % len(body))]
        peer = self._peer
        request = peer.send(h11.Request(method=method, target=self._callback.target, headers=headers)) or b""
        content = peer.send(h11.Data(data=body)) if body else b""
        writer.write(request + (content or b"") + (peer.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        status, answer = await self._answer(reader)
        if peer.our_state is h11.DONE and peer.their_state is h11.DONE:
            peer.start_next_cycle()
        else:
            self.close()
        return verdict(status, answer)

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """Status and body. Raises OSError when the connection ends before anything came."""
        status, body = 0, b""
        while True:
            event = self._peer.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(MAX_ANSWER)
                if not data and not status:
                    raise ConnectionResetError
                self._peer.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_ANSWER:
                    raise ConnectionAbortedError
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return status, body

    def close(self) -> None:
        """Close; the next exchange dials anew."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def verdict(status: int, body: bytes) -> str:
    """Why an answer accepts nothing; "" when it does: status 200 and JSON whose code is a number, whichever."""
    if status != 200:
        return f"status {status}"
    try:
        fields = json.loads(body)
    except ValueError:
        return "answer"
    code = fields.get("code") if isinstance(fields, dict) else None
    return "" if isinstance(code, int | float) and not isinstance(code, bool) else "answer"
