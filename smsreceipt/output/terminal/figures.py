"""Lines of figures: a name, a value, how it changed, a sparkline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from smsreceipt.output.display import Display
from smsreceipt.output.terminal.screen import joined


class Figure(NamedTuple):
    """One line of the summary."""

    name: str
    value: str = ""
    change: Text = Text()
    chart: str = ""
    note: str = ""  #: what the chart shows, or what the value means
    across: Sequence[str] = ()  #: several values, which take the place of all that


def lay_out(figures: Sequence[Figure], display: Display) -> Iterator[Text]:
    """The lines in columns. On a narrow terminal, charts and notes are left out before changes are."""
    names, values, changes = (
        max(map(cell_len, column))
        for column in zip(*((each.name, each.value, each.change.plain) for each in figures), strict=True)
    )
    for each in figures:
        name = Text(each.name + " " * (names - cell_len(each.name) + 2))
        if each.across:
            first, *rest = each.across
            yield from joined([name.append(first), *map(Text, rest)], display)
        else:
            value = " " * (values - cell_len(each.value)) + each.value
            line = name.append(value, "" if each.name.startswith(" ") else "bold")
            _append(line, each, changes, display)
            yield line


def _append(line: Text, figure: Figure, changes: int, display: Display) -> None:
    """Append what there is room for: the change, in a column of *changes*; the chart; the note."""
    if changes and changes + 2 <= display.width - line.cell_len:
        line.append("  ").append(figure.change).append(" " * (changes - figure.change.cell_len))
    for blanks, what, style in ((4, figure.chart, "cyan"), (2 if figure.chart else 4, figure.note, "dim")):
        if what:
            if blanks + cell_len(what) > display.width - line.cell_len:
                return
            line.append(" " * blanks).append(what, style)
