"""A real HTTP proxy on loopback. It alone knows the addresses of some names, as a company's proxy does."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class HttpProxy:
    """Opens tunnels (CONNECT) and forwards plain http, until the context ends.

    *names*: names --> ports of this machine; other names are answered with 502. *inner*: what is behind a tunnel speaks
    TLS with this context, though the port itself speaks plain http. *tls*: so does the proxy itself. *user*:
    "USER:PASSWORD", without which it answers 407. *status*: it answers every request with this.
    """

    def __init__(
        self,
        names: Mapping[str, int],
        *,
        inner: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        user: str = "",
        status: int = 0,
    ) -> None:
        self.asked: list[str] = []  #: the first line of every request
        self.port = 0
        self._names, self._inner, self._tls, self._status = names, inner, tls, status
        self._token = f"Basic {base64.b64encode(user.encode()).decode()}" if user else ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def url(self, user: str = "") -> str:
        """The address of the proxy."""
        return f"{'https' if self._tls else 'http'}://{user and user + '@'}127.0.0.1:{self.port}"

    async def _serve(self) -> None:
        fronts = {name: await self._front(port) for name, port in self._names.items()}
        self._ports = {name: front.sockets[0].getsockname()[1] for name, front in fronts.items()}
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        for each in (server, *fronts.values()):
            each.close()
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _front(self, port: int) -> asyncio.Server:
        """A server that speaks TLS, where wanted, before the port that does not."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _join((reader, writer), await asyncio.open_connection("127.0.0.1", port))

        return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self._inner)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        line, *fields = head.decode("latin-1").split("\r\n")
        self.asked.append(line)
        method, target, _ = line.split(" ", 2)
        name, port = target.partition(":")[0], None
        if method == "CONNECT":
            port = self._ports.get(name)
        else:
            url = urlsplit(target)
            port = self._names.get(url.hostname or "")
        authorized = not self._token or f"Proxy-Authorization: {self._token}" in fields
        status = self._status or (407 if not authorized else 502 if port is None else 0)
        if status or port is None:
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()
            return
        peer = await asyncio.open_connection("127.0.0.1", port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = f"{url.path}?{url.query}" if url.query else url.path
            kept = [field for field in fields if not field.startswith("Proxy-")]
            peer[1].write("\r\n".join([f"{method} {path} HTTP/1.1", *kept]).encode("latin-1"))
        await _join((reader, writer), peer)


async def _join(one: Streams, other: Streams) -> None:
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    await asyncio.gather(copy(one[0], other[1]), copy(other[0], one[1]))
