"""What applications kept of a receipt is read in replay and in a retry of rejects, and nowhere else."""

from __future__ import annotations

import json
import random
import time
from base64 import b64encode
from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.decode import decode
from smsreceipt.decode.saved import decode_saved
from smsreceipt.model import Decoded, Delivery, Instant, Kind, Source
from smsreceipt.sources.files.split import Cutter

from .deliveries import REPORT, SMS_REPORT, delivery
from .fuzz import corpus, mutated

pytestmark = pytest.mark.slow

SECOND = REPORT.replace(b"13800000001", b"13800000002")
ROWS = [
    {"PhoneNum": "13800000001", "SendStatus": 3, "SendDate": f"2026-11-20 1{n}:00:00", "OutId": f"o{n}"}
    for n in range(2)
]


def text(body: bytes) -> str:
    return body.decode()


def base64(body: bytes) -> str:
    return b64encode(body).decode()


ENVELOPES: dict[str, Callable[[bytes], object]] = {
    "event": lambda body: {"rawPath": "/cb", "headers": {}, "isBase64Encoded": False, "body": text(body)},
    "event in base64": lambda body: {"httpMethod": "POST", "isBase64Encoded": True, "body": base64(body)},
    "event with an object": lambda body: {"path": "/cb", "body": json.loads(body)},
    "text": text,
    "text in a text": lambda body: json.dumps(text(body)),
    "message": lambda body: {"MessageId": "M", "ReceiptHandle": "H", "MessageBody": base64(body)},
    "message in lower camel case": lambda body: {"messageId": "M", "messageBody": base64(body)},
    "message of Python": lambda body: {"message_id": "M", "message_body": base64(body), "dequeue_count": 1},
    "message without base64": lambda body: {"MessageId": "M", "MessageBody": text(body)},
    "answer of Node": lambda body: {"code": 200, "body": {"Message": {"MessageId": "M", "MessageBody": base64(body)}}},
    "batch of Node": lambda body: {"code": 200, "body": {"Messages": {"Message": [{"MessageBody": base64(body)}]}}},
}


def saved(*frames: bytes, kind: Kind | None = SMS_REPORT, biz_id: str = "") -> Decoded:
    return decode_saved(Delivery(frames, kind, Source.REPLAY, "a-test", Instant(1_790_000_000_000), biz_id=biz_id))


def cut(saved_text: bytes) -> list[bytes]:
    cutter = Cutter()
    found = [cutter.feed(saved_text), cutter.finish()]
    return [frame for each in found for run in each.runs for frame in run.frames]


@pytest.mark.parametrize("kind", [SMS_REPORT, None])
@pytest.mark.parametrize("ascii_", [True, False])
@pytest.mark.parametrize("name", ENVELOPES)
@pytest.mark.parametrize("outer", ["", *ENVELOPES])
def test_an_envelope_is_opened(name: str, outer: str, kind: Kind | None, *, ascii_: bool) -> None:
    body = b"[" + REPORT + b"," + SECOND + b"]"
    frame = json.dumps(ENVELOPES[name](body), ensure_ascii=ascii_).encode()
    if outer:
        frame = json.dumps(ENVELOPES[outer](frame), ensure_ascii=ascii_).encode()
    assert cut(frame + b"\n" + frame) == [frame, frame]
    found = saved(frame, kind=kind)
    expected = decode(delivery(REPORT, SECOND)).receipts
    assert [receipt.identity for receipt in found.receipts] == [receipt.identity for receipt in expected]
    assert not found.rejects
    assert not decode(delivery(frame, kind=kind, source=Source.PUSH)).receipts


def test_the_xml_of_the_queue_is_opened() -> None:
    one = "<MessageId>M</MessageId>\n<MessageBody>{}</MessageBody>"
    head = '<?xml version="1.0"?>\n<{0} xmlns="http://mns.aliyuncs.com/doc/v1/">{1}</{0}>'
    for written in (base64, lambda body: escape(text(body))):
        single = head.format("Message", one.format(written(REPORT)))
        batch = head.format(
            "Messages", "".join(f"<Message>{one.format(written(b))}</Message>" for b in (REPORT, SECOND))
        )
        frames = cut(f"{single}\n{batch}\n".encode())
        assert frames == [single.encode(), batch.encode()]
        found = saved(*frames)
        assert [receipt.body for receipt in found.receipts] == [REPORT, REPORT, SECOND]
        assert not found.rejects


