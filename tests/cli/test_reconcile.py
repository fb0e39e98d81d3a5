"""`smsreceipt reconcile` against the sandbox: what it prints, asks, stores, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.cli import COMMANDS
from smsreceipt.errors import StoreFull
from smsreceipt.model import BEIJING, Instant, Send, beijing_day
from smsreceipt.sandbox import Options, PastSend, Sandbox
from smsreceipt.store import Kept, SendQuery, Store
from smsreceipt.store.sqlite.connect import connect
from smsreceipt.store.sqlite.store import SqliteStore, open_reader
from tests.aliyun.peer import says, serving
from tests.cli.listening import until
from tests.cli.program import CALL, CALL_ENDED, Ended, Program, report
from tests.reconcile.test_calendar import ZONES

pytestmark = pytest.mark.each_engine

KEYS = [
    "date", "from", "to", "sent", "with_receipt", "young", "too_late", "missing", "compensated_delivered",
    "compensated_failed", "still_waiting", "no_record", "unasked", "conflicts", "api_calls", "days_left",
    "mode", "provider_total", "unlisted",
]  # fmt: skip
TODAY = datetime.now(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = TODAY - timedelta(days=3)
DATE = f"{DAY:%Y-%m-%d}"


def moment(*, days: int = 3, hour: float = 10) -> float:
    return (TODAY - timedelta(days=days) + timedelta(hours=hour)).timestamp()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(port=0, seed=1)) as running:
        yield running


class Company:
    """Sends, some of whose receipts came; the provider knows them all unless told otherwise."""

    def __init__(self, program: Program, sandbox: Sandbox) -> None:
        self.program, self.sandbox, self.count = program, sandbox, 0

    def send(
        self, how_many: int = 1, *, code: str = "DELIVERED", known: bool = True, waiting: bool = False,
        arrived: bool = False, at: float | None = None, phone: str = "",
    ) -> None:  # fmt: skip
        sent = moment() if at is None else at
        past = []
        for _ in range(how_many):
            self.count += 1
            number = phone or f"138{self.count:08}"
            reported = None if waiting else sent + 3
            past.append(PastSend(phone=number, biz_id=f"{self.count:06}^0", sent=sent, reported=reported, code=code))
        if known:
            self.sandbox.remember(past)
        self.enter(past)
        if arrived:
            self.program.keep("SmsReport", *(one.send().receipt() for one in past))

    def enter(self, past: list[PastSend]) -> None:
        store = self.program.opened()
        at = [Instant(round(one.sent * 1000)) for one in past]
        store.add_sends([
            Send(one.phone, one.biz_id, beijing_day(when), when, one.out_id, "", "", None)
            for one, when in zip(past, at, strict=True)
        ])  # fmt: skip
        store.close()

    def reconcile(self, *args: str, **seams: Any) -> Ended:
        words = ("--date", DATE) if not {"--date", "--from"} & {*args} else ()
        environ = self.sandbox.environment()
        clock = {"now": lambda: Instant(time.time_ns() // 1_000_000), "environ": environ}
        return self.program("reconcile", *words, "--qps", "5000", "--workers", "4", *args, **{**clock, **seams})

    def forget(self) -> None:
        store = self.program.opened()
        store.forget_sends(SendQuery())
        store.close()

    @property
    def calls(self) -> int:
        calls = self.sandbox.state()["calls"]
        assert isinstance(calls, dict)
        return sum(calls.values())


@pytest.fixture
def company(program: Program, sandbox: Sandbox) -> Company:
    made = Company(program, sandbox)
    made.send(6, arrived=True)
    made.send(4)
    made.send(2, code="MOBILE_IN_BLACK")
    made.send(1, waiting=True)
    made.send(1, known=False)
    return made


def test_the_summary_is_one_object_whose_books_balance(company: Company) -> None:
    ended = company.reconcile()
    (summary,) = ended.objects
    assert ended.code == 0
    assert list(summary) == KEYS
    assert summary == {
        "date": DATE, "from": DATE, "to": DATE, "sent": 14, "with_receipt": 6, "young": 0, "too_late": 0, "missing": 8,
        "compensated_delivered": 4, "compensated_failed": 2, "still_waiting": 1, "no_record": 1, "unasked": 0,
        "conflicts": 0, "api_calls": 10, "days_left": 27, "mode": "sends", "provider_total": 13, "unlisted": 0,
    }  # fmt: skip
    figures = {name: str(value) for name, value in summary.items() if name not in {"date", "from", "to"}}
    assert dict(word.split("=") for word in ended.err.splitlines()[-1].split()) == figures
    assert company.calls == 10  # that there is no record is not taken at the provider's first word


def test_what_was_found_are_receipts_and_the_next_run_asks_only_about_what_waits(company: Company) -> None:
    company.reconcile()
    found = company.program("list", "--source", "query").objects
    assert sorted({(one["outcome"], one["code"]) for one in found}) == [
        ("delivered", "DELIVERED"), ("failed", "MOBILE_IN_BLACK"), ("pending", None),
    ]  # fmt: skip
    assert len(found) == 7
    again = company.reconcile()
    assert again.objects[0]["api_calls"] == 2  # one of them for the total of the day
    assert again.objects[0]["with_receipt"] == 12


@pytest.mark.of_a_file
def test_a_dry_run_asks_nobody_and_writes_nothing(company: Company) -> None:
    before = company.program.store.read_bytes()
    ended = company.reconcile("--dry-run", "--qps", "4")
    (plan,) = ended.objects
    assert (plan["planned_calls"], plan["seconds"], plan["unasked"], plan["days_left"]) == (8, 2.2, 8, 27)
    assert plan["sent"] == plan["with_receipt"] + plan["young"] + plan["too_late"] + plan["missing"]
    assert company.calls == 0
    assert company.program.store.read_bytes() == before


def test_details_are_one_object_per_send(company: Company, tmp_path: Path) -> None:
    path = tmp_path / "details"
    summary = company.reconcile("--details", str(path)).objects[0]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == summary["sent"]
    for name in KEYS[4:13]:
        if name != "missing":
            assert sum(line["class"] == name for line in lines) == summary[name], name
    failed = next(line for line in lines if line["biz_id"] == "000011^0")
    assert failed == {
        "class": "compensated_failed", "phone": "13800000011", "biz_id": "000011^0", "date": DATE,
        "sent_at": f"{DATE}T10:00:00+08:00", "out_id": None, "outcome": "failed", "code": "MOBILE_IN_BLACK",
        "days_left": None, "reason": None,
    }  # fmt: skip
    waiting = next(line for line in lines if line["class"] == "still_waiting")
    assert (waiting["outcome"], waiting["days_left"]) == ("pending", 27)
    known = [line for line in lines if line["class"] == "with_receipt"]
    assert {(line["outcome"], line["code"]) for line in known} == {("delivered", "DELIVERED")}
    assert path.stat().st_mode & 0o777 == 0o600


def test_details_on_stdout_are_all_there_is_on_stdout(company: Company) -> None:
    ended = company.reconcile("--details", "-", "--mask")
    assert len(ended.objects) == 14
    assert all("class" in line for line in ended.objects)
    assert "1380000" not in ended.out
    assert ended.err.splitlines()[-1].startswith("sent=14 ")
    rows = company.reconcile("--details", "-", "-o", "csv").out.splitlines()
    assert rows[0].startswith("class,phone,biz_id")
    assert len(rows) == 15


@pytest.mark.of_a_file
def test_details_that_cannot_be_written_are_said_before_anybody_is_asked(company: Company, tmp_path: Path) -> None:
    assert company.reconcile("--details", str(tmp_path / "no" / "where")).code == 2
    assert company.reconcile("--details", str(company.program.store)).code == 2
    assert company.calls == 0


def test_details_on_a_full_disk_end_with_6_and_the_work_is_done(company: Company) -> None:
    ended = company.reconcile("--details", "/dev/full")
    assert ended.code == 6
    assert ended.objects[0]["compensated_delivered"] == 4


def test_the_screen_tells_classes_codes_and_what_to_do(company: Company) -> None:
    shown = company.reconcile(terminal=True)
    assert shown.code == 0
    for words in (
        DATE,
        "missing",
        "delivered",
        "MOBILE_IN_BLACK",
        "Still waiting:",
        "No record:",
        "API calls 10",
        "parts by the provider 13",
    ):
        assert words in shown.out
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in shown.out.splitlines())
    assert "to be asked" in company.reconcile("--dry-run", terminal=True).out
    chinese = company.reconcile(terminal=True, environ={**company.sandbox.environment(), "LANG": "zh_CN.UTF-8"})
    assert "仍在等待" in chinese.out


def test_csv_is_a_head_and_a_row(company: Company) -> None:
    head, row = company.reconcile("-o", "csv").out.splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=True))["missing"] == "8"


def test_fail_on_missing_ends_with_3_while_any_is_left(company: Company) -> None:
    assert company.reconcile("--fail-on-missing").code == 3
    assert (
        company.reconcile("--fail-on-missing", "--date", f"{DAY - timedelta(days=1):%Y%m%d}").code == 3
    )  # no list of that day


def test_when_all_is_found_fail_on_missing_is_content(program: Program, sandbox: Sandbox) -> None:
    company = Company(program, sandbox)
    company.send(2)
    assert company.reconcile("--fail-on-missing").code == 0


def test_several_days_are_asked_oldest_first_and_too_old_and_young_ones_not(program: Program, sandbox: Sandbox) -> None:
    company = Company(program, sandbox)
    for days in (2, 40, 28, 5):
        company.send(1, waiting=True, at=moment(days=days))
    company.send(1, waiting=True, at=time.time() - 60)
    ended = company.reconcile("--from", "60d", "--to", "today")
    (summary,) = ended.objects
    assert (summary["date"], summary["young"], summary["too_late"], summary["still_waiting"]) == (None, 1, 1, 3)
    assert summary["days_left"] == 2
    assert "warning: 1 open sends can be asked about for at most 5 more days, the oldest for 2" in ended.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--date", "today", "--from", "today"),
        ("--date", "today", "--to", "today"),
        ("--to", "today"),
        ("--from", "today"),
        ("--date", "2199-01-01"),
        ("--date", "nonsense"),
        ("--date", "today", "--qps", "0"),
    ],
)
def test_days_that_make_no_sense_are_exit_2(program: Program, words: tuple[str, ...]) -> None:
    ended = program("reconcile", *words)
    assert (ended.code, ended.out) == (2, "")
    assert "error: " in ended.err


def test_a_wrong_key_stops_at_once_with_4_and_everything_is_unasked(company: Company) -> None:
    environ = {**company.sandbox.environment(), "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"}
    ended = company.reconcile(environ=environ)
    assert ended.code == 4
    assert ended.objects[0]["unasked"] == 8
    assert "SignatureDoesNotMatch" in ended.err
    assert company.reconcile().objects[0]["unasked"] == 0


@pytest.mark.of_a_file
def test_a_provider_out_of_reach_is_5_and_a_store_that_cannot_be_written_6(company: Company) -> None:
    with serving(says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")) as (other, _):
        environ = {**company.sandbox.environment(), "SMSRECEIPT_DYSMSAPI_ENDPOINT": other.url}
        ended = company.reconcile("--workers", "1", environ=environ)  # there is one answer for one connection
    assert (ended.code, ended.objects[0]["unasked"]) == (5, 8)

    def full(location: str, readonly: bool, *_: object) -> Store:
        class Full(SqliteStore):
            def keep(self, *_args: Any, **_more: Any) -> Kept:
                raise StoreFull("no space left")

        path = Path(location)
        return open_reader(path) if readonly else Full(path, connect(path, writable=True))

    ended = company.reconcile(opener=full)
    assert (ended.code, ended.objects[0]["unasked"]) == (6, 8)
    assert "no space left" in ended.err
    assert company.reconcile().objects[0]["unasked"] == 0


def test_no_key_is_4_unless_there_is_nothing_to_ask(company: Company) -> None:
    environ = {"SMSRECEIPT_DYSMSAPI_ENDPOINT": company.sandbox.url}
    assert company.reconcile(environ=environ).code == 4
    company.forget()
    company.send(3, arrived=True)
    assert company.reconcile(environ=environ).code == 0


def test_a_number_that_the_provider_refuses_is_left_open_with_the_reason(company: Company, tmp_path: Path) -> None:
    company.enter([PastSend(phone="1380", biz_id="odd^0", sent=moment(), reported=None)])
    path = tmp_path / "details"
    ended = company.reconcile("--details", str(path))
    assert ended.code == 3
    assert ended.objects[0]["unasked"] == 1
    assert ended.objects[0]["compensated_delivered"] == 4
    odd = next(json.loads(line) for line in path.read_text().splitlines() if "odd^0" in line)
    assert (odd["class"], odd["reason"], odd["days_left"]) == ("unasked", "isv.MOBILE_NUMBER_ILLEGAL", 27)
    assert "1380 " not in ended.err


def test_a_reader_that_goes_away_costs_no_work(company: Company) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb", buffering=0) as gone:
        assert company.reconcile(stdout=gone).code == 141
    assert company.reconcile().objects[0]["with_receipt"] == 12


def test_totals_of_days_are_compared_without_a_list_of_what_was_sent(program: Program, sandbox: Sandbox) -> None:
    company = Company(program, sandbox)
    past = [
        PastSend(phone="13800008000", biz_id=f"{n}^0", sent=moment(hour=10 + n / 24), reported=moment(hour=17))
        for n in range(144)
    ]
    sandbox.remember([*past, PastSend(phone="13800008000", biz_id="w^0", sent=moment(), reported=None)])
    program.keep("SmsReport", *(one.send().receipt() for n, one in enumerate(past) if not 60 <= n < 80))
    (summary,) = company.reconcile().objects
    assert (summary["mode"], summary["sent"], summary["provider_total"]) == ("totals", 0, 145)
    ended = company.reconcile("--totals")
    (day,) = ended.objects
    assert day["mode"] == "totals"
    assert (day["date"], day["sent"], day["gap"], day["no_response"]) == (DATE, 145, 20, 1)
    assert day["silent"] == [{"from": f"{DATE}T12:30:00+08:00", "to": f"{DATE}T13:20:00+08:00"}]
    assert ended.err.splitlines()[-1] == "days=1 gap=20 api_calls=2"
    assert company.reconcile("--totals", "--fail-on-missing").code == 3
    shown = company.reconcile("--totals", terminal=True).out
    assert "12:30 - 13:20" in shown
    assert company.reconcile("--totals", "--dry-run").objects[0]["planned_calls"] == 2


def test_calls_without_an_end_are_listed(program: Program) -> None:
    other = {**CALL, "call_id": "call-2"}
    program.keep("SecretStartReport", CALL, other)
    program.keep("SecretReport", CALL_ENDED)
    ended = program("reconcile", "--calls", "--date", "2026-11-20", "--fail-on-missing")
    (gap,) = ended.objects
    assert (ended.code, gap["call_id"], gap["kinds"]) == (3, "call-2", ["SecretStartReport"])
    assert gap["first_at"] == "2026-11-20T10:00:00+08:00"
    assert "call-2" in program("reconcile", "--calls", "--date", "2026-11-20", terminal=True).out
    assert not program("reconcile", "--calls", "--date", "2026-11-19").out
    assert not program("reconcile", "--calls", "--date", "2026-11-20", "--min-age", "5d").out


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_with_its_number_and_the_next_run_goes_on(
    program: Program, stop: signal.Signals, code: int
) -> None:
    with Sandbox(Options(port=0, latency=30)) as sandbox:
        company = Company(program, sandbox)
        company.send(300)
        words = [sys.executable, "-m", "smsreceipt", "reconcile", "--date", DATE, "--qps", "100", "--json"]
        environ = {**os.environ, **sandbox.environment(), "SMSRECEIPT_STORE": program.location}
        process = subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: company.calls >= 20)
        process.send_signal(stop)
        out, err = process.communicate(timeout=30)
        summary = json.loads(out)
        assert process.returncode == code, err
        assert 0 < summary["compensated_delivered"] < 300
        assert summary["compensated_delivered"] + summary["unasked"] == 300
        rest = company.reconcile("--workers", "32").objects[0]
        assert rest["with_receipt"] == summary["compensated_delivered"]
        assert rest["compensated_delivered"] == summary["unasked"]
        assert company.calls - summary["api_calls"] == rest["api_calls"]


@pytest.mark.of_a_file
@pytest.mark.parametrize("zone", ZONES)
def test_the_days_of_a_run_are_beijings_whatever_the_zone_of_the_host(
    program: Program, sandbox: Sandbox, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = Company(program, sandbox)
    midnight = datetime(2028, 3, 1, tzinfo=BEIJING)
    for days in (-1, 0, 1, 29, 30, 31, 32):
        company.enter(
            [PastSend(phone="138", biz_id=f"{days}", sent=midnight.timestamp() - days * 86_400, reported=None)]
        )
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    for later, day, too_late in ((-1, "2028-02-29", 1), (0, "2028-03-01", 2)):
        now = Instant(round(midnight.timestamp() * 1000) + later)
        words = ("--from", "20280101", "--to", "today", "--dry-run", "--min-age", "0")
        (plan,) = company.reconcile(*words, now=lambda now=now: now).objects
        assert (plan["to"], plan["too_late"], plan["unasked"], plan["days_left"]) == (day, too_late, 4, 0)
    monkeypatch.undo()
    time.tzset()


def test_a_live_line_tells_how_far_it_is(company: Company) -> None:
    shown = company.reconcile(stderr_is_tty=True, environ={**company.sandbox.environment(), "TERM": "xterm"})
    assert re.search(r"\r\[#+-*\] \d+/\d+  [\d,]+/s  \d+ found  .+ left", shown.err)


def test_it_is_offered_where_commands_are() -> None:
    assert "reconcile" in COMMANDS


def test_shares_add_up_to_the_whole(company: Company) -> None:
    company.send(9, arrived=True)
    company.send(11)
    company.send(7, waiting=True)
    company.send(5, known=False)
    program = company.program
    program.keep("SmsReport", report("13800000001", "000001^0", success=False, err_code="MOBILE_IN_BLACK"))
    args = ("--date", DATE, "--no-totals")
    summed = ("sent", "with_receipt", "missing", "unasked", "conflicts", "planned_calls")
    (whole,) = company.reconcile(*args, "--dry-run").objects
    planned = [company.reconcile(*args, "--dry-run", "--share", f"{number}/3").objects[0] for number in (1, 2, 3)]
    assert {name: sum(each[name] for each in planned) for name in summed} == {name: whole[name] for name in summed}
    assert all(0 < each["sent"] < whole["sent"] for each in planned)
    ended = [company.reconcile(*args, "--share", f"{number}/3") for number in (1, 2, 3)]
    asked = [each.objects[0] for each in ended]
    found = ("sent", "compensated_delivered", "still_waiting", "no_record")
    assert [sum(each[name] for each in asked) for name in found] == [whole["sent"], 15, 8, 6]


def test_a_share_leaves_the_providers_total_out(company: Company) -> None:
    ended = company.reconcile("--share", "1/2")
    assert ended.code == 0, ended.err
    assert ended.objects[0]["provider_total"] is None
    assert ended.objects[0]["api_calls"] == ended.objects[0]["missing"]
    assert "share 1 of 2: the provider's totals are left out" in ended.err


@pytest.mark.parametrize("share", ["0/2", "3/2", "1", "1/0", "x/2"])
def test_what_is_no_share_is_refused(company: Company, share: str) -> None:
    ended = company.reconcile("--date", DATE, "--share", share)
    assert (ended.code, "is no share" in ended.err) == (2, True)
    together = company.reconcile("--date", DATE, "--share", "1/2", "--totals")
    assert (together.code, "cannot go with" in together.err) == (2, True)
