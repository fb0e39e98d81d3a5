import csv
import io
import re

import pytest

from smsreceipt.model import DAY_MS, Instant, Source
from smsreceipt.output import terminal
from smsreceipt.output.display import Display
from smsreceipt.output.objects.status import Health
from smsreceipt.sandbox import Options, Sandbox
from smsreceipt.store import Growth, StoreFacts
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


def test_when_something_came_last_by_each_queue_and_path(program: Program) -> None:
    program.keep("SmsReport", report(), received_at=Instant(NOW - 7_200_000))
    program.keep("SmsReport", report("13800008001"), received_at=Instant(NOW - 60_000), source=Source.PUSH, origin="/x")
    program.keep("SmsUp", REPLY, source=Source.REPLAY, origin="saved.json")
    (found,) = program("status").objects
    assert found["origins"] == [
        {
            "source": "mns",
            "origin": "Alicom-Queue-1000000001-SmsReport",
            "last_received_at": "2026-11-21T02:00:00.000Z",
        },
        {"source": "push", "origin": "/x", "last_received_at": "2026-11-21T03:59:00.000Z"},
    ]
    table = program("status", "-o", "table").out
    assert re.search(r"^Alicom-Queue-1000000001-SmsReport +2026-11-21 10:00:00 +2 h ago$", table, re.MULTILINE)
    assert "saved.json" not in table


def test_a_queue_from_which_nothing_came_lately_is_there_too(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smsreceipt.runs.status._NEWEST", 2)
    program.keep("SmsUp", REPLY)
    program.keep("SmsReport", report(), report("13800008001"))
    (found,) = program("status").objects
    assert [(each["origin"][-5:], each["last_received_at"] is None) for each in found["origins"]] == [
        ("eport", False),
        ("SmsUp", True),
    ]
    assert "not lately" in program("status", "-o", "table").out


def test_growth_counts_the_last_seven_days(program: Program) -> None:
    def some(count: int, days: float) -> None:
        reports = [report(f"138{n:08}", f"{days}-{n}^0") for n in range(count)]
        program.keep("SmsReport", *reports, received_at=Instant(NOW - int(days * DAY_MS)))

    assert program("status").objects[0]["receipts_per_day"] is None
    some(400, 30)
    some(500, 7.5)
    some(600, 6)
    some(800, 0.5)
    (found,) = program("status").objects
    assert found["receipts_per_day"] == round(1400 / 7)
    assert found["bytes_per_receipt"] == round(found["size"] / 2300)
    assert found["bytes_per_day"] == found["receipts_per_day"] * found["bytes_per_receipt"]
    if found["free"] is not None:
        assert found["days_left"] == found["free"] // found["bytes_per_day"]
    assert "200 receipts a day · " in program("status", "-o", "table").out


def test_a_young_store_has_grown_for_a_day(program: Program) -> None:
    program.keep("SmsReport", *(report(f"138{n:08}", f"{n}^0") for n in range(10)), received_at=Instant(NOW - 60_000))
    (found,) = program("status").objects
    assert (found["receipts_per_day"], found["bytes_per_receipt"], found["days_left"]) == (10, None, None)


@pytest.mark.parametrize(("days", "words"), [(5, "full in 5 days"), (5000, "")])
def test_when_the_disk_is_full(days: int, words: str) -> None:
    facts = StoreFacts("s", True, "SQLite", 1, 10, 10, 0, 0)
    growth = Growth(receipts_per_day=10, bytes_per_receipt=100, free=days * 1000 + 1)
    shown = terminal.status.status(Health(facts=facts, growth=growth, origins=()), Display())
    assert growth.days_left == days
    assert (words in shown) if words else ("full" not in shown)
    assert max(map(len, shown.splitlines())) <= 80


def test_the_backlog_is_asked_for_only_where_that_is_wanted(program: Program) -> None:
    queue = "Alicom-Queue-1000000001-SmsReport"
    with Sandbox(Options(port=0, seed=1)) as sandbox:
        sandbox.put_object(queue, *(report(f"138{n:08}", f"{n}^0") for n in range(3)))
        environ = {
            **sandbox.environment(),
            "SMSRECEIPT_PULL_UID": "1000000001",
            "SMSRECEIPT_PULL_TYPE": "SmsReport SmsUp",
        }
        assert program("status", environ=environ).objects[0]["backlog"] is None
        assert not sandbox.state()["calls"]
        (found,) = program("status", "--backlog", environ=environ).objects
        assert [(each["queue"], each["waiting"]) for each in found["backlog"]] == [
            (queue, 3),
            ("Alicom-Queue-1000000001-SmsUp", 0),
        ]
        state = sandbox.state()
        assert (state["queued"], state["invisible"], state["deleted"]) == (3, 0, 0)
        table = program("status", "--backlog", "-o", "table", environ=environ).out
        assert re.search(rf"^{queue} +3 ", table, re.MULTILINE)
        wrong = program(
            "status", "--backlog", environ={**environ, "SMSRECEIPT_PULL_TYPE": "SmsReport", "SMSRECEIPT_PULL_UID": "77"}
        )
        assert (wrong.code, wrong.objects[0]["backlog"][0]["waiting"]) == (3, None)
        assert wrong.err == "queues that did not answer: 1; smsreceipt doctor tells why\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--max-age 2h", 0, ""),
        ("--max-age 59m", 3, "no receipt came since 2026-11-21 11:00:00 Beijing time, 1 h ago; the limit is 59 min\n"),
        ("--max-age 3600", 0, ""),
        ("--max-age 2", 3, "no receipt came since 2026-11-21 11:00:00 Beijing time, 1 h ago; the limit is 2 s\n"),
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
    assert (unknown.code, unknown.raw, unknown.err) == (
        0,
        b"",
        "no table knows the code ~~; receipts with it, if any: smsreceipt list --code '~~'\n",
    )


def test_the_table_counts_messages_and_statements_apart(program: Program) -> None:
    program.keep("SmsReport", report(), report(report_time="2026-11-20 15:50:00"))
    english = program("status", "-o", "table", columns=120).out
    (head,) = (line for line in english.splitlines() if line.startswith("KIND"))
    assert head.split()[:3] == ["KIND", "MESSAGES", "STATEMENTS"]
    assert "BEIJING TIME" in head
    (row,) = (line for line in english.splitlines() if line.startswith("SmsReport"))
    assert row.split()[:3] == ["SmsReport", "1", "2"]
    chinese = program("status", "-o", "table", columns=80, environ={"LANG": "zh_CN.UTF-8"}).out
    assert "消息数" in chinese
    assert "0 秒前" in chinese


def test_a_kind_that_nobody_knows_is_likely_a_slip(program: Program) -> None:
    program.keep("SmsReport", report())
    program.keep("MyOwn", {"a": 1})
    said = "no kind SmsReprot has been stored; did you mean SmsReport?\n"
    assert program("status", "--kind", "SmsReprot", "--kind", "SmsUp", "--kind", "MyOwn").err == said
    assert program("status", "--kind", "").code == 2
