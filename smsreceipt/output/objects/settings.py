"""Effective settings, as `config show` lists them."""

from __future__ import annotations

from typing import NamedTuple

from smsreceipt.output.columns import Cell, Column, Shown


class SettingRow(NamedTuple):
    """One setting, its value, and where that comes from."""

    name: str
    value: str
    origin: str


SETTINGS = Shown[SettingRow](
    "Setting",
    [
        Column(key="name", of="name", head=("NAME", "名称"), cell=lambda row, _: row.name, keep=9, least=12, wrap=True),
        Column(
            key="value", of="value", head=("VALUE", "值"), cell=lambda row, _: row.value, keep=8, least=12, wrap=True
        ),
        Column(
            key="from",
            of="origin",
            head=("FROM", "来源"),
            cell=lambda row, _: Cell(row.origin, "dim"),
            keep=7,
            least=8,
            wrap=True,
        ),
    ],
)
