"""SendMessageToGlobe and QueryMessage, called by the unchanged core SDK."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.request import RpcRequest

from smsreceipt.sandbox import Sandbox
from tests.sandbox.clients import UID, queue, rpc
from tests.sandbox.sms.test_sms_client import TODAY, details, rows

REPORTS = f"Alicom-Queue-{UID}-GlobeSmsReport"


def call(sandbox: Sandbox, action: str, version: str = "2018-05-01", **fields: str) -> Any:
    request = RpcRequest("Dysmsapi", version, action)
    for name, value in fields.items():
        request.add_query_param(name, value)
    return rpc(sandbox, request)


def test_the_receipt_and_the_record_of_a_message_agree(sandbox: Sandbox) -> None:
    sent = call(sandbox, "SendMessageToGlobe", To="+85251230001", Message="Hello!", TaskId="task-1")
    assert (sent["ResponseCode"], sent["To"], sent["Segments"]) == ("OK", "85251230001", "1")
    assert sent["MessageId"].isdigit()
    record = call(sandbox, "QueryMessage", MessageId=sent["MessageId"])
    assert (record["ResponseCode"], record["To"], record["Message"]) == ("OK", "85251230001", "Hello!")
    assert "Code" not in record
    receipt = json.loads(base64.b64decode(queue(sandbox, REPORTS).receive_message(0).message_body))
    assert receipt["message_id"] == record["MessageId"] == sent["MessageId"]
    assert (receipt["status"], receipt["error_code"]) == (record["Status"], record["ErrorCode"])
    assert record["SendDate"].endswith(" +0800")


def test_query_send_details_does_not_know_it_and_the_statistics_do(sandbox: Sandbox) -> None:
    sent = call(sandbox, "SendMessageToGlobe", To="85251230001", Message="很" * 80)
    assert rows(details(sandbox, "85251230001", BizId=sent["MessageId"])) == []
    span = {"StartDate": TODAY, "EndDate": TODAY, "PageIndex": "1", "PageSize": "50"}
    counted = call(sandbox, "QuerySendStatistics", "2017-05-25", IsGlobe="2", **span)
    assert counted["Data"]["TargetList"][0]["TotalCount"] == 2


def test_a_message_that_is_under_way_has_no_outcome(make: Any) -> None:
    sandbox = make(report_delay=100.0)
    sent = call(sandbox, "SendMessageToGlobe", To="85251230001", Message="Hello!")
    record = call(sandbox, "QueryMessage", MessageId=sent["MessageId"])
    assert record["Status"] == "3"
    assert not {"ErrorCode", "ReceiveDate"} & record.keys()


@pytest.mark.parametrize(
    ("action", "fields", "code"),
    [
        ("QueryMessage", {"MessageId": "1"}, "DATA_NOT_EXIST"),
        ("SendMessageToGlobe", {"To": "8613800000001", "Message": "x"}, "MOBILE_NUMBER_ILLEGAL"),
        ("SendMessageToGlobe", {"To": "abc", "Message": "x"}, "MOBILE_NUMBER_ILLEGAL"),
        ("SendMessageToGlobe", {"To": "85251230001", "Message": "x", "TaskId": "t" * 256}, "INVALID_PARAMETERS"),
    ],
)
def test_a_refusal_names_its_code_as_the_international_actions_do(
    sandbox: Sandbox, action: str, fields: dict[str, str], code: str
) -> None:
    answer = call(sandbox, action, **fields)
    assert (answer["ResponseCode"], "Code" in answer) == (code, False)


def test_version_and_parameters_are_checked(sandbox: Sandbox) -> None:
    for version, fields, code in (
        ("2017-05-25", {"MessageId": "1"}, "InvalidVersion"),
        ("2018-05-01", {}, "MissingMessageId"),
    ):
        with pytest.raises(ServerException) as refused:
            call(sandbox, "QueryMessage", version, **fields)
        assert refused.value.get_error_code() == code
