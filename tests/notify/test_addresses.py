"""Where the addresses of robots may stand, and that errors do not quote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.errors import UsageError
from smsreceipt.notify.robots import Robot, robots_of

#: Apprise imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
URL = "https://oapi.dingtalk.com/robot/send?access_token=canaryToken"


def made(text: str, **environ: str) -> Robot:
    (robot,) = robots_of([text, text], environ, Path("/home/x"), Proxies({}), lambda: 0.0)
    return robot


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_an_address_comes_from_a_file_of_the_owner(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "robot"
    file.write_text(f"\ufeff# our group\n{URL}\n\nSECcanary\n")
    file.chmod(mode)
    robot = made(f"dingtalk:file:{file}")
    assert robot.name == robot.key == f"dingtalk:file:{file}"
    assert robot.sender.secret == "SECcanary"  # type: ignore[attr-defined]
    assert "canary" not in repr(robot)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "robot"
    file.write_text(URL)
    file.chmod(mode)
    with pytest.raises(UsageError, match="others can read") as refused:
        made(f"dingtalk:file:{file}")
    assert refused.value.hint == f"chmod 600 {file}"


@pytest.mark.parametrize(
    ("text", "environ", "told"),
    [
        (f"dingtalk:{URL}", {}, "must not stand here"),
        (URL, {}, "no such kind of robot"),
        ("telegram:env:X", {}, "no such kind of robot"),
        ("dingtalk:env:ROBOT", {}, "variable ROBOT is not set"),
        ("dingtalk:env:ROBOT", {"ROBOT": f"{URL} canary canary2"}, "does not hold a URL"),
        ("dingtalk:env:ROBOT", {"ROBOT": "canaryToken"}, "no URL of a robot"),
        ("dingtalk:env:ROBOT", {"ROBOT": "https://user:canary@example.com/"}, "no URL of a robot"),
        ("dingtalk:env:ROBOT", {"ROBOT": "https://[canary/"}, "no URL of a robot"),
        ("wecom:env:ROBOT", {"ROBOT": "http://example.com/canary"}, "plain http to example.com"),
        ("wecom:file:/nowhere/canary-file", {}, "/nowhere/canary-file cannot be read"),
        ("exec:", {}, "names no command"),
        ("exec:page 'canary", {}, "quotation mark"),
        ("mail:env:ROBOT", {"ROBOT": "https://example.com/canary"}, "no address of a mail account"),
        ("mail:env:ROBOT", {"ROBOT": "smtps://me@example.com?to=canary"}, "no address of a mail account"),
        ("mail:env:ROBOT", {"ROBOT": "smtps://me:canary@example.com?to=a@b.c&from=a@b.c"}, "no address of a mail"),
        ("apprise:env:ROBOT", {"ROBOT": "canary://canary"}, "Apprise knows no such URL"),
    ],
)
def test_errors_quote_no_address(text: str, environ: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        made(text, **environ)
    shown = f"{refused.value} {refused.value.hint}".replace("/nowhere/canary-file", "")
    assert "canary" not in shown
    assert refused.value.hint


def test_the_arguments_of_a_command_stay_unknown() -> None:
    robot = made("exec:/usr/bin/page --token canary")
    assert robot.name == "exec:page"
    assert robot.key.startswith("exec:page:")
    assert "canary" not in repr(robot) + robot.key
    assert robot.key != made("exec:/usr/bin/page --token other").key


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(UsageError, match="no regular file"):
        made(f"wecom:file:{tmp_path / 'pipe'}")
