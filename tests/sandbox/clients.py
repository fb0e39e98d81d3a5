"""The official Python clients, unchanged, and a client that can send wrong requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from email.utils import formatdate
from http.client import HTTPConnection
from typing import Any, Self
from xml.etree import ElementTree as ET

from aliyunsdkcore.client import AcsClient
from aliyunsdkdysmsapi.request.v20170525.SendSmsRequest import SendSmsRequest
from mns.account import Account

from smsreceipt.sandbox import Sandbox

UID = "1000000001"
KEY, SECRET = "sandbox", "sandbox-secret"
REPORTS = f"Alicom-Queue-{UID}-SmsReport"
NS = "{http://mns.aliyuncs.com/doc/v1/}"
_open_clients: list[Any] = []


def account(sandbox: Sandbox, key: str = KEY, secret: str = SECRET, token: str = "") -> Any:
    """An MNS client, open until close_accounts is called; the fixture that starts sandboxes does so."""
    made = Account(sandbox.url, key, secret, token)
    _open_clients.append(made.mns_client)
    return made


def close_accounts() -> None:
    """Close the connections of the MNS clients, which never close them."""
    while _open_clients:
        _open_clients.pop().close_connection()


def queue(
    sandbox: Sandbox, name: str, *, encoding: bool = False, key: str = KEY, secret: str = SECRET, token: str = ""
) -> Any:
    """A queue of an MNS client; without *encoding*, bodies are not converted from base64."""
    found = account(sandbox, key, secret, token).get_queue(name)
    found.set_encoding(encoding)
    return found


def rpc(sandbox: Sandbox, request: Any, *, key: str = KEY, secret: str = SECRET, **fields: object) -> Any:
    """The response to *request*, sent by the core SDK's client; fields are set by the request's own setters."""
    for name, value in fields.items():
        getattr(request, f"set_{name}")(value)
    request.set_endpoint(sandbox.url.removeprefix("http://"))
    client = AcsClient(key, secret, "cn-hangzhou")
    with closing(client.session):  # the client itself leaves its connections open
        return json.loads(client.do_action_with_exception(request))


def send_sms(sandbox: Sandbox, phones: str, **fields: str) -> Any:
    """The response to SendSms, sent by the official SDK; *phones* are separated by commas."""
    given = {"SignName": "示例商城", "TemplateCode": "SMS_1", **fields}
    return rpc(sandbox, SendSmsRequest(), PhoneNumbers=phones, **given)


@dataclass
class Got:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def xml(self) -> ET.Element:
        return ET.fromstring(self.body)  # noqa: S314 - it comes from the sandbox

    def text(self, name: str) -> str:
        """The text of the first element of that name."""
        found = next(self.xml.iter(NS + name))
        return found.text or ""

    @property
    def code(self) -> str:
        """The error's code, of either protocol."""
        return str(json.loads(self.body)["Code"]) if self.body.startswith(b"{") else self.text("Code")


class Wire:
    """Sends signed MNS requests over one connection. Each header can be replaced, or left out by None."""

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
        """Send a request. Header names have underscores for hyphens; the signature covers the headers as sent."""
        defaults = {"date": formatdate(usegmt=True), "x_mns_version": "2015-06-06"}
        if body:
            defaults["content_type"] = "text/xml"
        wanted = {**defaults, **changed}
        headers = {name.replace("_", "-"): value for name, value in wanted.items() if value is not None}
        headers.setdefault("authorization", f"MNS {key}:{sign(method, target, headers, secret)}")
        self.http.request(method, target, body or None, {**headers, "host": self.address})
        answer = self.http.getresponse()
        return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def connect(self) -> socket.socket:
        """A TCP connection."""
        host, _colon, port = self.address.partition(":")
        return socket.create_connection((host, int(port)), timeout=5)


def sign(method: str, target: str, headers: Mapping[str, str], secret: str) -> str:
    """The documented signature, implemented independently of the sandbox."""
    mns_headers = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-mns-"))
    lines = [method, *(headers.get(name, "") for name in ("content-md5", "content-type", "date"))]
    text = "\n".join(lines) + "\n" + mns_headers + target
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha1)).decode()


def batch(handles: list[str]) -> bytes:
    """The body of a batch delete."""
    inside = "".join(f"<ReceiptHandle>{handle}</ReceiptHandle>" for handle in handles)
    return f'<ReceiptHandles xmlns="http://mns.aliyuncs.com/doc/v1/">{inside}</ReceiptHandles>'.encode()
