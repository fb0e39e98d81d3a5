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
from smsreceipt.output.records import safe

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

OUTCOMES_ZH = {
    Outcome.DELIVERED: "已送达",
    Outcome.FAILED: "失败",
    Outcome.EXPIRED: "已过期",
    Outcome.PENDING: "等待回执",
    Outcome.UNKNOWN: "未知",
    Outcome.CONNECTED: "已接通",
    Outcome.UNCONNECTED: "未接通",
    Outcome.APPROVING: "审核中",
    Outcome.APPROVED: "审核通过",
    Outcome.REJECTED: "审核未通过",
}
_UNITS_ZH = {"d": "天", "h": "小时", "min": "分", "s": "秒"}


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

    def outcome(self, outcome: Outcome | None) -> str:
        """The outcome in the user's language; nothing for a statement that has none."""
        return "" if outcome is None else self.say(outcome.value, OUTCOMES_ZH[outcome])

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


def outcome_text(outcome: Outcome | None, look: Look) -> Text:
    """The outcome in the user's language and its colour; nothing for a statement that has none."""
    return Text() if outcome is None else Text(look.outcome(outcome), OUTCOME_STYLE[outcome])


def plain_table(widths: Sequence[int], right: Sequence[bool], wrap: Sequence[bool] = ()) -> Table:
    """Columns side by side, two blanks apart; what does not fit is cut, or goes on in the next line with *wrap*."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
    for width, to_right, folds in zip(widths, right, wrap or [False] * len(widths), strict=True):
        table.add_column(
            width=width,
            no_wrap=not folds,
            overflow="fold" if folds else "ellipsis",
            justify="right" if to_right else "left",
        )
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


def elapsed(milliseconds: int, *, chinese: bool = False) -> str:
    """How long something took, as people say it: 0.4 s, 3 s, 2 min 5 s, 3 h 2 min, 2 d 4 h; or 2 分 5 秒."""
    sign, milliseconds = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    name = _UNITS_ZH.__getitem__ if chinese else str
    if milliseconds < 1000:
        return f"{sign}{milliseconds / 1000:.1f} {name('s')}" if milliseconds else f"0 {name('s')}"
    whole = timedelta(seconds=round(milliseconds / 1000))
    minutes, seconds = divmod(whole.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(whole.days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next(index for index, (amount, _) in enumerate(parts) if amount)
    return sign + " ".join(f"{amount} {name(unit)}" for amount, unit in parts[first : first + 2] if amount)


def ago(then: Instant, now: Instant, *, chinese: bool = False) -> str:
    """How long ago, in the one unit that matters."""
    amount, unit = elapsed(max(now - then, 0), chinese=chinese).split()[:2]
    return f"{amount} {unit}前" if chinese else f"{amount} {unit} ago"


def size(count: int) -> str:
    """Bytes as people say them."""
    amount = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError  # pragma: no cover - the loop ends at GB
