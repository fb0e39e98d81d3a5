"""Robots on loopback that check what they get, and answer, as the vendors document."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, object]  #: a status, and an object or bytes
Judge = Callable[["Robot", "Got"], Reply]
TOKEN, SECRET = "canaryTokenOfTheRobot", "SECcanarySecretOfTheRobot"


class Got:
    """One request."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path, self.headers, self.body = path, headers, body
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


class Robot(ThreadingHTTPServer):
    """A robot that answers what *judge* says, and keeps every request."""

    daemon_threads = True

    def __init__(self, judge: Judge, tls: ssl.SSLContext | None, now: Callable[[], float]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.tls = tls is not None
        self.judge, self.now = judge, now
        self.got: list[Got] = []
        self.accepted: list[Got] = []
        self.let_go = threading.Event()

    def url(self, path: str) -> str:
        return f"http{'s' * self.tls}://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error of the robot."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Robot

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.server.got.append(got)
        status, answer = self.server.judge(self.server, got)
        if status == 0:  # cut
            self.close_connection = True
            return
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(data)}\r\nLocation: http://169.254.169.254/\r\n\r\n"
        with contextlib.suppress(OSError):
            self.wfile.write(head.encode() + data)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def running(judge: Judge, tls: ssl.SSLContext | None = None, now: Callable[[], float] = time.time) -> Iterator[Robot]:
    robot = Robot(judge, tls, now)
    thread = threading.Thread(target=robot.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield robot
    finally:
        robot.let_go.set()
        robot.shutdown()
        robot.server_close()
        thread.join()


def _accept(robot: Robot, got: Got, reply: object) -> Reply:
    robot.accepted.append(got)
    return 200, reply


def dingtalk(robot: Robot, got: Got) -> Reply:
    """20 messages, then 130101; a signature over milliseconds that are less than an hour old."""
    if urlsplit(got.path).path != "/robot/send" or got.query.get("access_token") != TOKEN:
        return 200, {"errcode": 300001, "errmsg": "token is not exist"}
    at = int(got.query.get("timestamp", "0"))
    if abs(robot.now() * 1000 - at) > 3_600_000:
        return 200, {"errcode": 310000, "errmsg": "invalid timestamp"}
    key = SECRET.encode()
    expected = base64.b64encode(hmac.new(key, f"{at}\n{SECRET}".encode(), hashlib.sha256).digest()).decode()
    if got.query.get("sign") != expected:
        return 200, {"errcode": 310000, "errmsg": f"sign not match {SECRET}"}
    if len(robot.accepted) >= 20:
        return 200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}
    assert got.headers["content-type"].lower() == "application/json;charset=utf-8"
    body = got.json
    assert body["msgtype"] == "markdown"
    assert body["markdown"]["title"]
    assert body["markdown"]["text"]
    return _accept(robot, got, {"errcode": 0, "errmsg": "ok"})


def wecom(robot: Robot, got: Got) -> Reply:
    """The key in the query; at most 4,096 bytes of text."""
    if urlsplit(got.path).path != "/cgi-bin/webhook/send" or got.query.get("key") != TOKEN:
        return 200, {"errcode": 93000, "errmsg": f"invalid webhook url, hint: [1], from ip: 1.2.3.4, key {TOKEN}"}
    body = got.json
    content = body["markdown"]["content"]
    if body["msgtype"] != "markdown" or len(content.encode()) > 4096:
        return 200, {"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"}
    if len(robot.accepted) >= 20:
        return 200, {"errcode": 45009, "errmsg": "api freq out of limit"}
    return _accept(robot, got, {"errcode": 0, "errmsg": "ok"})


def feishu(robot: Robot, got: Got) -> Reply:
    """A signature in the body, over seconds that are less than an hour old; at most 20 KB."""
    if urlsplit(got.path).path != f"/open-apis/bot/v2/hook/{TOKEN}":
        return 404, {"code": 19001, "msg": "param invalid: incoming webhook access token invalid"}
    if len(got.body) > 20_480:
        return 400, {"code": 9499, "msg": "Bad Request", "data": {}}
    body = got.json
    at = body.get("timestamp", "0")
    signed = base64.b64encode(hmac.new(f"{at}\n{SECRET}".encode(), b"", hashlib.sha256).digest()).decode()
    if abs(robot.now() - int(at)) > 3600 or body.get("sign") != signed:
        return 200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
    assert body["msg_type"] == "interactive"
    assert body["card"]["header"]["title"]["tag"] == "plain_text"
    return _accept(robot, got, {"code": 0, "msg": "success", "StatusCode": 0, "StatusMessage": "success"})


def webhook(robot: Robot, got: Got) -> Reply:
    """A signature in a header."""
    expected = "sha256=" + hmac.new(SECRET.encode(), got.body, hashlib.sha256).hexdigest()
    if got.headers.get("x-smsreceipt-signature") != expected:
        return 401, {}
    for line in got.body.splitlines():
        json.loads(line)
    return _accept(robot, got, b"")


PATHS = {
    "dingtalk": f"/robot/send?access_token={TOKEN}",
    "wecom": f"/cgi-bin/webhook/send?key={TOKEN}",
    "feishu": f"/open-apis/bot/v2/hook/{TOKEN}",
    "webhook": f"/alarms/{TOKEN}",
}
JUDGES: dict[str, Judge] = {"dingtalk": dingtalk, "wecom": wecom, "feishu": feishu, "webhook": webhook}
