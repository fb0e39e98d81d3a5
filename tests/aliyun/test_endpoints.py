"""The spelling of endpoints, their defaults, and when plain http is allowed."""

import pytest

from smsreceipt.aliyun.endpoints import DEFAULTS, Endpoint, Endpoints
from smsreceipt.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url", "netloc"),
    [
        ("mns.example.com", "https://mns.example.com", "mns.example.com"),
        ("mns.example.com:8443", "https://mns.example.com:8443", "mns.example.com:8443"),
        ("https://mns.example.com/", "https://mns.example.com", "mns.example.com"),
        ("https://mns.example.com:443", "https://mns.example.com", "mns.example.com"),
        (" HTTPS://mns.example.com ", "https://mns.example.com", "mns.example.com"),
        ("127.0.0.1:8901", "http://127.0.0.1:8901", "127.0.0.1:8901"),
        ("http://localhost:8901", "http://localhost:8901", "localhost:8901"),
        ("https://127.0.0.1:8901", "https://127.0.0.1:8901", "127.0.0.1:8901"),
        ("[::1]:8901", "http://[::1]:8901", "[::1]:8901"),
        ("::1", "http://[::1]", "[::1]"),
        ("127.8.8.8", "http://127.8.8.8", "127.8.8.8"),
    ],
)
def test_an_endpoint_is_read_and_written(text: str, url: str, netloc: str) -> None:
    endpoint = Endpoint.parse(text)
    assert (str(endpoint), endpoint.netloc) == (url, netloc)
    assert Endpoint.parse(endpoint.url) == endpoint


@pytest.mark.parametrize(
    "text",
    ["http://mns.example.com", "http://10.0.0.1:80", "http://localhost.example.com", "http://127.0.0.1.example.com"],
)
def test_plain_http_stays_on_this_machine_unless_asked_for(text: str) -> None:
    with pytest.raises(UsageError):
        Endpoint.parse(text)
    assert not Endpoint.parse(text, insecure_http=True).tls


@pytest.mark.parametrize(
    "text",
    [
        "",
        "://",
        "ftp://h",
        "https://h/path",
        "https://h?x=1",
        "https://user:pass@h",
        "h:0",
        "h:99999",
        "h:x",
        "a b",
        "h\r\nHost: evil",
        "https://",
        "-h",
    ],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Endpoint.parse(text)
    assert "pass" not in str(refused.value)


def test_the_defaults_are_the_mainland_hosts_over_https() -> None:
    found = Endpoints.of({})
    assert {str(getattr(found, name)) for name in DEFAULTS} == {f"https://{host}" for host in DEFAULTS.values()}


def test_the_environment_names_others() -> None:
    found = Endpoints.of({"SMSRECEIPT_MNS_ENDPOINT": "127.0.0.1:1", "SMSRECEIPT_DYSMSAPI_ENDPOINT": ""})
    assert (str(found.mns), found.dysmsapi.host) == ("http://127.0.0.1:1", DEFAULTS["dysmsapi"])
    with pytest.raises(UsageError, match="SMSRECEIPT_DYBASEAPI_ENDPOINT"):
        Endpoints.of({"SMSRECEIPT_DYBASEAPI_ENDPOINT": "http://evil.example.com"})
