"""Signatures against the vectors that the provider publishes."""

import base64
import hashlib

import pytest

from smsreceipt.sandbox.wire.http import Request
from smsreceipt.sandbox.wire.signatures import (
    acs3_signature,
    content_md5_matches,
    mns_signature,
    mns_string,
    rpc_signature,
    rpc_string,
)

ACS3_HEADERS = {
    b"host": b"ecs.cn-shanghai.aliyuncs.com",
    b"x-acs-action": b"RunInstances",
    b"x-acs-content-sha256": b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"x-acs-date": b"2023-10-26T10:22:32Z",
    b"x-acs-signature-nonce": b"3156853299f313e23d1673dc12e1703d",
    b"x-acs-version": b"2014-05-26",
}


def test_the_published_vector_of_the_mns_signature() -> None:
    headers = {b"x-mns-version": b"2015-06-06"}
    string = mns_string(Request("GET", "/MyQueue", headers, b""), b"Thu, 09 Jul 2015 03:01:34 GMT")
    assert mns_signature(b"TestAccessSecret", string) == b"uwx3yeWoILzgmvesW0BQSgfM7b8="


def test_the_published_vector_of_the_rpc_signature() -> None:
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
    assert rpc_signature(b"testsecret", rpc_string("GET", parameters)) == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="


def test_the_published_vector_of_the_acs3_signature() -> None:
    query = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
    signed = ";".join(sorted(name.decode() for name in ACS3_HEADERS))
    signature = acs3_signature(Request("POST", "/", ACS3_HEADERS, b""), query, b"YourAccessKeySecret", signed)
    assert signature == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


@pytest.mark.parametrize("form", ["hexadecimal in base64", "raw in base64", "hexadecimal"])
def test_every_known_form_of_content_md5_is_accepted(form: str) -> None:
    digest = hashlib.md5(b"body", usedforsecurity=False)
    forms = {
        "hexadecimal in base64": base64.b64encode(digest.hexdigest().encode()),
        "raw in base64": base64.b64encode(digest.digest()),
        "hexadecimal": digest.hexdigest().encode(),
    }
    assert content_md5_matches(forms[form], b"body")
    assert not content_md5_matches(forms[form], b"another")
