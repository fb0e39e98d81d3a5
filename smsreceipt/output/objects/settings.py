"""The object of `config show`: one effective setting."""

from __future__ import annotations

from typing import NamedTuple

from smsreceipt.output.columns import Cell, Column, View
from smsreceipt.output.display import Display

_ZH = {
    "none": "无", "no": "否", "yes": "是", "the provider's": "平台默认",
    "default": "默认", "found": "默认位置", "environment": "环境变量", "option": "选项", "locale": "系统语言",
}  # fmt: skip


class SettingRow(NamedTuple):
    """One setting, its value, and its origin: option, environment, a file, locale or default."""

    name: str
    value: str
    origin: str


def _value(row: SettingRow, display: Display) -> str:
    """The value in a table; a name that somebody chose is not translated."""
    chosen = row.origin != "default" and row.value not in {"yes", "no"}
    return row.value if chosen else display.localized(row.value, _ZH.get(row.value, row.value))


SETTINGS = View[SettingRow](
    "Setting",
    [
        Column(key="name", of="name", head=("NAME", "名称"), priority=9, min_width=12, wrap=True),
        Column(
            key="value",
            of="value",
            head=("VALUE", "值"),
            cell=lambda row, display: Cell(_value(row, display)),
            priority=8,
            min_width=12,
            wrap=True,
        ),
        Column(
            key="from",
            of="origin",
            head=("FROM", "来源"),
            cell=lambda row, display: Cell(display.localized(row.origin, _ZH.get(row.origin, row.origin)), "dim"),
            priority=7,
            min_width=8,
            wrap=True,
        ),
    ],
)
