"""The object of `doctor`: what one check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from smsreceipt.output.columns import Column, View

Words = tuple[str, str]  #: a sentence in English and in Chinese
NOTHING: Words = ("", "")


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"  #: it works, but a person should look
    FAIL = "fail"  #: something does not work
    SKIPPED = "skipped"  #: there is nothing to check, or another failure stands in the way


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check."""

    check: str
    state: State
    found: Words
    fix: Words = NOTHING  #: the next command or step; empty where nothing is to be done
    code: int = 0  #: the exit code of a failure
    seconds: float = 0.0


def _english(words: Words) -> str | None:
    return words[0] or None


#: JSON and CSV are in English; the screen is drawn in the user's language.
FINDINGS = View[Finding](
    "Finding",
    [
        Column(key="check", of="check"),
        Column(key="state", of="state"),
        Column(key="found", of="found", convert=_english),
        Column(key="fix", of="fix", convert=_english),
        Column(key="seconds", of="seconds", convert=lambda seconds: round(seconds, 3)),
    ],
)
