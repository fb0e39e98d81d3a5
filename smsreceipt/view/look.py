"""For whom a screen is drawn: width, colours, language, and what must stay covered."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from smsreceipt.model import BEIJING, Instant, Outcome
from smsreceipt.records import safe

#: Colours of the terminal's own palette that can be read on dark and on light; yellow and white cannot.
OUTCOME_STYLE = {
    Outcome.DELIVERED: "green",
    Outcome.CONNECTED: "green",
    Outcome.APPROVED: "green",
    Outcome.FAILED: "red",
    Outcome.EXPIRED: "red",
    Outcome.REJECTED: "red",
    Outcome.UNCONNECTED: "magenta",
    Outcome.PENDING: "cyan",
    Outcome.APPROVING: "cyan",
    Outcome.UNKNOWN: "magenta",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw."""

    width: int = 80
    color: bool = False
    chinese: bool = False
    mask: bool = True
    unicode: bool = True  #: False: the terminal's encoding may lack lines and dots

    def draw(self, *parts: RenderableType) -> str:
        """The parts as text, each from the start of a line, blanks at line ends removed."""
        console = Console(
            file=io.StringIO(),
            width=max(self.width, 20),
            force_terminal=self.color,
            force_interactive=False,
            color_system="standard" if self.color else None,
            no_color=not self.color,
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

    def say(self, english: str, chinese: str) -> str:
        """The one in the user's language."""
        return chinese if self.chinese else english

    @property
    def dot(self) -> str:
        """Between two things on one line."""
        return " · " if self.unicode else " - "

    @property
    def ellipsis(self) -> str:
        """Where something was cut."""
        return "…" if self.unicode else "~"


def text(value: object, style: str = "") -> Text:
    """Anything from outside, harmless; None as nothing."""
    return Text("" if value is None else safe(str(value)), style)


def outcome_text(outcome: Outcome | None, word: str = "") -> Text:
    """The outcome in its colour; nothing for a statement that has none."""
    if outcome is None:
        return Text(word)
    return Text(word or outcome.value, OUTCOME_STYLE[outcome])


def plain_table(widths: Sequence[int], right: Sequence[bool]) -> Table:
    """Columns side by side, two blanks apart, cut where they do not fit."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
    for width, to_right in zip(widths, right, strict=True):
        table.add_column(width=width, no_wrap=True, overflow="ellipsis", justify="right" if to_right else "left")
    return table


#: Chinese text may be broken between any two characters, but a line neither starts nor ends with these.
_NEVER_FIRST = frozenset("，。、；：！？）】》」』”’％…,.;:!?)]}%")
_NEVER_LAST = frozenset("（【《「『“‘([{")


def wrapped(line: Text, width: int) -> list[Text]:
    """The text in lines of at most *width* columns, broken at blanks and between Chinese characters."""
    plain, cuts = line.plain, []
    start = fits = used = 0
    for index, char in enumerate(plain):
        if index > start and _breakable(plain[index - 1], char):
            fits = index
        columns = cell_len(char)
        while used + columns > width and not char.isspace():
            start = fits if fits > start else index
            cuts.append(start)
            used = cell_len(plain[start:index])
        used += columns
    lines = list(line.divide(cuts))
    for each in lines:
        each.rstrip()
    return lines


def _breakable(before: str, after: str) -> bool:
    if after.isspace() or before in _NEVER_LAST or after in _NEVER_FIRST:
        return False
    return before.isspace() or cell_len(before) > 1 or cell_len(after) > 1


def widest(cells: Sequence[Text]) -> int:
    """Columns that the widest cell takes; Chinese characters take two."""
    return max((cell_len(cell.plain) for cell in cells), default=0)


def wall_clock(at: Instant, *, year: bool = False) -> str:
    """Beijing time to the second, with the year only where it matters."""
    return datetime.fromtimestamp(at // 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S" if year else "%m-%d %H:%M:%S")


def elapsed(milliseconds: int) -> str:
    """How long something took, as people say it: 0.4 s, 3 s, 2 min 5 s, 3 h 2 min, 2 d 4 h."""
    sign, milliseconds = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    if milliseconds < 1000:
        return f"{sign}{milliseconds / 1000:.1f} s" if milliseconds else "0 s"
    whole = timedelta(seconds=round(milliseconds / 1000))
    minutes, seconds = divmod(whole.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(whole.days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next(index for index, (amount, _) in enumerate(parts) if amount)
    return sign + " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


def ago(then: Instant, now: Instant) -> str:
    """How long ago, in the one unit that matters."""
    amount, unit = elapsed(max(now - then, 0)).split()[:2]
    return f"{amount} {unit} ago"


def size(count: int) -> str:
    """Bytes as people say them."""
    amount = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError  # pragma: no cover - the loop ends at GB
