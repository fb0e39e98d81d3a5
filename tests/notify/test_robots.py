"""What each robot gets, what counts as told, and what is tried again."""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.errors import UsageError
from smsreceipt.notify import chat, post
from smsreceipt.notify.message import Item, Message
from smsreceipt.notify.robots import NotTold, Robot, robots_of
from tests.aliyun.peer import certify, serving
from tests.notify import peers
from tests.notify.peers import JUDGES, PATHS, SECRET, TOKEN, running
from tests.proxy import HttpProxy

KINDS = [*JUDGES]
SIGNED = [kind for kind in KINDS if kind != "wecom"]


def message(items: int = 1, text: str = "成功率 65.2 %：失败过多") -> Message:
    made = [Item(f"{text} {n}", "smsreceipt stats --by code", True, {"rule": "rate", "n": n}) for n in range(items)]
    return Message("smsreceipt: 1 alarm", made)


def robot_at(kind: str, url: str, secret: str = SECRET, now: Callable[[], float] = time.time, **environ: str) -> Robot:
    words = url if kind == "wecom" or not secret else f"{url} {secret}"
    found = robots_of([f"{kind}:env:ROBOT"], {"ROBOT": words, **environ}, Path("/"), Proxies(environ), now)
    return found[0]


def tell(robot: Robot, told: Message | None = None) -> list[float]:
    """Tell, without waiting; return the pauses."""
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    robot.tell(told or message(), wait)
    return pauses


@pytest.mark.parametrize("kind", KINDS)
def test_each_robot_accepts_what_it_is_sent(kind: str) -> None:
    with running(JUDGES[kind]) as robot:
        assert tell(robot_at(kind, robot.url(PATHS[kind]))) == []
    assert len(robot.accepted) == len(robot.got) == 1
    assert "成功率 65.2 %" in robot.got[0].body.decode() or kind == "webhook"


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_many_alarms_fits_into_the_limit_and_says_what_is_left_out(kind: str) -> None:
    with running(JUDGES[kind]) as robot:
        tell(robot_at(kind, robot.url(PATHS[kind])), message(900))
    assert len(robot.accepted) == 1
    if kind == "webhook":
        assert len(robot.got[0].body.splitlines()) == 900
    else:
        assert "smsreceipt stats --by code" in robot.got[0].body.decode()
        assert " more" in robot.got[0].body.decode()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("dingtalk", "errcode 310000: signature, keyword or IP address"),
        ("feishu", "code 19021: the signature does not match"),
        ("webhook", "answered 401"),
    ],
)
def test_a_wrong_secret_is_told_in_words_and_not_tried_again(kind: str, told: str) -> None:
    with running(JUDGES[kind]) as robot, pytest.raises(NotTold) as refused:
        tell(robot_at(kind, robot.url(PATHS[kind]), "SECwrong"))
    assert told in str(refused.value)
    assert len(robot.got) == 1
    assert not robot.accepted
    assert SECRET not in str(refused.value)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("kind", ["dingtalk", "feishu"])
def test_a_clock_that_is_two_hours_wrong_is_told(kind: str) -> None:
    with running(JUDGES[kind]) as robot, pytest.raises(NotTold, match="clock"):
        tell(robot_at(kind, robot.url(PATHS[kind]), now=lambda: time.time() - 7200))


@pytest.mark.parametrize(
    ("kind", "path", "told"),
    [
        ("dingtalk", "/robot/send?access_token=old", "errcode 300001: there is no robot"),
        ("wecom", "/cgi-bin/webhook/send?key=old", "errcode 93000: there is no robot"),
        ("feishu", "/open-apis/bot/v2/hook/old", "code 19001: there is no robot"),
    ],
)
def test_a_robot_that_is_gone_is_told(kind: str, path: str, told: str) -> None:
    with running(JUDGES[kind]) as robot, pytest.raises(NotTold, match=told):
        tell(robot_at(kind, robot.url(path)))
    assert len(robot.got) == 1


def test_a_robot_that_is_told_too_often_asks_for_silence() -> None:
    with running(peers.dingtalk) as peer:
        robot = robot_at("dingtalk", peer.url(PATHS["dingtalk"]))
        for _ in range(20):
            tell(robot)
        with pytest.raises(NotTold, match="too many messages") as refused:
            tell(robot)
    assert refused.value.pause == 600
    assert len(peer.got) == 21


REFUSALS: dict[str, tuple[peers.Reply, int]] = {
    "500": ((500, b"oops"), 3),
    "redirect": ((302, {}), 1),
    "403": ((403, b""), 1),
    "cut": ((0, b""), 3),
}
GARBAGE: tuple[peers.Reply, int] = ((200, b"<html>Please log in</html>"), 3)  # a webhook may answer what it likes


