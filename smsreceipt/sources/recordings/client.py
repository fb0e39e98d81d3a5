"""Asks the provider for links to recordings: QueryRecordFileDownloadUrl of the number-privacy service.

A link is good for two hours; the recording is kept for 30 days after the call.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from smsreceipt.model import BEIJING, Recording

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

    from smsreceipt.aliyun.rpc import Pace

ACTION = "QueryRecordFileDownloadUrl"
_ABOUT_THE_CALL = ("isv.", "isp.")  # codes of the service itself; others are about the request or its way
QPS = 1000.0  #: calls a second; the provider allows an account 3,000


class NoLink(Exception):
    """The provider gives no link to this recording."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Calls(Protocol):
    def call(self, request: Any, *, pace: Pace | None = None, understood: Any = bool) -> dict[str, Any]:
        """As Caller.call."""


class LinkClient:
    """Asks for links; safe for any number of threads."""

    def __init__(self, caller: _Calls, pace: Pace) -> None:
        self._caller, self._pace = caller, pace

    def link(self, recording: Recording) -> str:
        """A fresh link.

        Raises NoLink, AuthError (key, right, account), ProviderError (other refusals, the retry budget is spent),
        and Halted.
        """
        from smsreceipt.aliyun.rpc import ApiError

        try:
            answer = self._caller.call(request(recording), pace=self._pace, understood=_has_link)
        except ApiError as exc:
            if exc.final and exc.code.startswith(_ABOUT_THE_CALL):
                raise NoLink(exc.code) from None
            raise
        found: str = answer["DownloadUrl"]
        return found


def request(recording: Recording) -> RpcRequest:
    """The call. Its SDK package holds no more than the names of these parameters, so it is no dependency."""
    from aliyunsdkcore.request import RpcRequest

    made = RpcRequest("Dyplsapi", "2017-05-25", ACTION)
    made.set_method("POST")
    made.add_query_param("PoolKey", recording.pool_key)
    made.add_query_param("CallId", recording.call_id)
    made.add_query_param("CallTime", call_time(recording))
    return made


def call_time(recording: Recording) -> str:
    """The time of the call as the provider writes it, in Beijing."""
    return datetime.fromtimestamp(recording.called_at // 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _has_link(answer: dict[str, Any]) -> bool:
    return isinstance(answer.get("DownloadUrl"), str) and bool(answer["DownloadUrl"])
