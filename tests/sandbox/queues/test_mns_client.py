"""Every queue operation of the unchanged aliyun-mns-sdk."""

from collections.abc import Callable
from typing import Any

import pytest
from mns.account import AccountMeta
from mns.message_property import MessagePropertyValue, MessageSystemPropertyValue, PropertyType, SystemPropertyType
from mns.mns_exception import MNSServerException
from mns.queue import Message, QueueMeta

from smsreceipt.sandbox import Sandbox
from tests.sandbox.clients import REPORTS, account, queue


def refusal(act: Callable[[], object]) -> MNSServerException:
    with pytest.raises(MNSServerException) as caught:
        act()
    return caught.value


def test_a_sent_message_is_received_once_and_deleted(sandbox: Sandbox) -> None:
    reports = queue(sandbox, REPORTS, encoding=True)
    sent = reports.send_message(Message("回执"))
    got = reports.receive_message_with_str_body(0)
    assert got.message_body == "回执"
    assert (got.message_id, got.message_body_md5) == (sent.message_id, sent.message_body_md5)
    assert (got.dequeue_count, got.priority) == (1, 8)
    assert got.next_visible_time - got.first_dequeue_time == 30_000
    reports.delete_message(got.receipt_handle)
    assert refusal(lambda: reports.receive_message(0)).type == "MessageNotExist"


def test_a_batch_is_received_and_deleted(sandbox: Sandbox, reports: Any) -> None:
    sandbox.put(REPORTS, *(f"<body & {n}>" for n in range(20)))
    first, second = reports.batch_receive_message(16, 0), reports.batch_receive_message(16, 0)
    assert [len(first), len(second)] == [16, 4]
    assert {m.message_body for m in first + second} == {f"<body & {n}>" for n in range(20)}
    for messages in (first, second):
        reports.batch_delete_message([m.receipt_handle for m in messages])
    assert sandbox.state()["deleted"] == 20


def test_a_partial_batch_delete_reports_only_the_failed_handles(sandbox: Sandbox, reports: Any) -> None:
    sandbox.put(REPORTS, "a", "b")
    handles = [m.receipt_handle for m in reports.batch_receive_message(16, 0)]
    reports.delete_message(handles[0])
    error = refusal(lambda: reports.batch_delete_message([*handles, "nonsense"]))
    assert {(each["ReceiptHandle"], each["ErrorCode"]) for each in error.sub_errors} == {
        (handles[0], "MessageNotExist"),
        ("nonsense", "ReceiptHandleError"),
    }
    assert sandbox.state()["deleted"] == 2


def test_messages_are_sent_in_a_batch(sandbox: Sandbox, reports: Any) -> None:
    sent = reports.batch_send_message([Message("late", 0, 16), Message("early", 0, 1), Message("usual")])
    assert len({m.message_id for m in sent}) == 3
    assert [m.message_body for m in reports.batch_receive_message(16, 0)] == ["early", "usual", "late"]


def test_a_delayed_message_is_invisible_until_its_delay_has_passed(sandbox: Sandbox, reports: Any) -> None:
    reports.send_message(Message("later", 60))
    assert refusal(lambda: reports.receive_message(0)).type == "MessageNotExist"
    sandbox.advance(61)
    assert reports.receive_message(0).message_body == "later"


def test_peeking_changes_nothing(sandbox: Sandbox, reports: Any) -> None:
    sandbox.put(REPORTS, *"abc")
    assert reports.peek_message().dequeue_count == 0
    assert [m.message_body for m in reports.batch_peek_message(16)] == ["a", "b", "c"]
    assert sandbox.state()["queued"] == 3


def test_changing_the_visibility_gives_a_new_handle_and_invalidates_the_old(sandbox: Sandbox, reports: Any) -> None:
    sandbox.put(REPORTS, "a")
    got = reports.receive_message(0)
    changed = reports.change_message_visibility(got.receipt_handle, 100)
    assert int(changed.next_visible_time) > got.next_visible_time
    assert refusal(lambda: reports.delete_message(got.receipt_handle)).type == "MessageNotExist"
    sandbox.advance(90)
    reports.delete_message(changed.receipt_handle)


def test_a_message_that_is_not_deleted_is_redelivered_under_another_handle(sandbox: Sandbox, reports: Any) -> None:
    sandbox.put(REPORTS, "a")
    first = reports.receive_message(0)
    sandbox.advance(31)
    assert refusal(lambda: reports.delete_message(first.receipt_handle)).type == "MessageNotExist"
    second = reports.receive_message(0)
    assert (second.message_id, second.dequeue_count) == (first.message_id, 2)
    assert second.receipt_handle != first.receipt_handle
    assert second.first_dequeue_time == first.first_dequeue_time


