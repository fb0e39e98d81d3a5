"""The object of `config show`: one effective setting."""

from __future__ import annotations

from typing import NamedTuple

from smsreceipt.output.columns import Cell, Column, View


class SettingRow(NamedTuple):
    """One setting, its value, and its origin: option, environment, a file, locale or default."""

    name: str
    value: str
    origin: str


SETTINGS = View[SettingRow](
    "Setting",
    [
        Column(key="name", of="name", head=("NAME", "名称"), priority=9, min_width=12, wrap=True),
        Column(key="value", of="value", head=("VALUE", "值"), priority=8, min_width=12, wrap=True),
        Column(
            key="from",
            of="origin",
            head=("FROM", "来源"),
            cell=lambda row, _: Cell(row.origin, "dim"),
            priority=7,
            min_width=8,
            wrap=True,
        ),
    ],
)
