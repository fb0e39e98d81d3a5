"""The actions of the SMS service: sending, and queries about sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.clock import Clock
from smsreceipt.sandbox.sends import Send, number_detail
from smsreceipt.sandbox.sms.details import Pages
from smsreceipt.sandbox.sms.parameters import (
    day_of,
    international_phone_of,
    json_list,
    json_object,
    page_of,
    phone_of,
    texts_of,
)
from smsreceipt.sandbox.sms.record import Sends, statistics
from smsreceipt.sandbox.wire.faults import Faults
from smsreceipt.sandbox.wire.rpc import INTERNATIONAL, Action, BusinessError, Parameters

MAX_NUMBERS = 1000  #: in one SendSms
MAX_BATCH = 100  #: in one SendBatchSms
MAX_PAGE = 50
MAX_TASK_ID = 255  #: characters
HISTORY = 30  #: days before today that can be queried


class Sms:
    """SendSms, SendBatchSms, QuerySendDetails and QuerySendStatistics; SendMessageToGlobe and QueryMessage.

    *deliver* is called for each receipt to send.
    """

    def __init__(self, clock: Clock, faults: Faults, sends: Sends, deliver: Callable[[Send], None]) -> None:
        self.lost = 0  #: sends without a receipt, by the fault "lose"
        self._clock = clock
        self._faults = faults
        self._sends = sends
        self._deliver = deliver
        self._pages = Pages(clock, faults, sends)
        self.actions: Mapping[str, Action] = {
            "SendSms": Action(("PhoneNumbers", "SignName", "TemplateCode"), self.send),
            "SendBatchSms": Action(("PhoneNumberJson", "SignNameJson", "TemplateCode"), self.send_batch),
            "QuerySendDetails": Action(("PhoneNumber", "SendDate", "PageSize", "CurrentPage"), self.query_details),
            "QuerySendStatistics": Action(
                ("IsGlobe", "StartDate", "EndDate", "PageIndex", "PageSize"), self.query_statistics
            ),
            "SendMessageToGlobe": Action(("To", "Message"), self.send_to_globe, INTERNATIONAL),
            "QueryMessage": Action(("MessageId",), self.query_message, INTERNATIONAL),
        }

    def send(self, parameters: Parameters) -> Mapping[str, object]:
        """Send one text to up to 1,000 numbers under one BizId."""
        numbers = [number.strip() for number in parameters["PhoneNumbers"].split(",")]
        if len(numbers) > MAX_NUMBERS:
            raise BusinessError("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
        values = json_object(parameters.get("TemplateParam"))
        messages = [(number, parameters["SignName"], values) for number in numbers]
        return self._send_all(messages, parameters)

    def send_batch(self, parameters: Parameters) -> Mapping[str, object]:
        """Send to up to 100 numbers, each with its own signature and values, under one BizId."""
        numbers = [str(each) for each in json_list(parameters["PhoneNumberJson"])]
        signs = [str(each) for each in json_list(parameters["SignNameJson"])]
        if len(numbers) > MAX_BATCH:
            raise BusinessError("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
        given = parameters.get("TemplateParamJson")
        values = json_list(given) if given else [{}] * len(numbers)
        if not len(numbers) == len(signs) == len(values):
            raise BusinessError("isv.INVALID_PARAMETERS", "手机号码、签名和模板变量的个数必须相同")
        messages = [(number, sign, texts_of(value)) for number, sign, value in zip(numbers, signs, values, strict=True)]
        return self._send_all(messages, parameters)

    def _send_all(
        self, messages: list[tuple[str, str, dict[str, str]]], parameters: Parameters
    ) -> Mapping[str, object]:
        out_id = parameters.get("OutId", "")
        if len(out_id) >= 256:
            raise BusinessError("isv.INVALID_PARAMETERS", "OutId 过长")
        phones = [phone_of(number) for number, _sign, _values in messages]
        biz_id = self._sends.biz_id()
        for phone, (_number, sign, values) in zip(phones, messages, strict=True):
            content = _content(parameters["TemplateCode"], values)
            send = self._sends.add(phone, biz_id, out_id, parameters["TemplateCode"], sign, content)
            self._report(send)
        return {"BizId": biz_id}

    def _report(self, send: Send) -> None:
        """Have its receipt delivered, unless that is lost."""
        if self._faults.hit("lose"):
            self.lost += 1
        else:
            self._deliver(send)

    def send_to_globe(self, parameters: Parameters) -> Mapping[str, object]:
        """Send one text to one number outside of the mainland."""
        task_id = parameters.get("TaskId", "")
        if len(task_id) > MAX_TASK_ID:
            raise BusinessError("INVALID_PARAMETERS", "TaskId is too long")
        message = self._sends.add_message(international_phone_of(parameters["To"]), task_id, parameters["Message"])
        self._report(message)
        return {
            "ResponseDescription": "The SMS Send Request was accepted",
            "MessageId": message.biz_id,
            "To": message.phone,
            "From": parameters.get("From", ""),
            "Segments": str(message.parts),
            "NumberDetail": number_detail(),
        }

    def query_message(self, parameters: Parameters) -> Mapping[str, object]:
        """The record of one message of SendMessageToGlobe."""
        message = self._sends.message(parameters["MessageId"])
        if message is None:
            raise BusinessError("DATA_NOT_EXIST", "the message does not exist")
        return {"ResponseDescription": "The SMS Send Request was accepted", **message.record(self._clock.now())}

    def query_details(self, parameters: Parameters) -> Mapping[str, object]:
        """The sends to one number on one Beijing day, in pages. A day before the history is answered as empty."""
        size, page = page_of(parameters["PageSize"], MAX_PAGE), page_of(parameters["CurrentPage"])
        day = day_of(parameters["SendDate"])
        phone = phone_of(parameters["PhoneNumber"])
        if not self._in_history(day):
            return {"TotalCount": "0", "SmsSendDetailDTOs": {"SmsSendDetailDTO": []}}
        return self._pages.page(phone, day, parameters.get("BizId", ""), page, size)

    def query_statistics(self, parameters: Parameters) -> Mapping[str, object]:
        """Billed parts of each day by their outcome."""
        size, page = page_of(parameters["PageSize"], MAX_PAGE), page_of(parameters["PageIndex"])
        first, last = day_of(parameters["StartDate"]), day_of(parameters["EndDate"])
        if parameters["IsGlobe"] not in {"1", "2"}:
            raise BusinessError("isv.INVALID_PARAMETERS", "IsGlobe 参数不合法")
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

    def _in_history(self, day: str) -> bool:
        today = datetime.fromtimestamp(self._clock.now(), BEIJING)
        return (today - timedelta(days=HISTORY)).strftime("%Y%m%d") <= day


def _content(template_code: str, values: Mapping[str, str]) -> str:
    """The text of a message. The sandbox knows no templates, so it shows the values, or the template's code."""
    shown = "，".join(values.values())
    return f"您的验证码是{shown}，5分钟内有效。" if shown else f"您有一条新的通知（{template_code}）。"
