"""Which links are followed, and until when they are good."""

from __future__ import annotations

import pytest

from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.sources.recordings.links import LinkRefused, Policy, good_until

BUCKET = "secret-axb-record-files.oss-cn-shanghai.aliyuncs.com"
MINE = Endpoint("127.0.0.1", 8901, tls=False)
OURS = Policy({MINE})
ANY = Policy(any_host=True)


@pytest.mark.parametrize("scheme", ["http", "https", "HTTP"])
def test_the_object_store_is_always_reached_over_tls(scheme: str) -> None:
    link = OURS.admit(f"{scheme}://{BUCKET}/1_2.mp3?Expires=1&Signature=a%2Bb%3D")
    assert (link.endpoint, link.target) == (Endpoint(BUCKET, 443, tls=True), "/1_2.mp3?Expires=1&Signature=a%2Bb%3D")
    assert "Signature" not in f"{link} {link!r}"


@pytest.mark.parametrize(
    "host",
    [
        "b-1.oss-accelerate.aliyuncs.com", "b-1.oss-cn-shanghai-internal.aliyuncs.com", "oss-cn-shanghai.aliyuncs.com",
        "b-1.cn-shanghai.oss.aliyuncs.com",
    ],
)  # fmt: skip
def test_every_form_of_a_buckets_name_is_known(host: str) -> None:
    assert OURS.admit(f"http://{host}/x").endpoint.tls


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data", "http://100.100.100.200/x", "http://127.0.0.1:6379/x", "http://localhost/x",
        "https://evil.example/x", f"https://{BUCKET}.evil.example/x", f"https://evil.example/{BUCKET}",
        f"https://{BUCKET}:9200/x", "https://rds.aliyuncs.com/x", "https://evil-oss-cn-shanghai.aliyuncs.com/x",
        "http://[::1]/x", "http://2130706433/x",
    ],
)  # fmt: skip
def test_other_hosts_are_refused_unless_any_may_be_asked(url: str) -> None:
    with pytest.raises(LinkRefused, match="is not the provider's object store"):
        OURS.admit(url)
    if url.startswith("https"):
        assert ANY.admit(url).endpoint.tls


@pytest.mark.parametrize(
    "url",
    [
        "", "null", "record.mp3", "ftp://example.com/x", "file:///etc/passwd", f"https://user@{BUCKET}/x", "http://",
        "https://[::1/x", "http://a b/x", f"https://{BUCKET}/x y", f"https://{BUCKET}/x\r\nHost: evil", f"https://{BUCKET}/录音",
        f"https://{BUCKET}:99999/x", "https://\u202eexample.com/x", f"https://{BUCKET}/\x7f",
    ],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    for policy in (OURS, ANY):
        with pytest.raises(LinkRefused) as refused:
            policy.admit(url)
        assert "record.mp3" not in str(refused.value)
        assert str(refused.value).isprintable()


def test_the_endpoint_that_the_user_configured_is_followed_with_its_port_only() -> None:
    assert OURS.admit("http://127.0.0.1:8901/x").endpoint == MINE
    with pytest.raises(LinkRefused):
        OURS.admit("http://127.0.0.1:8902/x")


def test_plain_http_is_refused_beyond_loopback() -> None:
    with pytest.raises(LinkRefused, match="plain http"):
        ANY.admit("http://media.example/x")
    assert ANY.admit("http://127.0.0.1:1/x").endpoint.loopback
    allowed = Policy(any_host=True, insecure_http=True)
    assert not allowed.admit("http://media.example/x").endpoint.tls
    assert not Policy(insecure_http=True).admit(f"http://{BUCKET}/x").endpoint.tls


def test_a_redirect_obeys_the_same_rules() -> None:
    link = OURS.admit(f"https://{BUCKET}/x?a=1")
    assert OURS.follow(link, "/y").target == "/y"
    for location in ("https://evil.example/x", "//169.254.169.254/x", "http://127.0.0.1:8901/x", "javascript:x"):
        with pytest.raises(LinkRefused):
            OURS.follow(link, location)


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("Expires=1551750807&Signature=x", 1551750807),
        ("x-oss-date=20260301T000000Z&x-oss-expires=7200", 1772323200 + 7200),
        ("Expires=soon", None), ("Expires=", None), ("Expires=-1", None), ("Expires=9" * 30, None), ("a=b", None),
        ("x-oss-date=20260301T000000Z", None),
    ],
)  # fmt: skip
def test_a_signed_link_says_until_when_it_is_good(query: str, seconds: int | None) -> None:
    assert good_until(f"http://{BUCKET}/x?{query}") == (None if seconds is None else seconds * 1000)
