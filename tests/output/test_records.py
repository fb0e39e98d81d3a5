"""What leaves: strict JSON, guarded CSV, masked where asked, harmless everywhere."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smsreceipt.codes import Explanation
from smsreceipt.model import Instant, Kind, Outcome, Reason, Receipt, Source, StoredReceipt, StoredReject
from smsreceipt.output import mask, preview, records, safe
from smsreceipt.output.display import Display
from smsreceipt.output.objects.doctor import Finding, State
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.objects.settings import SETTINGS, SettingRow
from smsreceipt.output.objects.status import Health, Waiting
from smsreceipt.output.terminal.codes import explanations
from smsreceipt.output.terminal.doctor import doctor
from smsreceipt.output.terminal.rejects import reject as reject_screen
from smsreceipt.output.terminal.rejects import rejects as reject_table
from smsreceipt.output.terminal.status import status
from smsreceipt.output.terminal.table import Table
from smsreceipt.output.terminal.timeline import timeline
from smsreceipt.store import Growth, KindFacts, OriginFacts, StoreFacts

PHONES = ("13812345678", "+8613912345678", "85261234567")
TEXT = "canary text 您的验证码是 987654"

#: Nothing of this may reach a terminal: C0 but the newline, DEL, C1, separators, bidirectional and zero-width.
ACTIVE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
#: What rich itself writes: its own colours, never anything from outside.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
hostile = st.text(
    st.sampled_from("a1，=+-@[]/ \t\r\n\"'\\{}:,\x00\x07\x08\x1b\x7f\x9b\u2028\u202e\u2066\u200b\ufeff\U000e0041"),
    max_size=20,
)
AWFUL = "\x1b]0;x\x07[red][/][link=http://x]\u202egnp\x9b2J\r\n=cmd|' /C calc'!A0"


def receipt(body: dict[str, object] | None = None, raw: bytes | None = None, **fields: object) -> StoredReceipt:
    content = raw or msgspec.json.encode(body if body is not None else {"phone_number": "13812345678"})
    said = Receipt(
        kind=Kind("SmsReport"),
        identity=("b^0", "13812345678"),
        outcome=Outcome.DELIVERED,
        code="DELIVERED",
        sent_at=Instant(1795000000000),
        reported_at=Instant(1795000003000),
        phone="13812345678",
        biz_id="b^0",
        out_id="",
        call_id="",
        detail="",
        test=False,
        body=content,
        digest=hashlib.sha256(content).digest(),
    )
    own = {name: value for name, value in fields.items() if name in StoredReceipt.__struct_fields__}
    start = StoredReceipt(
        seq=1,
        receipt=msgspec.structs.replace(said, **{name: value for name, value in fields.items() if name not in own}),
        received_at=Instant(1795000004567),
        source=Source.MNS,
        origin="Alicom-Queue-1-SmsReport",
        times_seen=1,
        signed=True,
    )
    return msgspec.structs.replace(start, **own)


def record_of(stored: StoredReceipt, masked: bool) -> msgspec.Struct:
    return RECEIPTS.record(RECEIPTS.masked(stored) if masked else stored)


def receipt_line(stored: StoredReceipt, masked: bool) -> bytes:
    return records.json_line(record_of(stored, masked))


def receipt_row(stored: StoredReceipt, masked: bool) -> list[object]:
    record = record_of(stored, masked)
    return [getattr(record, key) for key in RECEIPTS.keys]


def reject(origin: str = "q", kind: str | None = "SmsReport", body: bytes = b"x") -> StoredReject:
    digest = hashlib.sha256(body).hexdigest()
    return StoredReject(
        digest, Kind(kind) if kind else None, Source.MNS, origin, Reason.JSON, Instant(1795000004567), len(body), 1
    )


def test_the_body_is_embedded_as_it_was_received() -> None:
    body = b'{"b": 1.50, "a":"\\u4f60\xe5\xa5\xbd", "n":123456789012345678901234567890}'
    line = receipt_line(receipt(raw=body), masked=False)
    assert body in line
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


def test_a_body_of_several_lines_is_still_one_line_with_every_number_as_it_was() -> None:
    body = b'{\r\n\t"a" : "x y\\n\\" z" ,\n "n": 1.50 }'
    line = receipt_line(receipt(raw=body), masked=False)
    assert b'"body":{"a":"x y\\n\\" z","n":1.50}}\n' in line


@given(hostile)
@example(AWFUL)
def test_json_lines_hold_nothing_active_and_mean_the_same(text: str) -> None:
    found = receipt({"content": text, text: 1}, origin=text, code=text, identity=(text,), kind=Kind("SmsUp"))
    line = receipt_line(found, masked=False).decode()
    assert not ACTIVE.search(line)
    assert line.count("\n") == 1
    read = json.loads(line)
    assert read["body"] == {"content": text, text: 1}
    assert (read["origin"], read["code"], read["identity"]) == (text, text or None, [text])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("odd", ["", "a\u202eb", "\x1b[31m", "收到，谢谢"])
def test_many_lines_at_once_are_the_lines_one_by_one(odd: str, masked: bool) -> None:
    body = b'{\n"biz_id": "1^0"\n}'
    found = [receipt(), receipt({"content": odd}), receipt(raw=body), receipt(out_id=odd)]
    for each in (found, found[:2], found[:1], []):
        lines = b"".join(receipt_line(one, masked) for one in each)
        assert records.json_lines([record_of(one, masked) for one in each]) == lines


def test_times_are_written_as_the_contract_says() -> None:
    read = json.loads(receipt_line(receipt(sent_at=Instant(-1000)), masked=False))
    assert read["sent_at"] == "1970-01-01T07:59:59+08:00"
    assert read["reported_at"] == "2026-11-18T19:06:43+08:00"
    assert read["received_at"] == "2026-11-18T11:06:44.567Z"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_field_cannot_start_a_formula(start: str) -> None:
    guarded = records.csv_lines([[f"{start}1+1", "plain", 5, -5, None, True]])
    assert guarded.decode().startswith(("'", "\"'"))
    plain = records.csv_lines([[f"{start}1+1"]], guard=False).decode()
    assert not plain.startswith("'")
    (row,) = csv.reader(io.StringIO(guarded.decode()))
    assert row[1:] == ["plain", "5", "-5", "", "true"]


def test_a_number_needs_no_quote_because_it_is_digits() -> None:
    row = receipt_row(receipt(phone="85261234567"), masked=False)
    assert "85261234567" in records.csv_lines([row]).decode()
    assert "'85261234567" not in records.csv_lines([row]).decode()


@given(st.one_of(hostile, st.from_regex(r"[0-9eE.:/-]{1,25}", fullmatch=True)))
@example("3-4")
@example("12:30")
def test_csv_for_excel_keeps_every_digit_and_no_formula(text: str) -> None:
    plain, excel = (records.csv_lines([[text, 7]], excel=excel).decode() for excel in (False, True))
    [[expected, _]] = csv.reader(io.StringIO(plain))
    [[found, seven]] = csv.reader(io.StringIO(excel))
    assert (seven, excel.endswith('"\r\n'), found.startswith("=")) == ("7", True, False)
    assert found.removeprefix("\t") == expected
    number_like = re.fullmatch(r"0\d+|\d{12,}|\d+[eE]\d+|\d+[-/:]\d+", text, re.ASCII)
    assert not number_like or found == f"\t{text}"


@given(st.lists(st.lists(st.text(st.sampled_from("ab ,;\"'=1\t\r\n"), max_size=6), min_size=1, max_size=3), max_size=3))
def test_csv_is_what_the_csv_module_writes(rows: list[list[str]]) -> None:
    for end, quoting in (("\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL)):
        written = io.StringIO()
        fields = [[records._field(text, False, end != "\n") for text in row] for row in rows]
        csv.writer(written, lineterminator=end, quoting=quoting).writerows(fields)  # type: ignore[arg-type]
        assert records.csv_lines(rows, guard=False, excel=end != "\n").decode() == written.getvalue()


@given(hostile, hostile)
@example(AWFUL, "=1")
def test_csv_holds_nothing_active_and_stays_a_row(text: str, other: str) -> None:
    row = receipt_row(receipt({"a": text}, origin=text, out_id=other), masked=False)
    written = records.csv_lines([row]).decode()
    assert not ACTIVE.search(written)
    (read,) = csv.reader(io.StringIO(written))
    assert len(read) == len(RECEIPTS.keys)
    assert not any(field.startswith(("=", "+", "-", "@")) for field in read)
    assert json.loads(read[-1]) == {"a": text}


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("13800008000", "138****8000"),
        ("+8613800008000", "+86138****8000"),
        ("8613800008000", "86138****8000"),
        ("85261234567", "852****4567"),
        ("01012345678", "010****5678"),
        ("95188123", "95****23"),
        ("12345", "****"),
        ("", ""),
    ],
)
def test_a_masked_number(number: str, masked: str) -> None:
    assert mask.mask_phone(number) == masked


@pytest.mark.parametrize(
    "name",
    [
        "phone_number",
        "PhoneNumber",
        "PhoneNum",
        "To",
        "phone_no",
        "peer_no",
        "secret_no",
        "secretNo",
        "send_no",
        "receive_no",
        "called_display_no",
        "mobile",
        "phoneNo",
        "callee",
        "caller",
        "called_show_number",
        "PhoneNumbers",
        "noA",
        "noX",
    ],
)
def test_fields_of_numbers_are_masked_whatever_the_number_looks_like(name: str) -> None:
    assert mask.mask_value({name: "4008123123"}) == {name: "40****23"}
    assert mask.mask_value({name: 4008123123}) == {name: "40****23"}
    assert mask.mask_value({name: "4008123123,95188123"}) == {name: "40****23,95****23"}


@pytest.mark.parametrize(
    "name", ["content", "sms_content", "smsContent", "template_content", "record_url", "ring_record_url", "sentences"]
)
def test_fields_of_texts_are_told_by_their_length(name: str) -> None:
    assert mask.mask_value({name: "十二个"}) == {name: "<3 characters>"}
    assert "hello" not in json.dumps(mask.mask_value({name: [{"text": "hello"}]}))


def test_what_looks_like_a_number_is_masked_wherever_it_stands() -> None:
    body = {"err_msg": "no 13812345678!", "n": 13812345678, "deep": [{"x": "tel:+8613812345678"}], "13812345678": 1}
    masked = json.dumps(mask.mask_value(body))
    assert "13812345678" not in masked
    untouched = {
        "biz_id": "900619746936498440^0",
        "sub_id": 1000000000000001,
        "at": 1553774465000,
        "ok": True,
        "no": None,
    }
    assert mask.mask_value(untouched) == untouched


@pytest.mark.parametrize("phone", PHONES)
def test_no_canary_leaves_masked_output(phone: str) -> None:
    digits = phone.lstrip("+").removeprefix("86")
    body: dict[str, object] = {
        "phone_number": phone,
        "content": TEXT,
        "other": f"to {digits}",
        "x": {"To": phone, "sms_content": TEXT},
    }
    found = receipt(body, phone=digits, identity=("7", digits), out_id=digits, origin=f"/push/{digits}")
    outputs = [
        receipt_line(found, masked=True),
        records.csv_lines([receipt_row(found, masked=True)]),
        Table(Display(width=200), RECEIPTS).draw([found]).encode(),
        timeline([found], frozenset({1}), Display()).encode(),
        preview.outline(msgspec.json.encode(body)).encode(),
        preview.outline(msgspec.json.encode(body)[:-9]).encode(),
        preview.outline(f"plain {TEXT} {phone}".encode()).encode(),
    ]
    for output in outputs:
        assert digits not in output.decode()
        assert "canary" not in output.decode()
        assert "987654" not in output.decode()


def test_an_outline_keeps_the_structure() -> None:
    body = b'{"phone_number" : "13812345678","success":true,"n":12,"big":1234567,"content":"\xe4\xbd\xa0 \\" x'
    assert preview.outline(body) == (
        '{"phone_number" : "<11 characters>","success":true,"n":12,"big":<7 digits>,"content":"<6 characters>'
    )


def screens(text: str, display: Display) -> list[str]:
    """Every screen of the view with *text* wherever something comes from outside."""
    found = receipt(
        {"err_msg": text, text: text, "content": text},
        kind=Kind(text),
        origin=text,
        code=text,
        biz_id=text,
        out_id=text,
        call_id=text,
        identity=(text, "x"),
        phone=text,
    )
    facts = StoreFacts(text, exists=True, engine="e", schema=1, size=1, last_seq=1, rejects=1, conflicts=1)
    kind = KindFacts(Kind(text), 1, 1, 1, Instant(0), Instant(1))
    refused = reject(text, text)
    later = replace(display, now=Instant(1795000004567))
    came = [OriginFacts(Source.MNS, text, Instant(1)), OriginFacts(Source.PUSH, text, None)]
    waits = [Waiting(text, text, 3, Instant(1)), Waiting(text, text, None, None, text)]
    grown = Growth(receipts_per_day=1, bytes_per_receipt=None, free=None)
    health = Health(facts=replace(facts, kinds=(kind,)), growth=grown, origins=came, backlog=waits)
    found_wrong = [Finding(check=text, state=state, found=(text, text), fix=(text, text)) for state in State]
    return [
        Table(display, RECEIPTS).draw([found]),
        timeline([found], frozenset({1}), display),
        reject_table([refused], later),
        reject_screen(refused, preview.preview(text.encode("utf-8", "surrogatepass")), later),
        status(health, replace(display, now=Instant(5))),
        doctor(found_wrong, display, None),
        Table(display, SETTINGS).draw([SettingRow(text, text, text)]),
        explanations([Explanation(text, text, text, text, text, text, text)], display),
    ]


@settings(max_examples=30)
@given(hostile, st.sampled_from([40, 80, 120]), st.booleans())
@example(AWFUL, 80, True)
def test_no_screen_holds_anything_active(text: str, width: int, colour: bool) -> None:
    for screen in screens(text, Display(width=width, color=colour, mask=False)):
        bare = COLOUR.sub("", screen) if colour else screen
        assert not ACTIVE.search(bare)


def test_markup_and_links_are_shown_as_they_are() -> None:
    for screen in screens("[/] [red]x[/red]", Display(width=200, color=True, mask=False)):
        assert "[/] [red]x[/red]" in COLOUR.sub("", screen).replace("\n", " ")


@pytest.mark.parametrize("safe", [safe.safe, lambda text: preview.preview(text.encode("utf-8", "surrogatepass"))])
def test_safe_shows_what_it_takes_away(safe: Callable[[str], str]) -> None:
    assert safe("a\x1b[0m\u202e你好　\n") == r"a\x1b[0m\u202e你好　\x0a"
