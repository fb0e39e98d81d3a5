"""Which proxy leads to which endpoint, and what is told about one that cannot be used."""

from __future__ import annotations

import pytest

from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import ProxyRefused, Unreached
from smsreceipt.aliyun.proxies import Proxies, Proxy, hidden
from smsreceipt.errors import UsageError

MNS = Endpoint("123.mns.cn-hangzhou.aliyuncs.com", 443, tls=True)
PLAIN = Endpoint("mns.vpc.example", 80, tls=False)


def chosen(environ: dict[str, str], endpoint: Endpoint = MNS, configured: str | None = None) -> str:
    return str(Proxies(environ, configured).choose(endpoint) or "")


@pytest.mark.parametrize(
    ("environ", "https", "http"),
    [
        ({}, "", ""),
        ({"HTTPS_PROXY": "http://p:1"}, "p:1", ""),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "p:1", ""),
        ({"https_proxy": "", "HTTPS_PROXY": "http://q:1", "ALL_PROXY": "http://q:1"}, "", "q:1"),
        ({"HTTP_PROXY": "http://p:1"}, "", "p:1"),
        ({"http_proxy": "http://p:1"}, "", "p:1"),
        ({"ALL_PROXY": "http://p:1"}, "p:1", "p:1"),
        ({"all_proxy": "http://p:1", "HTTPS_PROXY": "q:2"}, "q:2", "p:1"),
        ({"ALL_PROXY": "socks5://p:1", "https_proxy": "http://q:2", "http_proxy": "http://q:2"}, "q:2", "q:2"),
        ({"HTTPS_PROXY": "  "}, "", ""),
    ],
)
def test_the_environment_names_a_proxy_for_each_scheme(environ: dict[str, str], https: str, http: str) -> None:
    assert (chosen(environ), chosen(environ, PLAIN)) == (https, http)


def test_the_configuration_comes_before_the_environment_and_may_say_that_there_is_none() -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:1"}
    assert [chosen(environ, each, "http://c:9") for each in (MNS, PLAIN)] == ["c:9", "c:9"]
    assert [chosen(environ, each, "") for each in (MNS, PLAIN)] == ["", ""]
    assert chosen({"NO_PROXY": "aliyuncs.com"}, MNS, "http://c:9") == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_reached_without_a_proxy_even_one_that_could_not_be_used(host: str) -> None:
    environ = {"HTTPS_PROXY": "socks5://p:1", "HTTP_PROXY": "http://:x"}
    assert chosen(environ, Endpoint(host, 8901, tls=False), "http://c:9") == ""
    assert chosen(environ, Endpoint(host, 443, tls=True)) == ""


NAMED = Endpoint("mns.example.com", 443, tls=True)
NUMBER = Endpoint("10.1.2.3", 443, tls=True)
LONG = Endpoint("fd00::1", 8443, tls=True)


@pytest.mark.parametrize(
    ("no_proxy", "endpoint", "direct"),
    [
        ("*", NAMED, True),
        ("*", NUMBER, True),
        ("mns.example.com", NAMED, True),
        ("MNS.Example.COM", NAMED, True),
        ("mns.example.com", Endpoint("MNS.example.com.", 443, tls=True), True),
        ("example.com", NAMED, True),
        (".example.com", NAMED, True),
        ("*.example.com", NAMED, True),
        (".example.com.", NAMED, True),
        ("ample.com", NAMED, False),
        ("s.example.com", NAMED, False),
        ("x.mns.example.com", NAMED, False),
        ("com", NAMED, True),
        ("a, example.com ,b", NAMED, True),
        ("a example.com", NAMED, True),
        ("", NAMED, False),
        (",. ,*.", NAMED, False),
        ("example.com:443", NAMED, True),
        ("example.com:8443", NAMED, False),
        ("*.example.com:443", NAMED, True),
        ("10.1.2.3", NUMBER, True),
        ("10.1.2.3:443", NUMBER, True),
        ("10.1.2.3:80", NUMBER, False),
        ("10.0.0.0/8", NUMBER, True),
        ("10.1.2.9/24", NUMBER, True),
        ("10.0.0.0/16", NUMBER, False),
        ("10.0.0.0/8", NAMED, False),
        ("10.1", NUMBER, False),
        ("10.0.0.0/99", NUMBER, False),
        ("fd00::1", LONG, True),
        ("[fd00::1]", LONG, True),
        ("[fd00::1]:8443", LONG, True),
        ("[fd00::1]:443", LONG, False),
        ("fd00::/8", LONG, True),
        ("fe80::/10", LONG, False),
        ("10.0.0.0/8", LONG, False),
    ],
)
def test_no_proxy_lists_hosts_addresses_and_networks(no_proxy: str, endpoint: Endpoint, direct: bool) -> None:
    assert (chosen({"HTTPS_PROXY": "http://p:1", "NO_PROXY": no_proxy}, endpoint) == "") is direct
    assert (chosen({"HTTPS_PROXY": "http://p:1", "no_proxy": no_proxy}, endpoint) == "") is direct


