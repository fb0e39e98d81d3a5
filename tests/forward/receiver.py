"""A receiver of forwarded receipts that notes what it gets, and answers as it is told."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok"
RST = b"rst"
STALL = b"stall"


def answer(status: int, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{lines}\r\n".encode()


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    answer: bytes

    @property
    def objects(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.body)
        return found

    @property
    def seqs(self) -> list[int]:
        return [each["seq"] for each in self.objects]


@dataclass
class Receiver:
    """What came, in order."""

    url: str = ""
    got: list[Got] = field(default_factory=list)

    @property
    def accepted(self) -> list[int]:
        """The seqs that were answered 200."""
        return [seq for each in self.got if each.answer == OK for seq in each.seqs]


Judge = Callable[[list[dict[str, Any]]], bytes]


@contextlib.contextmanager
def running(judge: Judge | None = None, script: Sequence[bytes] = (), path: str = "/in/secret") -> Iterator[Receiver]:
    """A receiver: its answers are first those of *script*, then what *judge* says of the objects, else 200."""
    receiver, answers, halt = Receiver(), iter(script), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said = next(answers, None) or (judge(json.loads(body)) if judge else OK)
            receiver.got.append(Got(self.path, dict(self.headers), body, said))
            if said == STALL:
                halt.wait(10)
            elif said == RST:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.wfile.write(said)
            self.close_connection = said in {STALL, RST, HALF}

        def log_message(self, *_args: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def shutdown_request(self, request: Any) -> None:
            self.close_request(request)

        def handle_error(self, *_args: object) -> None:
            return

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    try:
        yield receiver
    finally:
        halt.set()
        server.shutdown()
        server.server_close()
        thread.join()
