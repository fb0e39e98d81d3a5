"""QueryMessage (2018-05-01): the provider's record of one international message, by the MessageId of its send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from smsreceipt.matching import GLOBE_REPORT
from smsreceipt.sources.query.pages import compact

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

KIND = GLOBE_REPORT  #: what its answers say is what such a receipt says
ORIGIN = "QueryMessage"  #: of the deliveries made of its answers
QPS = 300.0  #: calls a second that the provider allows an account
_NO_RECORD = "DATA_NOT_EXIST"


def request(message_id: str) -> RpcRequest:
    """The call. The SDK has no request object for this version."""
    from aliyunsdkcore.request import RpcRequest

    made = RpcRequest("Dysmsapi", "2018-05-01", "QueryMessage")
    made.set_method("POST")
    made.add_query_param("MessageId", message_id)
    return made


def rows(answer: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The record in an answer, as one JSON object without the id of the call; none if it has no status of a message."""
    if answer.get("Status") in (None, ""):
        return ()
    return (compact({name: value for name, value in answer.items() if name != "RequestId"}),)


def no_record(code: str) -> bool:
    """Whether a refusal says that the provider has no record of the message."""
    return code.rpartition(".")[2] == _NO_RECORD
