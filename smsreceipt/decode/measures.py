"""What some receipts have beside identity and outcome: billed parts, the other numbers of a call.

A value that cannot be read never costs the receipt: it is None, and the receipt names its field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import Fields
from smsreceipt.model import Reason, billed_parts, normalise_phone

_MOST_PARTS = 1_000
_DIGITS = 24  # more say no more


@dataclass(frozen=True, slots=True)
class Measure:
    """How one value is worked out from fields of the object."""

    fields: tuple[str, ...]
    of: Callable[..., Any]  #: from the JSON values of the fields, None where one is absent; of one field, may refuse it


def parts(size: object) -> int | None:
    """The billed parts of an SMS: a number above 0. Raises Refused for what is no number."""
    if size is None or size == "":
        return None
    if isinstance(size, bool) or not isinstance(size, (str, int)):
        raise Refused(Reason.TYPE)
    return _count(str(size)[:_DIGITS]) or None


@lru_cache(maxsize=256)
def _count(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise Refused(Reason.TYPE)
    return min(int(digits[:6]), _MOST_PARTS)


def parts_of_text(text: object) -> int | None:
    """The billed parts of an SMS with this text, which includes the signature. Raises Refused for what is no text."""
    if not isinstance(text, str | None):
        raise Refused(Reason.TYPE)
    return billed_parts(len(text)) if text else None


def numbers(peer: object, *others: object) -> str:
    """The other numbers of a call, with spaces between them; first the peer's, or "-" where there is none.

    Numbers that cannot be read, hidden ones for example, are left out.
    """
    known = _number(peer) if peer else ""
    further: list[str] = []
    for value in filter(None, others):
        number = _number(value)
        if number and number not in further:
            further.append(number)
    if further:
        return f"{known or '-'} {' '.join(further)}"
    return known


def _number(value: object) -> str:
    text = str(value) if isinstance(value, (str, int)) else ""
    if text.isdigit() and text.isascii() and (len(text) == 11 or not text.startswith(("86", "00"))):
        return text
    number = normalise_phone(text)
    return number if number.isascii() and number.isdigit() else ""


def reader_of(measure: Measure | None) -> Callable[[Fields], Any]:
    """Compile a measure; the reader of none returns None."""
    if measure is None:
        return lambda _: None
    names, of = measure.fields, measure.of
    return lambda fields: of(*map(fields.get, names))
