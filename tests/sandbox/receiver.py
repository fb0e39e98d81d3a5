"""A customer's callback, as obedient or as broken as a test needs it."""

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

DONE = (200, b'{"code":0,"msg":"\xe6\x88\x90\xe5\x8a\x9f"}')
Answer = tuple[int, bytes]


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """What was pushed."""
        found: list[dict[str, Any]] = json.loads(self.body)
        return found


class Receiver:
    """Answers what *answer* says to a POST and *probe* to a GET; None hangs up unanswered."""

    def __init__(self, answer: Callable[[Asked], Answer | None] = lambda _asked: DONE, probe: Answer = DONE) -> None:
        self.asked: list[Asked] = []
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
                self._serve(lambda _asked: outer.probe)

            def do_POST(self) -> None:
                self._serve(lambda asked: outer.answer(asked))  # noqa: PLW0108 - tests replace it

            def _serve(self, answer: Callable[[Asked], Answer | None]) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, body, self.client_address)
                with outer._more:
                    outer.asked.append(asked)
                    outer._more.notify_all()
                told = answer(asked)
                if told is None:
                    self.close_connection = True
                else:
                    self.send_response(told[0])
                    self.send_header("Content-Length", str(len(told[1])))
                    self.end_headers()
                    self.wfile.write(told[1])

            def log_message(self, *_words: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

            def handle_error(self, *_about: object) -> None:
                """Who waits no longer than 700 ms is gone when the answer comes."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hang_up(self) -> None:
        """Close every connection."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def posts(self) -> list[Asked]:
        """The pushes so far."""
        with self._more:
            return [asked for asked in self.asked if asked.method == "POST"]

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for it, ten seconds at most; looks whenever something came, and a hundred times a second."""
        limit = time.monotonic() + 10
        while not reached():
            assert time.monotonic() < limit, [asked.body for asked in self.asked]
            with self._more:
                self._more.wait(0.01)
