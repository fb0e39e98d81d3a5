import csv
import io
import json
import threading

import pytest

from smsreceipt.exits import Stopped
from smsreceipt.model import Source
from tests.cli.program import FAILED, REPLY, Program, report


def test_a_store_that_does_not_exist_yet_is_empty_and_stays_away(program: Program) -> None:
    ended = program("list")
    assert (ended.code, ended.raw) == (0, b"")
    assert not program.store.exists()


def test_a_receipt_is_the_object_of_the_contract(program: Program) -> None:
    program.keep("SmsReport", report())
    (found,) = program("list").objects
    body = found.pop("body")
    assert body == report()
    assert found == {
        "seq": 1,
        "kind": "SmsReport",
        "identity": ["900619746936498440^0", "13800008000"],
        "outcome": "delivered",
        "phone": "13800008000",
        "biz_id": "900619746936498440^0",
        "out_id": "order-67890",
        "call_id": None,
        "code": "DELIVERED",
        "sent_at": "2026-11-20T15:49:55+08:00",
        "reported_at": "2026-11-20T15:49:58+08:00",
        "received_at": "2026-11-21T04:00:00.000Z",
        "source": "mns",
        "origin": "Alicom-Queue-1000000001-SmsReport",
        "times_seen": 1,
        "test": False,
        "parts": 1,
        "unread": [],
        "talk_seconds": None,
        "template_code": None,
        "sign_name": None,
    }


LEDGER = (
    b"phone,biz_id,sent_at,template_code,sign_name\n13800008000,900619746936498440^0,2026-11-20 15:49:55,SMS_7,Acme\n"
)

pytestmark = pytest.mark.each_engine


def of_send(program: Program, *words: str) -> list[tuple[object, object]]:
    return [(found["template_code"], found["sign_name"]) for found in program(*words, "--json").objects]


@pytest.mark.parametrize("ledger_first", [True, False])
def test_a_receipt_has_the_template_and_the_signature_of_its_send(program: Program, *, ledger_first: bool) -> None:
    program.stdin = LEDGER
    if ledger_first:
        program("sends", "import", "-")
    program.keep("SmsReport", report(), report("13800008001"))
    if not ledger_first:
        assert of_send(program, "list") == [(None, None), (None, None)]
        program("sends", "import", "-")
    for words in (["list"], ["list", "--history"], ["list", "--phone", "13800008000", "--phone", "13800008001"]):
        assert of_send(program, *words) == [("SMS_7", "Acme"), (None, None)]
    (first, _) = csv.DictReader(io.StringIO(program("list", "-o", "csv").out))
    assert (first["template_code"], first["sign_name"]) == ("SMS_7", "Acme")
    assert of_send(program, "show", "13800008000")[-1] == ("SMS_7", "Acme")


def test_what_a_command_prints_as_it_comes_has_no_template_yet(program: Program) -> None:
    program.stdin = LEDGER
    program("sends", "import", "-")
    program.stdin = json.dumps(report()).encode()
    assert of_send(program, "replay", "-", "--kind", "SmsReport") == [(None, None)]
    assert of_send(program, "list") == [("SMS_7", "Acme")]


def test_the_answer_of_a_query_has_the_template_of_its_row(program: Program) -> None:
    row = {"PhoneNum": "13800008000", "SendStatus": 3, "SendDate": "2026-11-20 15:49:55", "TemplateCode": "SMS_9"}
    program.keep("SendDetail", row, source=Source.QUERY)
    assert of_send(program, "list") == [("SMS_9", None)]
    program.stdin = LEDGER.replace(b"SMS_7", b"SMS_9")
    program("sends", "import", "-")
    assert of_send(program, "list") == [("SMS_9", "Acme")]
    program.stdin = b""
    program("sends", "forget", "--phone", "13800008000", "--yes")
    assert of_send(program, "list") == [("SMS_9", None)]


