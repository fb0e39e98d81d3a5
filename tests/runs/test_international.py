"""International messages with a MessageId: reconcile and query-details ask QueryMessage about them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.model import BEIJING, Instant, Kind, Send, beijing_day
from smsreceipt.runs import query_details, reconcile
from smsreceipt.sandbox import PastSend, Sandbox
from smsreceipt.store import Query
from tests.runs.peer import Peer
from tests.runs.trial import Trial

NOON = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
AT = Instant(round(NOON.timestamp()) * 1000)
DAY = beijing_day(AT)
ABROAD, MESSAGE = "85251230001", "1008030000003003"
PUSHED = {
    "to": ABROAD, "status": "1", "message_id": MESSAGE, "error_code": "DELIVERED", "error_description": "ok",
    "send_date": f"{NOON:%Y-%m-%d %H:%M:%S}", "receive_date": f"{NOON + timedelta(seconds=3):%Y-%m-%d %H:%M:%S}",
}  # fmt: skip


def past(message_id: str = MESSAGE, phone: str = ABROAD, **fields: Any) -> PastSend:
    made = {"sent": AT / 1000, "reported": AT / 1000 + 3, "by_message_id": True, "content": "Hello!", **fields}
    return PastSend(phone=phone, biz_id=message_id, **made)


@pytest.fixture
def trial(tmp_path: Path, sandbox: Sandbox) -> Trial:
    trial = Trial(tmp_path, environ=sandbox.environment())
    trial.at(Instant(time.time_ns() // 1_000_000))
    return trial


def enter(trial: Trial, *messages: str, phone: str = ABROAD) -> None:
    with trial.app.open_store(readonly=False) as store:
        store.add_sends([Send(phone, message, DAY, AT, "", "", "", None) for message in messages])


def compare(trial: Trial, **options: Any) -> dict[str, Any]:
    chosen = {"min_age": 0, "dry_run": False, "qps": 5000, "workers": 2, "details": None, "fail_on_missing": False}
    made = reconcile.Options(**{**chosen, "provider_total": False, **options})
    reconcile.run(trial.app, DAY, DAY, made, totals=False)
    return trial.printed[-1]


def receipts(trial: Trial) -> list[Any]:
    with trial.app.open_store(readonly=True) as store:
        return [*store.list(Query(history=True))]


@pytest.mark.parametrize("phone", [ABROAD, "14155550100"])
def test_a_missing_receipt_is_fetched_by_its_message_id(trial: Trial, sandbox: Sandbox, phone: str) -> None:
    sandbox.remember([past(phone=phone)])
    enter(trial, MESSAGE, phone=phone)
    summary = compare(trial)
    assert (summary["compensated_delivered"], summary["no_record"]) == (1, 0)
    (found,) = receipts(trial)
    assert (found.receipt.kind, found.receipt.identity) == ("GlobeSmsReport", (MESSAGE, phone))
    assert (found.source, found.origin, found.receipt.outcome) == ("query", "QueryMessage", "delivered")
    assert compare(trial)["with_receipt"] == 1


@pytest.mark.parametrize("pushed_first", [True, False])
def test_a_pushed_receipt_says_the_same_as_the_answer(trial: Trial, sandbox: Sandbox, pushed_first: bool) -> None:
    sandbox.remember([past()])
    query = query_details.Options(biz_id=MESSAGE, save=True, qps=5000, workers=1)
    if pushed_first:
        trial.keep(PUSHED, kind=Kind("GlobeSmsReport"))
    query_details.run(trial.app, NOON.date(), [ABROAD], None, query)
    if not pushed_first:
        trial.keep(PUSHED, kind=Kind("GlobeSmsReport"))
    (found,) = receipts(trial)
    assert (found.times_seen, found.receipt.code) == (2, "DELIVERED")
    assert b"message_id" in found.receipt.body  # the provider's own receipt is shown


def test_query_details_shows_the_record_of_a_message(trial: Trial, sandbox: Sandbox) -> None:
    sandbox.remember([past(code="UNDELIV")])
    query = query_details.Options(biz_id=MESSAGE, save=False, qps=5000, workers=1)
    query_details.run(trial.app, NOON.date(), [ABROAD], None, query)
    (record,) = trial.printed
    assert (record["phone"], record["outcome"], record["code"]) == (ABROAD, "failed", "UNDELIV")
    assert (record["biz_id"], record["content"]) == (MESSAGE, "Hello!")
    assert trial.summary["api_calls"] == "1"


def test_what_the_carrier_has_not_answered_waits(trial: Trial, sandbox: Sandbox) -> None:
    sandbox.remember([past(reported=None)])
    enter(trial, MESSAGE)
    assert compare(trial)["still_waiting"] == 1
    assert compare(trial)["still_waiting"] == 1
    assert len(receipts(trial)) == 1


def test_only_what_neither_action_knows_has_no_record(trial: Trial, sandbox: Sandbox) -> None:
    sandbox.remember([past("22", by_message_id=False)])  # a BizId without its ^0
    enter(trial, "11", "22")
    summary = compare(trial)
    assert (summary["no_record"], summary["compensated_delivered"]) == (1, 1)
    assert sandbox.state()["calls"] == {"QueryMessage": 2, "QuerySendDetails": 3}


def test_two_messages_to_one_number_are_two_calls(trial: Trial, sandbox: Sandbox) -> None:
    sandbox.remember([past("11"), past("22")])
    enter(trial, "11", "22")
    assert compare(trial, dry_run=True)["planned_calls"] == 2
    assert compare(trial)["api_calls"] == 2
    assert sandbox.state()["calls"] == {"QueryMessage": 2}


def test_an_account_without_the_action_learns_why_it_was_not_asked(trial: Trial, peer: Peer) -> None:
    peer.answers = {
        "QuerySendDetails": (200, {"Code": "OK", "TotalCount": 0, "SmsSendDetailDTOs": {}}),
        "QueryMessage": (200, {"ResponseCode": "PRODUCT_NOT_SUBSCRIBED", "RequestId": "R"}),
    }
    trial.app.environ = peer.environment
    enter(trial, MESSAGE)
    enter(trial, "1^0", phone="13800000001")
    summary = compare(trial, workers=1)
    assert (summary["unasked"], summary["no_record"]) == (1, 1)
    assert any("PRODUCT_NOT_SUBSCRIBED" in line for line in trial.messages)
    assert peer.actions.index("QuerySendDetails") < peer.actions.index("QueryMessage")  # messages are asked about last


def test_a_record_of_another_number_is_no_answer(trial: Trial, peer: Peer) -> None:
    record = {"Status": "1", "To": "85299999999", "MessageId": MESSAGE, "ErrorCode": "DELIVERED", "ResponseCode": "OK"}
    peer.answers = {"QueryMessage": (200, record)}
    trial.app.environ = peer.environment
    enter(trial, MESSAGE)
    assert compare(trial)["unasked"] == 1


def test_contradictions_about_messages_are_counted(trial: Trial) -> None:
    enter(trial, MESSAGE)
    trial.keep(PUSHED, {**PUSHED, "status": "2", "error_code": "UNDELIV"}, kind=Kind("GlobeSmsReport"))
    assert compare(trial)["conflicts"] == 1
