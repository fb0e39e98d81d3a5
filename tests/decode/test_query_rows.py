"""Rows of QuerySendDetails: on their own, and as answers about a send."""

import json

from smsreceipt.decode import decode, kind_of
from smsreceipt.matching import SEND_DETAIL, SMS_REPORT
from smsreceipt.model import Delivery, Instant, Outcome, Reason, Receipt, Source

ROW = {
    "PhoneNum": "13800000001",
    "SendStatus": 3,
    "ErrCode": "DELIVRD",
    "TemplateCode": "SMS_1",
    "Content": "【阿里云】您好",
    "SendDate": "2026-11-20 15:49:55",
    "ReceiveDate": "2026-11-20 15:49:58",
    "OutId": "67890",
}
REPORT = {
    "phone_number": "13800000001",
    "send_time": "2026-11-20 15:49:55",
    "report_time": "2026-11-20 15:49:58",
    "success": True,
    "err_code": "DELIVERED",
    "biz_id": "900^0",
    "out_id": "67890",
}


def read(*rows: object, biz_id: str = "", source: Source = Source.QUERY) -> list[Receipt]:
    frames = tuple(json.dumps(row, ensure_ascii=False).encode() for row in rows)
    kind = SMS_REPORT if biz_id or source is Source.MNS else SEND_DETAIL
    decoded = decode(Delivery(frames, kind, source, "QuerySendDetails", Instant(0), biz_id=biz_id))
    assert decoded.rejects == ()
    return list(decoded.receipts)


def statement(receipt: Receipt) -> tuple[object, ...]:
    """What the store tells statements apart by."""
    return (receipt.kind, receipt.identity, receipt.outcome, receipt.code, receipt.reported_at, receipt.detail)


def test_an_answer_about_a_send_makes_the_statement_that_its_receipt_makes() -> None:
    (asked,), (pulled,) = read(ROW, biz_id="900^0"), read(REPORT, source=Source.MNS)
    assert statement(asked) == statement(pulled)
    assert (asked.biz_id, asked.phone, asked.out_id, asked.sent_at) == (
        pulled.biz_id, pulled.phone, pulled.out_id, pulled.sent_at,
    )  # fmt: skip
    assert json.loads(asked.body) == ROW


def test_the_biz_id_is_all_that_an_answer_about_a_send_changes() -> None:
    (asked,), (alone,) = read(ROW, biz_id="900^0"), read(ROW)
    assert (alone.kind, alone.biz_id) == (SEND_DETAIL, "")
    assert alone.identity == ("13800000001", "2026-11-20 15:49:55", "SMS_1", "67890")
    assert (asked.body, asked.digest, asked.outcome, asked.sent_at) == (
        alone.body, alone.digest, alone.outcome, alone.sent_at,
    )  # fmt: skip


def test_every_status_has_its_outcome() -> None:
    outcomes = [each.outcome for each in read(*[{**ROW, "SendStatus": status} for status in (1, 2, 3, "3", 9)])]
    assert outcomes == [Outcome.PENDING, Outcome.FAILED, Outcome.DELIVERED, Outcome.DELIVERED, Outcome.UNKNOWN]


def test_a_row_that_cannot_be_read_is_a_reject_of_the_kind_that_was_asked_for() -> None:
    frames = (b"{}", json.dumps({**ROW, "SendDate": "soon"}).encode(), b"{")
    decoded = decode(Delivery(frames, SMS_REPORT, Source.QUERY, "QuerySendDetails", Instant(0), biz_id="900^0"))
    assert decoded.receipts == ()
    assert [(kind, reject.reason) for kind, reject in decoded.rejects] == [
        (SMS_REPORT, Reason.MISSING),
        (SMS_REPORT, Reason.TIME),
        (SMS_REPORT, Reason.JSON),
    ]


def test_the_fields_tell_a_row_from_every_receipt() -> None:
    assert kind_of(ROW) == SEND_DETAIL
    assert kind_of(REPORT) == SMS_REPORT
