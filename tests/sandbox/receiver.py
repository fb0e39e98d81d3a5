"""A callback server whose responses each test chooses."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ACCEPTED = (200, b'{"code":0,"msg":"\xe6\x88\x90\xe5\x8a\x9f"}')
Response = tuple[int, bytes]  #: status and body


@dataclass(frozen=True)
class Request:
    """One request to the callback."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """The pushed receipts."""
        found: list[dict[str, Any]] = json.loads(self.body)
        return found


class Receiver:
    """Responds to POST with the result of *answer* and to GET with *probe*; None closes the connection instead."""

    def __init__(
        self, answer: Callable[[Request], Response | None] = lambda _request: ACCEPTED, probe: Response = ACCEPTED
    ) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        self.probe = probe
        self._more = threading.Condition()
        self._open: list[socket.socket] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                outer._open.append(self.connection)

            def do_GET(self) -> None:
                self._serve(lambda _request: outer.probe)

            def do_POST(self) -> None:
                self._serve(lambda request: outer.answer(request))  # noqa: PLW0108 - tests replace it

            def _serve(self, answer: Callable[[Request], Response | None]) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body, self.client_address)
                with outer._more:
                    outer.requests.append(request)
                    outer._more.notify_all()
                response = answer(request)
                if response is None:
                    self.close_connection = True
                else:
                    self.send_response(response[0])
                    self.send_header("Content-Length", str(len(response[1])))
                    self.end_headers()
                    self.wfile.write(response[1])

            def log_message(self, *_words: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

            def handle_error(self, *_about: object) -> None:
                """Ignore clients that have closed the connection: a push ends after 700 ms."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def disconnect(self) -> None:
        """Close every connection."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        """The callback URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def posts(self) -> list[Request]:
        """The pushes until now."""
        with self._more:
            return [request for request in self.requests if request.method == "POST"]

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait until *reached* is true, at most half a minute; checks after each request and every 10 ms."""
        limit = time.monotonic() + 30
        while not reached():
            assert time.monotonic() < limit, [request.body for request in self.requests]
            with self._more:
                self._more.wait(0.01)
