"""query-details and query-stats against the sandbox: what is asked, printed, stored, and how it ends."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.aliyun import retry
from smsreceipt.errors import ProviderError, UsageError
from smsreceipt.model import BEIJING, Instant
from smsreceipt.runs.queries import answers, refuse_unanswerable
from smsreceipt.sandbox import Options, PastSend, Sandbox
from smsreceipt.sources.query.client import QueryClient, Question, Rate
from tests.aliyun.peer import says, serving
from tests.cli.program import NOW, Ended, Program
from tests.runs.peer import Peer

pytestmark = pytest.mark.each_engine

KEYS = [
    "phone", "outcome", "code", "sent_at", "reported_at", "out_id", "template_code", "content", "biz_id", "meaning",
]  # fmt: skip


def noon() -> datetime:
    return datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


YESTERDAY = noon().date().isoformat()


class Desk:
    """The program, and a provider that it asks."""

    def __init__(self, program: Program, sandbox: Sandbox) -> None:
        self.program, self.sandbox = program, sandbox

    def __call__(self, *args: str, **seams: Any) -> Ended:
        environ = {
            "SMSRECEIPT_DYSMSAPI_ENDPOINT": self.sandbox.url,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": seams.pop("secret", "sandbox-secret"),
            **seams.pop("environ", {}),
        }
        now = Instant(round(datetime.now(BEIJING).timestamp() * 1000))
        return self.program(*args, **{"environ": environ, "now": lambda: now, **seams})

    def sent(self, phone: str, count: int, **fields: Any) -> None:
        at = noon().timestamp()
        self.sandbox.remember(
            PastSend(
                **{"phone": phone, "biz_id": f"{phone}-{n}^0", "sent": at + 200 * n, "reported": at + 200 * n + 5,
                   "out_id": f"o{n}", "template_code": "SMS_1", "sign_name": "阿里云", "content": "您的验证码是1234",
                   **fields}
            )
            for n in range(count)
        )  # fmt: skip


@pytest.fixture
def desk(program: Program) -> Iterator[Callable[..., Desk]]:
    running: list[Sandbox] = []

    def make(**options: Any) -> Desk:
        sandbox = Sandbox(Options(port=0, seed=3, **options))
        sandbox.__enter__()
        running.append(sandbox)
        return Desk(program, sandbox)

    yield make
    for sandbox in running:
        sandbox.__exit__(None, None, None)


Make = Callable[..., Desk]


def test_records_come_by_number_and_time_with_all_their_keys(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000002", 2)
    ask.sent("13800000001", 1, code="MOBILE_IN_BLACK")
    ask.sent("13800000001", 1, sent=noon().timestamp() - 900, reported=None, out_id="")
    ended = ask("query-details", "--date", "yesterday", "--phone", "13800000002", "--phone", "+86 13800000001",
                "--phone", "8613800000002")  # fmt: skip
    assert ended.code == 0
    assert [list(each) for each in ended.objects] == [KEYS] * 4
    assert [(each["phone"][-1], each["outcome"], each["out_id"]) for each in ended.objects] == [
        ("1", "pending", None), ("1", "failed", "o0"), ("2", "delivered", "o0"), ("2", "delivered", "o1"),
    ]  # fmt: skip
    failed = ended.objects[1]
    assert failed["sent_at"] == f"{YESTERDAY}T12:00:00+08:00"
    assert failed["reported_at"] == f"{YESTERDAY}T12:00:05+08:00"
    assert (failed["code"], failed["template_code"], failed["biz_id"]) == ("MOBILE_IN_BLACK", "SMS_1", None)
    assert "blacklist" in failed["meaning"]
    assert failed["content"] == "【阿里云】您的验证码是1234"
    assert ended.objects[0]["reported_at"] is None
    assert ended.err.splitlines()[-1].startswith("numbers=2 asked=2 records=4 api_calls=2 seconds=")
    assert not ask.program.store.exists()


def test_a_biz_id_is_asked_for_and_told(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000001", 3)
    ended = ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", "--biz-id", "13800000001-1^0")
    assert [(each["out_id"], each["biz_id"]) for each in ended.objects] == [("o1", "13800000001-1^0")]


def test_numbers_come_from_files_and_standard_input(desk: Make, tmp_path: Path) -> None:
    ask = desk()
    ask.sent("13800000001", 1)
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("﻿13800000001\n\n+8613800000001\r\n  13800000002  \n")
    by_file = ask("query-details", "--date", YESTERDAY, "--phones-from", str(numbers))
    assert [each["phone"] for each in by_file.objects] == ["13800000001"]
    assert "numbers=2 asked=2" in by_file.err
    ask.program.stdin = b"13800000001\n13800000002\n"
    for word in ("--phone", "--phones-from"):
        assert "numbers=2 asked=2" in ask("query-details", "--date", YESTERDAY, word, "-").err


def test_a_table_tells_the_meaning_and_covers_people(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000001", 1, code="MOBILE_IN_BLACK", content="secret words")
    shown = ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", terminal=True, columns=200)
    assert "138****0001" in shown.out
    assert "blacklist" in shown.out
    assert "13800000001" not in shown.out
    assert "secret words" not in shown.out
    open_ = ask("--reveal", "query-details", "--date", YESTERDAY, "--phone", "13800000001", terminal=True, columns=240)
    assert "13800000001" in open_.out
    assert "secret words" in open_.out
    masked = ask("--mask", "query-details", "--date", YESTERDAY, "--phone", "13800000001")
    assert (masked.objects[0]["phone"], masked.objects[0]["content"]) == ("138****0001", "<17 characters>")


def test_a_narrow_terminal_still_shows_what_matters(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000001", 1)
    ended = ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", "--no-color", terminal=True,
                columns=40)  # fmt: skip
    assert "138****0001" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 40


def test_csv_has_a_head_also_without_rows(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000001", 1, content="=1+1")
    read = list(csv.reader(io.StringIO(ask("query-details", "-o", "csv", "--date", YESTERDAY, "--phone",
                                           "13800000001").out)))  # fmt: skip
    assert read[0] == KEYS
    assert len(read) == 2
    empty = ask("query-details", "-o", "csv", "--date", YESTERDAY, "--phone", "13800000009")
    assert empty.out == ",".join(KEYS) + "\n"
    assert empty.code == 0


def test_what_is_saved_is_kept_as_receipts_and_the_books_balance(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000001", 3)
    first = ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", "--save")
    assert "received=3 new=3 duplicate=0 rejected=0" in first.err
    assert "received=3 new=0 duplicate=3 rejected=0" in ask(
        "query-details", "--date", YESTERDAY, "--phone", "13800000001", "--save").err  # fmt: skip
    listed = ask("list", "--json").objects
    assert [(each["kind"], each["source"], each["origin"]) for each in listed] == [
        ("SendDetail", "query", "QuerySendDetails")
    ] * 3
    ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", "--biz-id", "13800000001-1^0", "--save")
    kinds = [(each["kind"], each["biz_id"], each["times_seen"]) for each in ask("list", "--json").objects]
    assert sorted(kinds, key=str) == [("SendDetail", None, 2)] * 2 + [("SmsReport", "13800000001-1^0", 2)]


def test_what_was_sent_ties_what_was_saved(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000001", 1)
    ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", "--save")
    ask.program.stdin = f"phone,biz_id,sent_at\n13800000001,900^0,{YESTERDAY} 12:00:00\n".encode()
    assert ask("sends", "import", "-").code == 0
    (only,) = ask("list", "--json").objects
    assert (only["kind"], only["identity"], only["outcome"]) == ("SmsReport", ["900^0", "13800000001"], "delivered")
    assert len(ask("list", "--json", "--history").objects) == 2


def test_a_number_abroad_is_asked_about_however_it_is_written(desk: Make) -> None:
    ask = desk()
    ask.sent("85251230001", 1)
    words = [word for form in ("85251230001", "+852 5123 0001", "0085251230001") for word in ("--phone", form)]
    ended = ask("query-details", "--date", YESTERDAY, *words)
    assert [each["phone"] for each in ended.objects] == ["85251230001"]
    assert "numbers=1" in ended.err


def test_a_line_without_a_number_is_told_and_the_others_are_asked_about(desk: Make, tmp_path: Path) -> None:
    ask = desk()
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("手机号,name\n'13800000001,x\n1.38E+10,y\n13800000002.0,z\n")
    ended = ask("query-details", "--date", YESTERDAY, "--phones-from", str(numbers))
    assert (ended.code, "numbers=2 asked=2" in ended.err) == (3, True)
    assert "line 3 of" in ended.err.splitlines()[0]
    assert "a spreadsheet rounded this number" in ended.err
    assert "1.38E+10" not in ended.err
    numbers.write_text("name\nx\n")
    nothing = ask("query-details", "--date", YESTERDAY, "--phones-from", str(numbers))
    assert (nothing.code, "no phone number in the list" in nothing.err) == (2, True)


def test_many_numbers_are_asked_side_by_side_and_told_in_order(desk: Make) -> None:
    ask = desk(latency=5)
    phones = [f"138{n:08}" for n in range(230)]
    for phone in phones:
        ask.sent(phone, 1)
    ask.program.stdin = "\n".join(reversed(phones)).encode()
    ended = ask("query-details", "--date", YESTERDAY, "--phones-from", "-", "--qps", "5000", "--save")
    assert [each["phone"] for each in ended.objects] == phones
    assert "received=230 new=230" in ended.err


@pytest.mark.parametrize(
    "words",
    [
        ["--date", "32d"],
        ["--date", "2099-01-01"],
        ["--date", YESTERDAY, "--phone", "not-a-number"],
        ["--date", YESTERDAY, "--phone", "1.38E+10"],
        ["--date", YESTERDAY],
        ["--date", YESTERDAY, "--phones-from", "no-such-file"],
        ["--date", YESTERDAY, "--phone", "13800000001", "--biz-id", " "],
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(desk: Make, words: list[str]) -> None:
    ask = desk()
    phone = [] if "--phone" in words or words == ["--date", YESTERDAY] else ["--phone", "13800000001"]
    ended = ask("query-details", *words, *(phone if "--phones-from" not in words else []))
    assert (ended.code, ended.out) == (2, "")
    assert "13800000001" not in ended.err
    assert not ask.sandbox.call_times("QuerySendDetails")


def test_the_days_that_can_be_asked_about_are_named() -> None:
    today = date(2026, 11, 21)
    refuse_unanswerable(date(2026, 10, 22), today, today)
    for first, last in ((date(2026, 10, 21), today), (today, date(2026, 11, 22)), (today, date(2026, 11, 20))):
        with pytest.raises(UsageError, match="2026-10-22 to 2026-11-21"):
            refuse_unanswerable(first, last, today)


def test_the_day_is_beijings_whatever_the_host_thinks(desk: Make) -> None:
    """17:00 UTC is the next day in Beijing."""
    ask = desk()
    late = Instant(round(datetime(2026, 11, 21, 1, 0, tzinfo=BEIJING).timestamp() * 1000))
    ended = ask("query-details", "--date", "2026-10-21", "--phone", "13800000001", now=lambda: late)
    assert ended.code == 2
    assert "2026-10-22 to 2026-11-21" in ended.err


def test_a_number_that_the_provider_refuses_does_not_stop_the_others(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000001", 1)
    ended = ask("query-details", "--date", YESTERDAY, "--phone", "12345", "--phone", "13800000001")
    assert [each["phone"] for each in ended.objects] == ["13800000001"]
    assert ended.code == 3
    assert "isv.MOBILE_NUMBER_ILLEGAL" in ended.err
    assert "12345" not in ended.err
    assert "refused=1" in ended.err


def _refusing(code: str) -> bytes:
    body = b'{"Code":"%s","Message":"no","RequestId":"R-1"}' % code.encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    ("code", "exit_code", "calls", "told"),
    [
        ("isv.MOBILE_NUMBER_ILLEGAL", 3, 1, "numbers that the provider refused: 1"),
        ("PHONE_NUMBER_ILLEGAL", 3, 1, "numbers that the provider refused: 1"),
        ("isv.INVALID_PARAMETERS", 5, 1, "hint: `smsreceipt explain isv.INVALID_PARAMETERS`"),
        ("isv.NEVER_SEEN_BEFORE", 5, 1, "hint: The provider tells about a request by its id"),
        ("isv.OUT_OF_SERVICE", 4, 1, "hint: Top up the account"),
        ("QPS_LIMIT_CONTROL", 5, 8, "run the same command again"),
    ],
)
def test_the_calls_are_counted_whatever_is_answered(
    desk: Make, monkeypatch: pytest.MonkeyPatch, code: str, exit_code: int, calls: int, told: str
) -> None:
    from smsreceipt.aliyun import retry

    monkeypatch.setattr(retry, "CAP", 0.001)
    words = ("query-details", "--date", YESTERDAY, "--phone", "13800000001")
    with serving(*[says(_refusing(code))] * calls) as (provider, seen):
        ended = desk()(*words, environ={"SMSRECEIPT_DYSMSAPI_ENDPOINT": provider.url})
    assert ended.code == exit_code
    assert told in ended.err
    assert ("explain" in ended.err) == (exit_code in {4, 5} and "NEVER" not in code and "QPS" not in code)
    assert f"api_calls={calls} " in ended.err
    assert len(seen) == calls


def test_a_wrong_key_ends_with_4_and_trouble_with_5(desk: Make) -> None:
    ask = desk()
    assert ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", secret="wrong").code == 4
    with serving(says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")) as (other, _):
        elsewhere = {"SMSRECEIPT_DYSMSAPI_ENDPOINT": other.url}
        ended = ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", environ=elsewhere)
    assert ended.code == 5
    assert ended.err.splitlines()[-1].startswith("hint: ") or "error: " in ended.err
    assert "13800000001" not in ended.err


def test_pages_that_contradict_each_other_end_with_3(desk: Make) -> None:
    ask = desk(faults={"empty": 1.0})
    ask.sent("13800000001", 2)
    ended = ask("query-details", "--date", YESTERDAY, "--phone", "13800000001")
    assert ended.code == 3
    assert "unstable=1" in ended.err
    assert "13800000001" not in ended.err


@pytest.mark.parametrize("command", ["query-details", "reconcile"])
def test_a_success_that_says_nothing_is_tried_again_told_and_ends_with_5(
    desk: Make, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(retry, "CAP", 0.001)
    with Peer() as empty:
        empty.answers["QuerySendDetails"] = (200, {"Code": "OK", "RequestId": "R"})
        environ = empty.environment
        ask = desk()
        ask.program.stdin = f"phone,biz_id,sent_at\n13800000001,900^0,{YESTERDAY} 12:00:00\n".encode()
        assert ask("sends", "import", "-").code == 0
        words = ("--phone", "13800000001") if command == "query-details" else ("--no-totals",)
        ended = ask(command, "--date", YESTERDAY, *words, "--json", environ=environ)
    assert ended.code == 5
    assert len(empty.calls) == retry.Budget().tries
    assert "QuerySendDetails: the answer of http://127.0.0.1" in ended.err
    assert not [each for each in ended.objects if each.get("no_record")]


def test_a_stop_ends_the_answers_and_keeps_those_that_came() -> None:
    rate = Rate(5000)

    class Slow:
        def call(self, request: Any, *, pace: Any = None, understood: Any = bool) -> dict[str, Any]:  # noqa: ARG002
            pace.acquire()
            if request.get_PhoneNumber() == "13800000005":
                rate.halt()
            return {"TotalCount": 1, "SmsSendDetailDTOs": {"SmsSendDetailDTO": [{}]}}

    questions = [Question(f"138{n:08}", date(2026, 11, 20)) for n in range(1000)]
    came = [each.question.phone for each in answers(QueryClient(Slow(), rate=rate), questions, 1)]
    assert came == [each.phone for each in questions[: len(came)]]
    assert 5 <= len(came) <= 6


def test_a_failure_is_an_answer_and_the_others_go_on() -> None:
    class Refusing:
        def call(self, request: Any, *, pace: Any = None, understood: Any = bool) -> dict[str, Any]:  # noqa: ARG002
            if request.get_PhoneNumber() == "13800000001":
                raise ProviderError("no")
            return {"TotalCount": 1, "SmsSendDetailDTOs": {"SmsSendDetailDTO": [{}]}}

    questions = [Question(f"138{n:08}", date(2026, 11, 20)) for n in range(3)]
    came = list(answers(QueryClient(Refusing()), questions, 2))
    assert [each.failure is None for each in came] == [True, False, True]
    assert [each.rows is None for each in came] == [False, True, False]


def test_a_reader_that_goes_away_ends_the_questions_and_their_threads() -> None:
    class Asked:
        def __init__(self) -> None:
            self.calls = 0

        def call(self, request: Any, *, pace: Any = None, understood: Any = bool) -> dict[str, Any]:  # noqa: ARG002
            pace.acquire()
            self.calls += 1
            return {"TotalCount": 1, "SmsSendDetailDTOs": {"SmsSendDetailDTO": [{}]}}

    questions = [Question(f"138{n:08}", date(2026, 11, 20)) for n in range(1000)]
    others, caller = {*threading.enumerate()}, Asked()
    with closing(answers(QueryClient(caller, rate=Rate(5000)), questions, 4)) as came:
        next(came)
    assert {*threading.enumerate()} <= others
    assert caller.calls <= 8


def test_a_call_that_hangs_holds_up_a_stop_only_for_a_while() -> None:
    over, rate = threading.Event(), Rate(5000)

    class Hanging:
        def call(self, request: Any, *, pace: Any = None, understood: Any = bool) -> dict[str, Any]:  # noqa: ARG002
            if request.get_PhoneNumber() == "13800000002":
                rate.halt()
                assert over.wait(20)
            return {"TotalCount": 1, "SmsSendDetailDTOs": {"SmsSendDetailDTO": [{}]}}

    questions = [Question(f"138{n:08}", date(2026, 11, 20)) for n in range(9)]
    came = list(answers(QueryClient(Hanging(), rate=rate), questions, 1, last_calls=0.2))
    over.set()
    assert [each.question for each in came] == questions[:2]


def test_without_a_key_nothing_is_asked(program: Program) -> None:
    ended = program("query-details", "--date", "yesterday", "--phone", "13800000001")
    assert ended.code in (2, 4)
    assert "Traceback" not in ended.err


def test_day_totals_stand_beside_ours(desk: Make) -> None:
    ask = desk()
    ask.sent("13800000001", 2)
    ask.sent("13800000002", 1, code="MOBILE_IN_BLACK")
    ask.sent("85251230001", 1)
    ask("query-details", "--date", YESTERDAY, "--phone", "13800000001", "--biz-id", "13800000001-1^0", "--save")
    ended = ask("query-stats", "--from", YESTERDAY, "--to", "today")
    assert ended.code == 0
    assert [each["date"] for each in ended.objects] == [YESTERDAY, (noon() + timedelta(days=1)).date().isoformat()]
    first = ended.objects[0]
    assert (first["sent"], first["succeeded"], first["failed"], first["no_response"]) == (4, 3, 1, 0)
    assert (first["our_delivered"], first["our_failed"], first["our_undecided"]) == (1, 0, 0)
    table = ask("query-stats", "--from", YESTERDAY, terminal=True)
    assert YESTERDAY in table.out
    assert "billed parts" in table.out


def test_day_totals_count_the_calls_that_were_really_made(desk: Make) -> None:
    ask = desk(faults={"500": 0.5})
    made = [0]
    for words in (("query-stats", "--from", "3d"), ("reconcile", "--totals", "--date", YESTERDAY)):
        ended = ask(*words)
        made.append(len(ask.sandbox.call_times("QuerySendStatistics")))
        assert ended.err.splitlines()[-1].endswith(f" api_calls={made[-1] - made[-2]}")
    assert made[-1] > 4


@pytest.mark.parametrize("words", [["--from", "today", "--to", "yesterday"], ["--from", "today", "--to", "2099-01-01"]])
def test_day_totals_of_no_day_are_refused(desk: Make, words: list[str]) -> None:
    ask = desk()
    assert ask("query-stats", *words).code == 2
    assert not ask.sandbox.call_times("QuerySendStatistics")


def test_the_help_is_the_programs_own(program: Program) -> None:
    assert program("query-details", "--help", now=lambda: NOW).code == 0
    assert program("query-stats", "--help").code == 0
