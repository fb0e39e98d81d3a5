"""Past sends, and the pages of QuerySendDetails with and without faults."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest
from aliyunsdkdysmsapi.request.v20170525.QuerySendStatisticsRequest import QuerySendStatisticsRequest

from smsreceipt.errors import UsageError
from smsreceipt.model import BEIJING
from smsreceipt.sandbox import Options, PastSend, Sandbox
from tests.bench.day import Day, make_day
from tests.sandbox.clients import rpc

pytestmark = pytest.mark.slow

Make = Callable[..., Sandbox]
PHONE = "13800000001"
NOON = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
YESTERDAY = f"{NOON:%Y%m%d}"


def past(n: int, **changed: Any) -> PastSend:
    """A send *n* minutes after noon of yesterday."""
    sent = NOON.timestamp() + 60 * n
    fields: dict[str, Any] = {
        "phone": PHONE,
        "biz_id": f"90{n}^0",
        "sent": sent,
        "reported": sent + 5,
        "out_id": f"order-{n}",
    }
    return PastSend(**fields | changed)


def page(sandbox: Sandbox, number: int = 1, size: int = 50, **fields: object) -> tuple[int, list[dict[str, Any]]]:
    """TotalCount and rows of a page, queried by the SDK."""
    asked: dict[str, Any] = {
        "PhoneNumber": PHONE,
        "SendDate": YESTERDAY,
        "PageSize": size,
        "CurrentPage": number,
        **fields,
    }
    answer = rpc(sandbox, QuerySendDetailsRequest(), **asked)
    assert answer["Code"] == "OK", answer
    return int(answer["TotalCount"]), answer["SmsSendDetailDTOs"]["SmsSendDetailDTO"]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["OutId"] for row in rows]


def orders(first: int, last: int) -> list[str]:
    """OutIds from *first* down to *last*."""
    return [f"order-{n}" for n in range(first, last - 1, -1)]


def test_a_past_send_can_be_queried_and_has_no_receipt(sandbox: Sandbox) -> None:
    sandbox.remember([past(1, queried_code="DELIVRD", content="您好", sign_name="示例")])
    total, (row,) = page(sandbox)
    sent = NOON + timedelta(minutes=1)
    assert (total, row) == (
        1,
        {
            "PhoneNum": PHONE,
            "SendStatus": 3,
            "ErrCode": "DELIVRD",
            "TemplateCode": "SMS_123456789",
            "Content": "【示例】您好",
            "SendDate": f"{sent:%Y-%m-%d %H:%M:%S}",
            "ReceiveDate": f"{sent + timedelta(seconds=5):%Y-%m-%d %H:%M:%S}",
            "OutId": "order-1",
        },
    )
    assert sandbox.state()["sent"] == 0


def test_a_send_without_a_report_stays_pending(sandbox: Sandbox) -> None:
    sandbox.remember([past(1, reported=None, out_id="")])
    sandbox.advance(800)
    _total, (row,) = page(sandbox)
    assert (row["SendStatus"], row["ErrCode"]) == (1, "")
    assert not {"ReceiveDate", "OutId"} & set(row)


def test_a_send_with_the_code_request_success_stays_pending(sandbox: Sandbox) -> None:
    sandbox.remember([past(1, code="REQUEST_SUCCESS")])
    _total, (row,) = page(sandbox)
    assert (row["SendStatus"], row["ErrCode"]) == (1, "REQUEST_SUCCESS")


def test_a_send_filed_on_another_day_is_found_on_that_day_only(sandbox: Sandbox) -> None:
    day_before = f"{NOON - timedelta(days=1):%Y%m%d}"
    sandbox.remember([past(1, filed=day_before)])
    assert page(sandbox) == (0, [])
    total, (row,) = page(sandbox, SendDate=day_before)
    assert (total, row["SendDate"][:10]) == (1, f"{NOON:%Y-%m-%d}")


def test_past_sends_are_listed_by_time_and_counted_in_statistics(sandbox: Sandbox) -> None:
    sandbox.remember([past(2), past(1, code="MOBILE_IN_BLACK"), past(3, reported=None)])
    assert ids(page(sandbox)[1]) == ["order-3", "order-2", "order-1"]
    assert ids(page(sandbox, BizId="902^0")[1]) == ["order-2"]
    fields: dict[str, Any] = {
        "IsGlobe": 1,
        "StartDate": YESTERDAY,
        "EndDate": YESTERDAY,
        "PageIndex": 1,
        "PageSize": 10,
    }
    (row,) = rpc(sandbox, QuerySendStatisticsRequest(), **fields)["Data"]["TargetList"]
    assert row == {
        "SendDate": YESTERDAY,
        "TotalCount": 3,
        "RespondedSuccessCount": 1,
        "RespondedFailCount": 1,
        "NoRespondedCount": 1,
    }


def test_a_foreign_number_is_queried_without_a_prefix(sandbox: Sandbox) -> None:
    sandbox.remember([past(1, phone="85291234567")])
    assert page(sandbox, PhoneNumber="85291234567")[0] == 1


def test_past_sends_are_loaded_from_files(tmp_path: Path, make: Make) -> None:
    file = tmp_path / "load.ndjson"
    file.write_text(
        json.dumps({"send": {"phone": PHONE, "biz_id": "1^0", "sent": NOON.timestamp()}})
        + '\n{"kind":"SmsUp","body":{"a":1}}\n'
    )
    sandbox = make(load=(file,))
    assert page(sandbox)[0] == 1
    assert sandbox.state()["sent"] == 1


@pytest.mark.parametrize(
    "line",
    [
        '{"send":{}}',
        '{"send":{"phone":"1","biz_id":"b","sent":1,"typo":1}}',
        '{"send":{"phone":"1","biz_id":"b","sent":1},"kind":"SmsUp","body":1}',
        '{"kind":"SmsUp"}',
    ],
)
def test_a_line_that_is_neither_message_nor_send_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "load.ndjson"
    file.write_text(line)
    with pytest.raises(UsageError, match="line 1"):
        Sandbox(Options(load=(file,)))


def test_a_hundred_thousand_past_sends_are_added_in_seconds() -> None:
    sandbox = Sandbox(Options())
    began = time.process_time()
    sandbox.remember(past(n % 1000, phone=f"138{n // 10:08d}", biz_id=str(n)) for n in range(100_000))
    assert time.process_time() - began < 15


def faulty(make: Make, fault: str, sends: int = 7) -> Sandbox:
    sandbox = make(faults={fault: 1.0})
    sandbox.remember(past(n) for n in range(sends))
    return sandbox


def test_pages_without_faults(make: Make) -> None:
    sandbox = faulty(make, "lose")
    assert [(total, ids(rows)) for total, rows in (page(sandbox, n, 3) for n in (1, 2, 3, 4))] == [
        (7, orders(6, 4)),
        (7, orders(3, 1)),
        (7, orders(0, 0)),
        (7, []),
    ]


def test_a_wrong_total_comes_with_correct_rows_and_without_rows(make: Make) -> None:
    sandbox = faulty(make, "total")
    answers = [page(sandbox) for _ in range(40)]
    totals = {total for total, _rows in answers}
    assert 7 not in totals
    assert {0, 6} <= totals
    assert max(totals) > 7
    assert {tuple(ids(rows)) for _total, rows in answers} == {tuple(orders(6, 0))}
    total, rows = page(sandbox, PhoneNumber="13800000099")
    assert total > 0
    assert rows == []


@pytest.mark.parametrize("other", ["empty", "short"])
def test_a_wrong_total_never_equals_the_number_of_rows_shown(make: Make, other: str) -> None:
    sandbox = make(faults={"total": 1.0, other: 1.0})
    sandbox.remember(past(n) for n in range(2))
    answers = [page(sandbox) for _ in range(40)]
    assert len({total for total, _rows in answers}) > 1
    assert [answer for answer in answers if answer[0] == len(answer[1])] == []


def test_an_empty_page_although_there_are_rows(make: Make) -> None:
    assert page(faulty(make, "empty")) == (7, [])


def test_a_short_page(make: Make) -> None:
    sandbox = faulty(make, "short")
    seen = {tuple(ids(page(sandbox)[1])) for _ in range(40)}
    assert seen == {tuple(orders(6, last)) for last in range(6, 0, -1)}


def test_the_previous_page_is_repeated(make: Make) -> None:
    sandbox = faulty(make, "repeat")
    assert ids(page(sandbox, 1, 3)[1]) == ids(page(sandbox, 2, 3)[1]) == orders(6, 4)
    assert ids(page(sandbox, 3, 3)[1]) == orders(3, 1)


def test_a_new_send_moves_rows_to_the_next_page(make: Make) -> None:
    sandbox = faulty(make, "shift")
    first, second, third = (page(sandbox, n, 3) for n in (1, 2, 3))
    assert [first[0], second[0], third[0]] == [7, 8, 9]
    assert [ids(rows) for _total, rows in (first, second, third)] == [orders(6, 4), orders(4, 2), orders(2, 0)]
    assert page(sandbox, 3, 3)[0] == 9, "nothing appears behind the last page"
    strange = set(ids(page(sandbox)[1])) - set(orders(6, 0))
    assert len(strange) == 2
    assert page(sandbox, 1, 3, BizId="906^0")[0] == 1


def test_with_every_page_fault_at_a_tenth_five_passes_find_every_row(make: Make) -> None:
    sandbox = make(faults=dict.fromkeys(("total", "empty", "short", "repeat", "shift"), 0.1))
    sandbox.remember(past(n) for n in range(120))
    found: set[str] = set()
    for _ in range(5):
        for number in range(1, 5):
            found |= set(ids(page(sandbox, number)[1]))
    assert set(orders(119, 0)) <= found


def test_throttling_is_reported_in_both_forms(make: Make) -> None:
    sandbox = make(faults={"throttle": 1.0})
    seen: Counter[str] = Counter()
    for _ in range(20):
        try:
            seen[rpc(sandbox, QuerySendDetailsRequest())["Code"]] += 1
        except ServerException as refused:
            seen[f"{refused.http_status} {refused.error_code}"] += 1
    assert set(seen) == {"isv.BUSINESS_LIMIT_CONTROL", "400 Throttling.User"}


def test_calls_above_the_limit_are_throttled_and_every_call_is_counted(make: Make) -> None:
    sandbox = make(qps_limit=3)
    sandbox.remember([past(1)])
    codes: Counter[str] = Counter()
    began = time.monotonic()
    for _ in range(12):
        asked: dict[str, Any] = {"PhoneNumber": PHONE, "SendDate": YESTERDAY, "PageSize": 1, "CurrentPage": 1}
        try:
            codes[rpc(sandbox, QuerySendDetailsRequest(), **asked)["Code"]] += 1
        except ServerException as refused:
            codes[refused.error_code] += 1
    seconds = time.monotonic() - began
    assert 3 <= codes["OK"] <= 3 * (1 + seconds)
    times = sandbox.call_times("QuerySendDetails")
    assert len(times) == 12 == codes.total()
    peaks = sandbox.state()["peaks"]
    assert isinstance(peaks, dict)
    assert peaks["QuerySendDetails"] == max(sum(at - 1 < each <= at for each in times) for at in times)
    assert sandbox.state()["calls"] == {"QuerySendDetails": codes["OK"]}


@pytest.fixture(scope="module")
def day() -> Day:
    return make_day(1, date(2026, 11, 20), 20_000, 12_000)


def test_a_generated_day_has_the_promised_sends_and_outcomes(day: Day) -> None:
    assert len(day.sends) == len({truth.key for truth in day.sends}) == 20_000
    assert 11_000 < len({truth.send.phone for truth in day.sends}) <= 12_000
    assert max(Counter(truth.send.phone for truth in day.sends).values()) > 100
    labels = day.labels()
    assert sum(labels.values()) == 20_000
    assert set(labels) == {
        "with_receipt",
        "compensated_delivered",
        "compensated_failed",
        "still_waiting",
        "no_record",
    }
    assert 0.03 < 1 - labels["with_receipt"] / 20_000 < 0.06
    assert sum(1 for _receipt in day.receipts()) == sum(truth.arrived for truth in day.sends)
    assert any(truth.send.filed for truth in day.sends)
    assert {bool(truth.send.out_id) for truth in day.sends} == {True, False}
    assert len(day.csv().splitlines()) == 20_001
    assert [json.loads(line) for line in day.ndjson().splitlines()] == list(day.ledger())


def test_the_same_seed_gives_the_same_day(day: Day) -> None:
    assert make_day(1, date(2026, 11, 20), 20_000, 12_000).sends == day.sends


def test_a_day_can_be_loaded(day: Day, tmp_path: Path) -> None:
    file = tmp_path / "day.ndjson"
    file.write_text(day.load())
    sandbox = Sandbox(Options(load=(file,)))
    sent = sandbox._sends.between("20261119", "20261121")
    assert sorted(send.biz_id for _day, send in sent) == sorted(each.biz_id for each in day.record())
