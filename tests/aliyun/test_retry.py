"""Which failures are retried, and after how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt import codes
from smsreceipt.aliyun.retry import CAP, Budget, Verdict, delay, denied, hint, retry_after, throttled, verdict

LATER, TOKEN, CLOCK, FINAL = Verdict.LATER, Verdict.TOKEN, Verdict.CLOCK, Verdict.FINAL
NEXT_DAY = {
    "isv.DAY_LIMIT_CONTROL",
    "isv.MONTH_LIMIT_CONTROL",
    "isv.SMS_OVER_LIMIT",
    "isv.BUSINESS_LIMIT_DAY",
}  # no wait of ours is that long


@pytest.mark.parametrize(
    ("status", "code", "lasting", "temporary"),
    [
        (500, "InternalError", LATER, LATER),
        (500, "", LATER, LATER),
        (502, "", LATER, LATER),
        (503, "ServiceUnavailable", LATER, LATER),
        (429, "TooManyRequests", LATER, LATER),
        (429, "", LATER, LATER),
        (400, "QpsLimitExceeded", LATER, LATER),
        (400, "Throttling", LATER, LATER),
        (400, "Throttling.User", LATER, LATER),
        (200, "isv.BUSINESS_LIMIT_CONTROL", LATER, LATER),
        (200, "isp.SYSTEM_ERROR", LATER, LATER),
        (404, "", LATER, LATER),
        (403, "AccessDenied", FINAL, TOKEN),
        (403, "NeverSeenBefore", FINAL, TOKEN),
        (403, "", FINAL, TOKEN),
        (400, "InvalidSecurityToken.Expired", FINAL, TOKEN),
        (400, "SecurityTokenExpired", FINAL, TOKEN),
        (408, "TimeExpired", CLOCK, CLOCK),
        (400, "TimeExpired", CLOCK, CLOCK),
        (400, "InvalidTimeStamp.Expired", CLOCK, CLOCK),
        (408, "", LATER, LATER),
        (404, "QueueNotExist", FINAL, FINAL),
        (404, "MessageNotExist", FINAL, FINAL),
        (400, "InvalidArgument", FINAL, FINAL),
        (400, "SignatureDoesNotMatch", FINAL, FINAL),
        (404, "InvalidAccessKeyId.NotFound", FINAL, FINAL),
        (200, "isp.RAM_PERMISSION_DENY", FINAL, FINAL),
        (200, "isv.MOBILE_NUMBER_ILLEGAL", FINAL, FINAL),
        (302, "", FINAL, FINAL),
    ],
)
def test_verdicts(status: int, code: str, lasting: Verdict, temporary: Verdict) -> None:
    assert verdict(status, code, temporary=False) is lasting
    assert verdict(status, code, temporary=True) is temporary


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_bounded_and_honours_the_provider(attempt: int, asked: float | None, chance: float) -> None:
    found = delay(attempt, asked, lambda: chance)
    assert 0 <= found <= CAP
    assert asked is None or found >= min(asked, CAP)


def test_delays_spread_over_everything_up_to_a_bound_that_doubles() -> None:
    assert [delay(n, None, lambda: 0.0) for n in (1, 5, 50)] == [0, 0, 0]
    highest = [delay(n, None, lambda: 0.5) for n in range(1, 12)]
    assert highest == sorted(highest)
    assert highest[1] == 2 * highest[0]
    assert highest[-1] == CAP / 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("3", 3.0), ("-1", None), ("1e9", None), ("soon", None), ("9" * 9, None)],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_a_budget_ends_by_tries() -> None:
    budget = Budget(tries=3, seconds=1000)
    assert [budget.failed(0, None, lambda: 0.5) is None for _ in range(3)] == [False, False, True]
    budget.succeeded()
    assert budget.failed(0, None, lambda: 0.5) is not None


def test_a_budget_ends_by_time_including_the_wait_to_come() -> None:
    budget = Budget(tries=1000, seconds=10)
    assert budget.failed(100, None, lambda: 0.0) == 0
    assert budget.failed(109, None, lambda: 0.0) == 0
    assert budget.failed(109, 5.0, lambda: 0.0) is None


def test_the_delays_after_failures_to_connect_add_up_to_the_seconds_that_were_announced() -> None:
    budget, now, waits = Budget(), 1000.0, []
    while (wait := budget.unreached(now)) is not None:
        waits.append(wait)
        assert budget.left(now) == pytest.approx(32.4 - sum(waits[:-1]))
        now += wait
    assert waits == pytest.approx([0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


def test_attempts_to_connect_that_take_long_do_not_make_it_longer_than_announced() -> None:
    budget, now, tries = Budget(), 1000.0, 1
    while (wait := budget.unreached(now)) is not None:
        assert budget.left(now) == pytest.approx(1032.4 - now)
        now, tries = now + wait + 5, tries + 1
    assert tries == 6
    assert now == pytest.approx(1032.4 + 5)


def test_a_budget_of_many_tries_ends_by_time_after_failures_to_connect() -> None:
    budget, now = Budget(tries=24, seconds=30), 1000.0
    while (wait := budget.unreached(now)) is not None:
        assert budget.left(now) == pytest.approx(1030 - now)
        now += wait
    assert now == pytest.approx(1030)
    assert budget.failed(now, None, lambda: 0) is not None


def test_a_delete_and_a_receive_do_not_spend_each_others_budget() -> None:
    receive, delete = Budget(tries=1), Budget(tries=2)
    assert receive.failed(0, None, lambda: 0) is None
    assert delete.failed(0, None, lambda: 0) is not None


@pytest.mark.parametrize("row", codes.rows(codes.TABLES["api"]), ids=lambda row: row["code"])
def test_a_business_error_is_treated_as_the_table_of_codes_says(row: dict[str, str]) -> None:
    code, category = row["code"].removesuffix("*"), row["category"]
    asked_again = category in {"retry", "back-off"} and code not in NEXT_DAY
    assert (verdict(200, code, temporary=False) is LATER) == asked_again
    assert throttled(200, code) == (category == "back-off" and asked_again)
    if category == "refresh-token":
        assert verdict(200, code, temporary=True) is TOKEN


@pytest.mark.parametrize(
    ("code", "refuses"),
    [
        ("isv.OUT_OF_SERVICE", True),
        ("AMOUNT_NOT_ENOUGH", True),
        ("isv.PRODUCT_UN_SUBSCRIPT", True),
        ("isv.DAY_LIMIT_CONTROL", True),
        ("MissingSecurityToken", True),
        ("RAM_PERMISSION_DENY", True),
        ("AccessDeniedByRamPolicy", True),
        ("isv.INVALID_PARAMETERS", False),
        ("isv.MOBILE_NUMBER_ILLEGAL", False),
        ("SYSTEM_ERROR", False),
        ("isv.NEVER_SEEN", False),
    ],
)
def test_account_and_credentials_are_refusals_of_their_own(code: str, refuses: bool) -> None:
    assert denied(200, code) is refuses
    if refuses:
        assert verdict(200, code, temporary=False) is FINAL


def test_the_hint_to_explain_is_given_only_where_it_answers() -> None:
    assert "smsreceipt explain SYSTEM_ERROR" in hint("SYSTEM_ERROR")
    assert "explain isv" not in hint("isv.NEVER_SEEN")
    assert "by its id" in hint("isv.NEVER_SEEN")
