"""The typed reader reads delivery reports as the general one does, or leaves them to it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.decode import decode
from smsreceipt.decode.plain import plain_reader
from smsreceipt.decode.strict import any_members
from smsreceipt.decode.table import DIALECTS
from smsreceipt.model import Outcome

from .deliveries import REPORT, delivery
from .test_fuzz import near_reports, space, texts

ROW = DIALECTS[0]
general, fits = ROW.reader(), ROW.matcher()
found = plain_reader(ROW)
assert found is not None
plain = found

FIELDS = json.loads(REPORT)
VALUES = {
    "success": [b"true", b"false", b'"true"', b"null", b"1"],
    "phone_number": [b'"13800000001"', b'"+8613800000001"', b"13800000001", '"１３８００００００01"'.encode(), b'""'],
    "biz_id": [b'"9^0"', b'""', b"9", b'"932702304080415357^0"'],
    "err_code": [b'"DELIVRD"', b'"UNKNOWN"', b'"MK:0001"', b'""', b"1"],
    "send_time": [b'"2026-11-20 15:49:55"', b'"1795000000000"', b'"soon"', b'""', b"1795000000"],
    "sms_size": [b'"1"', b"1", b'"a\\u0000"', b"[]"],
    "new": [b'"x"', b"true", b"{}"],
}
ALSO = [name for name in FIELDS if name not in VALUES]


@st.composite
def reports(draw: st.DrawFn) -> bytes:
    """A report in any order and spacing, in which a field may be missing, unknown, odd, or there twice."""
    names = draw(st.lists(st.sampled_from([*VALUES, *ALSO]), min_size=4, max_size=9, unique=True))
    names += ["biz_id", "success", *draw(st.lists(st.sampled_from(names), max_size=1))]
    members = []
    for name in draw(st.permutations(sorted(names) if draw(st.booleans()) else sorted({*names}))):
        usual = json.dumps(FIELDS.get(name, ""), ensure_ascii=False).encode()
        text = texts.map(lambda parts: b'"' + b"".join(parts) + b'"')
        value = draw(st.one_of(st.just(usual), st.just(usual), st.sampled_from(VALUES.get(name, [usual])), text))
        members.append(draw(space) + b'"' + name.encode() + b'"' + draw(space) + b":" + draw(space) + value)
    return b"{" + b",".join(members) + draw(space) + b"}"


@settings(max_examples=500)
@given(st.one_of(reports(), near_reports()))
def test_it_never_reads_what_the_general_reader_refuses_or_reads_differently(body: bytes) -> None:
    receipt = plain(body)
    if receipt is not None:
        fields = any_members(body)
        assert fits(fields)
        assert receipt == general(fields, body)


def a_report(**fields: object) -> bytes:
    present = {name: value for name, value in {**FIELDS, **fields}.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (REPORT, Outcome.DELIVERED),
        (a_report(success=False, err_code="MK:0001"), Outcome.FAILED),
        (a_report(success=False, err_code="UNKNOWN"), Outcome.UNKNOWN),
        (a_report(out_id=None, report_time=None), Outcome.DELIVERED),
        (json.dumps(FIELDS, ensure_ascii=False, indent=1).encode(), Outcome.DELIVERED),
    ],
    ids=["delivered", "failed", "unknown", "fields missing", "spaced"],
)
def test_the_usual_messages_are_read_by_it(body: bytes, outcome: Outcome) -> None:
    receipt = plain(body)
    assert receipt is not None
    assert receipt.outcome is outcome
    assert not receipt.test


def test_the_consoles_test_push_is_told_apart() -> None:
    receipt = plain(a_report(**ROW.test))
    assert receipt is not None
    assert receipt.test


@pytest.mark.parametrize(
    "body",
    [
        REPORT[:-1] + b',"biz_id":"1^0"}',
        REPORT[:-1] + b',"new":"1"}',
        a_report(sms_size=1),
        a_report(phone_number="8613800000001"),
        a_report(phone_number="１３８００００００01"),
        a_report(biz_id=""),
        a_report(send_time="soon"),
        a_report(success="true"),
        a_report(err_msg="\n"),
        a_report(err_msg="x" * (1 << 20)),
        REPORT + b"\n",
        b"",
        b"{" * 100_000,
    ],
    ids=[
        "twice",
        "unknown",
        "number",
        "86",
        "wide",
        "no biz_id",
        "time",
        "quoted",
        "escape",
        "long",
        "end",
        "empty",
        "deep",
    ],
)
def test_what_is_unusual_is_left_to_the_general_reader(body: bytes) -> None:
    assert plain(body) is None


def test_a_body_ends_with_its_object_whatever_stands_around_it() -> None:
    bodies = {decode(delivery(frame)).receipts[0].body for frame in (REPORT, REPORT + b"\r\n", b" \n" + REPORT + b" ")}
    assert bodies == {REPORT}


def test_only_simple_rows_have_one() -> None:
    assert [row.name for row in DIALECTS if plain_reader(row)] == ["sms-report", "dypns-sms-verify-report"]


def test_a_damaged_frame_is_not_read_by_it() -> None:
    (found,) = decode(delivery(REPORT, damaged=frozenset({0}))).rejects
    assert found[1].body == REPORT
