"""A receiver of forwarded receipts that fails in every way: `python -m tests.torture.forward_receiver PORT LOG SEED`.

It appends what it accepts to LOG, a line of JSON for each request, before it answers 200. So a request whose answer is
lost is accepted all the same.
"""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POISON = "9"  #: the last digit of the numbers whose receipts are refused
_FAULTS = ("500", "429", "stall", "rst", "half", "rst-after")
_HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        objects = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        dice = self.server.dice
        fault = dice.choice(_FAULTS) if dice.random() < 0.1 else ""
        time.sleep(dice.uniform(0.002, 0.03))
        if fault in {"500", "429"}:
            self._answer(int(fault))
        elif fault == "stall":
            time.sleep(0.5)
            self.close_connection = True
        elif fault == "rst":
            self._reset()
        elif any(each["phone"].endswith(POISON) for each in objects):
            self._answer(422)
        else:
            self._accept(objects, fault)

    def _accept(self, objects: list[dict[str, object]], fault: str) -> None:
        os.write(self.server.log, json.dumps([each["seq"] for each in objects]).encode() + b"\n")
        if fault == "half":
            self.wfile.write(_HALF)
            self.close_connection = True
        elif fault == "rst-after":
            self._reset()
        else:
            self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, log: str, seed: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.dice = random.Random(seed)

    def handle_error(self, *_args: object) -> None:
        return


if __name__ == "__main__":
    Server(int(sys.argv[1]), sys.argv[2], sys.argv[3]).serve_forever()