@pytest.mark.parametrize("kind", [SMS_REPORT, Kind("SendDetail"), None])
@pytest.mark.parametrize(
    "answer",
    [
        {"Code": "OK", "Message": "OK", "TotalCount": "2", "SmsSendDetailDTOs": {"SmsSendDetailDTO": ROWS}},
        {"code": "OK", "message": "OK", "totalCount": "2", "smsSendDetailDTOs": ROWS},
        {"headers": {}, "statusCode": 200, "body": {"Code": "OK", "SmsSendDetailDTOs": {"SmsSendDetailDTO": ROWS}}},
        {"body": {"sms_send_detail_dtos": {"sms_send_detail_dto": ROWS}}},
        [{name[0].lower() + name[1:]: value for name, value in row.items()} for row in ROWS],
        ROWS,
    ],
    ids=["CLI", "Java", "Node", "Python", "rows of Java", "rows"],
)
def test_the_rows_of_an_answer_are_send_details(answer: object, kind: Kind | None) -> None:
    found = saved(json.dumps(answer, indent=1).encode(), kind=kind)
    assert [receipt.kind for receipt in found.receipts] == ["SendDetail", "SendDetail"]
    assert [receipt.identity[3] for receipt in found.receipts] == ["o0", "o1"]
    assert not found.rejects


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


@pytest.mark.parametrize(
    "spell", [camel, lambda name: camel(name).title(), str.upper, str.title, lambda name: name.replace("_", "-")]
)
def test_names_that_differ_by_case_and_underscores_are_the_provider_s(spell: Callable[[str], str]) -> None:
    objects = [json.loads(path) for path in corpus() if path[:1] == b"{" and b'"call_id"' in path]
    for fields in [json.loads(REPORT), *objects]:
        body = json.dumps(fields, ensure_ascii=False).encode()
        expected = decode(delivery(body, kind=None)).receipts
        if not expected:
            continue
        spelt = json.dumps({spell(name): value for name, value in fields.items()}, ensure_ascii=False).encode()
        (found,) = saved(spelt, kind=expected[0].kind).receipts
        assert (found.kind, found.identity, found.outcome, found.code) == (
            expected[0].kind, expected[0].identity, expected[0].outcome, expected[0].code
        )  # fmt: skip
        assert found.body == spelt


def test_what_an_envelope_does_not_hold_stays_one_reject() -> None:
    for frame in (
        b'{"body":"hello"}',
        b'{"body":{"body":{}}}',
        b'"text"',
        b"<Message></Message>",
        b'{"MessageBody":"[1]"}',
    ):
        found = saved(frame)
        assert [(reject.body, reject.frame) for _, reject in found.rejects] == [(frame, 0)]
    mixed = json.dumps({"body": f"[{text(REPORT)},{{}},7]"}).encode()
    found = saved(b"{}", mixed)
    assert [receipt.body for receipt in found.receipts] == [REPORT]
    assert [(reject.body, reject.frame) for _, reject in found.rejects] == [(b"{}", 0), (b"{}", 1), (b"7", 1)]


def test_a_name_that_is_there_twice_keeps_its_own_spelling() -> None:
    body = REPORT.replace(b'"biz_id"', b'"BIZ_ID":"other","bizid":"another","biz_id"').replace(
        b'"success"', b'"Success"'
    )
    (found,) = saved(body).receipts
    assert found.biz_id == "900619746936498440^0"


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.lists(st.sampled_from([*ENVELOPES]), max_size=3))
def test_no_bytes_raise_and_nothing_is_lost(seed: int, names: list[str]) -> None:
    body = mutated(corpus(), random.Random(seed))
    for name in names:
        try:
            body = json.dumps(ENVELOPES[name](body)).encode()
        except (ValueError, RecursionError):
            break
    found = saved(body, kind=random.Random(seed).choice([None, SMS_REPORT]))
    strict = decode(found.delivery)
    assert set(strict.receipts) <= set(found.receipts)
    if strict.rejects:
        assert found.rejects or len(found.receipts) > len(strict.receipts)


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.booleans())
def test_a_record_of_list_gives_the_very_same_statement(seed: int, named: bool) -> None:
    rng = random.Random(seed)
    body = mutated(corpus(), rng)
    if named:  # a further field that the rows of a query have too
        body = body.replace(b"{", b'{"PhoneNum":"1","identity":["x"],"seq":1,"kind":"SmsUp","body":{},', 1)
    for kind in (None, SMS_REPORT, Kind("NeverHeardOfReport")):
        for receipt in decode(delivery(body, kind=kind, source=Source.REPLAY)).receipts:
            head = {"seq": 1, "kind": receipt.kind, "identity": receipt.identity, "biz_id": receipt.biz_id or None}
            record = json.dumps(head).encode()[:-1] + b',"body":' + receipt.body + b"}\n"
            cutter = Cutter()
            runs = [*cutter.feed(record).runs, *cutter.finish().runs]
            again = [
                one for run in runs for one in saved(*run.frames, kind=Kind(run.kind or ""), biz_id=run.biz_id).receipts
            ]
            assert again == [receipt]


def test_time_is_in_proportion_to_the_envelope() -> None:
    for make in (
        lambda n: b'{"body":' * n + b"1" + b"}" * n,
        lambda n: json.dumps({"body": "[" + "{}," * n + "{}]"}).encode(),
        lambda n: b"<Message>" + b"<MessageBody>" * n,
        lambda n: b"<Message>" + b"<MessageBody>{}</MessageBody>" * n + b"</Message>",
    ):
        begun = time.process_time()
        saved(make(20_000))
        assert time.process_time() - begun < 5
