"""The objects of `watch`: changes of alarms, and what a test message to each robot came to."""

from __future__ import annotations

from dataclasses import dataclass

from smsreceipt.insight.alarms import texts
from smsreceipt.insight.alarms.state import Alarm
from smsreceipt.model import iso_beijing
from smsreceipt.output.columns import Cell, Column, View


def _number(value: float) -> float:
    return int(value) if value == int(value) else value


#: Drawn by terminal/alarms.py. *at*: when the state began. *window*: seconds.
ALARMS = View[Alarm](
    "Alarm",
    [
        Column(key="at", of="since", convert=iso_beijing),
        Column(key="rule", of="rule", convert=str),
        Column(key="state", of="firing", convert=lambda firing: "firing" if firing else "cleared"),
        Column(key="value", of="value", convert=_number),
        Column(key="threshold", of="threshold", convert=_number),
        Column(key="window", of="window"),
        Column(key="dimension", of="dimension"),
        Column(key="text_en", convert=texts.english),
        Column(key="text_zh", convert=texts.chinese),
        Column(key="command", convert=texts.command),
    ],
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test message to a robot came to."""

    robot: str
    told: bool
    seconds: float
    trouble: str  #: "" where it was told


TRIED = View[Tried](
    "Tried",
    [
        Column(key="robot", of="robot", head=("ROBOT", "机器人"), priority=9, min_width=12),
        Column(
            key="told",
            of="told",
            head=("TOLD", "送达"),
            cell=lambda row, display: Cell(
                display.localized("yes", "是") if row.told else display.localized("no", "否"),
                "green" if row.told else "red",
            ),
            priority=8,
        ),
        Column(
            key="seconds",
            of="seconds",
            head=("SECONDS", "秒"),
            cell=lambda row, _: f"{row.seconds:.1f}",
            right=True,
        ),
        Column(
            key="trouble",
            of="trouble",
            or_null=True,
            head=("WHY NOT", "原因"),
            priority=7,
            wrap=True,
            min_width=10,
        ),
    ],
)
