"""What one cell of a list says, without what programs and spreadsheets put around it."""

from __future__ import annotations

import re
from functools import lru_cache

from smsreceipt.language import N_, _
from smsreceipt.model import unguarded, visible

#: What databases, languages and people write where there is no value, casefolded.
_NOTHING = frozenset(
    ["null", "\\n", "none", "nan", "nat", "na", "n/a", "nil", "undefined", "#n/a", "#null!", "<na>", "<null>", "(null)",
     "[null]", "-", "--", "—", "——"]
)  # fmt: skip
_ZERO_DATE = re.compile(r"0000-00-00.*", re.ASCII)
_PLAIN = re.compile(r"(?!0000-)[\w^-]*[\d^]", re.ASCII)
is_plain = _PLAIN.fullmatch  #: whether a cell or an id is what it says, which is quick to find out
#: Nearly every BizId, and after a space the OutId or nothing: both are what they say. One search is quicker than two.
are_plain_ids = re.compile(r"[\d^]+ (?:[A-Za-z1-9][\w^-]*[\d^])?", re.ASCII).fullmatch
_WHOLE = re.compile(r"(\d+)\.0+", re.ASCII)
_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d*))?[eE](\+?)(\d{1,3})", re.ASCII)
ROUNDED = N_("a spreadsheet rounded this number: export the column as text")
_EXACT = 1 << 53  # the largest integer up to which a floating-point number holds every integer


class InvalidValue(Exception):
    """A field that cannot be parsed. The reason does not quote it."""


def cell(text: str) -> str:
    """The text of a cell: "" where it says nothing, without invisible characters and guards against spreadsheets."""
    if is_plain(text):
        return text
    text = unguarded(visible(text))
    return "" if text.casefold() in _NOTHING or _ZERO_DATE.fullmatch(text) else text


shared_cell = lru_cache(maxsize=4096)(cell)  #: for the values that many rows have in common


def whole_number(text: str) -> str:
    """The digits of a number that a program wrote as a fraction (7.0) or with an exponent; other text as it is.

    Raises InvalidValue if the number was rounded, so that its digits are lost.
    """
    if found := _WHOLE.fullmatch(text):
        digits = found[1]
        if int(digits) > _EXACT:
            raise InvalidValue(_(ROUNDED))
        return digits
    found = _SCIENTIFIC.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        return text
    fraction, exponent = found[2] or "", int(found[4])
    if len(fraction) < exponent or fraction[exponent:].strip("0") or exponent > 15:
        raise InvalidValue(_(ROUNDED))
    return found[1] + fraction[:exponent]
