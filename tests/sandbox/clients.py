"""The official Python clients, unchanged, and one that can be made to lie."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http.client import HTTPConnection
from typing import Any, Self
from xml.etree import ElementTree as ET

from aliyunsdkcore.client import AcsClient
from mns.account import Account

from smsreceipt.sandbox import Sandbox

UID = "1000000001"
KEY, SECRET = "sandbox", "sandbox-secret"
REPORTS = f"Alicom-Queue-{UID}-SmsReport"
_OPEN: list[Any] = []
NS = "{http://mns.aliyuncs.com/doc/v1/}"


def account(sandbox: Sandbox, key: str = KEY, secret: str = SECRET, token: str = "") -> Any:
    """The MNS client."""
    made = Account(sandbox.url, key, secret, token)
    _OPEN.append(made.mns_client)
    return made


def close() -> None:
    """Close the MNS clients' connections: they do not do it themselves."""
    while _OPEN:
        _OPEN.pop().close_connection()


def queue(
    sandbox: Sandbox, name: str, *, encoding: bool = False, key: str = KEY, secret: str = SECRET, token: str = ""
) -> Any:
    """Its queue; without encoding, bodies are what travels."""
    found = account(sandbox, key, secret, token).get_queue(name)
    found.set_encoding(encoding)
    return found


def rpc(sandbox: Sandbox, request: Any, *, key: str = KEY, secret: str = SECRET, **fields: object) -> Any:
    """What the core SDK's client gets for *request*, with every field set by the request's own setter."""
    for name, value in fields.items():
        getattr(request, f"set_{name}")(value)
    request.set_endpoint(sandbox.url.removeprefix("http://"))
    client = AcsClient(key, secret, "cn-hangzhou")
    return json.loads(client.do_action_with_exception(request))


@dataclass
class Got:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def xml(self) -> ET.Element:
        return ET.fromstring(self.body)  # noqa: S314 - our own answer

    def text(self, name: str) -> str:
        """The text of the first element of that name."""
        found = next(self.xml.iter(NS + name))
        return found.text or ""

    @property
    def code(self) -> str:
        """The error's code, of either protocol."""
        return str(json.loads(self.body)["Code"]) if self.body.startswith(b"{") else self.text("Code")


class Wire:
    """Signed MNS requests over one connection, each header of which can be replaced or left out (None)."""

    def __init__(self, url: str) -> None:
        self.address = url.removeprefix("http://")
        self.http = HTTPConnection(self.address, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.http.close()

    def ask(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        key: str = KEY,
        secret: str = SECRET,
        **changed: str | None,
    ) -> Got:
        """Send; header names are spelled with underscores. The signature covers what is sent."""
        defaults = {"date": formatdate(usegmt=True), "x_mns_version": "2015-06-06"}
        if body:
            defaults["content_type"] = "text/xml"
        wanted = {**defaults, **changed}
        headers = {name.replace("_", "-"): value for name, value in wanted.items() if value is not None}
        headers.setdefault("authorization", f"MNS {key}:{sign(method, target, headers, secret)}")
        self.http.request(method, target, body or None, {**headers, "host": self.address})
        answer = self.http.getresponse()
        return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def dial(self) -> socket.socket:
        """A bare connection."""
        host, _colon, port = self.address.partition(":")
        return socket.create_connection((host, int(port)), timeout=5)


def sign(method: str, target: str, headers: Mapping[str, str], secret: str) -> str:
    """The documented signature, written down once more."""
    ours = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-mns-"))
    lines = [method, *(headers.get(name, "") for name in ("content-md5", "content-type", "date"))]
    text = "\n".join(lines) + "\n" + ours + target
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha1)).decode()


def batch(handles: list[str]) -> bytes:
    """The body of a batch delete."""
    inside = "".join(f"<ReceiptHandle>{handle}</ReceiptHandle>" for handle in handles)
    return f'<ReceiptHandles xmlns="http://mns.aliyuncs.com/doc/v1/">{inside}</ReceiptHandles>'.encode()
