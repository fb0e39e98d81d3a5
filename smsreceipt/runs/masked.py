"""Numbers as tables print them, which cannot be searched for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.model.written import separated


def separate_numbers(words: Iterable[str]) -> list[str]:
    """The numbers in the words, which may have several with commas between them. Raises UsageError for a masked one."""
    found = separated(*words)
    refuse_masked(found)
    return found


def refuse_masked(words: Iterable[str]) -> None:
    """Raise UsageError for a number as tables print it: 138****0001 is the number of many."""
    if any(re.search(r"\d\*{2,}", word) for word in words):
        raise UsageError(
            _("a masked number finds nothing: the whole number is needed"), hint=_("Tables print it with --reveal.")
        )
