"""Signatures, against the provider's published examples and the official clients at the same instant."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from aliyunsdkcore.request import RpcRequest
from aliyunsdkcore.utils import parameter_helper
from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest
from mns.auth import Credentials as TheirCredentials
from mns.mns_client import MNSClient

from smsreceipt.aliyun import mns, signing
from smsreceipt.aliyun.credentials import Credentials

DATE = "Thu, 09 Jul 2015 03:01:34 GMT"
KEY = Credentials("TestAccessId", "TestAccessSecret")
TEMPORARY = Credentials("STS.Id", "Secret", "a-token+/==")


def headers(request: bytes) -> dict[str, str]:
    head = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in head)}


def test_the_published_queue_signature() -> None:
    request = signing.mns(mns.Request("GET", "/MyQueue"), "h", KEY, DATE)
    assert headers(request)["authorization"] == "MNS TestAccessId:uwx3yeWoILzgmvesW0BQSgfM7b8="


@pytest.mark.parametrize("key", [KEY, TEMPORARY])
@pytest.mark.parametrize(
    "request_",
    [
        mns.receive("Q", 16, 5),
        mns.delete("Q", [b"1-a+b/c=="]),
        mns.attributes("Q"),
    ],
)
def test_queue_requests_are_signed_as_the_official_client_signs_them(request_: mns.Request, key: Credentials) -> None:
    whole = signing.mns(request_, "127.0.0.1:1", key, DATE)
    sent = headers(whole)
    official = MNSClient("http://127.0.0.1:1", key.access_key_id, key.access_key_secret)
    theirs = TheirCredentials(key.access_key_id, key.access_key_secret, key.security_token)
    assert sent["authorization"] == official.get_signature(request_.method, sent, request_.target, theirs)
    assert sent.get("security-token", "") == key.security_token
    assert whole.startswith(f"{request_.method} {request_.target} HTTP/1.1\r\n".encode())
    assert whole.endswith(b"\r\n\r\n" + request_.body)
    assert int(sent.get("content-length", 0)) == len(request_.body)
    assert sent["host"] == "127.0.0.1:1"


def test_the_published_rpc_signature() -> None:
    parameters = {
        "Timestamp": "2016-02-23T12:46:24Z",
        "Format": "XML",
        "AccessKeyId": "testid",
        "Action": "DescribeRegions",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
        "Version": "2014-05-26",
        "SignatureVersion": "1.0",
    }
    assert (
        signing.rpc_signature("GET", signing.query_string(parameters), "testsecret") == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="
    )


def details() -> RpcRequest:
    request = QuerySendDetailsRequest()
    request.set_PhoneNumber("+852 13800000001")
    request.set_SendDate("20261120")
    request.set_PageSize(50)
    request.set_BizId("900619746936498440^0~*/%中文 &=")
    return request


def token() -> RpcRequest:
    request = RpcRequest("Dybaseapi", "2017-05-25", "QueryTokenForMnsQueue")
    request.add_query_param("MessageType", "SmsReport")
    return request


@pytest.mark.parametrize("build", [details, token])
@pytest.mark.parametrize("key", [KEY, TEMPORARY])
def test_rpc_requests_are_signed_as_the_official_client_signs_them(
    build: object, key: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(build)
    monkeypatch.setattr(parameter_helper, "get_iso_8061_date", lambda: "2026-11-20T03:01:34Z")
    monkeypatch.setattr(parameter_helper, "get_uuid", lambda: "a-nonce")
    request = build()
    query, form = signing.rpc_request(request, key, "2026-11-20T03:01:34Z", "a-nonce")
    official = build()
    official.set_accept_format("JSON")
    if key.security_token:
        official.add_query_param("SecurityToken", key.security_token)
    url = official.get_url("cn-hangzhou", key.access_key_id, key.access_key_secret)
    theirs = {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}
    assert {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()} == theirs
    assert form == ""


def test_form_fields_are_signed_together_with_the_query() -> None:
    request = token()
    without, _ = signing.rpc_request(request, KEY, "t", "n")
    request.add_body_params("A", "b c")
    query, form = signing.rpc_request(request, KEY, "t", "n")
    assert form == "A=b%20c"
    ours, theirs = (dict(parse_qs(text, keep_blank_values=True)) for text in (query, without))
    assert ours.pop("Signature") != theirs.pop("Signature")
    assert ours == theirs
