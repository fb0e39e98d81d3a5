"""How output is laid out for one user: terminal width, colours, language, masking."""

from __future__ import annotations

from dataclasses import dataclass

from smsreceipt.model import Instant, Outcome

_EPOCH = Instant(0)

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
class Display:
    """The display options that tables and screens are drawn with."""

    width: int = 80  #: columns of the terminal
    color: bool = False
    chinese: bool = False
    mask: bool = True  #: whether phone numbers and texts are masked
    unicode: bool = True  #: False: the terminal's encoding may lack box-drawing characters
    now: Instant = _EPOCH  #: the time from which ages are counted

    def localized(self, english: str, chinese: str) -> str:
        """The one of the two texts that is in the user's language."""
        return chinese if self.chinese else english

    def outcome(self, outcome: Outcome | None) -> str:
        """The outcome in the user's language; "" for a statement without one."""
        return "" if outcome is None else self.localized(outcome.value, OUTCOMES_ZH[outcome])

    @property
    def dot(self) -> str:
        """The separator between two items on one line."""
        return " · " if self.unicode else " - "
