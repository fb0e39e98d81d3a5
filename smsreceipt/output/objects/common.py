"""Values and cells that several objects show in the same way."""

from __future__ import annotations

from functools import lru_cache

from smsreceipt.model import Instant, Outcome, iso_beijing
from smsreceipt.output.columns import Cell
from smsreceipt.output.look import Look

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

_second = lru_cache(maxsize=8192)(lambda second: iso_beijing(Instant(second * 1000)))


def at_second(at: Instant | None) -> str | None:
    """ISO 8601 in whole seconds with +08:00; null where there is no time."""
    return None if at is None else _second(at // 1000)


def outcome_cell(outcome: Outcome | None, look: Look) -> Cell:
    """The outcome in the user's language and its colour; nothing for a statement that has none."""
    return Cell("") if outcome is None else Cell(look.outcome(outcome), OUTCOME_STYLE[outcome])
