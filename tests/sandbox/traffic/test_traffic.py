"""Generated messages: repeatable, of every kind, with correct flags."""

import base64
import json
from collections import Counter
from datetime import date
from itertools import islice
from typing import Any

import pytest

from smsreceipt.decode import decode
from smsreceipt.model import Delivery, Instant, Kind, Source
from smsreceipt.sandbox import KINDS, generate
from smsreceipt.sandbox.traffic.generator import Message
from smsreceipt.sandbox.traffic.poison import ANYWHERE, REPORTS

DAY = date(2026, 11, 20)


def body(message: Message) -> dict[str, Any]:
    """The JSON object in a message that is no poison."""
    text = message.text if message.text.startswith("{") else base64.b64decode(message.text, validate=True).decode()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def good(n: int, seed: int = 1) -> list[Message]:
    return [message for message in generate(seed, n, day=DAY) if not message.is_duplicate]


def test_the_same_seed_and_day_give_the_same_messages() -> None:
    assert list(generate(3, 500, 0.2, day=DAY)) == list(generate(3, 500, 0.2, day=DAY))
    assert list(generate(3, 50, day=DAY)) != list(generate(4, 50, day=DAY))


@pytest.mark.parametrize("n", [0, 1, 77])
def test_generate_yields_n_messages(n: int) -> None:
    assert len(list(generate(None, n))) == n


def test_every_kind_occurs_among_a_few_hundred() -> None:
    assert {message.kind for message in good(400)} == set(KINDS)


def test_only_duplicates_repeat_a_text() -> None:
    messages = list(generate(5, 3000, 0.1, day=DAY))
    seen: set[tuple[str, str]] = set()
    for message in messages:
        known = (message.kind, message.text) in seen
        assert known == message.is_duplicate
        seen.add((message.kind, message.text))
    shares = Counter((message.is_poison, message.is_duplicate) for message in messages)
    assert 200 < shares[True, False] < 400
    assert 40 < shares[False, True] < 150


def test_every_form_of_poison_occurs_before_any_repeats() -> None:
    poison = list(islice(generate(1, 100, 1.0), len(ANYWHERE) + len(REPORTS)))
    assert len({message.text for message in poison}) == len(poison)
    assert all(message.is_poison for message in poison)


def test_poison_decodes_to_a_reject_and_every_other_message_to_one_receipt() -> None:
    statements: set[tuple[object, ...]] = set()
    for message in generate(2, 2000, 0.2, day=DAY):
        delivery = Delivery((message.text.encode(),), Kind(message.kind), Source.MNS, "queue", Instant(0))
        decoded = decode(delivery)
        assert len(decoded.rejects) == message.is_poison, message
        for receipt in decoded.receipts:
            key = (receipt.kind, receipt.identity, receipt.outcome, receipt.code, receipt.reported_at, receipt.detail)
            assert (key in statements) == message.is_duplicate, message
            statements.add(key)


def test_the_reports_of_a_call_share_its_call_id() -> None:
    calls: dict[str, set[str]] = {}
    for message in good(2000):
        if message.kind.startswith("Secret"):
            found = body(message)
            calls.setdefault(str(found.get("call_id") or found.get("callId")), set()).add(message.kind)
    assert {"SecretStartReport", "SecretReport", "SecretRecording"} in [
        kinds & {"SecretStartReport", "SecretReport", "SecretRecording"} for kinds in calls.values()
    ]


def test_every_documented_spelling_occurs() -> None:
    keys: set[tuple[str, str]] = set()
    types: set[tuple[str, str, str]] = set()
    for message in good(4000):
        for name, value in body(message).items():
            keys.add((message.kind, name))
            types.add((message.kind, name, type(value).__name__))
    assert {
        ("SignSmsReport", "orderId"),
        ("SignSmsReport", "order_id"),
        ("TemplateSmsReport", "orderId"),
        ("TemplateSmsReport", "order_id"),
        ("SecretRecording", "subs_id"),
        ("SecretRecording", "sub_id"),
        ("SecretSmsIntercept", "sms-intercept-type"),
        ("SecretSmsIntercept", "sms_intercept_type"),
        ("NumberManagementReport", "secretNo"),
        ("NumberManagementReport", "secret_no"),
        ("SecretRingReport", "ring_time"),
        ("SecretRingReport", "ringTime"),
        ("SmsReport", "MessageId"),
        ("SmsReport", "ExternalId"),
    } <= keys
    assert {("SmsUp", "sequence_id", kind) for kind in ("int", "float", "str")} <= types
    assert {("SecretSmsIntercept", "id", kind) for kind in ("int", "str")} <= types
    assert {("SecretRecording", "call_time", kind) for kind in ("int", "str")} <= types


def test_the_console_test_push_comes_once() -> None:
    biz = [body(message).get("biz_id") for message in good(3000) if message.kind == "SmsReport"]
    assert biz.count("932702304080415357^0") == 1


def test_texts_are_chinese_and_numbers_are_unassigned() -> None:
    whole = "".join(json.dumps(body(message), ensure_ascii=False) for message in good(1000))
    assert "【示例商城】" in whole
    assert "王小明" in whole
    phones = {str(body(m)["phone_number"]) for m in good(500) if m.kind == "SmsReport" and "phone_number" in body(m)}
    blocks = ("1380000", "1390000", "1370000", "1590000", "1860000", "18612345678")
    assert all(phone.startswith(blocks) for phone in phones)
