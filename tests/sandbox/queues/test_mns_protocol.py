"""Requests and responses of the queue service: documented status, code and XML."""

import hashlib
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from smsreceipt.sandbox import Sandbox
from smsreceipt.sandbox.wire.http import Request
from smsreceipt.sandbox.wire.signatures import mns_signature, mns_string
from tests.sandbox.clients import NS, REPORTS, Wire, batch

MESSAGES = f"/queues/{REPORTS}/messages"


def test_an_error_has_every_documented_field(wire: Wire) -> None:
    got = wire.ask("GET", f"{MESSAGES}?waitseconds=0")
    assert (got.status, got.code) == (404, "MessageNotExist")
    assert [child.tag for child in got.xml] == [NS + name for name in ("Code", "Message", "RequestId", "HostId")]
    assert got.text("RequestId") == got.headers["x-mns-request-id"]
    assert got.text("HostId") == f"http://{wire.address}"
    assert got.headers["x-mns-version"] == "2015-06-06"
    assert got.headers["content-type"].startswith("text/xml")
    assert got.headers["date"].endswith(" GMT")


def test_a_received_message_has_every_field_in_the_documented_order(sandbox: Sandbox, wire: Wire) -> None:
    sandbox.put(REPORTS, "a<b")
    got = wire.ask("GET", f"{MESSAGES}?numOfMessages=16")
    message = got.xml.find(f"{NS}Message")
    assert message is not None
    assert [child.tag.removeprefix(NS) for child in message] == [
        "MessageId",
        "ReceiptHandle",
        "MessageBodyMD5",
        "MessageBody",
        "EnqueueTime",
        "NextVisibleTime",
        "FirstDequeueTime",
        "DequeueCount",
        "Priority",
    ]
    assert got.text("MessageBody") == "a<b"
    assert got.text("MessageBodyMD5") == hashlib.md5(b"a<b", usedforsecurity=False).hexdigest().upper()


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"authorization": ""}, 400, "InvalidAuthorizationHeader"),
        ({"authorization": "MNS sandbox"}, 400, "InvalidAuthorizationHeader"),
        ({"authorization": "Bearer x"}, 400, "InvalidAuthorizationHeader"),
        ({"authorization": "MNS sandbox:AAAA"}, 403, "SignatureDoesNotMatch"),
        ({"date": None}, 400, "MissingDateHeader"),
        ({"date": "2026-11-20 15:49:55"}, 400, "InvalidDateHeader"),
        ({"date": formatdate(time.time() - 90_000, usegmt=True)}, 408, "TimeExpired"),
        ({"date": formatdate(time.time() + 90_000, usegmt=True)}, 408, "TimeExpired"),
        ({"x_mns_version": None}, 400, "InvalidArgument"),
        ({"x_mns_version": "2014-01-01"}, 400, "InvalidArgument"),
        ({"key": "nobody"}, 403, "InvalidAccessKeyId"),
        ({"secret": "wrong"}, 403, "SignatureDoesNotMatch"),
    ],
)
def test_a_bad_header_is_refused(wire: Wire, changed: dict[str, Any], status: int, code: str) -> None:
    got = wire.ask("GET", MESSAGES, **changed)
    assert (got.status, got.code) == (status, code)


def test_a_missing_authorization_header_is_refused(wire: Wire) -> None:
    wire.http.request("GET", MESSAGES)
    answer = wire.http.getresponse()
    assert answer.status == 400
    assert b"<Code>MissingAuthorizationHeader</Code>" in answer.read()


def test_the_signature_covers_the_query(wire: Wire) -> None:
    stolen = wire.ask("GET", f"{MESSAGES}?numOfMessages=1")
    assert stolen.status == 404
    signed = Request("GET", MESSAGES, {b"x-mns-version": b"2015-06-06"}, b"")
    date = formatdate(usegmt=True)
    signature = mns_signature(b"sandbox-secret", mns_string(signed, date.encode())).decode()
    got = wire.ask("GET", f"{MESSAGES}?numOfMessages=16", date=date, authorization=f"MNS sandbox:{signature}")
    assert got.code == "SignatureDoesNotMatch"


def test_x_mns_date_replaces_date(wire: Wire) -> None:
    got = wire.ask("GET", MESSAGES, date=None, x_mns_date=formatdate(usegmt=True))
    assert got.code == "MessageNotExist"


@pytest.mark.parametrize("skew", [-800, 0, 800])
def test_the_date_header_shows_the_providers_clock(make: Callable[..., Sandbox], skew: int) -> None:
    with Wire(make(skew=skew).url) as wire:
        got = wire.ask("GET", MESSAGES)
        assert got.headers["date"] in {formatdate(time.time() + skew + late, usegmt=True) for late in (-1, 0)}
        assert got.code == "MessageNotExist"


