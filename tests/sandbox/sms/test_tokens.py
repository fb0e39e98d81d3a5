"""Tokens: how they are issued, and which requests they permit."""

import time
from collections.abc import Callable
from datetime import datetime
from email.utils import formatdate
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aliyunsdkdybaseapi.mns.account import Account as BundledAccount
from aliyunsdkdybaseapi.request.v20170525.QueryTokenForMnsQueueRequest import QueryTokenForMnsQueueRequest

from smsreceipt.sandbox import Sandbox
from tests.sandbox.clients import REPORTS, UID, Got, Wire, queue, rpc

MESSAGES = f"/queues/{REPORTS}/messages"


def token(sandbox: Sandbox, kind: str = "SmsReport", **fields: str) -> dict[str, str]:
    answer = rpc(sandbox, QueryTokenForMnsQueueRequest(), MessageType=kind, **fields)
    assert answer["Code"] == "OK"
    made: dict[str, str] = answer["MessageTokenDTO"]
    return made


def ask(wire: Wire, with_token: dict[str, str], target: str = MESSAGES, method: str = "GET", **changed: Any) -> Got:
    keys = {"key": with_token["AccessKeyId"], "secret": with_token["AccessKeySecret"]}
    return wire.ask(method, target, **{"security_token": with_token["SecurityToken"], **keys, **changed})


def test_token_times_are_beijing_time(make: Callable[..., Sandbox]) -> None:
    made = token(make(token_life=600))
    expires = datetime.fromisoformat(made["ExpireTime"]).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    created = datetime.fromisoformat(made["CreateTime"]).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    assert (expires - created).total_seconds() == 600
    assert abs(created.timestamp() - time.time()) < 5


def test_the_bundled_client_reads_and_deletes(sandbox: Sandbox) -> None:
    """The client in aliyun-python-sdk-dybaseapi sends absolute targets and opens a connection for every request."""
    sandbox.put(REPORTS, "YQ==", "Yg==")
    made = token(sandbox)
    account = BundledAccount(sandbox.url, made["AccessKeyId"], made["AccessKeySecret"], made["SecurityToken"])
    reports = account.get_queue(REPORTS)
    got = reports.batch_receive_message(16, 0)
    assert [message.message_body for message in got] == [b"a", b"b"]
    reports.batch_delete_message([message.receipt_handle for message in got])
    account.mns_client.close_connection()
    assert sandbox.state()["deleted"] == 2


def test_the_current_client_reads_with_a_token(sandbox: Sandbox) -> None:
    sandbox.put(REPORTS, "YQ==")
    made = token(sandbox, QueueName=REPORTS)
    key, secret, security_token = (made[name] for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken"))
    reports = queue(sandbox, REPORTS, key=key, secret=secret, token=security_token)
    assert reports.receive_message(0).message_body == "YQ=="


@pytest.mark.parametrize(
    ("kind", "scope", "target", "code"),
    [
        ("SmsReport", {}, REPORTS, "MessageNotExist"),
        ("SmsReport", {"QueueName": REPORTS}, REPORTS, "MessageNotExist"),
        ("SmsReport", {"QueueName": f"{REPORTS}-other"}, REPORTS, "AccessDenied"),
        ("SmsUp", {}, REPORTS, "AccessDenied"),
        ("SmsUp", {"QueueName": REPORTS}, REPORTS, "AccessDenied"),
        ("SmsReport", {}, "Alicom-Queue-4711-SmsReport", "AccessDenied"),
        ("SmsReport", {}, f"Alicom-Queue-{UID}-SmsReport-100", "QueueNotExist"),
        ("SecretReport", {}, "free-name", "MessageNotExist"),
    ],
)
def test_a_token_is_valid_for_its_queues_only(
    sandbox: Sandbox, wire: Wire, kind: str, scope: dict[str, str], target: str, code: str
) -> None:
    sandbox.put("free-name")
    got = ask(wire, token(sandbox, kind, **scope), f"/queues/{target}/messages")
    assert got.code == code
    assert got.status == (403 if code == "AccessDenied" else 404)


def test_a_token_expires_by_the_providers_clock(make: Callable[..., Sandbox]) -> None:
    sandbox = make(token_life=600)
    made = token(sandbox)
    with Wire(sandbox.url) as wire:
        sandbox.advance(599)
        assert ask(wire, made).code == "MessageNotExist"
        sandbox.advance(2)
        got = ask(wire, made, date=formatdate(time.time() + 601, usegmt=True))
        assert (got.status, got.code) == (403, "SecurityTokenExpired")


def test_the_security_token_is_required_and_checked(sandbox: Sandbox, wire: Wire) -> None:
    made = token(sandbox)
    assert ask(wire, made, security_token=None).code == "InvalidAccessKeyId"
    assert ask(wire, made, security_token="AAAA").code == "InvalidSecurityToken"
    assert ask(wire, made, secret="wrong").code == "SignatureDoesNotMatch"


def test_a_token_neither_sends_nor_lists_nor_changes_queues(sandbox: Sandbox, wire: Wire) -> None:
    made = token(sandbox)
    assert ask(wire, made, MESSAGES, method="POST", body=b"<Message/>").code == "AccessDenied"
    assert ask(wire, made, "/queues/mine", method="PUT").code == "AccessDenied"
    assert ask(wire, made, f"/queues/{REPORTS}", method="DELETE").code == "AccessDenied"
    assert ask(wire, made, "/queues").code == "AccessDenied"
    assert ask(wire, made, f"/queues/{REPORTS}").status == 200