@pytest.fixture
def mixed(program: Program) -> Program:
    program.keep("SmsReport", report(), report("13800008001", "b2^0", out_id="x", **FAILED))
    program.keep(
        "SmsReport", report("13800008002", "b3^0", send_time="2026-11-21 00:10:00", report_time=""), source=Source.PUSH
    )
    program.keep("SmsUp", REPLY)
    return program


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        ("", [1, 2, 3, 4]),
        ("--kind SmsUp", [4]),
        ("--kind smsup", [4]),
        ("--kind SmsUp --kind SmsReport", [1, 2, 3, 4]),
        ("--phone +8613800008001", [2]),
        ("--phone 13800008000 --kind SmsReport", [1]),
        ("--biz-id b2^0 --biz-id b3^0", [2, 3]),
        ("--out-id x", [2]),
        ("--call-id x", []),
        ("--outcome failed", [2]),
        ("--code MOBILE_IN_BLACK", [2]),
        ("--code DELIVRD", [1, 3]),
        ("--code delivrd", [1, 3]),
        ("--code Mobile_In_Black", [2]),
        ("--source push", [3]),
        ("--date 2026-11-20", [1, 2, 4]),
        ("--date today", [3]),
        ("--date yesterday", [1, 2, 4]),
        ("--since 20261121", [3]),
        ("--until 2026-11-20", [1, 2, 4]),
        ("--since 2026-11-20T15:50 --until today", [3, 4]),
        ("--since 12h", [3]),
        ("--after 2", [3, 4]),
        ("--limit 2", [1, 2]),
        ("--after 1 --limit 2", [2, 3]),
    ],
)
def test_filters(mixed: Program, words: str, seqs: list[int]) -> None:
    assert [found["seq"] for found in mixed("list", *words.split()).objects] == seqs


def test_a_number_can_come_from_standard_input_so_that_no_shell_remembers_it(mixed: Program) -> None:
    mixed.stdin = b"13800008001\n+8613800008002\n"
    assert [found["seq"] for found in mixed("list", "--phone", "-").objects] == [2, 3]


def test_history_and_conflicts(program: Program) -> None:
    program.keep("SmsReport", report(), report("13800008001"))
    program.keep("SmsReport", report(**FAILED), source=Source.PUSH)
    assert [found["seq"] for found in program("list").objects] == [1, 2]
    assert [found["seq"] for found in program("list", "--history").objects] == [1, 2, 3]
    assert [found["outcome"] for found in program("list", "--conflicts").objects] == ["delivered", "failed"]


def test_a_table_shows_the_newest_50_and_says_how_many_more(program: Program) -> None:
    program.keep("SmsReport", *(report(f"138{number:08}") for number in range(70)))
    ended = program("list", "-o", "table")
    assert len(ended.out.splitlines()) == 51
    assert "138****0069" in ended.out
    assert "138****0019" not in ended.out
    assert ended.err == "20 more: --limit N shows more of them, --json all\n"
    assert len(program("list").objects) == 70


def test_after_0_is_an_answer_too_the_oldest(program: Program) -> None:
    program.keep("SmsReport", *(report(f"138{number:08}") for number in range(4)))
    for words, first in (("--after 0 --limit 2", "138****0000"), ("--limit 2", "138****0002")):
        lines = program("list", "-o", "table", *words.split()).out.splitlines()
        assert len(lines) == 3
        assert first in lines[1]


_NO_TYPE = "Invalid value for '--kind': a message type is missing: SmsReport, SmsUp\nhint: smsreceipt list --help"
_OTHERS = ("--phone", "--biz-id", "--out-id", "--call-id", "--code")


@pytest.mark.parametrize(
    ("option", "fault"), [("--kind", _NO_TYPE), *((each, f"{each}: empty number or id") for each in _OTHERS)]
)
def test_an_empty_word_is_no_filter_for_everything_without_a_value(mixed: Program, option: str, fault: str) -> None:
    for word in ("", " "):
        ended = mixed("list", option, word)
        assert (ended.code, ended.raw, ended.err) == (2, b"", f"error: {fault}\n")


def test_a_kind_that_nobody_knows_is_likely_a_slip(mixed: Program) -> None:
    said = "no kind SmsReprot has been stored; did you mean SmsReport?\n"
    assert mixed("list", "--kind", "SmsReprot", "--kind", "SmsUp").err == said
    assert mixed("list", "--kind", "SignSmsReport").err.startswith("no receipts found; ")


