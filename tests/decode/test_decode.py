"""Frames to receipts and rejects: bytes kept as received, every element judged alone."""

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


def test_128_kib_are_accepted_and_one_byte_more_is_not() -> None:
    limit = 128 * 1024
    assert reasons(padded(limit)) == []
    assert reasons(padded(limit + 1)) == [Reason.SIZE]
    assert reasons(padded(limit + 1), source=Source.PUSH) == [Reason.SIZE]


def test_a_large_push_is_judged_element_by_element() -> None:
    many, large = [REPORT] * 1000, padded(128 * 1024 + 1)
    decoded = decode(delivery(b"[" + b",".join([*many, large]) + b"]", source=Source.PUSH))
    assert len(decoded.receipts) == 1000
    assert [(reject.body, reject.reason) for _, reject in decoded.rejects] == [(large, Reason.SIZE)]
    assert reasons(b"[" + b",".join(many) + b"]", source=Source.MNS) == [Reason.SIZE]


def test_a_million_digits_are_refused() -> None:
    number = REPORT[:-1] + b',"n":' + b"9" * 1_000_000 + b"}"
    assert reasons(number, source=Source.REPLAY) == [Reason.SIZE]
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
