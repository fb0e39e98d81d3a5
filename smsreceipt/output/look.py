"""For whom something is shown: width, colours, language, and what must stay masked."""

from __future__ import annotations

from dataclasses import dataclass

from smsreceipt.model import Instant, Outcome

_LONG_AGO = Instant(0)

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


@dataclass(frozen=True, slots=True)
class Look:
    """How to show things to this user."""

    width: int = 80
    color: bool = False
    chinese: bool = False
    mask: bool = True
    unicode: bool = True  #: False: the terminal's encoding may lack lines and dots
    now: Instant = _LONG_AGO  #: ages are those at this time

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
