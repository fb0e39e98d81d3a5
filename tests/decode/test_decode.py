"""Frames to receipts and rejects: bytes kept as received, every element judged alone."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from smsreceipt.decode import decode
from smsreceipt.model import Kind, Outcome, Reason, Source

from .deliveries import REPORT, SMS_REPORT, delivery

PRETTY = REPORT.replace(b",", b" ,\n  ").replace(b'":', b'" : ')


def reasons(*frames: bytes, kind: Kind | None = SMS_REPORT, source: Source = Source.MNS) -> list[Reason]:
    return [reject.reason for _, reject in decode(delivery(*frames, kind=kind, source=source)).rejects]


@pytest.mark.parametrize("frame", [REPORT, b64encode(REPORT), b"\xef\xbb\xbf" + REPORT, b" \r\n" + REPORT + b"\n"])
def test_a_body_is_kept_as_received_without_its_wrapping(frame: bytes) -> None:
    (receipt,) = decode(delivery(frame)).receipts
    assert (receipt.body, receipt.digest) == (REPORT, sha256(REPORT).digest())


@pytest.mark.parametrize("wrap", [bytes, b64encode], ids=["plain", "base64"])
def test_the_elements_of_an_array_keep_their_own_bytes(wrap: type[bytes]) -> None:
    decoded = decode(delivery(wrap(b"[ " + PRETTY + b" ,\n" + REPORT + b"]")))
    assert [receipt.body for receipt in decoded.receipts] == [PRETTY, REPORT]


def test_spacing_changes_the_body_but_not_what_it_says() -> None:
    plain, pretty = decode(delivery(REPORT, PRETTY)).receipts
    assert plain.digest != pretty.digest
    assert (plain.identity, plain.outcome, plain.code, plain.sent_at) == (
        pretty.identity,
        pretty.outcome,
        pretty.code,
        pretty.sent_at,
    )


def test_a_damaged_frame_is_a_reject_whole_and_its_neighbours_are_receipts() -> None:
    frame = b64encode(REPORT)
    decoded = decode(delivery(frame, frame, frame, damaged=frozenset({1})))
    assert len(decoded.receipts) == 2
    assert [(kind, reject.body, reject.reason) for kind, reject in decoded.rejects] == [(SMS_REPORT, frame, Reason.MD5)]


def test_a_poison_element_is_cut_out_of_its_array() -> None:
    poison = REPORT[:-1] + b',"n":NaN}'
    decoded = decode(delivery(b"[" + REPORT + b"," + poison + b"," + REPORT + b"]", source=Source.PUSH))
    assert len(decoded.receipts) == 2
    assert [(reject.body, reject.reason) for _, reject in decoded.rejects] == [(poison, Reason.JSON)]


def test_an_array_that_cannot_be_cut_is_one_reject() -> None:
    frame = b"[" + REPORT + b"," + REPORT[:50]
    (reject,) = decode(delivery(frame, source=Source.PUSH)).rejects
    assert (reject[1].body, reject[1].reason) == (frame, Reason.JSON)


def test_a_reject_of_good_base64_keeps_what_was_in_it() -> None:
    (reject,) = decode(delivery(b64encode(b"{oops"))).rejects
    assert (reject[1].body, reject[1].reason) == (b"{oops", Reason.JSON)


def test_a_reject_of_bad_base64_keeps_the_frame() -> None:
    frame = b64encode(REPORT)[:-2]
    (reject,) = decode(delivery(frame)).rejects
    assert (reject[1].body, reject[1].reason) == (frame, Reason.BASE64)


@pytest.mark.parametrize("nothing", [b"[]", b" [ ] ", b64encode(b"[]")])
def test_nothing_in_a_queue_message_is_a_reject_and_in_a_push_is_nothing(nothing: bytes) -> None:
    assert reasons(nothing) == [Reason.EMPTY]
    assert reasons(nothing, source=Source.PUSH) == []
    assert decode(delivery(nothing, source=Source.PUSH)).receipts == ()


def test_a_frame_without_a_byte_is_empty_wherever_it_comes_from() -> None:
    assert [reasons(b"", source=source) for source in Source] == [[Reason.EMPTY]] * 4


def padded(size: int) -> bytes:
    return REPORT[:-1] + b" " * (size - len(REPORT)) + b"}"


def test_a_mebibyte_is_accepted_and_one_byte_more_is_not() -> None:
    limit = 1 << 20
    assert reasons(padded(limit)) == []
    assert reasons(padded(limit + 1)) == [Reason.SIZE]
    assert reasons(padded(limit + 1), source=Source.PUSH) == [Reason.SIZE]


def test_a_large_push_is_judged_element_by_element() -> None:
    many, large = [REPORT] * 5000, padded((1 << 20) + 1)
    decoded = decode(delivery(b"[" + b",".join([*many, large]) + b"]", source=Source.PUSH))
    assert len(decoded.receipts) == 5000
    assert [(reject.body, reject.reason) for _, reject in decoded.rejects] == [(large, Reason.SIZE)]
    assert reasons(b"[" + b",".join(many) + b"]", source=Source.MNS) == [Reason.SIZE]


def test_a_million_digits_are_refused() -> None:
    number = REPORT[:-1] + b',"n":' + b"9" * 1_000_000 + b"}"
    assert reasons(number, source=Source.REPLAY) == [Reason.NUMBER]
    assert reasons(number[:100_000] + b"}", source=Source.REPLAY) == [Reason.NUMBER]


def test_without_a_kind_the_fields_tell_and_else_it_is_kept_for_later() -> None:
    decoded = decode(delivery(REPORT, b'{"a":1}', kind=None))
    assert [receipt.kind for receipt in decoded.receipts] == [SMS_REPORT]
    assert [(kind, reject.body, reject.reason) for kind, reject in decoded.rejects] == [
        (None, b'{"a":1}', Reason.KIND_UNKNOWN)
    ]


def test_a_kind_that_nobody_knows_is_about_what_it_says() -> None:
    kind = Kind("NeverHeardOfReport")
    one, same, other = decode(delivery(b'{"a":1,"b":2}', b'{ "b":2, "a":1.0 }', b'{"a":1,"b":"2"}', kind=kind)).receipts
    assert one.identity == same.identity != other.identity
    assert (one.kind, one.outcome, one.body) == (kind, None, b'{"a":1,"b":2}')
    assert len(one.identity[0]) == 64


def test_nul_is_shown_as_json_shows_it_and_kept_in_the_body() -> None:
    body = REPORT.replace(b"67890", b"6\\u00007")
    (receipt,) = decode(delivery(body)).receipts
    assert (receipt.out_id, receipt.body) == ("6\\u00007", body)


def test_the_console_s_test_push_is_known_by_its_number_and_biz_id() -> None:
    test = REPORT.replace(b"13800000001", b"18612345678").replace(b"900619746936498440^0", b"932702304080415357^0")
    assert [receipt.test for receipt in decode(delivery(REPORT, test)).receipts] == [False, True]


@pytest.mark.parametrize("code", ["REQUEST_SUCCESS", "ACCEPTD", "UNKNOWN", "UNKNOW"])
def test_a_failure_whose_code_is_doubtful_is_no_failure(code: str) -> None:
    body = REPORT.replace(b"true", b"false").replace(b"DELIVERED", code.encode())
    (receipt,) = decode(delivery(body)).receipts
    assert (receipt.outcome, receipt.code) == (Outcome.UNKNOWN, code)


def test_delivered_is_one_statement_however_it_is_spelled() -> None:
    spellings = [REPORT.replace(b"DELIVERED", code) for code in (b"DELIVERED", b"DELIVRD", b"")]
    receipts = decode(delivery(*spellings, REPORT.replace(b'"err_code":"DELIVERED",', b""))).receipts
    assert {(receipt.outcome, receipt.code) for receipt in receipts} == {(Outcome.DELIVERED, "DELIVERED")}


def test_a_reason_never_holds_the_content() -> None:
    canary = REPORT.replace(b'"success":true', b'"success":"canary"')
    assert reasons(canary) == [Reason.TYPE]
    assert "canary" not in Reason.TYPE


SECRET = (
    b'{"pool_key":"FC1","call_id":"c1","phone_no":"13900000001","peer_no":"13900000002","secret_no":"17000000001",'
    b'"call_type":0,"call_time":"2026-11-20 10:00:00","start_time":"2026-11-20 10:00:05",'
    b'"release_time":"2026-11-20 10:00:50","release_dir":1,"release_cause":16}'
)
ODD = [b"true", b"[1]", b"{}"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("send_time", [*ODD, b'"0000-00-00 00:00:00"', b'"null"', b"0", b"-1", b'"2026-13-01 00:00:00"']),
        ("report_time", [*ODD, b'"soon"']),
        ("out_id", ODD),
        ("err_code", ODD),
    ],
)
def test_a_side_field_never_costs_a_receipt(name: str, values: list[bytes]) -> None:
    for value in values:
        body = re.sub(b'"%b":"[^"]*"' % name.encode(), b'"%b":%b' % (name.encode(), value), REPORT)
        assert body != REPORT
        (receipt,) = decode(delivery(body)).receipts
        assert (receipt.unread, receipt.outcome, receipt.body) == ((name,), Outcome.DELIVERED, body)
        (usual,) = decode(delivery(REPORT)).receipts
        assert receipt.identity == usual.identity


def test_every_side_field_that_cannot_be_read_is_named() -> None:
    body = REPORT.replace(b'"2026-11-20 15:49:55"', b"[]").replace(b'"67890"', b"{}")
    (receipt,) = decode(delivery(body)).receipts
    assert (receipt.unread, receipt.sent_at, receipt.out_id) == (("out_id", "send_time"), None, "")


def test_identity_and_outcome_must_be_read() -> None:
    for name, value in ((b"phone_number", b"[]"), (b"biz_id", b"{}"), (b"success", b'"perhaps"')):
        body = re.sub(b'"%b":[^,]*' % name, b'"%b":%b' % (name, value), REPORT)
        assert reasons(body) == [Reason.TYPE]


@pytest.mark.parametrize("name", [b"start_time", b"release_time"])
def test_a_call_whose_times_cannot_be_read_has_no_known_outcome(name: bytes) -> None:
    body = re.sub(b'"%b":"[^"]*"' % name, b'"%b":"0000-00-00 00:00:00"' % name, SECRET)
    (receipt,) = decode(delivery(body, kind=None)).receipts
    assert (receipt.unread, receipt.outcome, receipt.talk_seconds) == ((name.decode(),), Outcome.UNKNOWN, None)


def test_a_hidden_number_costs_no_call() -> None:
    (receipt,) = decode(delivery(SECRET.replace(b"13900000001", b"139****0001"), kind=None)).receipts
    assert (receipt.unread, receipt.phone, receipt.outcome) == (("phone_no",), "", Outcome.CONNECTED)


@pytest.mark.parametrize("call_type", [b"2", b"3", b"5", b'"2"'])
def test_the_record_of_an_sms_is_no_call(call_type: bytes) -> None:
    (receipt,) = decode(delivery(SECRET.replace(b'"call_type":0', b'"call_type":' + call_type), kind=None)).receipts
    assert (receipt.outcome, receipt.talk_seconds) == (None, None)


def test_the_partner_key_stands_where_the_pool_key_is_absent() -> None:
    with_pool, with_partner = decode(delivery(SECRET, SECRET.replace(b"pool_key", b"partner_key"), kind=None)).receipts
    assert with_partner.kind == "SecretReport"
    assert with_pool.identity == with_partner.identity


def test_a_call_has_the_numbers_of_all_its_ends() -> None:
    (receipt,) = decode(delivery(SECRET, kind=None)).receipts
    assert (receipt.phone, receipt.numbers) == ("13900000001", "13900000002 17000000001")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (b"DELIVRD", Outcome.DELIVERED),
        (b"REJECTD", Outcome.FAILED),
        (b"UNDELIV", Outcome.FAILED),
        (b"EXPIRED", Outcome.FAILED),
        (b"ACCEPTD", Outcome.PENDING),
        (b"", None),
        (b"NEW", None),
    ],
)
def test_the_code_of_an_intercepted_sms_is_its_outcome_where_no_status_is(code: bytes, outcome: Outcome | None) -> None:
    body = b'{"id":1,"sms_type":1,"receive_no":"15800000000","sms_content":"x","code":"' + code + b'"}'
    (receipt,) = decode(delivery(body, kind=Kind("SecretSmsIntercept"))).receipts
    assert receipt.outcome is outcome
