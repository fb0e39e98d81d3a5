"""Questions and whole answers: pages that lie, by a caller that plays a script, and the sandbox with its faults."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.credentials import Credentials, Fixed
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.retry import Budget
from smsreceipt.aliyun.rpc import ApiError, Caller, Pace
from smsreceipt.errors import AuthError, ProviderError
from smsreceipt.model import BEIJING
from smsreceipt.sandbox import Options, PastSend, Sandbox
from smsreceipt.sources.query.client import Halted, QueryClient, Question, Rate, Rows, oldest_day
from smsreceipt.sources.query.totals import DayTotals

DAY = date(2026, 11, 20)
QUESTION = Question("13800000001", DAY)
Row = dict[str, Any]


def row(number: int, status: int = 3, **fields: object) -> Row:
    found = {
        "PhoneNum": "13800000001",
        "SendStatus": status,
        "ErrCode": "" if status == 1 else "DELIVERED",
        "TemplateCode": "SMS_1",
        "Content": "【阿里云】您好",
        "SendDate": f"2026-11-20 {number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}",
        **fields,
    }
    return found if status == 1 else {**found, "ReceiveDate": found["SendDate"]}


class Script:
    """A caller that answers by page; *answer* gets the number of the call and of the page."""

    def __init__(self, answer: Callable[[int, int], tuple[Any, Sequence[Row]]]) -> None:
        self._answer = answer
        self.pages: list[int] = []
        self.asked: list[dict[str, Any]] = []

    def call(self, request: Any, *, pace: Pace | None = None, understood: Any = bool) -> dict[str, Any]:  # noqa: ARG002
        assert pace is not None
        pace.acquire()
        self.asked.append(dict(request.get_query_params()))
        page = int(request.get_CurrentPage())
        self.pages.append(page)
        total, rows = self._answer(len(self.pages), page)
        return {"Code": "OK", "TotalCount": total, "SmsSendDetailDTOs": {"SmsSendDetailDTO": list(rows)}}


def ask(answer: Callable[[int, int], tuple[Any, Sequence[Row]]]) -> tuple[Rows, Script]:
    script = Script(answer)
    return QueryClient(script, rate=Rate(5000, sleep=lambda _: None)).ask(QUESTION), script


def honest(rows: Sequence[Row]) -> Callable[[int, int], tuple[Any, Sequence[Row]]]:
    return lambda _, page: (str(len(rows)), rows[(page - 1) * 50 : page * 50])


def found(rows: Rows) -> list[str]:
    return sorted(json.loads(body)["SendDate"] for body in rows.rows)


def dates(rows: Sequence[Row]) -> list[str]:
    return sorted(each["SendDate"] for each in rows)


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (49, 1), (50, 2), (51, 2), (120, 3)])
def test_an_honest_answer_takes_as_many_calls_as_it_has_pages(count: int, calls: int) -> None:
    rows = [row(number) for number in range(count)]
    answer, script = ask(honest(rows))
    assert found(answer) == dates(rows)
    assert (answer.calls, answer.stable) == (calls, True)
    assert script.pages == [*range(1, calls + 1)]


def test_an_empty_answer_is_asked_for_twice() -> None:
    answer, script = ask(honest([]))
    assert (answer, script.pages) == (Rows((), 2, stable=True), [1, 1])
    answer, script = ask(lambda call, _: ("0", []) if call == 1 else ("1", [row(1)]))
    assert (len(answer.rows), answer.calls, answer.stable) == (1, 2, True)


def test_what_is_asked_is_the_official_request() -> None:
    script = Script(honest([]))
    QueryClient(script).ask(Question("13800000001", DAY, "900^0"))
    assert (
        script.asked
        == [{"PhoneNumber": "13800000001", "SendDate": "20261120", "PageSize": 50, "CurrentPage": 1, "BizId": "900^0"}]
        * 2
    )


def test_a_row_is_kept_as_the_provider_wrote_it() -> None:
    answer, _ = ask(honest([row(1, Content="“50%”\\n👍", Extra=None)]))
    assert answer.rows[0].startswith(b'{"PhoneNum":"13800000001","SendStatus":3,"ErrCode":"DELIVERED"')
    assert '"Content":"“50%”\\\\n👍","SendDate":"2026-11-20 00:00:01","Extra":null'.encode() in answer.rows[0]


def test_half_a_character_stays_the_escape_that_it_was() -> None:
    answer, _ = ask(honest([row(1, Content="\ud83d")]))
    assert b'"Content":"\\ud83d"' in answer.rows[0]


@pytest.mark.parametrize("total", [2, "2", "two", None, -1, 0, 7, "999999999", 2.0, True])
def test_whatever_the_total_says_the_rows_are_found(total: object) -> None:
    rows = [row(1), row(2)]
    answer, script = ask(lambda _, page: (total, rows if page == 1 else []))
    assert found(answer) == dates(rows)
    assert len(script.pages) <= 9
    believed = total not in (7, "999999999")
    assert answer.stable == believed  # a provider that keeps saying there is more is reported


def test_nothing_where_there_should_be_something_is_asked_again_then_reported() -> None:
    answer, script = ask(lambda *_: ("3", []))
    assert (answer.rows, answer.stable) == ((), False)
    assert len(script.pages) == 3
    answer, script = ask(lambda call, _: ("3", [] if call == 1 else [row(1), row(2), row(3)]))
    assert (len(answer.rows), answer.stable, answer.calls) == (3, True, 2)


@pytest.mark.parametrize("answer", [{}, {"SmsSendDetailDTOs": None}, {"SmsSendDetailDTOs": {}, "TotalCount": []}])
@pytest.mark.parametrize("page", [1, 2])
def test_an_answer_with_neither_rows_nor_total_is_not_understood(answer: dict[str, Any], page: int) -> None:
    whole = Script(honest([row(number) for number in range(60)]))
    seen: list[bool] = []

    class Odd:
        """Gives an odd answer before that of one page, and repeats what is not understood."""

        def call(self, request: Any, *, pace: Pace | None = None, understood: Any = bool) -> dict[str, Any]:
            if int(request.get_CurrentPage()) == page:
                seen.append(understood({"Code": "OK", **answer}))
            return whole.call(request, pace=pace)

    found = QueryClient(Odd()).ask(QUESTION)
    assert (len(found.rows), found.stable, seen) == (60, True, [False])


@pytest.mark.parametrize("answer", [{"TotalCount": "0"}, {"SmsSendDetailDTOs": {"SmsSendDetailDTO": []}}])
def test_nothing_is_believed_where_it_is_said(answer: dict[str, Any]) -> None:
    class Empty:
        def call(self, request: Any, *, pace: Pace | None = None, understood: Any = bool) -> dict[str, Any]:  # noqa: ARG002
            assert understood(answer)
            return answer

    found = QueryClient(Empty()).ask(QUESTION)
    assert (found.rows, found.stable) == ((), True)


def test_the_same_page_for_ever_comes_to_an_end() -> None:
    rows = [row(number) for number in range(50)]
    answer, script = ask(lambda *_: ("100000", rows))
    assert found(answer) == dates(rows)
    assert not answer.stable
    assert len(script.pages) <= 12


def test_new_rows_for_ever_come_to_an_end() -> None:
    answer, script = ask(lambda call, _: ("7", [row(call * 50 + n) for n in range(50)]))
    assert not answer.stable
    assert len(script.pages) <= 303


def test_a_send_while_it_is_paged_moves_no_row_out_of_sight() -> None:
    """The newest comes first: the last row of page 1 is the first of page 2, and the new one was on none."""
    rows = [row(number) for number in range(60, 0, -1)]

    def answer(call: int, page: int) -> tuple[Any, Sequence[Row]]:
        now = rows if call == 1 else [row(100), *rows]
        return str(len(now)), now[(page - 1) * 50 : page * 50]

    found_rows, script = ask(answer)
    assert found(found_rows) == dates([row(100), *rows])
    assert found_rows.stable
    assert script.pages == [1, 2, 1, 2]


def test_a_row_that_came_twice_because_it_moved_is_one() -> None:
    rows = [row(number) for number in range(60)]
    answer, _ = ask(lambda call, page: ("60", rows[49:58] + rows[58:59] if call == 2 else honest(rows)(0, page)[1]))
    assert found(answer) == dates(rows)
    assert answer.stable


def test_twins_are_two_also_across_pages() -> None:
    """Two sends of one text in one second are two rows of the same bytes."""
    rows = [row(number) for number in range(49)] + [row(77), row(77), row(77), row(99)]
    answer, _ = ask(honest(rows))
    assert found(answer) == dates(rows)
    assert answer.stable


def test_a_row_that_is_settled_meanwhile_is_one_row_as_it_is_now() -> None:
    def answer(call: int, page: int) -> tuple[Any, Sequence[Row]]:
        return "2", [row(1, 1 if call == 1 else 3)] if call == 1 else [row(1), row(2)]

    rows, _ = ask(answer)
    assert [json.loads(body)["SendStatus"] for body in rows.rows] == [3, 3]


class Provider:
    """An API whose pages go wrong at random, though never twice in the same way for ever."""

    def __init__(self, rows: Sequence[Row], dice: random.Random, share: float) -> None:
        self._rows, self._dice, self._share = rows, dice, share

    def __call__(self, _: int, page: int) -> tuple[Any, Sequence[Row]]:
        total, rows = str(len(self._rows)), self._rows[(page - 1) * 50 : page * 50]
        for fault in ("total", "empty", "short", "repeat", "shift"):
            if self._dice.random() >= self._share:
                continue
            if fault == "total":
                total = str(self._dice.choice((0, 1, len(self._rows) + 3, 10**9)))
            elif fault == "empty":
                rows = []
            elif fault == "short":
                rows = rows[: len(rows) // 2]
            elif fault == "repeat" and page > 1:
                rows = self._rows[(page - 2) * 50 : (page - 1) * 50]
            elif fault == "shift" and page > 1:
                rows = self._rows[(page - 1) * 50 - 1 : page * 50 - 1]
        return total, rows


@given(st.integers(0, 170), st.sampled_from([0.0, 0.02, 0.1]), st.randoms(use_true_random=False))
@settings(max_examples=120)
def test_a_stable_answer_is_the_whole_one_and_every_answer_comes_to_an_end(
    count: int, share: float, dice: random.Random
) -> None:
    rows = [row(number - number % dice.choice((1, 1, 2, 3))) for number in range(count)]
    answer, script = ask(Provider(rows, dice, share))
    wanted, got = Counter(dates(rows)), Counter(found(answer))
    assert not got.keys() - wanted.keys()
    assert len(script.pages) <= 3 * (count // 50 + 4)
    if share == 0.0:
        assert (got, answer.stable) == (wanted, True)


def test_faults_at_ten_percent_leave_next_to_nothing_unfound() -> None:
    dice = random.Random(7)
    lost = unstable = 0
    for _ in range(800):
        rows = [row(number) for number in range(dice.choice((1, 1, 1, 2, 3, 60)))]
        answer, _ = ask(Provider(rows, dice, 0.1))
        lost += answer.stable and found(answer) != dates(rows)
        unstable += not answer.stable
    assert lost <= 4  # what two faulty readings agree on cannot be told from the truth
    assert unstable <= 48


NOON = datetime(2026, 11, 20, 12, tzinfo=BEIJING)


def yesterday() -> datetime:
    return datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def provider() -> Iterator[Callable[..., tuple[Sandbox, QueryClient]]]:
    """Makes a sandbox with options, and a client of it."""
    running: list[tuple[Sandbox, Caller]] = []

    def make(*, qps: float = 5000, tries: int = 8, **options: Any) -> tuple[Sandbox, QueryClient]:
        sandbox = Sandbox(Options(port=0, seed=1, **options))
        sandbox.__enter__()
        rate = Rate(qps)
        caller = Caller(
            Endpoint.parse(sandbox.url),
            Fixed(Credentials("sandbox", "sandbox-secret")),
            Clock(),
            budget=lambda: Budget(tries=tries),
            sleep=lambda seconds: rate.pause(min(seconds, 0.01)),
        )
        running.append((sandbox, caller))
        return sandbox, QueryClient(caller, rate=rate)

    yield make
    for sandbox, caller in running:
        caller.close()
        sandbox.__exit__(None, None, None)


def remember(sandbox: Sandbox, phone: str, count: int) -> list[str]:
    noon = yesterday().timestamp()
    sandbox.remember(
        PastSend(phone=phone, biz_id=f"{n}^0", sent=noon + n, reported=noon + n + 5, out_id=f"o{n}")
        for n in range(count)
    )
    return sorted(f"o{n}" for n in range(count))


def out_ids(rows: Rows) -> list[str]:
    return sorted(json.loads(body)["OutId"] for body in rows.rows)


Make = Callable[..., tuple[Sandbox, QueryClient]]


def test_the_sandbox_answers_page_by_page_and_by_biz_id(provider: Make) -> None:
    sandbox, client = provider()
    wanted = remember(sandbox, "13800000001", 130)
    answer = client.ask(Question("13800000001", yesterday().date()))
    assert (out_ids(answer), answer.calls, answer.stable) == (wanted, 3, True)
    one = client.ask(Question("13800000001", yesterday().date(), "7^0"))
    assert (out_ids(one), one.calls) == (["o7"], 1)
    assert client.ask(Question("13800000002", yesterday().date())) == Rows((), 2, stable=True)


@pytest.mark.parametrize("fault", ["total", "empty", "short", "repeat", "500", "drop-before", "drop-after", "truncate"])
def test_every_fault_of_the_provider_leads_to_the_same_rows(provider: Make, fault: str) -> None:
    sandbox, client = provider(faults={fault: 0.1})
    wanted = remember(sandbox, "13800000001", 60)
    answers = [client.ask(Question("13800000001", yesterday().date())) for _ in range(8)]
    assert [out_ids(answer) for answer in answers if answer.stable] == [wanted] * sum(each.stable for each in answers)
    assert sum(each.stable for each in answers) >= 6
    assert sum(each.calls for each in answers) == len(sandbox.call_times("QuerySendDetails")) or fault.startswith(
        "drop"
    )


def test_pages_that_shift_while_they_are_read_lose_nothing(provider: Make) -> None:
    sandbox, client = provider(faults={"shift": 0.3})
    wanted = remember(sandbox, "13800000001", 60)
    for _ in range(8):
        answer = client.ask(Question("13800000001", yesterday().date()))
        assert set(wanted) <= set(out_ids(answer))


def test_throttling_slows_everybody_down_and_nobody_is_lost(provider: Make) -> None:
    sandbox, client = provider(faults={"throttle": 0.2}, qps=200)
    wanted = remember(sandbox, "13800000001", 2)
    answers: list[Rows] = []

    def run() -> None:
        answers.extend(client.ask(Question("13800000001", yesterday().date())) for _ in range(5))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [out_ids(answer) for answer in answers] == [wanted] * 20
    assert client.rate.now < 200
    times = sandbox.call_times("QuerySendDetails")
    assert len(times) == sum(answer.calls for answer in answers)  # what is sent again counts too


def test_the_providers_own_limit_is_kept_when_the_rate_says_so(provider: Make) -> None:
    sandbox, client = provider(qps=40, qps_limit=45)
    remember(sandbox, "13800000001", 1)
    answers = [client.ask(Question("13800000001", yesterday().date())) for _ in range(60)]
    assert {answer.calls for answer in answers} == {1}


def test_refusals_are_raised(provider: Make) -> None:
    _, client = provider()
    with pytest.raises(ApiError) as refused:
        client.ask(Question("12", yesterday().date()))
    assert refused.value.code == "isv.MOBILE_NUMBER_ILLEGAL"
    assert "12" not in str(refused.value).split("(")[0]
    _, throttled = provider(faults={"throttle": 1.0}, tries=2)
    with pytest.raises(ProviderError):
        throttled.ask(Question("13800000001", yesterday().date()))
    sandbox, _ = provider()
    unauthorized = Caller(Endpoint.parse(sandbox.url), Fixed(Credentials("sandbox", "wrong")), Clock())
    with pytest.raises(AuthError):
        QueryClient(unauthorized).ask(Question("13800000001", yesterday().date()))
    unauthorized.close()


def test_a_stop_ends_it(provider: Make) -> None:
    _, client = provider()
    client.rate.halt()
    with pytest.raises(Halted):
        client.ask(QUESTION)


def test_day_totals_are_those_of_the_sends(provider: Make) -> None:
    sandbox, client = provider()
    noon = yesterday()
    sandbox.remember(
        PastSend(phone="13800000001", biz_id=f"{n}^0", sent=noon.timestamp(), reported=reported, code=code)
        for n, (reported, code) in enumerate(
            [(noon.timestamp(), "DELIVERED"), (noon.timestamp(), "MOBILE_IN_BLACK"), (None, "DELIVERED")]
        )
    )
    day = noon.date()
    assert client.statistics(day - timedelta(days=40), day, globe=1).days == [DayTotals(day, 3, 1, 1, 1)]
    assert client.statistics(day, day, globe=2).days == []


def test_the_oldest_day_is_thirty_days_back() -> None:
    assert oldest_day(date(2028, 3, 30)) == date(2028, 2, 29)
    assert oldest_day(date(2027, 1, 1)) == date(2026, 12, 2)
