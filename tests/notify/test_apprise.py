"""Services of Apprise."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.notify.robots import NotTold, Robot, robots_of
from tests.notify.peers import TOKEN, running
from tests.notify.test_robots import message

#: Apprise imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")


def made(url: str) -> Robot:
    return robots_of(["apprise:env:ROBOT"], {"ROBOT": url}, Path("/"), Proxies({}), lambda: 0.0)[0]


def test_a_service_gets_the_message() -> None:
    with running(lambda _robot, _got: (200, b"")) as peer:
        made(f"json://127.0.0.1:{peer.server_port}/{TOKEN}").tell(message(), lambda _seconds: True)
    assert "成功率 65.2 %" in peer.got[0].json["message"]


def test_a_refusal_quotes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with running(lambda _robot, _got: (403, b"")) as peer, pytest.raises(NotTold, match="did not take") as refused:
        made(f"json://127.0.0.1:{peer.server_port}/{TOKEN}").tell(message(), lambda _seconds: True)
    assert TOKEN not in f"{refused.value!r}{refused.value.__cause__}"
    apprise = [record.getMessage() for record in caplog.records if record.name.startswith("apprise")]
    assert not [line for line in apprise if TOKEN in line]
