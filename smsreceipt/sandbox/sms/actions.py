"""The actions of the SMS service and of its token desk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.clock import Clock, beijing
from smsreceipt.sandbox.sms.details import Pages
from smsreceipt.sandbox.sms.sends import Send, Sends, statistics
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.signatures import Keyring

MAX_NUMBERS = 1000  #: of one SendSms
MAX_BATCH = 100  #: of one SendBatchSms
MAX_PAGE = 50
HISTORY = 30  #: days that can be queried
_PREFIX = re.compile(r"(?:\+86|0086|86|\+)(?=1\d{10}$)|^\+|^00")

Parameters = Mapping[str, str]


class Business(Exception):
    """The action says no."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Action:
    """One action: what it needs and what it does."""

    required: tuple[str, ...]
    run: Callable[[Parameters], Mapping[str, object]]


class Sms:
    """SendSms, SendBatchSms, QuerySendDetails, QuerySendStatistics and QueryTokenForMnsQueue."""

    def __init__(
        self,
        clock: Clock,
        keys: Keyring,
        faults: Faults,
        sends: Sends,
        deliver: Callable[[Send], None],
    ) -> None:
        self.lost = 0
        self._clock = clock
        self._keys = keys
        self._faults = faults
        self._sends = sends
        self._deliver = deliver
        self._pages = Pages(clock, faults, sends)
        self.actions: Mapping[str, Action] = {
            "QueryTokenForMnsQueue": Action(("MessageType",), self.query_token),
            "SendSms": Action(("PhoneNumbers", "SignName", "TemplateCode"), self.send),
            "SendBatchSms": Action(("PhoneNumberJson", "SignNameJson", "TemplateCode"), self.send_batch),
            "QuerySendDetails": Action(("PhoneNumber", "SendDate", "PageSize", "CurrentPage"), self.query_details),
            "QuerySendStatistics": Action(
                ("IsGlobe", "StartDate", "EndDate", "PageIndex", "PageSize"), self.query_statistics
            ),
        }

    def query_token(self, parameters: Parameters) -> Mapping[str, object]:
        """Temporary credentials for one queue; the times are Beijing wall-clock time."""
        token = self._keys.issue(parameters["MessageType"], parameters.get("QueueName") or None)
        return {
            "MessageTokenDTO": {
                "AccessKeyId": token.access_key_id,
                "AccessKeySecret": token.secret.decode(),
                "SecurityToken": token.security_token.decode(),
                "CreateTime": beijing(token.created),
                "ExpireTime": beijing(token.expires),
            }
        }

    def send(self, parameters: Parameters) -> Mapping[str, object]:
        """One text to up to a thousand numbers, under one BizId."""
        numbers = [number.strip() for number in parameters["PhoneNumbers"].split(",")]
        if len(numbers) > MAX_NUMBERS:
            raise Business("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
        values = variables(parameters.get("TemplateParam"))
        messages = [(number, parameters["SignName"], values) for number in numbers]
        return self._send_all(messages, parameters)

    def send_batch(self, parameters: Parameters) -> Mapping[str, object]:
        """Up to a hundred numbers, each with a signature and values of its own, under one BizId."""
        numbers, signs = (texts(parameters[name]) for name in ("PhoneNumberJson", "SignNameJson"))
        if len(numbers) > MAX_BATCH:
            raise Business("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
        given = parameters.get("TemplateParamJson")
        values = listed(given) if given else [{}] * len(numbers)
        if not len(numbers) == len(signs) == len(values):
            raise Business("isv.INVALID_PARAMETERS", "手机号码、签名和模板变量的个数必须相同")
        if not all(isinstance(value, dict) for value in values):
            raise Business("isv.INVALID_JSON_PARAM", "JSON参数不合法")
        messages = [
            (number, sign, {str(name): str(text) for name, text in value.items()})
            for number, sign, value in zip(numbers, signs, values, strict=True)
            if isinstance(value, dict)
        ]
        return self._send_all(messages, parameters)

    def _send_all(
        self, messages: list[tuple[str, str, dict[str, str]]], parameters: Parameters
    ) -> Mapping[str, object]:
        out_id = parameters.get("OutId", "")
        if len(out_id) >= 256:
            raise Business("isv.INVALID_PARAMETERS", "OutId 过长")
        phones = [phone_of(number) for number, _sign, _values in messages]
        biz_id = self._sends.biz_id()
        for phone, (_number, sign, values) in zip(phones, messages, strict=True):
            content = text_of(parameters["TemplateCode"], values)
            send = self._sends.add(phone, biz_id, out_id, parameters["TemplateCode"], sign, content)
            if self._faults.hit("lose"):
                self.lost += 1
            else:
                self._deliver(send)
        return {"BizId": biz_id}

    def query_details(self, parameters: Parameters) -> Mapping[str, object]:
        """One number's sends of one Beijing day, in pages. Days beyond the history answer as empty ones."""
        size, page = page_of(parameters["PageSize"], MAX_PAGE), page_of(parameters["CurrentPage"])
        day = self._day(parameters["SendDate"])
        phone = phone_of(parameters["PhoneNumber"])
        if not self._remembered(day):
            return {"TotalCount": "0", "SmsSendDetailDTOs": {"SmsSendDetailDTO": []}}
        return self._pages.page(phone, day, parameters.get("BizId", ""), page, size)

    def query_statistics(self, parameters: Parameters) -> Mapping[str, object]:
        """Billed parts of each day, by how they ended."""
        size, page = page_of(parameters["PageSize"], MAX_PAGE), page_of(parameters["PageIndex"])
        first, last = self._day(parameters["StartDate"]), self._day(parameters["EndDate"])
        if parameters["IsGlobe"] not in {"1", "2"}:
            raise Business("isv.INVALID_PARAMETERS", "IsGlobe 参数不合法")
        mainland, sign = parameters["IsGlobe"] == "1", parameters.get("SignName")
        rows = statistics(
            (
                (day, send)
                for day, send in self._sends.between(first, last)
                if send.mainland == mainland and sign in {None, "", send.sign_name}
            ),
            self._clock.now(),
        )
        return {"Data": {"TotalSize": len(rows), "TargetList": rows[(page - 1) * size : page * size]}}

    @staticmethod
    def _day(text: str) -> str:
        if re.fullmatch(r"\d{8}", text, re.ASCII):
            try:
                return datetime.strptime(text, "%Y%m%d").replace(tzinfo=BEIJING).strftime("%Y%m%d")
            except ValueError:
                pass
        raise Business("isv.INVALID_PARAMETERS", "日期必须是 yyyyMMdd")

    def _remembered(self, day: str) -> bool:
        today = datetime.fromtimestamp(self._clock.now(), BEIJING)
        return (today - timedelta(days=HISTORY)).strftime("%Y%m%d") <= day


def phone_of(number: str) -> str:
    """Digits as receipts show them: no +, no 00, no 86 before a mainland number. Raises Business.

    Numbers abroad are their country code and number, by the pages without any prefix; one is taken all the same.
    """
    digits = _PREFIX.sub("", number, count=1)
    if not re.fullmatch(r"1\d{10}|[2-9]\d{6,14}", digits, re.ASCII):
        raise Business("isv.MOBILE_NUMBER_ILLEGAL", f"{number}invalid mobile number")
    return digits


def variables(text: str | None) -> dict[str, str]:
    """TemplateParam as a mapping. Raises Business."""
    if not text:
        return {}
    value = loaded(text)
    if not isinstance(value, dict):
        raise Business("isv.INVALID_JSON_PARAM", "JSON参数不合法")
    return {str(name): str(each) for name, each in value.items()}


def texts(text: str) -> list[str]:
    """A JSON list of texts. Raises Business."""
    return [str(each) for each in listed(text)]


def listed(text: str) -> list[object]:
    """A JSON list. Raises Business."""
    value = loaded(text)
    if not isinstance(value, list):
        raise Business("isv.INVALID_JSON_PARAM", "JSON参数不合法")
    return value


def loaded(text: str) -> object:
    """A JSON value. Raises Business."""
    try:
        value: object = json.loads(text)
    except ValueError:
        raise Business("isv.INVALID_JSON_PARAM", "JSON参数不合法") from None
    return value


def page_of(text: str, most: int = 1_000_000) -> int:
    """A page's number or size. Raises Business."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise Business("isv.INVALID_PARAMETERS", "分页参数不合法")
    return int(text)


def text_of(template_code: str, values: Mapping[str, str]) -> str:
    """What the handset shows: the sandbox knows no templates, so every template is a code with its values."""
    shown = "，".join(values.values())
    return f"您的验证码是{shown}，5分钟内有效。" if shown else f"您有一条新的通知（{template_code}）。"
