"""Rows of an object in columns that fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from smsreceipt.output.columns import Column, Shown
from smsreceipt.output.look import Look
from smsreceipt.output.terminal.screen import draw, plain_table, styled, widest

T = TypeVar("T")

_CUT_BEFORE = 5  # columns that are worth less than this go before others are cut


class Table(Generic[T]):
    """A table that can be drawn piece by piece: the first rows decide the layout, later ones follow it."""

    def __init__(self, look: Look, shown: Shown[T]) -> None:
        self._look = look
        self._masked = shown.masked if look.mask else None
        self._columns = [column for column in shown.columns if column.cell is not None]
        self._widths: list[int] = []

    def draw(self, rows: Sequence[T], *, more: bool = False) -> str:
        """The rows as text; the heads above the first ones. *more*: other rows may follow."""
        parts: list[RenderableType] = []
        shown = [self._masked(row) for row in rows] if self._masked else rows
        if not self._widths:
            self._settle(shown, more=more)
            parts.append(self._table([[Text(self._head(column), "dim") for column in self._columns]]))
        if shown:
            parts.append(self._table([[self._cell(column, row) for column in self._columns] for row in shown]))
        return draw(self._look, *parts)

    def _head(self, column: Column[T]) -> str:
        return self._look.say(*column.head)

    def _cell(self, column: Column[T], row: T) -> Text:
        assert column.cell is not None  # noqa: S101 - only such columns are in a table
        return styled(column.cell(row, self._look))

    def _table(self, rows: Sequence[Sequence[Text]]) -> RenderableType:
        columns = self._columns
        table = plain_table(self._widths, [column.right for column in columns], [column.wrap for column in columns])
        for row in rows:
            table.add_row(*row)
        return table

    def _settle(self, rows: Sequence[T], *, more: bool) -> None:
        """Shorten or give up the least columns, then cut the wide ones, then give up more, until the rest fits."""

        def width(column: Column[T]) -> int:
            seen = widest([self._cell(column, row) for row in rows])
            return max(seen, column.least, column.roomy) if more else seen

        self._columns = [column for column in self._columns if column.least or not rows or width(column)]
        widths = [max(width(column), cell_len(self._head(column))) for column in self._columns]
        while not self._cut(widths) and len(self._columns) > 1:
            at = min(range(len(widths)), key=lambda index: self._columns[index].keep)
            narrow = self._columns[at].narrow
            if narrow is None:
                del self._columns[at], widths[at]
            else:
                self._columns[at] = narrow
                widths[at] = max(width(narrow), cell_len(self._head(narrow)))
        self._widths = [min(each, self._look.width) for each in widths]

    def _cut(self, widths: list[int]) -> bool:
        """Make them fit if that takes no more than cutting what may be cut; False when it takes more."""
        over = sum(widths) + 2 * (len(widths) - 1) - self._look.width
        if over > 0 and min(column.keep for column in self._columns) < _CUT_BEFORE:
            return False
        spare = {
            index: max(widths[index] - max(column.least, cell_len(self._head(column))), 0)
            for index, column in enumerate(self._columns)
            if column.least
        }
        if over > sum(spare.values()):
            return False
        for index in sorted(spare, key=lambda index: -widths[index]):
            taken = min(spare[index], max(over, 0))
            widths[index] -= taken
            over -= taken
        return True
