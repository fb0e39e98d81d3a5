"""The lines of `watch` on a terminal: a change of an alarm, and the command to run next."""

from __future__ import annotations

from rich.text import Text

from smsreceipt.insight.alarms import texts
from smsreceipt.insight.alarms.state import Alarm
from smsreceipt.output.display import Display
from smsreceipt.output.formatting import wall_clock
from smsreceipt.output.terminal.screen import draw, text, wrapped


def change(alarm: Alarm, display: Display) -> str:
    """The time, the sentence in the user's language, and below it the command."""
    mark, style = ("!", "red") if alarm.firing else ("-" if not display.unicode else "✓", "green")
    sentence = display.localized(texts.english(alarm), texts.chinese(alarm))
    head = f"{wall_clock(alarm.since)}  "
    lines = wrapped(text(sentence), max(display.width - len(head) - 2, 20))
    drawn = [Text.assemble((head, "dim"), (f"{mark} ", style), lines[0] if lines else Text(""))]
    indent = " " * (len(head) + 2)
    drawn += [Text(indent).append(line) for line in lines[1:]]
    if alarm.firing:
        drawn.append(Text(f"{indent}{texts.command(alarm)}", "dim"))
    return draw(display, *drawn)