def test_attributes_are_read_and_set(sandbox: Sandbox, reports: Any) -> None:
    meta = reports.get_attributes()
    assert (meta.visibility_timeout, meta.message_retention_period) == (30, 345_600)
    meta.set_visibilitytimeout(77)
    meta.set_polling_wait_seconds(5)
    reports.set_attributes(meta)
    again = reports.get_attributes()
    assert (again.visibility_timeout, again.polling_wait_seconds) == (77, 5)


def test_queues_are_created_listed_and_deleted(sandbox: Sandbox) -> None:
    mine = account(sandbox)
    url = mine.get_queue("my-queue").create(QueueMeta())
    assert url == f"{sandbox.url}/queues/my-queue"
    urls, marker = mine.list_queue(prefix="Alicom-Queue", ret_number=5)
    assert len(urls) == 5
    rest, end = mine.list_queue(prefix="Alicom-Queue", marker=marker)
    assert (len(rest), end) == (16, "")
    assert not set(urls) & set(rest)
    mine.get_queue("my-queue").delete()
    assert refusal(lambda: mine.get_queue("my-queue").get_attributes()).type == "QueueNotExist"


def test_a_queue_that_exists_with_other_attributes_is_refused(sandbox: Sandbox) -> None:
    mine = account(sandbox)
    mine.get_queue("my-queue").create(QueueMeta())
    mine.get_queue("my-queue").create(QueueMeta())
    other = QueueMeta(vis_timeout=99)
    assert refusal(lambda: mine.get_queue("my-queue").create(other)).type == "QueueAlreadyExist"


def test_a_wrong_secret_and_an_unknown_key_are_different_errors(sandbox: Sandbox) -> None:
    assert refusal(lambda: queue(sandbox, REPORTS, secret="wrong").receive_message(0)).type == "SignatureDoesNotMatch"
    assert refusal(lambda: queue(sandbox, REPORTS, key="nobody").receive_message(0)).type == "InvalidAccessKeyId"


def test_a_queue_of_another_account_is_forbidden_and_an_unknown_queue_does_not_exist(sandbox: Sandbox) -> None:
    assert refusal(lambda: queue(sandbox, "Alicom-Queue-999-SmsReport").receive_message(0)).type == "AccessDenied"
    assert refusal(lambda: queue(sandbox, "no-such").receive_message(0)).type == "QueueNotExist"


def test_user_and_system_properties_come_back_as_they_were_sent(reports: Any) -> None:
    user = {
        "order": MessagePropertyValue(PropertyType.STRING, "<a & b> 中文"),
        "count": MessagePropertyValue(PropertyType.NUMBER, "42"),
        "raw": MessagePropertyValue(PropertyType.BINARY, b"\0\xff"),
    }
    system = {"traceparent": MessageSystemPropertyValue(SystemPropertyType.STRING, "00-abc-01")}
    single, *batch = Message("one"), Message("two"), Message("plain")
    for message in (single, batch[0]):
        message.set_user_properties(user)
        message._set_system_properties(system)
    reports.send_message(single)
    reports.batch_send_message(batch)

    def values(message: Any) -> tuple[list[tuple[str, str, object]], list[tuple[str, str]]]:
        mine = [
            (
                name,
                value.get_data_type(),
                value.get_binary_value() if value.get_data_type() == "BINARY" else value.get_string_value_by_type(),
            )
            for name, value in message.get_user_properties().items()
        ]
        theirs = [(name, value.get_string_value_by_type()) for name, value in message.get_system_properties().items()]
        return mine, theirs

    sent = values(single)
    assert [values(message) for message in reports.batch_peek_message(16)] == [sent, sent, ([], [])]
    assert [values(message) for message in reports.batch_receive_message(16, 0)] == [sent, sent, ([], [])]


def test_the_attributes_of_the_account_are_set_and_read(sandbox: Sandbox) -> None:
    mine = account(sandbox)
    assert mine.get_attributes().logging_bucket == ""
    mine.set_attributes(AccountMeta("logs & more"))
    assert mine.get_attributes().logging_bucket == "logs & more"
    calls = sandbox.state()["calls"]
    assert isinstance(calls, dict)
    assert (calls["GetAccountAttributes"], calls["SetAccountAttributes"]) == (2, 1)
    assert refusal(account(sandbox, "nobody").get_attributes).type == "InvalidAccessKeyId"
