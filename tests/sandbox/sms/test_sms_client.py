"""SMS requests of the unchanged core SDK: send, query, count; and the errors of the gateway."""

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest
from aliyunsdkdysmsapi.request.v20170525.QuerySendStatisticsRequest import QuerySendStatisticsRequest
from aliyunsdkdysmsapi.request.v20170525.SendBatchSmsRequest import SendBatchSmsRequest
from aliyunsdkdysmsapi.request.v20170525.SendSmsRequest import SendSmsRequest

from smsreceipt.model import BEIJING
from smsreceipt.sandbox import Sandbox
from smsreceipt.sandbox.sms.parameters import phone_of
from smsreceipt.sandbox.wire.http import Request
from smsreceipt.sandbox.wire.signatures import acs3_signature, rpc_signature, rpc_string
from tests.sandbox.clients import REPORTS, queue, rpc, send_sms

TODAY = datetime.now(BEIJING).strftime("%Y%m%d")


def details(sandbox: Sandbox, phone: str, **fields: object) -> Any:
    given: dict[str, Any] = {"SendDate": TODAY, "PageSize": 50, "CurrentPage": 1, **fields}
    return rpc(sandbox, QuerySendDetailsRequest(), PhoneNumber=phone, **given)


def rows(answer: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
    return found


def test_the_receipt_and_the_details_of_a_send_agree(sandbox: Sandbox) -> None:
    sent = send_sms(sandbox, "13800000001", OutId="o-1", TemplateParam='{"code":"123456"}')
    assert sent["Code"] == "OK"
    receipt = json.loads(base64.b64decode(queue(sandbox, REPORTS).receive_message(0).message_body))
    (row,) = rows(details(sandbox, "13800000001", BizId=sent["BizId"]))
    assert (receipt["biz_id"], receipt["out_id"]) == (sent["BizId"], "o-1")
    assert receipt["phone_number"] == row["PhoneNum"] == "13800000001"
    assert receipt["success"] == (row["SendStatus"] == 3)
    assert receipt["send_time"] == row["SendDate"]
    assert row["Content"].startswith("【示例商城】")
    assert "123456" in row["Content"]
    assert (row["OutId"], row["TemplateCode"]) == ("o-1", "SMS_1")


def test_all_numbers_of_a_call_share_its_biz_id(sandbox: Sandbox) -> None:
    sent = send_sms(sandbox, "+8613800000001,008613800000002,8613800000003")
    got = queue(sandbox, REPORTS).batch_receive_message(16, 0)
    receipts = [json.loads(base64.b64decode(message.message_body)) for message in got]
    assert {receipt["biz_id"] for receipt in receipts} == {sent["BizId"]}
    assert {receipt["phone_number"] for receipt in receipts} == {"13800000001", "13800000002", "13800000003"}
    assert all("out_id" not in receipt for receipt in receipts)


def test_a_batch_sends_each_number_its_own_text(sandbox: Sandbox) -> None:
    sent = rpc(
        sandbox,
        SendBatchSmsRequest(),
        PhoneNumberJson='["13800000001","13800000002"]',
        SignNameJson='["甲","乙"]',
        TemplateParamJson='[{"code":"111"},{"code":"222"}]',
        TemplateCode="SMS_2",
    )
    assert sent["Code"] == "OK"
    (row,) = rows(details(sandbox, "13800000002"))
    assert row["Content"].startswith("【乙】")
    assert "222" in row["Content"]


def test_most_messages_are_delivered_and_some_fail(sandbox: Sandbox) -> None:
    send_sms(sandbox, ",".join(f"138{n:08d}" for n in range(500)))
    found = queue(sandbox, REPORTS)
    receipts: list[dict[str, Any]] = []
    while len(receipts) < 500:
        receipts += [json.loads(base64.b64decode(m.message_body)) for m in found.batch_receive_message(16, 0)]
    delivered = sum(receipt["success"] for receipt in receipts)
    assert 420 < delivered < 490
    assert all(receipt["success"] == (receipt["err_code"] == "DELIVERED") for receipt in receipts)


def test_details_come_in_pages_the_newest_first(sandbox: Sandbox) -> None:
    for n in range(5):
        send_sms(sandbox, "13800000001", OutId=f"o-{n}")
    pages = [details(sandbox, "13800000001", PageSize=2, CurrentPage=page) for page in (1, 2, 3, 4)]
    assert [page["TotalCount"] for page in pages] == ["5"] * 4
    assert [[row["OutId"] for row in rows(page)] for page in pages] == [["o-4", "o-3"], ["o-2", "o-1"], ["o-0"], []]


def test_before_the_report_the_details_are_pending(make: Callable[..., Sandbox]) -> None:
    sandbox = make(report_delay=100)
    send_sms(sandbox, "13800000001")
    (row,) = rows(details(sandbox, "13800000001"))
    assert (row["SendStatus"], row["ErrCode"]) == (1, "")
    assert "ReceiveDate" not in row
    assert sandbox.state()["queued"] == 1
    sandbox.advance(101)
    assert rows(details(sandbox, "13800000001"))[0]["SendStatus"] in {2, 3}
    assert queue(sandbox, REPORTS).peek_message().dequeue_count == 0


def test_a_lost_receipt_is_visible_in_the_details_only(make: Callable[..., Sandbox]) -> None:
    sandbox = make(faults={"lose": 1.0})
    send_sms(sandbox, "13800000001")
    state = sandbox.state()
    assert (state["sent"], state["lost"]) == (0, 1)
    assert len(rows(details(sandbox, "13800000001"))) == 1


def test_statistics_count_billed_parts_by_day(sandbox: Sandbox) -> None:
    send_sms(sandbox, "13800000001,13800000002", TemplateParam=json.dumps({"long": "很" * 100}))
    send_sms(sandbox, "+85291234567")
    both = [
        rpc(
            sandbox,
            QuerySendStatisticsRequest(),
            IsGlobe=globe,
            StartDate=TODAY,
            EndDate=TODAY,
            PageIndex=1,
            PageSize=10,
        )
        for globe in (1, 2)
    ]
    (mainland,), (abroad,) = (answer["Data"]["TargetList"] for answer in both)
    assert (mainland["SendDate"], mainland["TotalCount"], abroad["TotalCount"]) == (TODAY, 4, 1)
    assert mainland["RespondedSuccessCount"] + mainland["RespondedFailCount"] == 4


def test_days_before_the_history_are_empty(sandbox: Sandbox) -> None:
    send_sms(sandbox, "13800000001")
    then = (datetime.now(BEIJING) + timedelta(days=30)).timestamp() - time.time()
    sandbox.skew = then
    assert len(rows(details_at(sandbox, then))) == 1
    sandbox.skew = then + 86_400
    assert rows(details_at(sandbox, then + 86_400)) == []


def details_at(sandbox: Sandbox, ahead: float) -> Any:
    """The details at *ahead* seconds from now. The SDK signs the host's time only, so the request is composed here."""
    fields = {"PhoneNumber": "13800000001", "SendDate": TODAY, "PageSize": "50", "CurrentPage": "1"}
    status, answer = ask(sandbox, "QuerySendDetails", fields, Timestamp=stamp(ahead))
    assert status == 200
    return answer


def stamp(ahead: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ask(
    sandbox: Sandbox, action: str, fields: dict[str, str], method: str = "GET", **changed: str | None
) -> tuple[int, Any]:
    """Status and JSON of an RPC request; each parameter can be replaced, or left out by None."""
    given = {
        "Action": action,
        "Version": "2017-05-25",
        "Format": "JSON",
        "AccessKeyId": "sandbox",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(time.perf_counter_ns()),
        "Timestamp": stamp(),
        **fields,
        **changed,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if "Signature" not in changed:
        wanted["Signature"] = rpc_signature(b"sandbox-secret", rpc_string(method, wanted))
    http = HTTPConnection(sandbox.url.removeprefix("http://"), timeout=5)
    text = urlencode(wanted)
    http.request(method, "/" if method == "POST" else f"/?{text}", text if method == "POST" else None)
    answer = http.getresponse()
    body = json.loads(answer.read())
    http.close()
    return answer.status, body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_parameters_are_read_from_the_query_and_from_a_form(sandbox: Sandbox, method: str) -> None:
    status, answer = ask(sandbox, "QueryTokenForMnsQueue", {"MessageType": "SmsReport"}, method)
    assert (status, answer["Code"]) == (200, "OK")


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"Action": "NoSuch"}, 404, "InvalidAction.NotFound"),
        ({"Action": None}, 400, "MissingAction"),
        ({"Version": "2014-01-01"}, 404, "InvalidVersion"),
        ({"AccessKeyId": "nobody"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"AccessKeyId": None}, 400, "MissingAccessKeyId"),
        ({"Timestamp": None}, 400, "MissingTimestamp"),
        ({"Timestamp": "2026-11-20 15:49:55"}, 400, "InvalidTimeStamp.Format"),
        ({"Timestamp": stamp(-90_000)}, 400, "InvalidTimeStamp.Expired"),
        ({"Timestamp": stamp(90_000)}, 400, "InvalidTimeStamp.Expired"),
        ({"SignatureNonce": None}, 400, "MissingSignatureNonce"),
        ({"Signature": None}, 400, "MissingSignature"),
        ({"Signature": "AAAA"}, 400, "SignatureDoesNotMatch"),
        ({"MessageType": None}, 400, "MissingMessageType"),
    ],
)
def test_the_gateway_refuses(sandbox: Sandbox, changed: dict[str, str], status: int, code: str) -> None:
    got, answer = ask(sandbox, "QueryTokenForMnsQueue", {"MessageType": "SmsReport"}, **changed)
    assert (got, answer["Code"]) == (status, code)
    assert set(answer) == {"RequestId", "HostId", "Code", "Message"}


