"""Values and cells that several objects share."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from smsreceipt.model import Instant, Outcome, iso_beijing
from smsreceipt.output.columns import Cell

if TYPE_CHECKING:
    from smsreceipt.output.display import Display

#: Colours of the terminal's palette that are legible on dark and light backgrounds; yellow and white are not.
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

_second = lru_cache(maxsize=8192)(lambda second: iso_beijing(Instant(second * 1000)))


def at_second(at: Instant | None) -> str | None:
    """ISO 8601 in whole seconds with +08:00; None where there is no time."""
    return None if at is None else _second(at // 1000)


def outcome_cell(outcome: Outcome | None, display: Display) -> Cell:
    """The outcome in the user's language and its colour; an empty cell for a statement without one."""
    return Cell("") if outcome is None else Cell(display.outcome(outcome), OUTCOME_STYLE[outcome])
