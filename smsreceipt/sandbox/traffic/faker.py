"""What generated messages are made of: people, numbers, names and moments that are plainly invented."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

#: Numbers of these blocks were never handed out.
BLOCKS = ("1380000", "1390000", "1370000", "1590000", "1860000")
SIGNATURES = ("示例商城", "云南茶庄", "小满物流", "测试医院", "青鸟出行", "禾木银行")
NAMES = ("王小明", "李雷", "韩梅梅", "欧阳雪", "赵一鸣", "陈晨", "马丽娜·艾力", "龚䶮")
REPLIES = ("T", "TD", "退订", "1", "已收到，谢谢！", "明天下午三点可以吗？😀", "好的👌", "请不要再发了", "Y")


@dataclass(frozen=True, slots=True)
class Piece:
    """One receipt and the message type that carries it."""

    kind: str
    body: dict[str, object]


class Teller:
    """Gives stories their dice, a day that goes on, and identities that come once."""

    def __init__(self, dice: random.Random, morning: datetime) -> None:
        self.dice = dice
        self._now = morning
        self._serial = count(dice.randrange(10**6, 10**7))

    def moment(self) -> datetime:
        """When the next thing happens: within the same twelve hours, however many follow."""
        start = self._now.replace(hour=9, minute=0, second=0)
        self._now += timedelta(seconds=self.dice.randrange(1, 12))
        if self._now - start > timedelta(hours=12):
            self._now = start
        return self._now

    def serial(self) -> int:
        """A number that no other story of this run has."""
        return next(self._serial)

    def phone(self) -> str:
        """A mainland mobile number that belongs to nobody."""
        return f"{self.dice.choice(BLOCKS)}{self.dice.randrange(10_000):04d}"

    def some(self, *choices: str) -> str:
        """One of these."""
        return self.dice.choice(choices)

    def chance(self, share: float) -> bool:
        """True that often."""
        return self.dice.random() < share


Story = Callable[[Teller], Iterator[Piece]]


def clock(moment: datetime) -> str:
    """Wall-clock text without a zone."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def later(moment: datetime, seconds: int) -> datetime:
    """So many seconds on."""
    return moment + timedelta(seconds=seconds)


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)
