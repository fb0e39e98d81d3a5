import csv
import io

import pytest

from smsreceipt.model import Instant
from smsreceipt.store.sqlite.store import SqliteStore
from tests.cli.program import FAILED, NOW, REPLY, Program, report

pytestmark = pytest.mark.each_engine


@pytest.mark.of_a_file
def test_an_empty_store_is_a_status_too(program: Program) -> None:
    (found,) = program("status").objects
    assert (found["exists"], found["receipts"], found["kinds"], found["last_received_at"]) == (False, 0, [], None)
    assert "not there yet" in program("status", "-o", "table").out
    assert "No receipts yet." in program("status", "-o", "table").out


@pytest.mark.of_a_file
def test_whether_all_of_the_store_was_checked_for_damage(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.keep("SmsReport", report())
    part = "none found in the part that was checked"
    assert program("status").objects[0]["checked"] is True
    assert part not in program("status", "-o", "table").out
    monkeypatch.setattr(SqliteStore, "check", lambda _: False)
    assert program("status").objects[0]["checked"] is False
    assert part in program("status", "-o", "table").out


def test_counts_by_kind(program: Program) -> None:
    program.keep("SmsReport", report(), report("13800008001"), received_at=Instant(NOW - 7_200_000))
    program.keep("SmsReport", report(**FAILED), b"broken")
    program.keep("SmsUp", REPLY)
    (found,) = program("status").objects
    assert (found["receipts"], found["conflicts"], found["rejects"]) == (3, 2, 1)
    assert found["kinds"] == [
        {
            "kind": "SmsReport",
            "count": 2,
            "statements": 3,
            "tests": 0,
            "first_received_at": "2026-11-21T02:00:00.000Z",
            "last_received_at": "2026-11-21T04:00:00.000Z",
        },
        {
            "kind": "SmsUp",
            "count": 1,
            "statements": 1,
            "tests": 0,
            "first_received_at": "2026-11-21T04:00:00.000Z",
            "last_received_at": "2026-11-21T04:00:00.000Z",
        },
    ]
    rows = list(csv.DictReader(io.StringIO(program("status", "-o", "csv", "--kind", "SmsUp").out)))
    assert [row["kind"] for row in rows] == ["SmsUp"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--max-age 2h", 0, ""),
        ("--max-age 59m", 3, "no receipt came since 2026-11-21 11:00:00 Beijing time\n"),
        ("--max-age 3600", 0, ""),
        ("--max-age 2h --kind SmsReport", 0, ""),
        ("--max-age 2h --kind smsreport", 0, ""),
        ("--max-age 2h --kind SmsUp", 3, "no SmsUp came yet\n"),
        ("--max-age 2h --kind SmsUp --kind SmsReport", 3, "no SmsUp came yet\n"),
    ],
)
def test_the_dead_mans_check(program: Program, words: str, code: int, said: str) -> None:
    program.keep("SmsReport", report(), received_at=Instant(NOW - 3_600_000))
    ended = program("status", *words.split())
    assert (ended.code, ended.err) == (code, said)


def test_an_empty_store_is_not_silent_when_something_was_expected(program: Program) -> None:
    ended = program("status", "--max-age", "1d", "-q")
    assert (ended.code, ended.err) == (3, "no receipt came yet\n")


def test_explain(program: Program) -> None:
    (found,) = program("explain", "MOBILE_IN_BLACK").objects
    assert list(found) == ["table", "code", "category", "meaning_en", "meaning_zh", "advice_en", "advice_zh"]
    assert (found["table"], found["category"]) == ("receipt", "blacklisted")
    assert "blacklist" in program("explain", "MOBILE_IN_BLACK", "-o", "table").out
    chinese = program("explain", "MOBILE_IN_BLACK", "-o", "table", environ={"LC_ALL": "zh_CN.UTF-8", "LANG": "C"}).out
    assert chinese.startswith("MOBILE_IN_BLACK · 短信回执码 · blacklisted\n  号码在黑名单\n  → ")
    unknown = program("explain", "~~")
    assert (unknown.code, unknown.raw, unknown.err) == (0, b"", "no table knows the code ~~\n")


def test_the_table_counts_messages_and_statements_apart(program: Program) -> None:
    program.keep("SmsReport", report(), report(report_time="2026-11-20 15:50:00"))
    english = program("status", "-o", "table", columns=120).out
    (head,) = (line for line in english.splitlines() if line.startswith("KIND"))
    assert head.split()[:3] == ["KIND", "MESSAGES", "STATEMENTS"]
    assert "BEIJING TIME" in head
    assert english.splitlines()[-1].split()[:3] == ["SmsReport", "1", "2"]
    chinese = program("status", "-o", "table", columns=80, environ={"LANG": "zh_CN.UTF-8"}).out
    assert "消息数" in chinese
    assert "0 秒前" in chinese


def test_a_kind_that_nobody_knows_is_likely_a_slip(program: Program) -> None:
    program.keep("SmsReport", report())
    program.keep("MyOwn", {"a": 1})
    said = "no kind SmsReprot has been stored; known: MyOwn, SmsReport\n"
    assert program("status", "--kind", "SmsReprot", "--kind", "SmsUp", "--kind", "MyOwn").err == said
    assert program("status", "--kind", "").code == 2
