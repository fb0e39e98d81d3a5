"""Tells from the fields of a row that the provider refused the call, so that nothing was sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from smsreceipt.ledger.names import normalised

_API_CODE = re.compile(
    r"(?:(?:isv|isp|biz|MissingParam|InvalidParam|Throttling|SDK|Forbidden)\.[\w.:-]+"
    r"|(?:InvalidAccessKeyId|InvalidSecurityToken|InvalidTimeStamp|SignatureNonceUsed|SignatureDoesNotMatch)[\w.:-]*"
    r"|Throttling|ServiceUnavailable|InternalError)",
    re.ASCII | re.IGNORECASE,
)
_STATUS = {"status", "sendstatus", "smsstatus", "state", "sendstate", "result", "sendresult",
           "状态", "发送状态", "短信状态", "提交状态", "结果", "发送结果", "提交结果"}  # fmt: skip
_FAILED = {"fail", "failed", "failure", "error", "refused", "rejected", "false",
           "失败", "发送失败", "提交失败", "请求失败"}  # fmt: skip
_SUCCESS = {"success", "issuccess", "succeeded", "succeed", "sendsuccess", "ok", "成功", "是否成功", "发送成功"}
_NO = {"false", "0", "no", "n", "f", "否"}
_ACCEPTED = {"OK", "SUCCESS", "DELIVERED"}


def refused_by_code(code: str) -> bool:
    """Whether a field that holds the provider's code says so. A number is no code of the provider."""
    return bool(code) and code.upper() not in _ACCEPTED and not code.isdigit()


def refused(fields: Iterable[tuple[str, Any]]) -> bool:
    """Whether the fields of a row without a BizId say so: an API code as a value, or a status that tells a failure."""
    return any(_tells_refusal(name, value) for name, value in fields)


def is_status(name: str) -> bool:
    """Whether refused() reads a field of this name."""
    return normalised(name) in _STATUS | _SUCCESS


def _tells_refusal(name: str, value: Any) -> bool:
    if isinstance(value, int):  # a bool too
        value = str(value)
    if not isinstance(value, str):
        return False
    value = value.strip()
    if _API_CODE.fullmatch(value):
        return True
    name, value = normalised(name.rpartition(".")[2]), value.casefold()
    return (name in _STATUS and value in _FAILED) or (name in _SUCCESS and value in _NO)