@pytest.mark.parametrize(
    ("text", "host", "port", "tls", "user"),
    [
        ("p", "p", 80, False, ""),
        ("p.example:3128", "p.example", 3128, False, ""),
        ("http://p:3128/", "p", 3128, False, ""),
        ("HTTPS://p", "p", 443, True, ""),
        ("http://u:s%40f%3Ae@p:1", "p", 1, False, "u:s@f:e"),
        ("u:s@p:1", "p", 1, False, "u:s"),
        ("http://token@p:1", "p", 1, False, "token:"),
        ("http://[fd00::1]:8080", "fd00::1", 8080, False, ""),
        (" http://10.0.0.1:8080 ", "10.0.0.1", 8080, False, ""),
    ],
)
def test_a_proxy_is_read(text: str, host: str, port: int, tls: bool, user: str) -> None:
    assert Proxy.parse(text) == Proxy(host, port, tls, user=user)


@pytest.mark.parametrize(
    "text",
    [
        "http://", "http://u:secret@", "http://u:secret@p:port", "http://u:se#cret@p:1", "http://u:se/cret@p:1",
        "http://p:0", "http://p:99999", "http://u:secret@p p:1", "http://u:secret@[fd00::1:80", "u:secret",
        "http://u:secret@p:1\r\nX: y", "://u:secret@p:1", "http://u:secret@-:1",
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_with_its_place_and_without_its_password(text: str) -> None:
    with pytest.raises(UsageError, match=r"^HTTPS_PROXY") as refused:
        Proxies({"HTTPS_PROXY": text}).choose(MNS)
    assert "cret" not in f"{refused.value}{refused.value.hint}"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS4", "ftp"])
def test_a_proxy_of_another_protocol_is_refused_by_its_name(scheme: str) -> None:
    with pytest.raises(UsageError, match=rf"^ALL_PROXY: {scheme.lower()} proxies are not supported$") as refused:
        Proxies({"ALL_PROXY": f"{scheme}://u:secret@p:1080"}).choose(MNS)
    assert refused.value.hint == "Name an http:// or https:// proxy."


def test_a_proxy_is_never_shown_with_its_user() -> None:
    proxy = Proxy.parse("http://user:secret@p:1")
    assert "secret" not in f"{proxy} {proxy!r} {proxy.refusal(407, MNS)} {proxy.refusal(502, MNS)}"
    assert proxy.headers == {"Proxy-Authorization": "Basic dXNlcjpzZWNyZXQ="}
    assert proxy.url == "http://user:secret@p:1"
    assert "secret" not in repr(Proxies({"HTTPS_PROXY": "http://u:secret@p"}, "http://u:secret@p"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("http://p:1", "http://p:1"),
        ("http://u:s@p:1", "http://***@p:1"),
        ("u:s@p:1", "***@p:1"),
        ("http://u:s@x:1@p", "http://***@p"),
        ("http://u:s/x@p:1", "http://***@p:1"),
        ("http://@p", "http://***@p"),
    ],
)
def test_a_proxy_is_shown_without_its_password(text: str, shown: str) -> None:
    assert hidden(text) == shown


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(407, UsageError, 2), (403, ProxyRefused, 5), (405, ProxyRefused, 5), (502, Unreached, 5), (503, Unreached, 5)],
)
def test_each_refusal_of_a_proxy_has_its_class_and_exit_code(status: int, kind: type[Exception], code: int) -> None:
    refusal = Proxy.parse("p:3128").refusal(status, MNS)
    assert type(refusal) is kind
    assert getattr(refusal, "exit_code", 0) == code
    assert "the proxy p:3128" in str(refusal)
