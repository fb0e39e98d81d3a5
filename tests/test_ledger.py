"""What was sent, as senders list it: every form tells the same sends, and no bad row harms its neighbours."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.errors import UsageError
from smsreceipt.ledger import BadRow, Declined, Entry, Form, InvalidValue, Skipped, entries, number_of
from smsreceipt.ledger.cells import cell
from smsreceipt.ledger.logs import Logs
from smsreceipt.ledger.times import moment_of
from smsreceipt.ledger.values import RawSend, send_of
from smsreceipt.model import BEIJING, Instant, Send, beijing_day, billed_parts

DAY = 20_777  # 2026-11-20
AT = Instant(int(datetime(2026, 11, 20, 15, 49, 55, tzinfo=BEIJING).timestamp()) * 1000)
PHONE = "13800008000"


def send(phone: str = PHONE, biz_id: str = "900^0", **more: Any) -> Send:
    known: dict[str, Any] = {
        "day": DAY,
        "sent_at": AT,
        "out_id": "",
        "template_code": "",
        "sign_name": "",
        "parts": None,
    }
    return Send(phone=phone, biz_id=biz_id, **known | more)


def read(text: str | bytes, **form: Any) -> list[Entry]:
    return list(entries(io.BytesIO(text.encode() if isinstance(text, str) else text), Form(**form)))


def lines(*objects: object) -> str:
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("13800008000", PHONE),
        ("+8613800008000", PHONE),
        ("008613800008000", PHONE),
        ("8613800008000", PHONE),
        ("+86 138-0000-8000", PHONE),
        (" 138 0000 8000 ", PHONE),
        ("85291234567", "85291234567"),
        ("+852 9123 4567", "85291234567"),
        ("0085291234567", "85291234567"),
        ("+1 415 555 0100", "14155550100"),
    ],
)
def test_a_number_has_one_spelling(written: str, normal: str) -> None:
    assert number_of(written) == normal


@pytest.mark.parametrize("written", ["", "abc", "138", "1.38E+10", "²", "138****8000", "+", "0", "++8613800008000"])
def test_what_is_no_number_is_refused_without_being_quoted(written: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        number_of(written)
    assert not written or written not in str(caught.value)


@given(
    st.sampled_from(["", "+86", "86", "0086", "+86 ", "+86-"]),
    st.integers(13_000_000_000, 19_999_999_999),
    st.lists(st.integers(1, 10), max_size=3),
)
def test_a_mainland_number_is_the_same_however_it_is_written(prefix: str, number: int, cuts: list[int]) -> None:
    digits = list(str(number))
    for cut in sorted(set(cuts), reverse=True):
        digits.insert(cut, "-" if cut % 2 else " ")
    assert number_of(prefix + "".join(digits)) == str(number)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-20 15:49:55",
        "2026-11-20T15:49:55",
        "2026/11/20 15:49:55",
        "2026.11.20 15:49:55",
        "20261120154955",
        "2026-11-20 15:49:55.000",
        "2026-11-20T07:49:55Z",
        "2026-11-20T07:49:55.000Z",
        "2026-11-20 07:49:55 UTC",
        "2026-11-20T08:49:55+01:00",
        "2026-11-20T15:49:55+0800",
        "2026-11-19T23:49:55-08:00",
        str(AT // 1000),
        str(AT),
        f"{AT // 1000}.000",
    ],
)
def test_a_time_is_the_same_however_it_is_written(written: str) -> None:
    assert moment_of(written) == (DAY, AT)


@pytest.mark.parametrize("written", ["2026-11-20", "20261120", "2026/11/20", "2026.11.20"])
def test_a_day_is_a_day_and_no_midnight(written: str) -> None:
    assert moment_of(written) == (DAY, None)


@pytest.mark.parametrize(
    ("written", "day", "minutes"),
    [("2026/1/2 9:05", (2026, 1, 2), 9 * 60 + 5), ("2026-01-02 23:59", (2026, 1, 2), 23 * 60 + 59)],
)
def test_spreadsheets_leave_zeros_and_seconds_out(written: str, day: tuple[int, int, int], minutes: int) -> None:
    midnight = datetime(*day, tzinfo=BEIJING).timestamp()
    assert moment_of(written).at == int(midnight + minutes * 60) * 1000


@pytest.mark.parametrize(
    "written",
    [
        "yesterday", "2026-02-29", "2026-13-01", "2026-11-20 24:00:00", "2026-11-20 10:60", "2026-11/20", "1970-01-01",
        "10:00:00", "20-11-2026", "11/5/2026", "5-Nov-26", "46331",
        "2026-11-20 13:00 AM", "2026-11-20 10:00 EST", "123456789", "99999999999999", "9999999999999",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_without_being_quoted(written: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        moment_of(written)
    assert written not in str(caught.value)


@pytest.mark.parametrize("written", ["09:00", "9:00:05", "上午9:00", "9时5分"])
def test_a_time_of_day_alone_is_told(written: str) -> None:
    with pytest.raises(InvalidValue, match="without the day"):
        moment_of(written)


@given(st.datetimes(datetime(2001, 9, 10), datetime(2099, 12, 30), timezones=st.just(UTC)))
def test_the_day_is_beijings_whatever_the_zone(moment: datetime) -> None:
    at = Instant(int(moment.timestamp()) * 1000)
    local = moment.replace(microsecond=0).astimezone(BEIJING)
    for written in (local.strftime("%Y-%m-%d %H:%M:%S"), local.isoformat(), local.astimezone(UTC).isoformat(), str(at)):
        assert moment_of(written) == (beijing_day(at), at)
        assert send_of(RawSend(PHONE, "1", written), None).sent_at == at


@pytest.mark.parametrize(("characters", "parts"), [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)])
def test_parts_are_billed_by_the_rule_of_70_and_67(characters: int, parts: int) -> None:
    assert billed_parts(characters) == parts


@pytest.mark.parametrize(
    ("sign", "content", "parts"),
    [
        ("", "a" * 70, 1),
        ("阿里云", "a" * 65, 1),
        ("阿里云", "a" * 66, 2),
        ("【阿里云】", "a" * 66, 2),
        ("阿里云", "【阿里云】" + "a" * 65, 1),
        ("", "", None),
    ],
)
def test_a_text_counts_with_its_signature_and_is_not_kept(sign: str, content: str, parts: int | None) -> None:
    raw = RawSend(PHONE, "900^0", str(AT), sign_name=sign, content=content)
    assert send_of(raw, None) == send(sign_name=sign, parts=parts)


@pytest.mark.parametrize("written", ["0", "-1", "1.5", "x", "1001", "9" * 30])
def test_a_number_of_parts_that_cannot_be(written: str) -> None:
    with pytest.raises(InvalidValue, match="parts"):
        send_of(RawSend(PHONE, "1", str(AT), parts=written), None)


FULL = send(out_id="order-1", template_code="SMS_1", sign_name="阿里云", parts=2)


@pytest.mark.parametrize(
    "header",
    [
        "phone,biz_id,sent_at,out_id,template_code,sign_name,parts",
        "PhoneNumbers,BizId,SendDate,OutId,TemplateCode,SignName,SmsSize",
        "Mobile,Biz-Id,Send Time,OUTID,template code,signname,sms_size",
        "手机号,回执ID,发送时间,外部流水号,模板CODE,签名,计费条数",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("frame", ["{}", "\ufeff{}", "\n\r\n{}", "sep=,\n{}"])
def test_the_columns_are_known_by_their_names(header: str, delimiter: str, frame: str) -> None:
    row = f'{PHONE},900^0,2026-11-20 15:49:55,order-1,SMS_1,阿里云,2\r\n"{PHONE}",901^0,2026-11-20,,,,\r\n'
    text = frame.format(f"{header}\r\n{row}".replace(",", delimiter))
    assert read(text) == [FULL, send(biz_id="901^0", sent_at=None)]


def test_map_goes_before_the_names() -> None:
    text = "phone,mobile,BizId,Bid,when,sent_at\n1,13800008000,x,900^0,2026-11-20 15:49:55,y\n"
    assert read(text, names={"phone": "Mobile", "biz_id": "bid", "sent_at": "WHEN"}) == [send()]


def test_the_better_of_two_times_counts() -> None:
    assert read("phone,biz_id,date,send_time\n13800008000,900^0,2026-11-19,2026-11-20 15:49:55\n") == [send()]


def test_a_day_for_the_rows_without_a_time() -> None:
    assert read(f"phone,biz_id\n{PHONE},900^0\n", day=DAY) == [send(sent_at=None)]
    assert read(f"phone,biz_id,time\n{PHONE},900^0,\n", day=DAY) == [send(sent_at=None)]
    assert read(f"phone,biz_id,time\n{PHONE},900^0,2026-11-20 15:49:55\n", day=1) == [send()]
    (bad,) = read(f"phone,biz_id,time\n{PHONE},900^0,\n")
    assert isinstance(bad, BadRow)
    assert "no send time" in bad.reason


def test_a_row_may_name_several_numbers() -> None:
    text = f'phones,PhoneNumbers,biz_id,time\nx,"{PHONE},+8613800008001,",900^0,2026-11-20 15:49:55\n'
    assert read(text) == [send(), send("13800008001")]


def test_bad_rows_are_told_by_their_lines_and_harm_nobody() -> None:
    text = (
        "phone,biz_id,time,content\n"  # 1
        f'{PHONE},1,2026-11-20 15:49:55,"two\nlines"\n'  # 2 and 3
        f"{PHONE},,2026-11-20 15:49:55,\n"  # 4
        f'{PHONE},2,2026-11-20 15:49:55,"never closed\n'  # 5
        f"{PHONE},3,2026-11-20 15:49:55,\n"  # 6
        f'{PHONE},4,2026-11-20 15:49:55,"good"\n'  # 7
        "\n"  # 8
        f"{PHONE},5\n"  # 9
        f"{PHONE},6,later,\n"  # 10
        f'{PHONE},7,2026-11-20 15:49:55,"end\n'  # 11
    )
    found = read(text)
    assert [each.biz_id for each in found if isinstance(each, Send)] == ["1", "3", "4"]
    assert [each.line for each in found if isinstance(each, BadRow)] == [4, 5, 9, 10, 11]


def test_fields_that_nobody_could_keep_are_refused() -> None:
    for biz_id in ("x" * 257, "a\0b", "a\ud800b"):
        with pytest.raises(InvalidValue):
            send_of(RawSend(PHONE, biz_id, str(AT)), None)
        with pytest.raises(InvalidValue):
            send_of(RawSend(PHONE, "1", str(AT), sign_name=biz_id), None)


def test_bytes_that_are_no_utf8_are_told_and_other_rows_read() -> None:
    text = "phone,biz_id,time,sign\n".replace("sign", "签名").encode()
    text += f"{PHONE},1,2026-11-20 15:49:55,".encode() + "阿里".encode("gbk") + b"\n"
    text += f"{PHONE},2,2026-11-20 15:49:55,阿里\n".encode()
    bad, good = read(text)
    assert isinstance(bad, BadRow)
    assert "--encoding" in bad.reason
    assert isinstance(good, Send)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "GBK"])
def test_other_encodings_are_read_when_they_are_named(encoding: str) -> None:
    text = f"手机号,BizId,发送时间,签名\n{PHONE},900^0,2026-11-20 15:49:55,阿里云\n".encode(encoding)
    assert read(text, encoding=encoding) == [send(sign_name="阿里云")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "gbk", "utf-16"])
def test_an_encoding_is_told_by_its_mark_or_by_a_heading_that_it_makes_known(encoding: str) -> None:
    text = f"记录表\n手机号,回执ID,发送时间,签名\n{PHONE},900^0,2026-11-20 15:49:55,阿里云\n".encode(encoding)
    for data in (text, gzip.compress(text)):
        assert read(data) == [send(sign_name="阿里云")]


def test_an_encoding_that_was_named_is_not_replaced() -> None:
    with pytest.raises(UsageError) as caught:
        read("手机号,回执ID,发送时间\n".encode("gb18030"), encoding="utf-8")
    assert "--encoding" in caught.value.hint


def test_the_columns_of_a_heading_that_is_not_known_can_be_read() -> None:
    text = f"甲,乙,丙\n{PHONE},900^0,2026-11-20 15:49:55\n".encode("gb18030")
    with pytest.raises(UsageError) as caught:
        read(text)
    assert "甲, 乙, 丙" in caught.value.hint
    assert read(text, names={"phone": "甲", "biz_id": "乙", "sent_at": "丙"}) == [send()]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("phone,time\n", "biz_id"),
        (f"{PHONE},900^0,2026-11-20\n", "phone, biz_id, sent_at"),
        ("phone,biz_id\n", "sent_at"),
        ('"phone\n', "phone, biz_id"),
        (b"PK\x03\x04", "spreadsheet"),
        ("<html><table><tr><td>手机号</td></tr></table></html>", "web page"),
        ("\n<?xml version='1.0'?>\n<RECORDS></RECORDS>", "XML"),
        ("INSERT INTO `sms` (`phone`, `biz_id`, `sent_at`) VALUES (1, 2, 3);", "SQL"),
        (f"2026-11-20 15:49:55.123  INFO 1 --- [main] SmsService : sent, phone={PHONE}, BizId=900^0, code=OK\n", "log"),
        (f"[2026-11-20 15:49:55] production.INFO: sent phone={PHONE}, BizId=900^0\n" * 30, "log"),
        ("-- MySQL dump 10.13  Distrib 8.0\n--\n", "SQL"),
        ("--\n-- PostgreSQL database dump\n--\n", "SQL"),
        (b"\xfd7zXZ", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (gzip.compress(b"phone,biz_id,time\n" * 999, mtime=0)[:-9], "middle"),
        (b"\x1f\x8b", "middle"),
        (b"\x1f\x8b\x08\x00", "middle"),
    ],
)
def test_a_list_that_cannot_be_read_says_why_and_quotes_no_number(text: str | bytes, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert reason in str(caught.value)
    assert caught.value.hint
    assert PHONE not in str(caught.value) + caught.value.hint


def test_utf_16_without_a_mark_is_told_from_a_damaged_list() -> None:
    with pytest.raises(UsageError, match="not in utf-16") as caught:
        read("phone,biz_id,time\n".encode("utf-16-be"), encoding="utf-16")
    assert "utf-16-be" in caught.value.hint


def test_an_unknown_encoding_or_column_is_a_slip() -> None:
    with pytest.raises(UsageError, match="encoding"):
        read("phone\n", encoding="gbk-8")
    with pytest.raises(UsageError, match="no column 'Bid'"):
        read("phone,time\n", names={"biz_id": "Bid"})


def test_nothing_and_no_rows_are_no_error() -> None:
    assert read("") == []
    assert read("\n\n") == []
    assert read("phone,biz_id,time\n") == []


words = st.text(st.sampled_from("a1^,;\"\n\r'=【云"), max_size=8).map(str.strip)


@given(st.lists(st.tuples(words.filter(cell), words, words), max_size=8), st.sampled_from(",;\t"))
def test_whatever_a_csv_quotes_is_read_as_it_was(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["phone", "biz_id", "time", "out_id", "sign_name"])
    writer.writerows((PHONE, biz_id, AT, out_id, sign) for biz_id, out_id, sign in rows)
    assert read(text.getvalue()) == [
        send(biz_id=cell(biz_id), out_id=cell(out_id), sign_name=cell(sign)) for biz_id, out_id, sign in rows
    ]


@given(
    st.binary(max_size=300)
    | st.text(st.sampled_from('{}[]",:a1\n\x00\ud800'), max_size=80).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
def test_no_bytes_are_a_bug(garbage: bytes) -> None:
    for head in (b"", b"phone,biz_id,time\n", b"{}\n"):
        try:
            for entry in read(head + garbage):
                assert isinstance(entry, BadRow | Declined | Skipped | Send)
        except UsageError:
            pass


def test_send_objects_are_read_back() -> None:
    mine = {
        "phone": PHONE, "biz_id": "900^0", "sent_at": "2026-11-20T15:49:55+08:00", "out_id": "order-1",
        "template_code": "SMS_1", "sign_name": "阿里云", "parts": 2, "state": "open",
    }  # fmt: skip
    assert read(lines(mine, {**mine, "sent_at": "2026-11-20", "parts": None, "out_id": None})) == [
        FULL,
        send(sent_at=None, template_code="SMS_1", sign_name="阿里云"),
    ]


REQUEST = {
    "PhoneNumbers": f"+86{PHONE},13800008001",
    "SignName": "阿里云",
    "TemplateCode": "SMS_1",
    "TemplateParam": '{"code":"123456","phone":"13999999999","time":"2020-01-01"}',
    "OutId": "order-1",
}
ANSWER = {"Message": "OK", "RequestId": "F655A8D5", "Code": "OK", "BizId": "900^0"}
TWO = [send(phone, out_id="order-1", template_code="SMS_1", sign_name="阿里云") for phone in (PHONE, "13800008001")]


@pytest.mark.parametrize(
    "logged",
    [
        {**REQUEST, **ANSWER},
        {"request": REQUEST, "response": ANSWER},
        {"req": json.dumps(REQUEST), "resp": json.dumps(ANSWER)},
        {"params": REQUEST, "result": {"code": 200, "data": ANSWER}},
        {"level": "info", "message": {"request": {"query": REQUEST}, "answer": {"body": ANSWER}}},
        {"request": {name[0].lower() + name[1:]: value for name, value in REQUEST.items()},
         "response": {"headers": {"date": "1999"}, "statusCode": 200, "body": {"bizId": "900^0", "code": "OK"}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "time", [{"time": "2026-11-20 15:49:55"}, {"@timestamp": "2026-11-20T07:49:55.000Z"}, {"ts": AT}]
)
def test_logged_requests_with_their_answers(logged: dict[str, Any], time: dict[str, Any]) -> None:
    assert read(lines(time | logged)) == TWO


@pytest.mark.parametrize("as_text", [True, False])
def test_a_batch_has_a_signature_for_each_number(as_text: bool) -> None:
    phones, signs = [PHONE, "13800008001"], ["甲", "乙"]
    batch = {
        "PhoneNumberJson": json.dumps(phones) if as_text else phones,
        "SignNameJson": json.dumps(signs) if as_text else signs,
        "TemplateParamJson": '[{"phone":"x"},{"phone":"y"}]',
        **ANSWER,
        "timestamp": AT // 1000,
    }
    assert read(lines(batch)) == [send(sign_name="甲"), send("13800008001", sign_name="乙")]
    (bad,) = read(lines({**batch, "SignNameJson": ["甲"] * 3}))
    assert isinstance(bad, BadRow)


@pytest.mark.parametrize("code", ["isv.BUSINESS_LIMIT_CONTROL", "Throttling.User"])
def test_what_the_provider_refused_is_no_send_and_no_bad_row(code: str) -> None:
    refused = {"Code": code, "Message": "no"}
    found = read(
        lines({**REQUEST, **refused, "ts": AT}, {"request": REQUEST, "response": {"code": 1, "data": refused}})
    )
    assert found == [Declined(1), Declined(1), Declined(2), Declined(2)]


def test_a_code_that_was_sent_to_somebody_is_not_the_providers() -> None:
    row = {"phone": PHONE, "biz_id": "900^0", "time": AT, "code": "isv.X"}
    assert read(lines(row, {**row, "Code": "123456"})) == [send(), send()]
    assert read(lines(row), names={"code": "code"}) == [Declined(1)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"phone"', "not JSON"),
        ("17", "not a JSON object"),
        ("{}", "no BizId"),
        ('{"biz_id":"1","time":1795000000}', "no phone number"),
        ('{"biz_id":"1","phone":["x"],"time":1795000000}', "not a phone number"),
        ('{"biz_id":"1","phone":"[1","time":1795000000}', "a list that is not JSON"),
        ('{"biz_id":"1","phone":13800008000}', "no send time"),
        ('{"biz_id":["1"],"phone":13800008000,"time":1795000000}', "neither text nor a number"),
        ('{"biz_id":"\\ud800"}', "not JSON"),
        ("[" * 100_000, "nested|not JSON"),
        (json.dumps({"phone": ["13800008000"] * 1001}), "more than 1000"),
    ],
)
def test_bad_lines_say_why(line: str, reason: str) -> None:
    good = {"phone": PHONE, "biz_id": "900^0", "time": AT}
    first, bad, last = read(f"{lines(good)}{line}\n{lines(good)}")
    assert (first, last) == (send(), send())
    assert isinstance(bad, BadRow)
    assert bad.line == 2
    assert re.search(reason, bad.reason)


@pytest.mark.slow
def test_an_endless_line_is_one_bad_row_and_memory_stays_bounded() -> None:
    good = lines({"phone": PHONE, "biz_id": "900^0", "time": AT})
    found = read(good + '{"x":"' + "y" * 20_000_000 + '"}\n' + good)
    assert [type(each) for each in found] == [Send, BadRow, Send]
    assert found[1] == BadRow(2, "longer than 16 MiB")


@given(
    st.lists(st.integers(13_000_000_000, 19_999_999_999), min_size=1, max_size=5),
    st.sampled_from(["PhoneNumbers", "phone", "mobile"]),
    st.booleans(),
    st.permutations(["phones", "rest", "answer"]),
)
def test_every_form_of_a_log_tells_the_same(numbers: list[int], name: str, nested: bool, order: list[str]) -> None:
    pieces: dict[str, dict[str, Any]] = {
        "phones": {name: ",".join(map(str, numbers))},
        "rest": {"time": AT},
        "answer": {"response": ANSWER} if nested else ANSWER,
    }
    logged: dict[str, Any] = {}
    for piece in order:
        logged |= pieces[piece]
    assert read(lines(logged)) == [send(str(number)) for number in numbers]


def test_a_list_may_be_compressed() -> None:
    text = f"phone,biz_id,time\n{PHONE},900^0,2026-11-20 15:49:55\n".encode()
    assert read(gzip.compress(text)) == [send()]
    assert read(gzip.compress(text) + gzip.compress(text.splitlines()[1])) == [send(), send()]


def test_rows_come_while_the_rest_is_not_there_yet() -> None:
    class Slow(io.RawIOBase):
        """A pipe that hangs after its first rows."""

        def __init__(self) -> None:
            self.pieces = [b"phone,biz_id,time\n", f"{PHONE},900^0,2026-11-20 15:49:55\n".encode() * 500]

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece = self.pieces.pop(0)
            assert len(piece) < len(buffer) or not self.pieces
            taken = min(len(piece), len(buffer))
            buffer[:taken] = piece[:taken]
            return taken

    stream = Slow()
    found = entries(io.BufferedReader(stream), Form())
    assert next(found) == send()


def test_the_last_row_needs_no_line_end() -> None:
    assert read(f"phone,biz_id,time\n{PHONE},900^0,2026-11-20 15:49:55") == [send()]
    assert read(lines({"phone": PHONE, "biz_id": "900^0", "time": AT}).rstrip()) == [send()]


_JSON_NAMES = (
    "phone",
    "PhoneNumbers",
    "bizId",
    "BizId",
    "sendTime",
    "code",
    "Code",
    "RequestId",
    "content",
    "response",
)
_JSON_VALUES = ("", PHONE, "900^0", "OK", '{"Code":"OK","BizId":"901^0"}', "[1]", None, 7, ["a"], {"BizId": "902^0"})


@given(st.lists(st.dictionaries(st.sampled_from(_JSON_NAMES), st.sampled_from(_JSON_VALUES)), min_size=1, max_size=4))
def test_objects_of_texts_are_read_as_any_other(objects: list[dict[str, Any]]) -> None:
    """Their names are looked at once for all objects that have the same; a value that is no text ends that."""
    logs = Logs({})
    for each in objects:
        assert [row.found for row in logs.rows(each)] == [row.found for row in _Thorough({}).rows(each)]


class _Thorough(Logs):
    """Looks at every name and value of every object."""

    def _plain(self, top: dict[str, Any]) -> None:  # noqa: ARG002 - named as in Logs
        return None
