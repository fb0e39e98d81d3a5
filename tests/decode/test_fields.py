"""Phones, times, texts and kinds: what is accepted, what it means, and what is refused."""

import time
from collections.abc import Mapping
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.decode import KINDS, kind_of, kind_of_queue, normalise_phone
from smsreceipt.decode.fields import digest_of, instant_of, phone_of, text_of, truth_of
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import Number, canonical, cut, parse, too_deep
from smsreceipt.decode.times import instant
from smsreceipt.model import BEIJING, Reason, iso_beijing, iso_utc


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("13800000001", "13800000001"),
        ("+8613800000001", "13800000001"),
        ("008613800000001", "13800000001"),
        ("8613800000001", "13800000001"),
        (" +86 138 0000 0001 ", "13800000001"),
        ("138-0000-0001", "13800000001"),
        ("+85251234567", "85251234567"),
        ("85251234567", "85251234567"),
        ("0085251234567", "85251234567"),
        ("8623800000001", "8623800000001"),
        ("861380000000", "861380000000"),
        ("86138000000011", "86138000000011"),
        ("86138000000", "86138000000"),
        ("010-12345678", "01012345678"),
        ("95188", "95188"),
        ("+", "+"),
        ("", ""),
        ("138****0001", "138****0001"),
        ("-138", "-138"),
        ("++8613800000001", "++8613800000001"),
        ("１３８００００００００１", "138000000001"),
    ],
)
def test_a_phone_has_one_spelling(written: str, normal: str) -> None:
    assert normalise_phone(written) == normal
    assert normalise_phone(normal) == normal


@given(st.text(alphabet="0123456789+- x８", max_size=20))
def test_normalising_a_phone_twice_changes_nothing_more(text: str) -> None:
    assert normalise_phone(normalise_phone(text)) == normalise_phone(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-20 15:49:55", "2026-11-20T07:49:55.000Z"),
        ("20261120154955", "2026-11-20T07:49:55.000Z"),
        ("2024-02-29 23:59:59", "2024-02-29T15:59:59.000Z"),
        ("1553774465", "2019-03-28T12:01:05.000Z"),
        ("1553774465123", "2019-03-28T12:01:05.123Z"),
        ("Thu, 25 Nov 2021 10:27:00 +0800", "2021-11-25T02:27:00.000Z"),
        ("25 Nov 2021 02:27:00 GMT", "2021-11-25T02:27:00.000Z"),
        ("Sun, 5 Dec 2021 02:27:00 -0330", "2021-12-05T05:57:00.000Z"),
        ("2026-11-20T15:49:55+08:00", "2026-11-20T07:49:55.000Z"),
        ("2026-11-20T07:49:55Z", "2026-11-20T07:49:55.000Z"),
        ("2026-11-20T07:49:55.5Z", "2026-11-20T07:49:55.500Z"),
        ("2026-11-20 15:49:55.0", "2026-11-20T07:49:55.000Z"),
        ("2026-11-20 15:49:55.123456", "2026-11-20T07:49:55.123Z"),
        ("2026-11-20T15:49:55", "2026-11-20T07:49:55.000Z"),
        ("2026-11-20T15:49:55.000", "2026-11-20T07:49:55.000Z"),
        ("2026/11/20 15:49:55", "2026-11-20T07:49:55.000Z"),
        ("2026/1/5 9:05:03", "2026-01-05T01:05:03.000Z"),
        ("2026-11-20 15:49:55+08:00", "2026-11-20T07:49:55.000Z"),
        ("2026-11-20 07:49:55 +0000", "2026-11-20T07:49:55.000Z"),
        ("1970-01-01 08:00:00", "1970-01-01T00:00:00.000Z"),
        ("9999-12-30 00:00:00", "9999-12-29T16:00:00.000Z"),
    ],
)
def test_a_time_is_understood_however_it_is_spelled(written: str, meant: str) -> None:
    assert iso_utc(instant(written)) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("2026-11-20", "2026-11-20 15:49", "2026-13-01 00:00:00", "2026-02-29 00:00:00", "2026-11-20 24:00:00"),
        *("2026-11-20 15:49:60", "2026-11-20T15:49", "2026-11-20 15:49:55.", " 2026-11-20 15:49:55", "0", "-1"),
        *("1969-12-31 23:59:59", "1970-01-01 00:00:00", "0000-00-00 00:00:00", "9999-12-31T23:59:59-12:00"),
        *("２０２６-11-20 15:49:55", "155377446", "15537744650", "155377446500", "15537744650001", "99999999999999"),
        *("Thu, 25 Nov 2021 10:27:00", "Thu, 25 Foo 2021 10:27:00 GMT", "25 Nov 2021 10:27:00 PST", "yesterday", "\n"),
        *("Thu, 31 Nov 2021 10:27:00 GMT", "25 Nov 2021 10:27:00 +9900", "2026-11-20 15:49:55\n", "10/11/2026 1:2:3"),
    ],
)
def test_a_time_that_no_dialect_spells_so_is_refused(written: str) -> None:
    with pytest.raises(Refused) as refused:
        instant(written)
    assert refused.value.reason is Reason.TIME


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 12, 30)))
def test_beijing_text_comes_back_as_it_was_written(moment: datetime) -> None:
    written = moment.replace(microsecond=0)
    for spelling in ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S"):
        text = written.strftime(spelling).rjust(14, "0")
        assert iso_beijing(instant(text)) == written.replace(tzinfo=BEIJING).isoformat()


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "UTC"])
def test_the_zone_of_the_host_does_not_matter(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    instant.cache_clear()
    try:
        assert iso_utc(instant("2026-11-20 15:49:55")) == "2026-11-20T07:49:55.000Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("value", "text"),
    [("16", "16"), (16, "16"), (Number("123456"), "123456"), (None, ""), ("", ""), (" a ", " a "), (-1, "-1")],
)
def test_text_is_a_string_or_the_digits_of_a_number(value: object, text: str) -> None:
    assert text_of("x")({"x": value}) == text
    assert type(text_of("x")({"x": value})) is str