@pytest.mark.each_engine
@pytest.mark.parametrize("word", ["\udcb6\udca9", "1\0"], ids=["not UTF-8", "NUL"])
@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("list", "--biz-id"),
        ("list", "--kind"),
        ("sends", "list", "--out-id"),
        ("recordings", "list", "--call-id"),
    ],
)
def test_a_word_that_no_store_can_hold_is_no_damage_of_the_store(
    program: Program, words: tuple[str, ...], word: str
) -> None:
    program.keep("SmsReport", report())
    ended = program(*words, word)
    assert ended.code == 2, ended.err
    assert "not UTF-8" in ended.err


@pytest.mark.each_engine
def test_numbers_that_no_database_can_hold_are_as_good_as_the_largest(program: Program) -> None:
    program.keep("SmsReport", report())
    assert len(program("list", "--limit", "9" * 20).objects) == 1
    assert program("list", "--after", "9" * 20).objects == []
    assert program("sends", "list", "--limit", "9" * 20).code == 0


def test_csv_without_rows_is_its_head(mixed: Program) -> None:
    nothing = mixed("list", "-o", "csv", "--out-id", "nothing").out
    assert nothing == mixed("list", "-o", "csv").out.splitlines(keepends=True)[0]


def test_csv_for_excel_has_one_byte_order_mark_and_keeps_ids(program: Program) -> None:
    program.keep("SmsReport", *[report(f"138{n:08}", out_id="20261105090300123456") for n in range(1200)])
    ended = program("list", "-o", "excel")
    assert ended.raw.count(b"\xef\xbb\xbf") == 1
    assert ended.raw.startswith(b'\xef\xbb\xbf"seq",')
    assert ended.raw.count(b"\n") == ended.raw.count(b"\r\n") == 1201
    (first, *others) = csv.DictReader(io.StringIO(ended.raw.decode("utf-8-sig")))
    assert (first["out_id"], first["phone"], len(others)) == ("\t20261105090300123456", "\t13800000000", 1199)
    assert program("explain", "DELIVERED", "-o", "excel").raw.startswith(b"\xef\xbb\xbf")
    assert program("list", "-o", "excel", "--phone", "13999999999").raw.startswith(b'\xef\xbb\xbf"seq",')
    assert not program("list", "-o", "csv").raw.startswith(b"\xef")


def test_the_body_can_be_left_out(mixed: Program) -> None:
    whole, bare = (mixed("list", *words).objects for words in ((), ("--no-body",)))
    assert bare == [{key: value for key, value in each.items() if key != "body"} for each in whole]
    assert not mixed("list", "--no-body", "-o", "csv").out.splitlines()[0].endswith("body")


def test_csv_has_the_keys_of_the_object_and_can_be_read_back(mixed: Program) -> None:
    rows = list(csv.DictReader(io.StringIO(mixed("list", "-o", "csv").out)))
    (first, *_rest) = mixed("list").objects
    assert list(rows[0]) == list(first)
    assert rows[0]["identity"] == '["900619746936498440^0","13800008000"]'
    assert rows[0]["phone"] == "13800008000"
    assert (rows[0]["call_id"], rows[0]["test"]) == ("", "false")


def test_follow_prints_what_comes_later_once_and_stops_by_a_signal(program: Program) -> None:
    program.keep("SmsReport", report())
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 1:
            program.keep("SmsReport", report("13800008001"))
        if len(naps) == 3:
            raise Stopped(15)

    ended = program("list", "--follow", sleep=sleep)
    assert [found["phone"] for found in ended.objects] == ["13800008000", "13800008001"]
    assert (ended.code, naps) == (143, [0.5, 0.5, 0.5])


def test_follow_waits_for_a_store_that_does_not_exist_yet(program: Program) -> None:
    arrived = threading.Event()

    def sleep(_seconds: float) -> None:
        if arrived.is_set():
            raise KeyboardInterrupt
        arrived.set()
        program.keep("SmsReport", report())

    ended = program("list", "-f", sleep=sleep)
    assert (ended.code, len(ended.objects)) == (130, 1)


def test_follow_with_a_limit_ends_by_itself(program: Program) -> None:
    program.keep("SmsReport", report())
    ended = program(
        "list",
        "-f",
        "--limit",
        "2",
        sleep=lambda _: program.keep("SmsReport", report("13800008001"), report("13800008002")),
    )
    assert [found["seq"] for found in ended.objects] == [1, 2]
