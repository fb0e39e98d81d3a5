"""Numbers as tables print them, which cannot be searched for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from smsreceipt.errors import UsageError
from smsreceipt.language import _


def refuse_masked(words: Iterable[str]) -> None:
    """Raise UsageError for a number as tables print it: 138****0001 is the number of many."""
    if any(re.search(r"\d\*{2,}", word) for word in words):
        raise UsageError(
            _("a masked number finds nothing: the whole number is needed"), hint=_("Tables print it with --reveal.")
        )
