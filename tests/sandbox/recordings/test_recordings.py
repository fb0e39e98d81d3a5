"""The recordings of the sandbox, with the official Python client and over plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_dyplsapi20170525 import models
from alibabacloud_dyplsapi20170525.client import Client
from alibabacloud_tea_openapi.models import Config
from aliyunsdkdyplsapi.request.v20170525.QueryRecordFileDownloadUrlRequest import QueryRecordFileDownloadUrlRequest

from smsreceipt.aliyun.credentials import Credentials
from smsreceipt.aliyun.signing import rpc_request
from smsreceipt.model import Instant, Recording
from smsreceipt.sandbox import Sandbox, generate
from smsreceipt.sandbox.clock import beijing
from smsreceipt.sources.recordings.client import request
from smsreceipt.sources.recordings.crc64 import crc64
from tests.sandbox.clients import SECRET, rpc

CONTENT = b"ID3 what was said"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False)
AT = time.time() - 86_400


def ask(sandbox: Sandbox, **fields: str) -> Any:
    given = {"PoolKey": "FC1", "CallId": "call-1", "CallTime": beijing(AT), **fields}
    return rpc(sandbox, QueryRecordFileDownloadUrlRequest(), **{name: text for name, text in given.items() if text})


def get(url: str, **headers: str) -> tuple[int, Any, bytes]:
    asked = urllib.request.Request(url, headers={name.replace("_", "-"): text for name, text in headers.items()})  # noqa: S310
    try:
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - loopback
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.headers, exc.read()


def test_every_generated_call_with_a_link_has_a_file(make: Callable[..., Sandbox]) -> None:
    sandbox = make(generate=300)
    receipts = [each.receipt for each in generate(1, 300) if each.receipt and "record_url" in each.receipt]
    assert len(receipts) > 3
    for receipt in receipts:
        names = {"PoolKey": "pool_key", "CallId": "call_id", "CallTime": "call_time"}
        answer = ask(sandbox, **{name: str(receipt[field]) for name, field in names.items()})
        assert get(answer["DownloadUrl"])[0] == 200


def test_the_official_client_gets_a_link_that_leads_to_the_file(sandbox: Sandbox) -> None:
    sandbox.record("FC1", "call-1", AT, CONTENT)
    for fields in ({}, {"PoolKey": "", "ProductType": "AXB_170"}):
        answer = ask(sandbox, **fields)
        assert (answer["Code"], answer["Message"]) == ("OK", "OK")
        status, headers, body = get(answer["DownloadUrl"])
        assert (status, body) == (200, CONTENT)
        assert headers["ETag"] == f'"{MD5.hexdigest().upper()}"'
        assert headers["Content-MD5"] == base64.b64encode(MD5.digest()).decode()
        assert headers["x-oss-hash-crc64ecma"] == str(crc64([CONTENT]))


def test_a_file_that_was_uploaded_in_parts_has_a_crc_and_no_md5(sandbox: Sandbox) -> None:
    url = sandbox.record("FC1", "call-1", AT, b"123456789", in_parts=True)
    for given in ({}, {"Range": "bytes=3-"}):
        _, headers, _ = get(url, **given)
        assert (headers["x-oss-object-type"], "Content-MD5" in headers) == ("Multipart", False)
        assert re.fullmatch(r'"[0-9A-F]{32}-2"', headers["ETag"])
        assert headers["x-oss-hash-crc64ecma"] == str(0x995DC9BBDF1939FA)  # the published check value


def newer_client(sandbox: Sandbox, secret: str = SECRET, algorithm: str | None = None) -> Any:
    """The client of the newer package; it signs with ACS3 unless an algorithm is named."""
    config = Config(
        access_key_id="sandbox", access_key_secret=secret, protocol="http", signature_algorithm=algorithm,
        endpoint=sandbox.url.removeprefix("http://"),
    )  # fmt: skip
    return Client(config)


@pytest.mark.parametrize("algorithm", [None, "v2"])
def test_the_newer_official_client_gets_that_link_too(sandbox: Sandbox, algorithm: str | None) -> None:
    sandbox.record("FC1", "通话 1/+&=~*", AT, CONTENT)
    request = models.QueryRecordFileDownloadUrlRequest(
        pool_key="FC1", call_id="通话 1/+&=~*", call_time=beijing(AT), product_type="AXB_170"
    )
    answer = newer_client(sandbox, algorithm=algorithm).query_record_file_download_url(request).body
    assert answer.code == "OK"
    assert get(answer.download_url)[::2] == (200, CONTENT)
    request.call_id = "other"
    assert newer_client(sandbox, algorithm=algorithm).query_record_file_download_url(request).body.code == (
        "isv.ILLEGAL_ARGUMENT"
    )


@pytest.mark.parametrize("algorithm", [None, "v2"])
@pytest.mark.parametrize(
    ("secret", "call_time", "code"),
    [("wrong", "2026-11-20 12:00:00", "SignatureDoesNotMatch"), (SECRET, None, "MissingCallTime")],
)
def test_the_newer_official_client_is_refused_by_the_gateway(
    sandbox: Sandbox, algorithm: str | None, secret: str, call_time: str | None, code: str
) -> None:
    sandbox.record("FC1", "call-1", AT, CONTENT)
    request = models.QueryRecordFileDownloadUrlRequest(pool_key="FC1", call_id="call-1", call_time=call_time)
    with pytest.raises(Exception, match=code) as refused:
        newer_client(sandbox, secret, algorithm).query_record_file_download_url(request)
    assert getattr(refused.value, "code", None) == code


@pytest.mark.parametrize(
    "fields",
    [
        {"PoolKey": ""}, {"PoolKey": "FC2"}, {"CallId": "call-2"}, {"CallTime": "2026-03-05 12:00:00"},
        {"CallTime": "1553774465000"},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_by_the_service(sandbox: Sandbox, fields: dict[str, str]) -> None:
    sandbox.record("FC1", "call-1", AT, CONTENT)
    assert ask(sandbox, **fields)["Code"] == "isv.ILLEGAL_ARGUMENT"


def test_a_recording_is_kept_for_30_days_and_a_link_is_good_for_two_hours(sandbox: Sandbox) -> None:
    sandbox.record("FC1", "call-1", AT, CONTENT)
    link = ask(sandbox)["DownloadUrl"]
    sandbox.advance(7_100)
    assert get(link)[0] == 200
    sandbox.advance(200)
    status, _, body = get(link)
    assert (status, b"<Code>AccessDenied</Code>" in body, b"Request has expired." in body) == (403, True, True)
    sandbox.advance(29 * 86_400)
    sandbox.skew = 0  # the clock of the request is checked too
    sandbox.record("FC1", "old", time.time() - 31 * 86_400, CONTENT)
    assert ask(sandbox, CallId="old", CallTime=beijing(time.time() - 31 * 86_400))["Code"] == "isv.ILLEGAL_ARGUMENT"


def test_ranges_are_those_of_the_object_store(sandbox: Sandbox) -> None:
    url = sandbox.record("FC1", "call-1", AT, CONTENT)
    etag = f'"{MD5.hexdigest().upper()}"'
    assert get(url, Range="bytes=4-")[::2] == (206, CONTENT[4:])
    assert get(url, Range="bytes=4-")[1]["Content-Range"] == f"bytes 4-16/{len(CONTENT)}"
    assert get(url, Range="bytes=0-2", If_Range=etag)[::2] == (206, CONTENT[:3])
    assert get(url, Range="bytes=-3")[::2] == (206, CONTENT[-3:])
    assert get(url, Range="bytes=4-", If_Range='"0"')[::2] == (200, CONTENT)
    assert get(url, Range="bytes=400-")[::2] == (200, CONTENT)
    assert get(url, If_Match='"0"')[0] == 412


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda url: url.partition("?")[0], 403, b"AccessDenied"),
        (lambda url: url.replace("Signature=", "Signature=x"), 403, b"SignatureDoesNotMatch"),
        (lambda url: url.replace("OSSAccessKeyId=", "OSSAccessKeyId=x"), 403, b"InvalidAccessKeyId"),
        (lambda url: url.replace("call-1", "call-2"), 403, b"SignatureDoesNotMatch"),
    ],
)
def test_a_changed_link_is_refused(sandbox: Sandbox, change: Callable[[str], str], status: int, code: bytes) -> None:
    found = get(change(sandbox.record("FC1", "call-1", AT, CONTENT)))
    assert (found[0], code in found[2]) == (status, True)


def test_a_queued_notice_records_its_call_whatever_form_its_time_has(sandbox: Sandbox) -> None:
    for number, at in enumerate((int(AT * 1000), str(int(AT * 1000)), int(AT), beijing(AT))):
        sandbox.put_object("SecretRecording", {"pool_key": "FC1", "call_id": f"c{number}", "call_time": at})
        assert get(ask(sandbox, CallId=f"c{number}")["DownloadUrl"])[0] == 200


def test_our_request_is_that_of_the_official_package() -> None:
    """Which is no dependency: it only names the parameters."""
    recording = Recording("FC1", "call-1", False, Instant(1_553_774_465_000), timed=True)
    official = QueryRecordFileDownloadUrlRequest()
    official.set_PoolKey("FC1")
    official.set_CallId("call-1")
    official.set_CallTime("2019-03-28 20:01:05")
    official.set_method("POST")
    key = Credentials("id", "secret", "")
    signed = [
        rpc_request(each, key, "2026-11-29T00:00:00Z", "nonce", "cn-hangzhou")
        for each in (request(recording), official)
    ]
    assert signed[0] == signed[1]
