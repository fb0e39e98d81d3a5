"""The HTTP client for a callback URL: one request at a time on a kept connection, within the time limit."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import h11

from smsreceipt.errors import UsageError
from smsreceipt.language import _

TIMEOUT = 0.7  #: seconds for connecting, request and response, by the provider's documentation
MAX_RESPONSE = 65_536
_AGENT = b"smsreceipt-sandbox"


class Callback(NamedTuple):
    """A parsed callback URL."""

    host: str
    port: int
    tls: bool
    target: str
    authority: str  #: the value of the Host header

    @classmethod
    def of(cls, url: str) -> Callback:
        """Parse *url*. Raises UsageError when it is not an http or https URL in ASCII."""
        try:
            parts = urlsplit(url)
            tls, port = parts.scheme == "https", parts.port
        except ValueError:
            parts, tls, port = urlsplit(""), False, None
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or " " in url:
            raise UsageError(_("the callback URL must be http://HOST[:PORT]/PATH, or https"))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname, port or (443 if tls else 80), tls, target, parts.netloc.rpartition("@")[2])


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of one request."""

    fault: str  #: "" when the receiver accepted, otherwise the reason in a word or two
    seconds: float  #: from connecting, or from the first byte sent, to the last byte received


class CallbackConnection:
    """A connection to one callback URL. It stays open between requests and reconnects when it was closed."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._h11 = h11.Connection(h11.CLIENT)

    async def request(self, method: str, body: bytes = b"") -> Reply:
        """Send a request and check the response. Faults of the receiver are returned, never raised."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(TIMEOUT):
                fault = await self._request(method, body)
        except TimeoutError:
            fault = "timeout"
        except (OSError, UnicodeError):  # UnicodeError: a host name that cannot be looked up
            fault = "connection"
        except h11.ProtocolError:
            fault = "protocol"
        if fault:
            self.close()
        return Reply(fault, loop.time() - began)

    async def _request(self, method: str, body: bytes) -> str:
        if self._streams is not None:
            try:
                return await self._exchange(self._streams, method, body)
            except ConnectionError:  # the receiver closed it while it was idle, which is no fault
                self.close()
        callback = self._callback
        tls = ssl.create_default_context() if callback.tls else None
        self._streams = await asyncio.open_connection(callback.host, callback.port, ssl=tls)
        self._h11 = h11.Connection(h11.CLIENT)
        return await self._exchange(self._streams, method, body)

    async def _exchange(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], method: str, body: bytes
    ) -> str:
        reader, writer = streams
        headers = [(b"Host", self._callback.authority.encode()), (b"User-Agent", _AGENT)]
        if method == "POST":
            headers += [(b"Content-Type", b"application/json;charset=utf-8"), (b"Content-Length", b"%d" % len(body))]
        protocol = self._h11
        request = protocol.send(h11.Request(method=method, target=self._callback.target, headers=headers)) or b""
        content = protocol.send(h11.Data(data=body)) if body else b""
        writer.write(request + (content or b"") + (protocol.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        status, response_body = await self._read(reader)
        if protocol.our_state is h11.DONE and protocol.their_state is h11.DONE:
            protocol.start_next_cycle()
        else:
            self.close()
        return fault_of(status, response_body)

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """Status and body. Raises OSError when the connection closes before the response, or when it is too long."""
        status, body = 0, b""
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(MAX_RESPONSE)
                if not data and not status:
                    raise ConnectionResetError
                self._h11.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_RESPONSE:
                    raise ConnectionAbortedError
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return status, body

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def fault_of(status: int, body: bytes) -> str:
    """The reason why a response does not accept a push; "" for status 200 and JSON whose code is any number."""
    if status != 200:
        return f"status {status}"
    try:
        fields = json.loads(body)
    except ValueError:
        return "answer"
    code = fields.get("code") if isinstance(fields, dict) else None
    return "" if isinstance(code, int | float) and not isinstance(code, bool) else "answer"
