"""Parameters of the SMS actions, parsed; what cannot be parsed raises BusinessError."""

from __future__ import annotations

import json
import re
from datetime import datetime

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.wire.rpc import BusinessError

_PREFIX_ABROAD = re.compile(r"^(?:\+|00)")
_PREFIX = re.compile(r"(?:\+86|0086|86|\+)(?=1\d{10}$)|^\+|^00")


def phone_of(number: str) -> str:
    """Digits as receipts show them: no +, no 00, no 86 before a mainland number.

    By the documentation a foreign number is its country code and number without a prefix; one prefix is accepted.
    """
    digits = _PREFIX.sub("", number, count=1)
    if not re.fullmatch(r"1\d{10}|[2-9]\d{6,14}", digits, re.ASCII):
        raise BusinessError("isv.MOBILE_NUMBER_ILLEGAL", f"{number}invalid mobile number")
    return digits


def international_phone_of(number: str) -> str:
    """Digits with the country code first, as SendMessageToGlobe takes them; no number of the mainland."""
    digits = _PREFIX_ABROAD.sub("", number, count=1)
    if not re.fullmatch(r"[1-9]\d{6,14}", digits, re.ASCII) or re.fullmatch(r"861\d{10}", digits):
        raise BusinessError("MOBILE_NUMBER_ILLEGAL", "invalid mobile number")
    return digits


def day_of(text: str) -> str:
    """A date, checked (yyyyMMdd)."""
    if re.fullmatch(r"\d{8}", text, re.ASCII):
        try:
            return datetime.strptime(text, "%Y%m%d").replace(tzinfo=BEIJING).strftime("%Y%m%d")
        except ValueError:
            pass
    raise BusinessError("isv.INVALID_PARAMETERS", "日期必须是 yyyyMMdd")


def page_of(text: str, most: int = 1_000_000) -> int:
    """The number or the size of a page."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise BusinessError("isv.INVALID_PARAMETERS", "分页参数不合法")
    return int(text)


def json_object(text: str | None) -> dict[str, str]:
    """A JSON object with its values as text; {} when it is absent."""
    return texts_of(_json(text)) if text else {}


def json_list(text: str) -> list[object]:
    """A JSON array."""
    value = _json(text)
    if not isinstance(value, list):
        raise _json_error()
    return value


def texts_of(value: object) -> dict[str, str]:
    """The names and values of a parsed JSON object as text."""
    if not isinstance(value, dict):
        raise _json_error()
    return {str(name): str(each) for name, each in value.items()}


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        raise _json_error() from None
    return value


def _json_error() -> BusinessError:
    return BusinessError("isv.INVALID_JSON_PARAM", "JSON参数不合法")