@pytest.mark.parametrize("read", [text_of("x"), phone_of("x"), instant_of("x")])
@pytest.mark.parametrize("value", [True, False, [], {}, ["1"], {"a": 1}])
def test_what_is_neither_text_nor_number_is_refused(read: object, value: object) -> None:
    assert callable(read)
    with pytest.raises(Refused) as refused:
        read({"x": value})
    assert refused.value.reason is Reason.TYPE


@pytest.mark.parametrize("value", ["12a", "138****0001", -138, Number("1.5"), "²", "٣"])
def test_what_is_no_phone_is_refused(value: object) -> None:
    with pytest.raises(Refused) as refused:
        phone_of("x")({"x": value})
    assert refused.value.reason is Reason.TYPE


def test_a_boolean_has_a_closed_list_of_spellings() -> None:
    truth = truth_of("x")
    yes: list[object] = [True, "true", "True", "TRUE", 1, "1"]
    no: list[object] = [False, "false", "False", "FALSE", 0, "0"]
    assert [truth({"x": value}) for value in [*yes, *no]] == [True] * len(yes) + [False] * len(no)
    odd: list[object] = ["yes", "t", "2", 2, -1, [], {}, Number("1.5"), " true"]
    for value in odd:
        with pytest.raises(Refused) as refused:
            truth({"x": value})
        assert refused.value.reason is Reason.TYPE
    none: list[dict[str, object]] = [{}, {"x": None}, {"x": ""}]
    for fields in none:
        with pytest.raises(Refused) as refused:
            truth(fields)
        assert refused.value.reason is Reason.MISSING


@pytest.mark.parametrize("read", [text_of("a|b"), phone_of("a|b")])
@pytest.mark.parametrize("fields", [{"a": "1"}, {"b": "1"}, {"a": None, "b": 1}, {"a": "", "b": "1"}, {"a": 1, "b": 2}])
def test_the_first_spelling_of_a_field_that_says_something_counts(read: object, fields: Mapping[str, object]) -> None:
    assert callable(read)
    assert read(fields) == "1"


def test_a_digest_tells_texts_apart_and_is_empty_for_none() -> None:
    text, lists = digest_of(("x",)), digest_of(("x", "y"))
    assert text({}) == text({"x": ""}) == lists({}) == lists({"x": {}, "y": None}) == ""
    assert text({"x": "abc"}) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert lists({"x": [1]}) != lists({"y": [1]})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (b'{"b":1,"a":2}', b' { "a" : 2, "b" : 1 } '),
        (b'"\\u0061\\/"', b'"a/"'),
        (b"123456.0", b"123456"),
        (b"1e2", b"100"),
        (b"15e-1", b"1.50"),
        (b"-0", b"0"),
        (b"-0.0", b"0"),
        (b"12345678901234567891.0", b"12345678901234567891"),
    ],
)
def test_one_meaning_has_one_canonical_spelling(left: bytes, right: bytes) -> None:
    assert canonical(parse(left)) == canonical(parse(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [(b'"1"', b"1"), (b"true", b'"true"'), (b"null", b'""'), (b"[[],[]]", b"[[[]]]"), (b'"\\u0000"', b'"\\\\u0000"')],
)
def test_different_meanings_have_different_canonical_spellings(left: bytes, right: bytes) -> None:
    assert canonical(parse(left)) != canonical(parse(right))


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        (b"1", 0),
        (b"[[[]]]", 3),
        (b'{"a":[{"b":1}]}', 3),
        (b'"[[[["', 0),
        (b'["\\"[[[["]', 1),
        (b"[]" * 50, 1),
        (b"[[[", 3),
    ],
)
def test_depth_counts_brackets_outside_of_texts(body: bytes, depth: int) -> None:
    assert not too_deep(body, depth)
    assert depth == 0 or too_deep(body, depth - 1)


