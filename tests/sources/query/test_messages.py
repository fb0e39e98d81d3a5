"""Questions about international messages: which action answers, in which order, and what a refusal costs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from smsreceipt.aliyun.rpc import ApiError, Pace
from smsreceipt.errors import AuthError
from smsreceipt.sources.query.client import QueryClient, Question

DAY = date(2026, 11, 20)
ABROAD, MAINLAND, USA = "85251230001", "13800000001", "14155550100"
RECORD = {"Status": "1", "To": ABROAD, "MessageId": "1008", "ErrorCode": "DELIVERED", "RequestId": "R"}
ROW = {"PhoneNum": ABROAD, "SendStatus": 3, "SendDate": "2026-11-20 10:00:00"}


class Script:
    """Answers QueryMessage and QuerySendDetails, or raises what it was given in their place."""

    def __init__(self, message: Mapping[str, Any] | Exception, *rows: Mapping[str, Any]) -> None:
        self._message, self._rows = message, rows
        self.actions: list[str] = []
        self.versions: list[str] = []

    def call(self, request: Any, *, pace: Pace | None = None, understood: Any = bool) -> dict[str, Any]:  # noqa: ARG002
        assert pace is not None
        pace.acquire()
        self.actions.append(request.get_action_name())
        self.versions.append(request.get_version())
        if self.actions[-1] == "QuerySendDetails":
            return {"TotalCount": len(self._rows), "SmsSendDetailDTOs": {"SmsSendDetailDTO": list(self._rows)}}
        if isinstance(self._message, Exception):
            raise self._message
        assert request.get_query_params()["MessageId"] == "1008"
        return dict(self._message)


def refusal(code: str) -> ApiError:
    return ApiError(200, code, "x", "R")


def asked(script: Script, phone: str, biz_id: str = "1008") -> Any:
    found = QueryClient(script).ask(Question(phone, DAY, biz_id))
    assert found.calls == len(script.actions)
    return found


def test_a_message_is_asked_about_by_its_id_alone() -> None:
    script = Script(RECORD)
    found = asked(script, ABROAD)
    assert (found.origin, found.refused, script.versions) == ("QueryMessage", "", ["2018-05-01"])
    assert found.rows == (b'{"Status":"1","To":"85251230001","MessageId":"1008","ErrorCode":"DELIVERED"}',)


@pytest.mark.parametrize("nothing", [{}, {"Status": ""}, refusal("DATA_NOT_EXIST"), refusal("isv.DATA_NOT_EXIST")])
def test_without_a_record_the_details_are_asked_too(nothing: Mapping[str, Any] | Exception) -> None:
    script = Script(nothing, ROW)
    found = asked(script, ABROAD)
    assert (script.actions, found.origin, len(found.rows)) == (
        ["QueryMessage", "QuerySendDetails"], "QuerySendDetails", 1,
    )  # fmt: skip
    assert (asked(Script(nothing), ABROAD).rows, asked(Script(nothing), ABROAD).refused) == ((), "")


def test_a_refusal_is_an_answer_unless_the_details_have_one() -> None:
    found = asked(Script(refusal("PRODUCT_NOT_SUBSCRIBED")), ABROAD)
    assert (found.rows, found.refused) == ((), "PRODUCT_NOT_SUBSCRIBED")
    assert asked(Script(refusal("PRODUCT_NOT_SUBSCRIBED"), ROW), ABROAD).refused == ""


@pytest.mark.parametrize("failure", [refusal("Throttling.User"), AuthError("no right")])
def test_what_may_pass_and_a_lacking_right_end_it(failure: Exception) -> None:
    with pytest.raises(type(failure)):
        asked(Script(failure), ABROAD)


@pytest.mark.parametrize(("phone", "biz_id"), [(ABROAD, "1008^0"), (ABROAD, ""), (ABROAD, "１０"), (MAINLAND, "a1")])
def test_other_ids_are_no_message_ids(phone: str, biz_id: str) -> None:
    assert {*_actions(Script(RECORD), phone, biz_id)} == {"QuerySendDetails"}


def _actions(script: Script, phone: str, biz_id: str) -> list[str]:
    asked(script, phone, biz_id)
    return script.actions


@pytest.mark.parametrize("phone", [MAINLAND, USA])
def test_a_number_that_looks_like_the_mainlands_is_asked_by_the_details_first(phone: str) -> None:
    assert _actions(Script(RECORD, ROW), phone, "1008") == ["QuerySendDetails"]
    script = Script(RECORD)
    assert asked(script, phone).origin == "QueryMessage"
    assert script.actions == ["QuerySendDetails", "QuerySendDetails", "QueryMessage"]


@pytest.mark.parametrize("failure", [refusal("PRODUCT_NOT_SUBSCRIBED"), AuthError("no right")])
def test_there_a_refusal_changes_nothing(failure: Exception) -> None:
    script = Script(failure)
    found = asked(script, MAINLAND)
    assert (found.rows, found.refused, found.origin) == ((), "", "QuerySendDetails")