def test_a_skewed_clock_is_refused_until_it_is_corrected(sandbox: Sandbox, wire: Wire) -> None:
    sandbox.skew = 7200
    got = wire.ask("GET", MESSAGES)
    assert (got.status, got.code) == (408, "TimeExpired")
    assert wire.ask("GET", MESSAGES, date=got.headers["date"]).code == "MessageNotExist"


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", f"{MESSAGES}?numOfMessages=0", 400, "InvalidArgument"),
        ("GET", f"{MESSAGES}?numOfMessages=17", 400, "InvalidArgument"),
        ("GET", f"{MESSAGES}?numOfMessages=x", 400, "InvalidArgument"),
        ("GET", f"{MESSAGES}?waitseconds=31", 400, "InvalidArgument"),
        ("GET", "/queues/no-such/messages", 404, "QueueNotExist"),
        ("GET", "/queues/Alicom-Queue-4711-SmsReport/messages", 403, "AccessDenied"),
        ("GET", "/topics/x", 400, "InvalidRequestURL"),
        ("GET", "/queues/a/b/c", 400, "InvalidRequestURL"),
        ("PATCH", MESSAGES, 400, "InvalidRequestURL"),
        ("DELETE", MESSAGES, 400, "MissingReceiptHandle"),
        ("DELETE", f"{MESSAGES}?ReceiptHandle=nonsense", 400, "ReceiptHandleError"),
        ("DELETE", f"{MESSAGES}?ReceiptHandle=1-MQ==", 400, "ReceiptHandleError"),
        ("PUT", f"{MESSAGES}?visibilityTimeout=5", 400, "MissingReceiptHandle"),
        ("PUT", f"{MESSAGES}?receiptHandle=1-MS0yLTItOA==", 400, "MissingVisibilityTimeout"),
        ("PUT", f"{MESSAGES}?receiptHandle=1-MS0yLTItOA==&visibilityTimeout=0", 400, "InvalidArgument"),
        ("PUT", f"{MESSAGES}?receiptHandle=1-MS0yLTItOA==&visibilityTimeout=5", 404, "MessageNotExist"),
        ("PUT", "/queues/no_underscores", 400, "InvalidQueueName"),
    ],
)
def test_a_bad_request_is_refused(wire: Wire, method: str, target: str, status: int, code: str) -> None:
    got = wire.ask(method, target)
    assert (got.status, got.code) == (status, code)


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("DELETE", b"<ReceiptHandles", "MalformedXML"),
        ("DELETE", b"<Other/>", "MalformedXML"),
        ("DELETE", b'<!DOCTYPE x [<!ENTITY a "b">]><ReceiptHandles/>', "MalformedXML"),
        ("DELETE", b"<ReceiptHandles/>", "InvalidArgument"),
        ("DELETE", batch(["1-MS0yLTItOA=="] * 17), "InvalidArgument"),
        ("POST", b"<Message><MessageBody></MessageBody></Message>", "InvalidArgument"),
        ("POST", b"<Message><MessageBody>a</MessageBody><Priority>17</Priority></Message>", "InvalidArgument"),
        ("POST", b"<Message><MessageBody>" + b"a" * 65_537 + b"</MessageBody></Message>", "InvalidArgument"),
        (
            "POST",
            b"<Messages>" + b"<Message><MessageBody>a</MessageBody></Message>" * 17 + b"</Messages>",
            "InvalidArgument",
        ),
        ("POST", b"", "MalformedXML"),
    ],
)
def test_a_bad_body_is_refused(wire: Wire, method: str, body: bytes, code: str) -> None:
    got = wire.ask(method, f"{MESSAGES}?x=1" if method == "POST" else MESSAGES, body)
    assert (got.status, got.code) == (400, code)


def test_a_batch_delete_with_errors_is_404_and_lists_only_the_failed_handles(sandbox: Sandbox, wire: Wire) -> None:
    sandbox.put(REPORTS, "a", "b")
    xml = wire.ask("GET", f"{MESSAGES}?numOfMessages=16").xml
    handles = [each.text or "" for each in xml.iter(f"{NS}ReceiptHandle")]
    got = wire.ask("DELETE", MESSAGES, batch([*handles, "1-MS0yLTItOA==", "?"]))
    assert got.status == 404
    errors = [[child.text for child in error] for error in got.xml]
    assert [(code, handle) for code, _message, handle in errors] == [
        ("MessageNotExist", "1-MS0yLTItOA=="),
        ("ReceiptHandleError", "?"),
    ]
    assert wire.ask("DELETE", MESSAGES, batch(handles)).status == 404


def test_a_batch_delete_without_errors_is_204_without_a_body(sandbox: Sandbox, wire: Wire) -> None:
    sandbox.put(REPORTS, "a")
    handle = wire.ask("GET", MESSAGES).text("ReceiptHandle")
    got = wire.ask("DELETE", MESSAGES, batch([handle]))
    assert (got.status, got.body) == (204, b"")
    assert "content-length" not in got.headers


def test_handles_are_accepted_raw_and_percent_encoded(sandbox: Sandbox, wire: Wire) -> None:
    sandbox.put(REPORTS, "a", "b")
    for spell in (str, lambda handle: handle.replace("=", "%3D").replace("+", "%2B")):
        handle = wire.ask("GET", MESSAGES).text("ReceiptHandle")
        assert wire.ask("DELETE", f"{MESSAGES}?receipthandle={spell(handle)}").status == 204


def test_a_wrong_content_md5_is_refused_with_the_providers_spelling_of_the_code(wire: Wire) -> None:
    got = wire.ask("DELETE", MESSAGES, batch(["a"]), content_md5="AAAA")
    assert (got.status, got.code) == (400, "InvalidDegist")


def test_a_body_that_xml_cannot_carry_is_sent_unchanged(sandbox: Sandbox, wire: Wire) -> None:
    sandbox.put(REPORTS, b"\xff\x00<", "\ud800")
    body = wire.ask("GET", f"{MESSAGES}?numOfMessages=16").body
    assert b"<MessageBody>\xff\x00&lt;</MessageBody>" in body
    assert b"<MessageBody>\xed\xa0\x80</MessageBody>" in body


def test_messages_expire_after_the_retention_period(sandbox: Sandbox, wire: Wire) -> None:
    sandbox.put(REPORTS, "old")
    sandbox.advance(345_601)
    now = formatdate(time.time() + 345_601, usegmt=True)
    assert wire.ask("GET", MESSAGES, date=now).code == "MessageNotExist"
    assert sandbox.state()["expired"] == 1
