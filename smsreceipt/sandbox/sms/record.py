"""The record of all sends, by number and day."""

from __future__ import annotations

import random
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count
from operator import attrgetter

from smsreceipt.model import BEIJING
from smsreceipt.sandbox.clock import Clock, beijing
from smsreceipt.sandbox.sends import OUTCOMES, Message, PastSend, Send

_CODES = [code for code, _text, _weight in OUTCOMES]
_WEIGHTS = [weight for _code, _text, weight in OUTCOMES]


class Sends:
    """All sends by number and Beijing day (yyyyMMdd)."""

    def __init__(self, clock: Clock, seed: int | None, report_delay: float) -> None:
        self._clock = clock
        self._rng = random.Random(seed)  # noqa: S311 - outcomes must be repeatable, not secret
        self._report_delay = report_delay
        self._serial = count(1)
        self._rows: dict[tuple[str, str], list[Send]] = defaultdict(list)
        self._messages: dict[str, Message] = {}  # by MessageId

    def biz_id(self) -> str:
        """The BizId of a new call."""
        return f"{self._clock.ms()}{next(self._serial) % 100_000:05d}^0"

    def add(self, phone: str, biz_id: str, out_id: str, template_code: str, sign_name: str, content: str) -> Send:
        """Record a message that is sent now. Its outcome is decided at once and visible after the report delay."""
        now = self._clock.now()
        code = self._rng.choices(_CODES, _WEIGHTS)[0]
        queried = self._rng.choices((code, "DELIVRD", ""), (8, 1, 1))[0] if code == "DELIVERED" else code
        send = Send(
            phone, biz_id, out_id, template_code, sign_name, content, now, now + self._report_delay, code, queried
        )
        self._rows[phone, day_of(now)].append(send)
        return send

    def add_message(self, phone: str, task_id: str, content: str) -> Message:
        """Record an international message that is sent now, under a new MessageId."""
        now = self._clock.now()
        code = self._rng.choices(_CODES, _WEIGHTS)[0]
        code = code if code == "DELIVERED" else "UNDELIV"
        message_id = self.biz_id().partition("^")[0]
        sent = (now, now + self._report_delay)
        message = Message(phone, message_id, task_id, "", "", content, *sent, code, code)
        self._messages[message_id] = message
        return message

    def message(self, message_id: str) -> Message | None:
        """The international message with this MessageId."""
        return self._messages.get(message_id)

    def add_past(self, past: PastSend) -> None:
        """Record a send of the past."""
        send = past.send()
        if isinstance(send, Message):
            self._messages[send.biz_id] = send
        else:
            self._insert(send, past.filed or day_of(past.sent))

    def add_similar(self, like: Send, sent: float, out_id: str, day: str) -> None:
        """Record another delivered send to the same number under a new BizId."""
        text = (like.template_code, like.sign_name, like.content)
        send = Send(like.phone, self.biz_id(), out_id, *text, sent, sent + 1, "DELIVERED", "DELIVERED")
        self._insert(send, day)

    def _insert(self, send: Send, day: str) -> None:
        insort(self._rows[send.phone, day], send, key=attrgetter("sent"))

    def of_day(self, phone: str, day: str, biz_id: str = "") -> list[Send]:
        """The sends to one number on one Beijing day, the newest first; of one BizId only, if it is given."""
        rows = self._rows.get((phone, day), [])
        return [send for send in reversed(rows) if not biz_id or send.biz_id == biz_id]

    def between(self, first: str, last: str) -> Iterator[tuple[str, Send]]:
        """Every send of the Beijing days *first* to *last* (both included), with its day."""
        for (_phone, day), sends in self._rows.items():
            if first <= day <= last:
                yield from ((day, send) for send in sends)
        for message in self._messages.values():
            if first <= (day := day_of(message.sent)) <= last:
                yield day, message


def day_of(seconds: float) -> str:
    """The Beijing day (yyyyMMdd) of a time in seconds since 1970."""
    return beijing(seconds)[:10].replace("-", "")


def day_end(day: str) -> float:
    """The end of a Beijing day (yyyyMMdd), in seconds since 1970."""
    return (datetime.strptime(day, "%Y%m%d").replace(tzinfo=BEIJING) + timedelta(days=1)).timestamp()


def statistics(sends: Iterable[tuple[str, Send]], now: float) -> list[dict[str, object]]:
    """The rows of QuerySendStatistics at *now*: billed parts of each day, the newest first."""
    days: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for day, send in sends:
        row = days[day]
        row[0] += send.parts
        row[3 if send.waiting(now) else 1 if send.delivered else 2] += send.parts
    names = ("TotalCount", "RespondedSuccessCount", "RespondedFailCount", "NoRespondedCount")
    return [{"SendDate": day, **dict(zip(names, days[day], strict=True))} for day in sorted(days, reverse=True)]
