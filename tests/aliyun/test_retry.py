"""Which failures are retried, and after how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt import codes
from smsreceipt.aliyun.retry import (
    CAP,
    Budget,
    Verdict,
    delay,
    denial_hint,
    denied,
    hint,
    retry_after,
    throttled,
    verdict,
)

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
        (200, "MOBILE_NUMBER_ILLEGAL", FINAL, FINAL),
        (200, "QPS_LIMIT_CONTROL", LATER, LATER),
        (200, "SYSTEM_ERROR", LATER, LATER),
        (200, "isv.OUT_OF_SERVICE", FINAL, FINAL),
        (503, "isv.OUT_OF_SERVICE", FINAL, FINAL),
        (403, "isv.OUT_OF_SERVICE", FINAL, FINAL),
        (200, "RAM_PERMISSION_DENY", FINAL, FINAL),
        (400, "MissingSecurityToken", FINAL, FINAL),
        (400, "NeverSeenBefore", FINAL, FINAL),
        (500, "NeverSeenBefore", LATER, LATER),
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


ROWS = codes.rows(codes.TABLES["api"])
ENDS_4 = {codes.ApiClass.CREDENTIALS, codes.ApiClass.ACCOUNT}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["code"])
def test_a_refusal_is_treated_as_the_table_of_codes_says(row: dict[str, str]) -> None:
    code, category = row["code"].removesuffix("*"), row["category"]
    about = codes.ApiClass(row["class"])
    asked_again = about is codes.ApiClass.LATER
    assert asked_again == (category in {"retry", "back-off"} and code not in NEXT_DAY)
    assert (verdict(200, code, temporary=False) is LATER) == asked_again
    assert throttled(200, code) == (category == "back-off" and asked_again)
    assert denied(200, code) == (about in ENDS_4)
    assert denied(400, code) == (about in ENDS_4)
    if category == "refresh-token":
        assert verdict(200, code, temporary=True) is TOKEN
    if category == "set-clock":
        assert verdict(400, code, temporary=False) is CLOCK


@pytest.mark.parametrize("row", [row for row in ROWS if not row["code"].endswith("*")], ids=lambda row: row["code"])
def test_a_code_is_the_same_in_every_spelling(row: dict[str, str]) -> None:
    bare = row["code"].removeprefix("isv.").removeprefix("isp.")
    prefixed = () if "." in bare else (f"isv.{bare}", f"isp.{bare}", f"Throttling.{bare}")
    for spelling in (bare, *prefixed, bare.upper(), bare.lower(), f" {row['code']} "):
        found = codes.api(spelling)
        assert found is not None, spelling
        assert found.code == row["code"]
        assert codes.api_class(spelling) == row["class"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["code"])
def test_nobody_whose_account_or_key_is_refused_is_told_to_run_it_again(row: dict[str, str]) -> None:
    code = row["code"].removesuffix("*")
    if not denied(400, code):
        return
    assert "again later" not in denial_hint(code)
    assert "run again" not in denial_hint(code)
    assert f"explain {code}" in denial_hint(code)


def test_a_hint_names_explain_only_where_that_answers() -> None:
    assert hint("isv.MOBILE_NUMBER_ILLEGAL").startswith("`smsreceipt explain isv.MOBILE_NUMBER_ILLEGAL`")
    assert "explain" not in hint("isv.NEVER_SEEN_BEFORE")
    assert "request by its id" in hint("isv.NEVER_SEEN_BEFORE")
    assert denial_hint("NeverSeenBefore") == ""
    assert "explain 'Forbidden.$(id)'" in denial_hint("Forbidden.$(id)")


@pytest.mark.parametrize(("status", "refused"), [(200, False), (400, False), (403, True), (408, True), (500, False)])
def test_an_unknown_code_is_judged_by_its_status(status: int, refused: bool) -> None:
    assert denied(status, "NeverSeenBefore") == refused


def test_a_retry_is_told_from_the_third_failure_on_and_with_verbosity_from_the_first() -> None:
    budget = Budget(tries=6, seconds=60)
    told = []
    for _ in range(4):
        wait = budget.failed(0, None, lambda: 0.5)
        assert wait is not None
        told.append([verbosity for _, verbosity in budget.lines(ValueError("gone"), wait)])
    assert told == [[1], [1], [0, 1], [1]]
    assert budget.lines(ValueError("gone"), 1.25)[-1][0] == "gone; trying again in 1.2 s"
