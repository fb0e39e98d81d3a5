"""A provider on loopback that answers calls as it is told, without a look at their signatures."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, dict[str, Any]]  #: the status and the body
_UNKNOWN: Answer = (404, {"Code": "InvalidAction.NotFound", "Message": "x", "RequestId": "R"})


class Peer:
    """Answers by action, or by action@IsGlobe where the call has that."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.calls: list[dict[str, str]] = []  #: the parameters of each call
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                status, body = peer._answer(dict(parse_qsl(urlsplit(self.path).query) + parse_qsl(form)))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def _answer(self, parameters: dict[str, str]) -> Answer:
        self.calls.append(parameters)
        action = parameters.get("Action", "")
        scoped = f"{action}@{parameters.get('IsGlobe')}"
        return self.answers.get(scoped, self.answers.get(action, _UNKNOWN))

    @property
    def actions(self) -> list[str]:
        """The actions that were called, in this order."""
        return [call.get("Action", "") for call in self.calls]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead here."""
        return {
            "SMSRECEIPT_DYSMSAPI_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "key",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
