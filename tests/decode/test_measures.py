"""The numbers beside outcome and identity: billed parts and seconds of a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from smsreceipt.decode import decode, reread
from smsreceipt.decode.measures import parts, parts_of_text
from smsreceipt.model import Delivery, Instant, Kind, Outcome, Receipt, Source

PAYLOADS = Path(__file__).parent.parent / "payloads"
CALL = {"pool_key": "FC1", "call_id": "c", "phone_no": "13900001111", "release_cause": 16}


@pytest.mark.parametrize(
    ("size", "found"),
    [("2", 2), (3, 3), (None, None), ("", None), ("0", None), (0, None), ("99999999999", 1000), ("1" * 5000, 1000)],
)
def test_the_parts_are_a_number_above_zero(size: object, found: int | None) -> None:
    assert parts(size) == found


UNREADABLE_SIZES: list[object] = ["x", [], ["2"], "-1", True, "２", 1.5, {"a": 1}, "two"]


@pytest.mark.parametrize("size", UNREADABLE_SIZES)
@pytest.mark.parametrize(
    ("kind", "payload", "field"),
    [
        ("SmsReport", "sms-report/delivered", "sms_size"),
        ("DypnsSmsVerifyReport", "dypns-sms-verify-report/delivered", "sms_size"),
        ("SmsReport", "sms-report-international/delivered", "SmsSize"),
        ("SmsReport", "sms-report-to-mainland/delivered", "SmsQuantity"),
    ],
)
def test_a_size_that_cannot_be_read_is_named_and_costs_nothing(
    kind: str, payload: str, field: str, size: object
) -> None:
    fields = json.loads((PAYLOADS / f"{payload}.json").read_bytes())
    before = read(kind, json.dumps(fields).encode())
    after = read(kind, json.dumps({**fields, field: size}).encode())
    assert (after.parts, after.unread) == (None, (field,))
    assert (after.identity, after.outcome, after.code) == (before.identity, before.outcome, before.code)


@pytest.mark.parametrize("content", [5, ["text"], {"text": "x"}, False])
def test_a_content_that_is_no_text_is_named_and_costs_nothing(content: object) -> None:
    receipt = read("SendDetail", answer(Content=content))
    assert (receipt.parts, receipt.unread, receipt.outcome) == (None, ("Content",), Outcome.DELIVERED)


@pytest.mark.parametrize(("text", "found"), [("很" * 70, 1), ("很" * 71, 2), ("a" * 135, 3), ("", None), (None, None)])
def test_the_parts_of_a_text_are_those_of_its_length(text: object, found: int | None) -> None:
    assert parts_of_text(text) == found


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        ("2026-11-20 10:00:12", "2026-11-20 10:03:17", 185), ("1795140012000", 1795140197999, 185),
        ("2026-11-20 10:00:12", "2026-11-20 10:00:12", None), ("2026-11-20 10:00:12", "2026-11-20 10:00:11", None),
        ("soon", "2026-11-20 10:00:12", None), ("2026-11-20 10:00:12", None, None), ([], {}, None),
    ],
)  # fmt: skip
def test_seconds_are_whole_ones(begin: object, end: object, found: int | None) -> None:
    call = {**CALL, "start_time": begin, "release_time": end}
    assert read("SecretReport", json.dumps(call).encode()).talk_seconds == found


def read(kind: str, body: bytes, *, biz_id: str = "") -> Receipt:
    source = Source.QUERY if biz_id or kind == "SendDetail" else Source.MNS
    (receipt,) = decode(Delivery((body,), Kind(kind), source, "q", Instant(1), biz_id=biz_id)).receipts
    return receipt


@pytest.mark.parametrize(
    ("kind", "payload", "found"),
    [
        ("SmsReport", "sms-report/delivered", (1, None)),
        ("SmsReport", "sms-report/documentation-sample", (1, None)),
        ("DypnsSmsVerifyReport", "dypns-sms-verify-report/delivered", (1, None)),
        ("SmsReport", "sms-report-international/delivered", (1, None)),
        ("SmsReport", "sms-report-to-mainland/delivered", (1, None)),
        ("SecretReport", "secret-report/connected", (None, 30)),
        ("SecretReport", "secret-report/quoted-numbers", (None, None)),
        ("SecretReport", "secret-report/without-start-time", (None, None)),
        ("SecretReport", "secret-report/without-release-time", (None, None)),
        ("SecretReport", "secret-report/unconnected-with-cause-16", (None, None)),
    ],
)
def test_each_dialect_fills_the_fields_that_it_has(
    kind: str, payload: str, found: tuple[int | None, int | None]
) -> None:
    receipt = read(kind, (PAYLOADS / f"{payload}.json").read_bytes())
    assert (receipt.parts, receipt.talk_seconds) == found


def answer(**fields: object) -> bytes:
    given: Mapping[str, object] = {"PhoneNum": "13800008000", "SendStatus": 3, "SendDate": "2026-11-20 15:49:55"}
    return json.dumps({**given, "Content": "很" * 71, **fields}, ensure_ascii=False).encode()


def test_an_answer_has_the_parts_of_its_text_whether_its_send_is_known_or_not() -> None:
    assert read("SendDetail", answer()).parts == 2
    assert read("SmsReport", answer(), biz_id="1^0").parts == 2
    assert read("SmsReport", answer(Content=None), biz_id="1^0").parts is None


@pytest.mark.parametrize("size", [[], {}, "", None, "many", -1, 1.5, "1" * 5000])
def test_a_size_that_says_nothing_costs_no_receipt(size: object) -> None:
    body = {"biz_id": "1^0", "success": True, "phone_number": "13800008000", "sms_size": size}
    assert read("SmsReport", json.dumps(body).encode()).outcome is Outcome.DELIVERED


def test_a_call_that_was_not_connected_has_no_seconds() -> None:
    times = {"start_time": "2026-11-20 10:00:12", "release_time": "2026-11-20 10:00:12"}
    receipt = read("SecretReport", json.dumps(CALL | times).encode())
    assert (receipt.outcome, receipt.talk_seconds) == (Outcome.UNCONNECTED, None)


@pytest.mark.parametrize("biz_id", ["", "1^0"])
def test_a_stored_body_is_read_again_by_its_kind_or_as_the_answer_that_it_is(biz_id: str) -> None:
    body = answer()
    receipt = read("SmsReport" if biz_id else "SendDetail", body, biz_id=biz_id)
    again = reread(receipt.kind, receipt.body)
    assert again is not None
    assert (again.parts, again.digest) == (2, receipt.digest)


def test_a_body_that_is_no_receipt_any_more_is_none() -> None:
    assert reread(Kind("SmsReport"), b'{"phone_number":"13800008000"}') is None
    assert reread(Kind("SecretReport"), b"{") is None
    assert reread(Kind("NewKind"), b'{"a":1}') is not None