@pytest.mark.parametrize(
    ("array", "pieces"),
    [
        (b"[]", []),
        (b"[ \n]", []),
        (b"[1]", [b"1"]),
        (b'[{"a":NaN}, {"b":"],["} ,3]', [b'{"a":NaN}', b'{"b":"],["}', b"3"]),
        (b"[1,,2,]", [b"1", b"2", b""]),
        (b'["\\"]"]', [b'"\\"]"']),
    ],
)
def test_an_array_is_cut_where_its_elements_end(array: bytes, pieces: list[bytes]) -> None:
    assert cut(array) == pieces


@pytest.mark.parametrize("array", [b"[1", b"[1}", b"[1]x", b'["]', b'["\\"]', b"[1][2]", b"[[1]", b"[1]]", b'["\\'])
def test_an_array_without_an_end_cannot_be_cut(array: bytes) -> None:
    with pytest.raises(Refused):
        cut(array)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Alicom-Queue-1234567890-SmsReport", "SmsReport"),
        ("Alicom-Queue-1234567890-SecretReport-100000", "SecretReport"),
        ("Alicom-Queue-1234567890-SecretReport-my-own-suffix", "SecretReport"),
        ("Alicom-Queue-1-NeverHeardOf2", "NeverHeardOf2"),
        ("alicom-queue-1-SmsReport", None),
        ("Alicom-Queue--SmsReport", None),
        ("Alicom-Queue-x-SmsReport", None),
        ("Alicom-Queue-１-SmsReport", None),
        ("Alicom-Queue-1-", None),
        ("Alicom-Queue-1-SmsReport-", None),
        ("Alicom-Queue-1-SmsReport\n", None),
        ("Alicom-Queue-1-Sms_Report", None),
        ("my-queue", None),
        ("", None),
    ],
)
def test_a_default_queue_name_tells_the_kind(name: str, kind: str | None) -> None:
    assert kind_of_queue(name) == kind


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ("biz_id success", "SmsReport"),
        ("MessageId Status To SendDate", "SmsReport"),
        ("MessageId Status To", None),
        ("MessageId Status SendDate", None),
        ("message_id status to", "GlobeSmsReport"),
        ("MessageId Status To MsgFrameType Timestamp", "ChatAppStatus"),
        ("MessageId Status To MsgFrameType Timestamp ErrorCode", "ChatAppStatus"),
        ("MessageId Status To Timestamp", "ChatAppStatus"),
        ("BizId SendStatus", "SmsReport"),
        ("sequence_id content phone_number", "SmsUp"),
        ("sign_name sign_status orderId", "SignSmsReport"),
        ("template_code template_status", "TemplateSmsReport"),
        ("template_code approval_status", "MnsCardTemplate"),
        ("pool_key call_id call_time ring_time start_time release_time", "SecretReport"),
        ("pool_key call_id call_time ring_Time start_time", "SecretPickUpReport"),
        ("pool_key call_id call_time ringTime", "SecretRingReport"),
        ("pool_key call_id call_time phone_no", "SecretStartReport"),
        ("pool_key call_id call_time subs_id", "SecretRecording"),
        ("id pool_key call_id secret_no sms_content sms-intercept-type", "SecretSmsIntercept"),
        ("phone_number", None),
        ("", None),
    ],
)
def test_the_field_names_tell_the_kind(fields: str, kind: str | None) -> None:
    assert kind_of(dict.fromkeys(fields.split(), "x")) == kind


def test_all_the_kinds_that_the_provider_names_are_known() -> None:
    named = """SmsReport SmsUp SignSmsReport TemplateSmsReport SecretStartReport SecretReport SecretSmsIntercept
        SecretRecording DypnsSmsVerifyReport GlobeSmsReport ChatAppStatus MnsCardVender MnsCardTemplate SecretRingReport
        SecretPickUpReport SecretAsrReport SecretExceptionPhoneReport NumberManagementReport SmartLogisticsReport
        VoiceReport VoiceCallReport VoiceRecordReport"""
    assert sorted(KINDS) == sorted([*named.split(), "SendDetail"])  # a row of an answer: our own name for it
