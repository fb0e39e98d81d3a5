"""What people really have: each family of lists that programs, spreadsheets, frameworks and collectors write."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.errors import UsageError
from smsreceipt.ledger import BadRow, Declined, Entry, Form, InvalidValue, Skipped, entries, number_of, numbers
from smsreceipt.ledger.cells import cell, whole_number
from smsreceipt.ledger.times import moment_of
from smsreceipt.model import Instant, Send

PHONE, BIZ_ID, AT = "13800000001", "900619746936498440^0", "2026-11-05 09:03:00"
INSTANT = Instant(1_793_840_580_000)
ROW = {"phone": PHONE, "biz_id": BIZ_ID, "sent_at": AT}


def read(text: str | bytes, **form: Any) -> list[Entry]:
    return list(entries(io.BytesIO(text.encode() if isinstance(text, str) else text), Form(**form)))


def table(*rows: str, heading: str = "phone,biz_id,sent_at,out_id") -> str:
    return "\n".join((heading, *rows)) + "\n"


def only_send(text: str | bytes, **form: Any) -> Send:
    (found,) = read(text, **form)
    assert isinstance(found, Send), found
    return found


def lines(*objects: object) -> str:
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects)


@pytest.mark.parametrize("nothing", ["", "NULL", "null", "\\N", "None", "nan", "NaN", "N/A", "NA", "-", "<NA>", "#N/A"])
def test_a_word_for_nothing_is_an_empty_cell(nothing: str) -> None:
    found = only_send(table(f"{PHONE},{BIZ_ID},{AT},{nothing}"))
    assert found.out_id == ""
    assert only_send(lines({**ROW, "out_id": nothing, "parts": nothing})).parts is None
    (bad,) = read(table(f"{PHONE},{nothing},{AT},o"))
    assert bad == BadRow(2, "no BizId")
    assert only_send(table(f"{PHONE},{BIZ_ID},{nothing},o"), day=20_000).day == 20_000


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("'007", "007"),
        ('="007"', "007"),
        ("'=1+1", "=1+1"),
        ("'abc", "'abc"),
        ("\u202a007\u202c", "007"),
        ("\ufeff007", "007"),
        ("order-1", "order-1"),
        ("0000-00-00 00:00:00", ""),
    ],
)
def test_guards_and_invisible_marks_are_no_part_of_a_cell(written: str, normal: str) -> None:
    assert cell(written) == normal
    assert cell(normal) == normal


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("7.0", "7"),
        ("13800000001.00", "13800000001"),
        ("1.3800000002E10", "13800000002"),
        ("1.3800000002e+10", "13800000002"),
        ("7.5", "7.5"),
        ("5e12", "5e12"),
        ("1.2.0", "1.2.0"),
        ("v1.0", "v1.0"),
    ],
)
def test_a_whole_number_is_the_same_with_a_fraction_or_an_exponent(written: str, digits: str) -> None:
    assert whole_number(written) == digits


@pytest.mark.parametrize(
    "written", ["1.38E+10", "1,38E+10", "2.02611E+19", "9.00619746936498e17", "1E+10", "9" * 18 + ".0"]
)
def test_a_number_that_was_rounded_is_refused_with_its_cause(written: str) -> None:
    with pytest.raises(InvalidValue, match="a spreadsheet rounded this number: export the column as text"):
        whole_number(written)
    quoted = f'"{written}"'
    for field, row in (
        ("phone", f"{quoted},{BIZ_ID},{AT},o"),
        ("biz_id", f"{PHONE},{quoted},{AT},o"),
        ("out_id", f"{PHONE},{BIZ_ID},{AT},{quoted}"),
    ):
        (bad,) = read(table(row))
        assert isinstance(bad, BadRow)
        assert bad.reason.startswith(f"{field}: a spreadsheet rounded"), "the column is named as --map names it"
        assert written not in bad.reason


@given(st.integers(10_000, 1 << 53))
def test_a_number_that_a_float_holds_is_never_changed(number: int) -> None:
    assert whole_number(f"{number}.0") == str(number)
    try:
        found = whole_number(f"{float(number):e}")
    except InvalidValue:
        return
    assert int(found) == number


@given(
    st.integers(13_000_000_000, 19_999_999_999),
    st.sampled_from(
        ["{}", "+86{}", "0086{}", "(+86){}", "+86 ({}", "tel:+86-{}", "'{}", '="{}"', "{}.0", "\u202a{}\u202c"]
    ),
    st.sampled_from(["", " ", "-", ".", " - "]),
    st.booleans(),
)
def test_a_number_is_the_same_whatever_was_put_around_it(number: int, frame: str, gap: str, wide: bool) -> None:
    digits = str(number)
    if gap and not frame.endswith(".0"):
        digits = f"{digits[:3]}{')' if frame.endswith('({}') else ''}{gap}{digits[3:7]}{gap}{digits[7:]}"
    elif frame.endswith("({}"):
        digits += ")"
    written = frame.format(digits)
    if wide:
        written = written.translate({ord(each): ord(each) + 0xFEE0 for each in "0123456789+()"})
    assert number_of(written) == str(number)


@pytest.mark.parametrize("gap", [",", ";", "；", "，", "、", "|", "\n", ", "])
def test_a_cell_may_hold_several_numbers(gap: str) -> None:
    found = read(table(f'"13800000001{gap}+8613800000002",{BIZ_ID},{AT},'))
    assert [each.phone for each in found if isinstance(each, Send)] == ["13800000001", "13800000002"]


@pytest.mark.parametrize(
    "written",
    [
        "2026年11月5日 9:03", "2026年11月5日9时3分", "2026/11/5 上午 9:03:00", "2026-11-05 09:03:00 星期四",
        "2026/11/5 9:03:00 AM", "２０２６-11-05 09：03：00", "'2026-11-05 09:03:00", '="2026-11-05 09:03:00"',
        "1793840580000000", "1793840580000000000", "1793840580000.0", "1.793840580e9",
        "Thu Nov 05 09:03:00 CST 2026", "Thu Nov  5 09:03:00 2026", "Thu, 05 Nov 2026 01:03:00 GMT",
        "Thu Nov 05 2026 09:03:00 GMT+0800 (China Standard Time)", "Nov 5, 2026, 9:03:00 AM", "05-Nov-2026 09:03:00",
        "05/Nov/2026:09:03:00 +0800", "2026-11-05 09:03:00 +0800 CST", "2026-11-05 09:03:00 +0800 CST m=+0.01",
        "2026-11-05T09:03:00+08:00[Asia/Shanghai]", "2026-11-05T09:03:00[Asia/Shanghai]", "2026-11-05 09:03:00+08",
        "2026-11-05 01:03:00+00", "2026-11-05 09:03:00 UTC+8", "20261105 09:03:00", "20261105T010300Z", "202611050903",
        "20261105090300000", "2026-11-05, 09:03:00",
    ],
)  # fmt: skip
def test_a_time_is_the_same_in_every_format(written: str) -> None:
    assert only_send(lines({**ROW, "sent_at": written})).sent_at == INSTANT
    quoted = '"' + written.replace('"', '""') + '"'
    assert only_send(table(f"{PHONE},{BIZ_ID},{quoted}")).sent_at == INSTANT


def test_the_days_of_a_spreadsheet_are_times_in_a_table_only() -> None:
    assert only_send(table(f"{PHONE},{BIZ_ID},46331.377083333")).sent_at == INSTANT
    assert only_send(table(f"{PHONE},{BIZ_ID},46331")) == only_send(table(f"{PHONE},{BIZ_ID},2026-11-05"))
    (bad,) = read(lines({**ROW, "sent_at": "46331.377083333"}))
    assert bad == BadRow(1, "sent_at: not a time")


@pytest.mark.parametrize("written", ["11/5/2026 3:09", "5-11-2026", "13.5.2026 03:09:00"])
def test_a_day_before_its_year_is_told_how_to_be_written(written: str) -> None:
    (bad,) = read(table(f"{PHONE},{BIZ_ID},{written}"))
    assert isinstance(bad, BadRow)
    assert bad.reason.startswith("sent_at: ")
    assert "2026-11-05" in bad.reason


@given(st.datetimes(datetime(2001, 9, 10), datetime(2099, 12, 30)), st.integers(-14 * 4, 14 * 4))
def test_a_time_with_an_offset_is_that_instant_whatever_the_zone(shown: datetime, quarters: int) -> None:
    zoned = shown.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=15 * quarters)))
    at = int(zoned.timestamp()) * 1000
    for pattern in ("%Y-%m-%d %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %z", "%Y%m%dT%H%M%S%z"):
        assert moment_of(zoned.strftime(pattern)).at == at
        assert moment_of(zoned.strftime(pattern), ZoneInfo("America/New_York")).at == at


def test_a_time_without_an_offset_is_in_the_zone_that_was_named() -> None:
    utc = table(f"{PHONE},{BIZ_ID},2026-11-05 01:03:00")
    assert only_send(utc, zone=ZoneInfo("UTC")).sent_at == INSTANT
    assert (
        only_send(table(f"{PHONE},{BIZ_ID},2026-11-04 20:03:00"), zone=ZoneInfo("America/New_York")).sent_at == INSTANT
    )
    assert only_send(table(f"{PHONE},{BIZ_ID},2026-11-05T09:03:00+08:00"), zone=ZoneInfo("UTC")).sent_at == INSTANT


@pytest.mark.parametrize(
    "names",
    [
        ("手机", "发送流水号", "发送时间"),
        ("手机号(必填)", "回执ID（BizId）", "发送时间(北京时间)"),
        ("接收手机号", "业务流水号", "提交时间"),
        ("*手机号码：", "发送回执ID", "发送日期"),
        ("手机号/Phone", "BizId 回执", "时间 Time"),
        ("sms_log.phone", "sms_log.biz_id", "sms_log.gmt_create"),
        ("mobile", "api_serial_no", "send_time"),
        ("`mobile`", '""BIZ ID""', "add_time"),
        ("phones", "bid", "gmtCreate"),
        ("ＰＨＯＮＥ", "Biz-Id", "created_at"),
    ],
)
def test_a_heading_is_known_in_every_spelling(names: tuple[str, ...]) -> None:
    heading = ",".join(f'"{name}"' for name in names)
    for data in (heading, heading.replace(",", "\t"), heading.replace(",", ";")):
        text = table(f"{PHONE},{BIZ_ID},{AT}".replace(",", data[len(names[0]) + 2]), heading=data)
        assert only_send(text).sent_at == INSTANT


def test_a_heading_that_names_one_thing_twice_is_refused_unless_a_name_tells_them_apart() -> None:
    for heading, said in (("phone,biz_id,sent_at,phone", "both are called"), ("a.phone,biz_id,time,b.phone", "--map")):
        with pytest.raises(UsageError) as caught:
            read(table(f"{PHONE},{BIZ_ID},{AT},x", heading=heading))
        assert said in f"{caught.value} {caught.value.hint}"
    text = table(f"{PHONE},{BIZ_ID},{AT},x", heading="a.phone,biz_id,time,b.phone")
    assert only_send(text, names={"phone": "a.phone"}).phone == PHONE
    two_times = table(f"{PHONE},{BIZ_ID},{AT},2020-01-01", heading="phone,biz_id,send_time,create_time")
    assert only_send(two_times).sent_at == INSTANT


def test_titles_borders_totals_and_empty_rows_are_no_rows() -> None:
    text = (
        "短信发送记录 2026-11-05,,\n\n,,\n手机号码,回执ID,发送时间\n"
        f"{PHONE},{BIZ_ID},{AT}\n,,\n合计,1,\nTotal: 1,,\n(1 row)\n1 row in set (0.00 sec)\n"
    )
    found = read(text)
    assert [type(each) for each in found] == [Send, Skipped, Skipped, Skipped, Skipped]
    boxed = (
        f"+---+---+---+\n| phone | biz_id | sent_at |\n+---+---+---+\n| {PHONE} | {BIZ_ID} | {AT} |\n+---+---+---+\n"
    )
    assert [each for each in read(boxed) if not isinstance(each, Skipped)] == [only_send(lines(ROW))]


def test_a_total_that_is_a_send_is_a_send() -> None:
    heading = "note,phone,biz_id,sent_at"
    assert only_send(table(f"total,{PHONE},{BIZ_ID},{AT}", heading=heading)).phone == PHONE


def test_optional_cells_may_lack_and_a_row_that_is_too_wide_is_bad() -> None:
    heading = "phone,biz_id,sent_at,out_id,sign_name"
    found = read(table(f"{PHONE},{BIZ_ID},{AT}", f"{PHONE},{BIZ_ID}", f"{PHONE},{BIZ_ID},{AT},o,s,,",
                       f"{PHONE},{BIZ_ID},{AT},o,s,t", heading=heading))  # fmt: skip
    assert [type(each) for each in found] == [Send, BadRow, Send, BadRow]
    assert [each.reason for each in found if isinstance(each, BadRow)] == [
        "fewer columns than the header has", "more columns than the header has",
    ]  # fmt: skip


def test_a_field_may_be_long() -> None:
    text = table(f'{PHONE},{BIZ_ID},{AT},"{"x" * 2_000_000}"', heading="phone,biz_id,sent_at,response")
    assert only_send(text).phone == PHONE


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("api_send_code", "isv.BUSINESS_LIMIT_CONTROL"),
        ("code", "isv.MOBILE_NUMBER_ILLEGAL"),
        ("error", "isp.SYSTEM_ERROR"),
        ("result_code", "Throttling.User"),
        ("status", "failed"),
        ("发送状态", "失败"),
        ("success", "false"),
        ("success", "0"),
    ],
)
def test_a_row_without_a_biz_id_that_tells_a_failure_is_refused(heading: str, cells: str) -> None:
    names = f"phone,biz_id,sent_at,{heading}"
    assert read(table(f"{PHONE},,{AT},{cells}", heading=names)) == [Declined(2)]
    assert read(table(f"{PHONE},NULL,{AT},{cells}", heading=names)) == [Declined(2)]
    assert only_send(table(f"{PHONE},{BIZ_ID},{AT},{cells}", heading=names)).biz_id == BIZ_ID
    assert read(lines({"phone": PHONE, "sent_at": AT, heading: cells})) == [Declined(1)]


@pytest.mark.parametrize(
    ("heading", "cells"), [("code", "123456"), ("status", "sent"), ("success", "true"), ("note", "false")]
)
def test_a_row_without_a_biz_id_is_bad_where_nothing_tells_a_failure(heading: str, cells: str) -> None:
    assert read(table(f"{PHONE},,{AT},{cells}", heading=f"phone,biz_id,sent_at,{heading}")) == [BadRow(2, "no BizId")]


CALL = {"PhoneNumbers": PHONE, "BizId": BIZ_ID, "Code": "OK"}


@pytest.mark.parametrize(
    "line",
    [
        {"log": json.dumps(CALL) + "\n", "stream": "stdout", "time": "2026-11-05T01:03:00.000000000Z"},
        {"log": f"2026 INFO sms {json.dumps(CALL)}\n", "time": "2026-11-05T01:03:00Z"},
        {"MESSAGE": json.dumps(CALL), "__REALTIME_TIMESTAMP": "1793840580000000"},
        {"_source": {"@timestamp": "2026-11-05T01:03:00.000Z", **CALL}},
        {"_source": {"@timestamp": "2026-11-05T01:03:00.000Z", "message": json.dumps(CALL)}},
        {"content": json.dumps(CALL), "__time__": 1_793_840_580},
        {"time": AT, "phone": PHONE, "aliyun": {"result": {"RequestId": "A", "BizId": BIZ_ID, "Code": "OK"}}},
        {"time": AT, "phone": PHONE, "raw": [{"x": json.dumps({"requestId": "A", "bizId": BIZ_ID, "code": "OK"})}]},
        {"time": AT, "request.PhoneNumbers": PHONE, "response.BizId": BIZ_ID, "response.Code": "OK"},
        {"_id": {"$oid": "0"}, "phone": {"$numberLong": PHONE}, "bizId": BIZ_ID, "sentAt": {"$date": AT}},
        {"phone": PHONE, "bizId": BIZ_ID, "sentAt": {"$date": {"$numberLong": "1793840580000"}}},
    ],
)
def test_whatever_a_collector_or_a_database_puts_around_a_call(line: dict[str, Any]) -> None:
    assert only_send(lines(line)).sent_at == INSTANT


def test_the_answer_counts_wherever_it_stands() -> None:
    failed = {"time": AT, "phone": PHONE, "aliyun": {"exception": {"raw": {"RequestId": "B", "Code": "isv.X_Y"}}}}
    assert read(lines(failed)) == [Declined(1)]
    template = {**CALL, "time": AT, "TemplateParam": {"code": "1234", "phone": "x", "RequestId": 1}}
    assert only_send(lines(template)).phone == PHONE


def test_a_log_with_text_before_its_objects() -> None:
    call = json.dumps(CALL)
    log = (
        "Starting up at 09:00:00\n"
        f"[2026-11-05 09:03:00] production.INFO: sms {call} []\n"
        "    at com.example.Sms(Sms.java:17)\n"
        f"2026-11-05 09:03:00.000  INFO 1 --- [main] c.x.Sms : {call}\n"
        '2026-11-05 09:03:01 INFO other {"user": 7}\n'
        f'2026-11-05 09:03:00,000 sent {{"PhoneNumbers": "{PHONE}"}} -> {{"BizId": "{BIZ_ID}", "Code": "OK"}}\n'
        f'2026-11-05 09:03:00 sent {{"PhoneNumbers": "{PHONE}"}} -> {{"Code": "isv.DAY_LIMIT_CONTROL"}}\n'
    )
    for text in (log, log.split("\n", 1)[1]):
        found = read(text)
        assert [type(each) for each in found] == [Send, Send, Skipped, Send, Declined]
        assert {each.sent_at for each in found if isinstance(each, Send)} == {INSTANT}


@pytest.mark.parametrize("indent", [None, 0, 2, "\t"])
@pytest.mark.parametrize("frame", ["{}", "[{}]", "[\n{}\n]\n", '{{"RECORDS": [{}]}}', '{{\n"RECORDS":[\n{}\n]\n}}'])
@pytest.mark.parametrize("gap", [",", ",\n", "\n"])
def test_arrays_and_objects_over_several_lines(indent: int | str | None, frame: str, gap: str) -> None:
    rows = [{**ROW, "out_id": f'{n} "}}{{][', "nested": {"a": [{"b": {}}]}} for n in range(3)]
    if gap == "\n" and frame != "{}":
        gap = ","
    found = read(frame.format(gap.join(json.dumps(row, indent=indent) for row in rows)))
    assert [each.out_id for each in found if isinstance(each, Send)] == [row["out_id"] for row in rows]
    assert len(found) == 3


def test_the_answer_of_a_search_holds_its_rows() -> None:
    answer = {"took": 3, "hits": {"total": {"value": 2}, "hits": [{"_source": ROW}, {"_source": ROW}]}}
    for text in (json.dumps(answer), json.dumps(answer, indent=1)):
        assert [type(each) for each in read(text)] == [Send, Send]


@given(
    st.lists(st.sampled_from(["good", '{"phone": "1', '{"phone": {', "[[[", "}", "17", '"', "{]", "x {"]), max_size=9)
)
def test_what_is_no_json_harms_no_neighbour(pieces: list[str]) -> None:
    text = "{}\n" + "".join((json.dumps(ROW) if piece == "good" else piece) + "\n" for piece in pieces)
    found = read(text)
    assert sum(isinstance(each, Send) for each in found) == pieces.count("good")


def test_an_array_of_one_long_line_is_read_in_pieces() -> None:
    rows = [{**ROW, "out_id": str(n), "pad": '\\"{' * 30} for n in range(12_000)]
    found = read(json.dumps(rows))
    assert [each.out_id for each in found if isinstance(each, Send)] == [str(n) for n in range(12_000)]


@pytest.mark.parametrize(
    "heading",
    [
        "phone,biz_id（回执）,time,content",
        "手机号,biz_id,time,content",
        "phone,biz_id,time,短信内容",
        "phone,biz_id,time,备注",
        "phone,biz_id,time,content",
        "发送明细\nphone,biz_id,time,content",
        "phone,biz_id,time",
        "phone,biz_id,time,sign_name",
    ],
)
def test_a_list_with_a_known_heading_is_gb18030_wherever_its_chinese_is(heading: str) -> None:
    sign = "您好" if "sign" in heading else ""
    text = f"{heading}\n" + "".join(f"{PHONE},{n}^0,2026-11-20 15:49:55,您好\n" for n in range(3))
    if heading.endswith("time"):
        text = text.replace(",您好", "") + "合计：三条\n"
    found = read(text.encode("gb18030"))
    assert [(each.biz_id, each.sign_name) for each in found if isinstance(each, Send)] == [
        (f"{n}^0", sign) for n in range(3)
    ]
    assert not any(isinstance(each, BadRow) for each in found)


SIGNED = "phone,biz_id,time,sign_name\n", f"{PHONE},%d^0,2026-11-20 15:49:55,%s\n"


@pytest.mark.parametrize("damaged", [0, 1, 1_500])
@pytest.mark.parametrize("sign", ["阿里云", "您好", "示例公司", "【云通信】", "é"])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_damaged_character_costs_its_row_and_makes_no_list_gb18030(damaged: int, sign: str, cut: int) -> None:
    heading, row = SIGNED
    rows = [(row % (n, sign)).encode() for n in range(2_000)]
    rows[damaged] = (row % (damaged, "?")).encode().replace(b"?", sign.encode()[:-cut] or b"\xe9")
    found = read(heading.encode() + b"".join(rows))
    assert [n for n, each in enumerate(found) if isinstance(each, BadRow)] == [damaged]
    assert {each.sign_name for each in found if isinstance(each, Send)} == {sign}


def test_a_damaged_character_alone_is_no_chinese() -> None:
    heading, row = SIGNED
    for sign in ("您好".encode()[:-2], "示例公司".encode()[:-2], "é".encode("latin-1") + b"l"):
        (found,) = read((heading + row % (1, "?")).encode().replace(b"?", sign))
        assert isinstance(found, BadRow)
        assert "--encoding" in found.reason


def test_a_damaged_byte_in_gb18030_costs_its_row_only() -> None:
    heading, row = SIGNED
    rows = [(row % (n, "阿里云")).encode("gb18030") for n in range(5)]
    rows[2] = rows[2].replace("里".encode("gb18030"), b"\xff")
    found = read(heading.encode() + b"".join(rows))
    assert [each.sign_name if isinstance(each, Send) else "" for each in found] == [
        *["阿里云"] * 2, "", *["阿里云"] * 2,
    ]  # fmt: skip


@pytest.mark.parametrize("sep", ["\n", ",", ", "])
def test_objects_and_logs_may_be_gb18030(sep: str) -> None:
    rows = [{"phone": PHONE, "biz_id": f"{n}^0", "time": AT, "sign_name": "镕基金融公司" * 5} for n in range(12_000)]
    text = sep.join(json.dumps(row, ensure_ascii=False) for row in rows)
    found = read((text if sep == "\n" else f"[{text}]").encode("gb18030"))
    assert [each.biz_id for each in found if isinstance(each, Send) and each.sign_name == rows[0]["sign_name"]] == [
        row["biz_id"] for row in rows
    ]
    line = f"2026-11-20 15:49:55 发送 {json.dumps(rows[0], ensure_ascii=False)}\n"
    (logged,) = [each for each in read(line.encode("gb18030")) if isinstance(each, Send)]
    assert logged.sign_name == rows[0]["sign_name"]


@pytest.mark.parametrize(
    "text",
    [
        "phone\n13800000001\n", '"13800000001"\n', "13800000001.0\n", "# of order 7\n13800000001\n",
        "\ufeff13800000001", "id,手机号,name\n1,13800000001,x\n",
        "名单\n手机号\n13800000001\n", '{"phone":"13800000001"}\n', "'13800000001\r\n\r\n",
        '[\n"13800000001"\n]\n', '["13800000001"]', "13800000001, 13800000001\n", "13800000001 +8613800000001\n",
        "+86 138 0000 0001", "13800000001,\n", "1.3800000001E10\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_a_list_of_numbers_may_come_from_anywhere(text: str, encoding: str) -> None:
    if encoding == "gb18030":
        text = text.removeprefix("\ufeff")
    assert set(numbers(io.BytesIO(text.encode(encoding)))) == {PHONE}


def test_a_line_without_a_number_is_told_and_the_others_read() -> None:
    found = list(numbers(io.BytesIO(b"13800000001\nabc\n1.38E+10\n13800000002,Li\n13800000003\n")))
    assert [each for each in found if isinstance(each, str)] == ["13800000001", "13800000003"]
    assert [each.line for each in found if isinstance(each, BadRow)] == [2, 3, 4]


def sheet(*sheets: list[list[Any]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    for rows in sheets:
        made = book.create_sheet()
        for row in rows:
            made.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


HEADING = ["手机号", "回执ID", "发送时间", "OutId"]


def test_a_spreadsheet_is_read_with_its_titles_totals_and_sheets() -> None:
    shown = datetime(2026, 11, 5, 9, 3)
    data = sheet(
        [["短信发送记录"], HEADING, [13800000001, BIZ_ID, shown, None], ["13800000002", BIZ_ID, AT, 7], ["合计", 2]],
        [["notes"]],
        [HEADING, [13800000003, BIZ_ID, 46331.377083333, 1.5e20], [13800000004, 9.00619746936498e17, shown, ""]],
    )
    found = read(data)
    assert [(each.phone, each.sent_at, each.out_id) for each in found if isinstance(each, Send)] == [
        (PHONE, INSTANT, ""), ("13800000002", INSTANT, "7"),
    ]  # fmt: skip
    assert [each.line for each in found if isinstance(each, BadRow)] == [2, 3]
    assert set(numbers(io.BytesIO(data))) == {f"1380000000{n}" for n in range(1, 5)} | {BadRow(1, "not a phone number")}
    with pytest.raises(UsageError, match="names no column"):
        read(sheet([["a", "b"]]))


def test_a_spreadsheet_is_read_from_a_pipe() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    found = list(entries(io.BufferedReader(Pipe(sheet([HEADING, [PHONE, BIZ_ID, AT, ""]]))), Form()))
    assert [type(each) for each in found] == [Send]


def test_a_spreadsheet_that_is_damaged_or_cannot_be_read_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sheet([HEADING, [PHONE, BIZ_ID, AT, ""]])
    damaged = data.replace(b"xl/worksheets/sheet1.xml", b"xl/worksheets/sheet9.xml")
    for text in (b"PK\x03\x04", data[: len(data) // 2], damaged):
        with pytest.raises(UsageError) as caught:
            read(text)
        assert caught.value.hint
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError, match="openpyxl is not installed") as absent:
        read(data)
    assert "smsreceipt[xlsx]" in absent.value.hint