@pytest.mark.parametrize(
    ("kind", "reply", "tries"),
    [
        *(pytest.param(kind, *REFUSALS[name], id=f"{kind}-{name}") for kind in KINDS for name in REFUSALS),
        *(pytest.param(kind, *GARBAGE, id=f"{kind}-garbage") for kind in KINDS if kind != "webhook"),
    ],
)
def test_what_is_no_success_is_an_error_and_only_what_may_pass_is_tried_again(
    kind: str, reply: peers.Reply, tries: int
) -> None:
    with running(lambda _robot, _got: reply) as peer, pytest.raises(NotTold) as refused:
        tell(robot_at(kind, peer.url(PATHS[kind])))
    assert len(peer.got) == tries
    assert f"127.0.0.1:{peer.server_port}" in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_second_try_can_succeed() -> None:
    def first_fails(robot: peers.Robot, got: peers.Got) -> peers.Reply:
        return (500, b"") if len(robot.got) == 1 else peers.dingtalk(robot, got)

    with running(first_fails) as peer:
        assert tell(robot_at("dingtalk", peer.url(PATHS["dingtalk"]))) == [1.0]
    assert len(peer.accepted) == 1


def test_a_stop_ends_the_tries() -> None:
    with running(lambda _robot, _got: (500, b"")) as peer, pytest.raises(NotTold):
        robot_at("wecom", peer.url(PATHS["wecom"])).tell(message(), lambda _seconds: True)
    assert len(peer.got) == 1


def test_a_robot_that_never_answers_is_left_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post.Way.to.__func__, "__kwdefaults__", {"limit": 0.3})  # type: ignore[attr-defined]

    def hangs(robot: peers.Robot, _got: peers.Got) -> peers.Reply:
        robot.let_go.wait(20)
        return 200, {"errcode": 0}

    began = time.monotonic()
    with running(hangs) as peer, pytest.raises(NotTold, match=r"no answer within 0.3 s"):
        tell(robot_at("wecom", peer.url(PATHS["wecom"])))
    assert time.monotonic() - began < 5


def test_an_answer_that_drips_is_left_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post.Way.to.__func__, "__kwdefaults__", {"limit": 0.5})  # type: ignore[attr-defined]

    def drips(connection: Any) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 30:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            return

    began = time.monotonic()
    with serving(drips) as (endpoint, _), pytest.raises(NotTold, match="no answer within"):
        robot_at("wecom", endpoint.url + PATHS["wecom"]).sender.send(message())
    assert time.monotonic() - began < 5


def test_nobody_listens() -> None:
    with pytest.raises(NotTold, match="connection refused") as refused:
        tell(robot_at("wecom", "http://127.0.0.1:1" + PATHS["wecom"]))
    assert TOKEN not in repr(refused.value)


@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = certify(tmp_path / "peer.pem")
    context.load_cert_chain(pem)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with running(peers.wecom, context) as peer:
        robot = robot_at("wecom", peer.url(PATHS["wecom"]))
        if trusted:
            tell(robot)
        else:
            with pytest.raises(NotTold, match="certificate is not valid"):
                tell(robot)
    assert len(peer.got) == trusted


def test_the_proxy_of_the_environment_is_used_and_loopback_is_not_reached_through_it() -> None:
    with running(peers.wecom) as peer, HttpProxy({}, status=503) as proxy:
        tell(robot_at("wecom", peer.url(PATHS["wecom"]), HTTP_PROXY=proxy.url(), HTTPS_PROXY=proxy.url()))
        assert proxy.asked == []
        with pytest.raises(NotTold, match="no connection through the proxy"):
            tell(robot_at("wecom", "https://qyapi.example.com" + PATHS["wecom"], HTTPS_PROXY=proxy.url()))
        assert proxy.asked[0].startswith("CONNECT qyapi.example.com:443")
        assert not any(TOKEN in line for line in proxy.asked)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_http_beyond_loopback_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="plain http") as refused:
        robot_at(kind, "http://robot.example.com" + PATHS[kind])
    assert TOKEN not in str(refused.value)


def test_the_signatures_are_those_of_the_vendors_examples() -> None:
    """By the formulas of their pages, calculated with OpenSSL."""
    assert chat.sign_dingtalk("this is secret", 1577262236757) == "hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D"
    assert chat.sign_feishu("demo", 1599360473) == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="


def test_nothing_is_logged_that_is_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with running(peers.dingtalk) as peer:
        robot = robot_at("dingtalk", peer.url(PATHS["dingtalk"]))
        tell(robot)
        assert TOKEN not in repr(robot)
        assert SECRET not in repr(robot)
    assert TOKEN not in caplog.text
    assert SECRET not in caplog.text


def test_the_objects_of_a_webhook_are_lines() -> None:
    with running(peers.webhook) as peer:
        robot = robot_at("webhook", peer.url(PATHS["webhook"]))
        tell(robot)
        tell(robot, message(2))
    one, two = peer.got
    assert (json.loads(one.body), one.headers["content-type"]) == ({"rule": "rate", "n": 0}, "application/json")
    assert [json.loads(line)["n"] for line in two.body.splitlines()] == [0, 1]
    assert two.headers["content-type"] == "application/x-ndjson"
