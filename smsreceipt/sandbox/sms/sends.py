"""What was sent: every SMS the sandbox took, how it ended, and the receipt about it."""

from __future__ import annotations

import random
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from math import inf
from operator import attrgetter

import msgspec

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.clock import Clock, beijing

#: err_code, err_msg, and how many of a thousand messages end so.
OUTCOMES = (
    ("DELIVERED", "用户接收成功", 905),
    ("MOBILE_NOT_ON_SERVICE", "停机、空号、暂停服务、关机、不在服务区", 45),
    ("MOBILE_SEND_LIMIT", "单个号码日或月发送上限及频繁发送超限", 12),
    ("MOBILE_IN_BLACK", "手机号在黑名单", 12),
    ("CONTENT_KEYWORD", "运营商内容关键字拦截", 8),
    ("MOBLLE_TERMINAL_ERROR", "手机终端问题", 8),
    ("REQUEST_SUCCESS", "请求成功未收到运营商回执", 5),
    ("UNKNOWN", "未知错误", 5),
)
_CODES = [code for code, _text, _weight in OUTCOMES]
_TEXTS = {code: text for code, text, _weight in OUTCOMES}
_WEIGHTS = [weight for _code, _text, weight in OUTCOMES]


@dataclass(slots=True)
class Send:
    """One message to one number."""

    phone: str  #: digits as receipts show them
    biz_id: str
    out_id: str
    template_code: str
    sign_name: str
    content: str
    sent: float  #: seconds since 1970
    reported: float  #: seconds since 1970, infinite when nobody ever will; before that the provider waits too
    code: str
    queried_code: str  #: as QuerySendDetails spells it: carriers' spelling or nothing occurs there

    @property
    def delivered(self) -> bool:
        """Whether the handset took it."""
        return self.code == "DELIVERED"

    @property
    def mainland(self) -> bool:
        """Whether the number is a mainland one."""
        return len(self.phone) == 11 and self.phone.startswith("1")

    @property
    def parts(self) -> int:
        """How many parts are billed, by the provider's rule: up to 70 characters one, above 67 a part."""
        length = len(self.sign_name) + 2 + len(self.content)
        return 1 if length <= 70 else -(-length // 67)

    def receipt(self) -> dict[str, object]:
        """The SmsReport about it; out_id is left out when the send had none, as in real traffic."""
        fields: dict[str, object] = {
            "phone_number": self.phone,
            "send_time": beijing(self.sent),
            "report_time": beijing(self.reported),
            "success": self.delivered,
            "err_code": self.code,
            "err_msg": _TEXTS.get(self.code, self.code),
            "sms_size": str(self.parts),
            "biz_id": self.biz_id,
        }
        return {**fields, "out_id": self.out_id} if self.out_id else fields

    def waiting(self, now: float) -> bool:
        """Whether the provider waits at *now* for the carrier's word; some receipts tell no more than that it does."""
        return now < self.reported or self.code == "REQUEST_SUCCESS"

    def detail(self, now: float) -> dict[str, object]:
        """Its row in QuerySendDetails at *now*."""
        waiting = self.waiting(now)
        row: dict[str, object] = {
            "PhoneNum": self.phone,
            "SendStatus": 1 if waiting else 3 if self.delivered else 2,
            "ErrCode": "" if now < self.reported else self.queried_code,
            "TemplateCode": self.template_code,
            "Content": f"【{self.sign_name}】{self.content}",
            "SendDate": beijing(self.sent),
        }
        if not waiting:
            row["ReceiveDate"] = beijing(self.reported)
        return {**row, "OutId": self.out_id} if self.out_id else row


class PastSend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A send of the past, for the provider's record: it can be queried, and puts no receipt into any queue."""

    phone: str  #: digits as receipts show them
    biz_id: str
    sent: float  #: seconds since 1970: what SendDate tells
    reported: float | None = None  #: seconds since 1970; None: nobody ever reported
    code: str = "DELIVERED"  #: how it ended, once reported
    queried_code: str | None = None  #: as QuerySendDetails spells it; None: as it is
    out_id: str = ""
    template_code: str = "SMS_123456789"
    sign_name: str = "示例商城"
    content: str = "您有一条新的通知。"
    filed: str = ""  #: the Beijing day (yyyyMMdd) to be asked for; "": that of *sent*. Near midnight it may be another.

    def send(self) -> Send:
        """The row of the record."""
        return Send(
            self.phone,
            self.biz_id,
            self.out_id,
            self.template_code,
            self.sign_name,
            self.content,
            self.sent,
            inf if self.reported is None else self.reported,
            self.code,
            self.code if self.queried_code is None else self.queried_code,
        )


class Sends:
    """The provider's record of all sends, by number and Beijing day."""

    def __init__(self, clock: Clock, seed: int | None, delay: float) -> None:
        self._clock = clock
        self._dice = random.Random(seed)  # noqa: S311 - outcomes are to be repeated, not to be secret
        self._delay = delay
        self._serial = count(1)
        self._rows: dict[tuple[str, str], list[Send]] = defaultdict(list)

    def biz_id(self) -> str:
        """A BizId for a new call."""
        return f"{self._clock.ms()}{next(self._serial) % 100_000:05d}^0"

    def add(self, phone: str, biz_id: str, out_id: str, template_code: str, sign_name: str, content: str) -> Send:
        """Send one message now; how it ends is decided at once and told when its report is due."""
        now = self._clock.now()
        code = self._dice.choices(_CODES, _WEIGHTS)[0]
        queried = self._dice.choices((code, "DELIVRD", ""), (8, 1, 1))[0] if code == "DELIVERED" else code
        send = Send(phone, biz_id, out_id, template_code, sign_name, content, now, now + self._delay, code, queried)
        self._rows[phone, day_of(now)].append(send)
        return send

    def remember(self, *sends: PastSend) -> None:
        """File sends of the past."""
        for past in sends:
            self.file(past.send(), past.filed or day_of(past.sent))

    def file(self, send: Send, day: str) -> None:
        """File *send* under *day* (yyyyMMdd), in the order of time."""
        insort(self._rows[send.phone, day], send, key=attrgetter("sent"))

    def again(self, like: Send, sent: float, out_id: str, day: str) -> None:
        """File another delivered send to the same number, with a BizId of its own."""
        text = (like.template_code, like.sign_name, like.content)
        send = Send(like.phone, self.biz_id(), out_id, *text, sent, sent + 1, "DELIVERED", "DELIVERED")
        self.file(send, day)

    def of_day(self, phone: str, day: str, biz_id: str = "") -> list[Send]:
        """The sends to one number on one Beijing day (yyyyMMdd), the newest first."""
        rows = self._rows.get((phone, day), [])
        return [send for send in reversed(rows) if not biz_id or send.biz_id == biz_id]

    def between(self, first: str, last: str) -> Iterator[tuple[str, Send]]:
        """Every send of the Beijing days *first* to *last* (yyyyMMdd, both included), with its day."""
        for (_phone, day), sends in self._rows.items():
            if first <= day <= last:
                yield from ((day, send) for send in sends)


def day_of(seconds: float) -> str:
    """The Beijing day, yyyyMMdd."""
    return beijing(seconds)[:10].replace("-", "")


def day_end(day: str) -> float:
    """The first second after a Beijing day (yyyyMMdd)."""
    return (datetime.strptime(day, "%Y%m%d").replace(tzinfo=BEIJING) + timedelta(days=1)).timestamp()


def statistics(sends: Iterable[tuple[str, Send]], now: float) -> list[dict[str, object]]:
    """One row a day, the newest first, as QuerySendStatistics answers."""
    days: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for day, send in sends:
        row = days[day]
        row[0] += send.parts
        row[3 if send.waiting(now) else 1 if send.delivered else 2] += send.parts
    names = ("TotalCount", "RespondedSuccessCount", "RespondedFailCount", "NoRespondedCount")
    return [{"SendDate": day, **dict(zip(names, days[day], strict=True))} for day in sorted(days, reverse=True)]
