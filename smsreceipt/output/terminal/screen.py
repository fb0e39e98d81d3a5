"""Drawing with rich: escaped text, colours, plain tables, wrapped lines."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from smsreceipt.output.breaks import cuts
from smsreceipt.output.columns import Cell
from smsreceipt.output.display import Display
from smsreceipt.output.safe import safe


def draw(display: Display, *parts: RenderableType) -> str:
    """The parts as text, each from the start of a line, without blanks at line ends."""
    console = Console(
        file=io.StringIO(),
        width=max(display.width, 20),
        force_terminal=display.color,
        force_interactive=False,
        color_system="standard" if display.color else None,
        no_color=not display.color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())


def styled(cell: Cell | str) -> Text:
    """The text of a cell in its style, active characters escaped."""
    return text(cell) if isinstance(cell, str) else text(cell.text, cell.style)


def text(value: object, style: str = "") -> Text:
    """A value from outside as text, active characters escaped; None is ""."""
    return Text("" if value is None else safe(str(value)), style)


def plain_table(widths: Sequence[int], right: Sequence[bool], wrap: Sequence[bool] = ()) -> Table:
    """Columns two blanks apart. Values that are too long are cut, or with *wrap* go on in the next line."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
    for width, to_right, folds in zip(widths, right, wrap or [False] * len(widths), strict=True):
        table.add_column(
            width=width,
            no_wrap=not folds,
            overflow="fold" if folds else "ellipsis",
            justify="right" if to_right else "left",
        )
    return table


def wrapped(line: Text, width: int) -> list[Text]:
    """The text in lines of at most *width* columns, broken at blanks and between Chinese characters."""
    lines = list(line.divide(cuts(line.plain, width)))
    for each in lines:
        each.rstrip()
    return lines


def joined(items: Sequence[Text], display: Display) -> list[Text]:
    """The items with a dot between them, in lines that are broken between items where that is possible."""
    lines: list[Text] = []
    for item in items:
        if lines and lines[-1].cell_len + len(display.dot) + item.cell_len <= display.width:
            lines[-1].append(display.dot, "dim").append(item)
        else:
            lines.append(item.copy())
    return [piece for line in lines for piece in wrapped(line, display.width)]


def folded(line: str, width: int) -> list[str]:
    """A line in pieces of at most *width* columns, broken as wrapped() breaks; a longer word stays whole."""
    pieces = [each.plain for each in wrapped(Text(line), max(width, 20))]
    return pieces or [""]


def widest(cells: Sequence[Text]) -> int:
    """The width of the widest cell in terminal columns; Chinese characters take two."""
    return max((cell_len(cell.plain) for cell in cells), default=0)


def pairs(lines: Sequence[tuple[str, Text]], display: Display, style: str = "dim") -> RenderableType:
    """Names and values in two columns; long values are wrapped."""
    width = max((cell_len(name) for name, _ in lines), default=0)
    table = plain_table([width, max(display.width - width - 2, 9)], [False, False])
    table.columns[1].no_wrap, table.columns[1].overflow = False, "fold"
    for name, value in lines:
        table.add_row(Text(name, style), value)
    return table
