"""Invented values for generated messages: phone numbers, names, times and unique numbers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

#: Phone numbers of these blocks are not assigned.
BLOCKS = ("1380000", "1390000", "1370000", "1590000", "1860000")
SIGNATURES = ("示例商城", "云南茶庄", "小满物流", "测试医院", "青鸟出行", "禾木银行")
NAMES = ("王小明", "李雷", "韩梅梅", "欧阳雪", "赵一鸣", "陈晨", "马丽娜·艾力", "龚䶮")
REPLIES = ("T", "TD", "退订", "1", "已收到，谢谢！", "明天下午三点可以吗？😀", "好的👌", "请不要再发了", "Y")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt and its message type."""

    kind: str
    body: dict[str, object]


class Faker:
    """Draws values for the scenarios of one run from *rng*. Time starts at *morning* and moves on."""

    def __init__(self, rng: random.Random, morning: datetime) -> None:
        self.rng = rng
        self._now = morning
        self._serial = count(rng.randrange(10**6, 10**7))

    def moment(self) -> datetime:
        """The time of the next event. After twelve hours it starts again at nine o'clock of the same day."""
        start = self._now.replace(hour=9, minute=0, second=0)
        self._now += timedelta(seconds=self.rng.randrange(1, 12))
        if self._now - start > timedelta(hours=12):
            self._now = start
        return self._now

    def serial(self) -> int:
        """A number that is unique in this run."""
        return next(self._serial)

    def phone(self) -> str:
        """A mainland mobile number that is not assigned."""
        return f"{self.rng.choice(BLOCKS)}{self.rng.randrange(10_000):04d}"

    def choice(self, *choices: str) -> str:
        """One of *choices*."""
        return self.rng.choice(choices)

    def chance(self, share: float) -> bool:
        """True with the probability *share*."""
        return self.rng.random() < share


#: Yields the receipts of one case: an SMS, a call, a review.
Scenario = Callable[[Faker], Iterator[Receipt]]


def wall_clock(moment: datetime) -> str:
    """*moment* as the provider prints it: YYYY-MM-DD HH:MM:SS, without a zone."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def later(moment: datetime, seconds: int) -> datetime:
    """*moment* plus *seconds*."""
    return moment + timedelta(seconds=seconds)


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return int(moment.timestamp() * 1000)