def test_a_nonce_is_accepted_once(sandbox: Sandbox) -> None:
    fields = {"MessageType": "SmsReport", "SignatureNonce": "n-1"}
    assert ask(sandbox, "QueryTokenForMnsQueue", fields)[0] == 200
    status, answer = ask(sandbox, "QueryTokenForMnsQueue", fields)
    assert (status, answer["Code"]) == (400, "SignatureNonceUsed")


def test_the_sdk_understands_a_wrong_secret_and_an_unknown_key(sandbox: Sandbox) -> None:
    with pytest.raises(ServerException) as wrong:
        rpc(sandbox, SendSmsRequest(), secret="wrong", PhoneNumbers="1", SignName="a", TemplateCode="b")
    with pytest.raises(ServerException) as unknown:
        rpc(sandbox, SendSmsRequest(), key="nobody", PhoneNumbers="1", SignName="a", TemplateCode="b")
    # The SDK compares its own string to sign with the server's: where they are equal, the secret is wrong.
    assert wrong.value.error_code == "InvalidAccessKeySecret"
    assert unknown.value.error_code == "InvalidAccessKeyId.NotFound"


@pytest.mark.parametrize(
    ("phones", "fields", "code"),
    [
        ("12345", {}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ("13800000001,", {}, "isv.MOBILE_NUMBER_ILLEGAL"),
        (",".join(["13800000001"] * 1001), {}, "isv.MOBILE_COUNT_OVER_LIMIT"),
        ("13800000001", {"TemplateParam": "{"}, "isv.INVALID_JSON_PARAM"),
        ("13800000001", {"TemplateParam": "[]"}, "isv.INVALID_JSON_PARAM"),
        ("13800000001", {"OutId": "x" * 256}, "isv.INVALID_PARAMETERS"),
    ],
)
def test_business_errors_are_200_with_a_code(sandbox: Sandbox, phones: str, fields: dict[str, str], code: str) -> None:
    assert send_sms(sandbox, phones, **fields)["Code"] == code
    assert sandbox.state()["sent"] == 0


@pytest.mark.parametrize(
    "fields", [{"PageSize": 51}, {"PageSize": "x"}, {"SendDate": "2026-11-20"}, {"SendDate": "20261320"}]
)
def test_malformed_queries_are_business_errors(sandbox: Sandbox, fields: dict[str, object]) -> None:
    assert details(sandbox, "13800000001", **fields)["Code"] == "isv.INVALID_PARAMETERS"


@pytest.mark.parametrize(
    ("number", "phone"),
    [
        ("13800000001", "13800000001"),
        ("+8613800000001", "13800000001"),
        ("008613800000001", "13800000001"),
        ("8613800000001", "13800000001"),
        ("+13800000001", "13800000001"),
        ("+85291234567", "85291234567"),
        ("0085291234567", "85291234567"),
    ],
)
def test_prefixes_of_numbers_are_removed(number: str, phone: str) -> None:
    assert phone_of(number) == phone


@pytest.mark.parametrize(("secret", "status"), [(b"sandbox-secret", 200), (b"wrong", 400)])
def test_the_acs3_signature_is_accepted_and_checked(sandbox: Sandbox, secret: bytes, status: int) -> None:
    address = sandbox.url.removeprefix("http://")
    headers = {
        b"x-acs-content-sha256": sha256(b"").hexdigest().encode(),
        b"x-acs-signature-nonce": b"nonce-1",
        b"host": address.encode(),
        b"x-acs-action": b"QueryTokenForMnsQueue",
        b"x-acs-version": b"2017-05-25",
        b"x-acs-date": stamp().encode(),
    }
    signed = ";".join(sorted(name.decode() for name in headers))
    target = "/?MessageType=SmsReport"
    signature = acs3_signature(Request("GET", target, headers, b""), {"MessageType": "SmsReport"}, secret, signed)
    headers[b"authorization"] = (
        f"ACS3-HMAC-SHA256 Credential=sandbox,SignedHeaders={signed},Signature={signature}".encode()
    )
    http = HTTPConnection(address, timeout=5)
    http.request("GET", target, headers={name.decode(): value.decode() for name, value in headers.items()})
    answer = http.getresponse()
    assert answer.status == status, answer.read()
    http.close()
