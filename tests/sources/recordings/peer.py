"""An object store on loopback whose answers go wrong as a test says."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from smsreceipt.aliyun.endpoints import Endpoint


class Wrong:
    """What one answer does otherwise than a sound one."""

    def __init__(
        self,
        *,
        status: int = 0,
        headers: dict[str, str] | None = None,
        without: tuple[str, ...] = (),
        body: Callable[[bytes], bytes] = lambda body: body,
        stall: bool = False,
        ignore_range: bool = False,
        interim: int = 0,
    ) -> None:
        self.status, self.headers, self.without = status, headers or {}, without
        self.body, self.stall, self.ignore_range = body, stall, ignore_range
        self.interim = interim  #: the status of an answer before it


SOUND = Wrong()


def cut(size: int) -> Wrong:
    """Announce everything, and end the connection after so many bytes."""
    return Wrong(body=lambda body: body[:size])


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Print nothing: the client leaves in the middle on purpose."""


class ObjectPeer:
    """Serves one object under every path. The first answers are those of *wrong*, all further ones are sound."""

    def __init__(self, content: bytes, *wrong: Wrong) -> None:
        self.content, self.wrong = content, [*wrong]
        self.asked: list[dict[str, str]] = []  #: the headers of every request, with its path
        self.over = threading.Event()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                peer.asked.append({"path": self.path, **{name.lower(): text for name, text in self.headers.items()}})
                peer.answer(self, peer.wrong.pop(0) if peer.wrong else SOUND)

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.endpoint = Endpoint("127.0.0.1", self._server.server_address[1], tls=False)
        self.url = f"{self.endpoint.url}/bucket/call.mp3?Expires=4102444800&Signature=canarySignature"

    def answer(self, handler: BaseHTTPRequestHandler, wrong: Wrong) -> None:
        etag = f'"{hashlib.md5(self.content).hexdigest().upper()}"'  # noqa: S324 - the store's own form
        headers = {"ETag": etag, "Content-Type": "audio/mpeg"}
        status, body = 200, self.content
        found = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if found and not wrong.ignore_range and handler.headers.get("If-Range", etag) == etag:
            begin = int(found[1])
            status, body = 206, body[begin:]
            headers["Content-Range"] = f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}"
        else:
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(self.content).digest()).decode()  # noqa: S324
        headers |= {"Content-Length": str(len(body)), **wrong.headers}
        if wrong.interim:
            handler.send_response(wrong.interim)
            handler.end_headers()
        handler.send_response(wrong.status or status)
        for name in headers.keys() - set(wrong.without):
            handler.send_header(name, headers[name])
        handler.end_headers()
        sent = wrong.body(body)
        handler.wfile.write(sent)
        handler.wfile.flush()
        if wrong.stall:
            self.over.wait(20)
        handler.close_connection = str(len(sent)) != headers["Content-Length"] or bool(wrong.without)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
