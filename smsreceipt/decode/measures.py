"""What some receipts have beside identity and outcome: billed parts, seconds of a call, the other numbers of a call.

What cannot be read is None and never costs the receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from smsreceipt.decode import times
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import Fields
from smsreceipt.model import Instant, Outcome, Receipt, billed_parts, normalise_phone

#: The fields of Receipt that need not be given, in their order: those that a Measure may fill.
FURTHER = Receipt.__struct_fields__[len(Receipt.__struct_fields__) - len(Receipt.__struct_defaults__) :]
_MOST_PARTS = 1_000
_DIGITS = 24  # more say no more

_Reader = Callable[[Fields, Outcome | None], Any]
Measured = Callable[[Fields, Outcome | None], Sequence[Any]]  #: returns the first values of FURTHER


@dataclass(frozen=True, slots=True)
class Measure:
    """How one value is worked out from fields of the object."""

    fields: tuple[str, ...]
    of: Callable[..., Any]  #: from the JSON values of the fields, None where a field is absent; never raises
    only: Outcome | None = None  #: only a receipt with this outcome has the number


def parts(*sizes: object) -> int | None:
    """The billed parts of an SMS: the first of these sizes that is a number above 0."""
    for size in sizes:
        if isinstance(size, (str, int)) and (count := _count(str(size)[:_DIGITS])):
            return count
    return None


@lru_cache(maxsize=256)
def _count(digits: str) -> int:
    return min(int(digits[:6]), _MOST_PARTS) if digits.isascii() and digits.isdigit() else 0


def parts_of_text(text: object) -> int | None:
    """The billed parts of an SMS with this text, which includes the signature."""
    return billed_parts(len(text)) if text and isinstance(text, str) else None


def seconds_between(begin: object, end: object) -> int | None:
    """The whole seconds from one time to a later one."""
    first, last = _instant(begin), _instant(end)
    return None if first is None or last is None or last < first else (last - first) // 1000


def numbers(peer: object, *others: object) -> str:
    """The other numbers of a call, with spaces between them; first the peer's, or "-" where there is none.

    Numbers that cannot be read, hidden ones for example, are left out.
    """
    known = _number(peer)
    further = " ".join(dict.fromkeys(each for value in others if value is not None and (each := _number(value))))
    return f"{known or '-'} {further}".rstrip() if known or further else ""


def _number(value: object) -> str:
    if type(value) is str and len(value) == 11 and value.isascii() and value.isdigit():
        return value
    number = normalise_phone(str(value)) if isinstance(value, (str, int)) else ""
    return number if number.isascii() and number.isdigit() else ""


def _instant(value: object) -> Instant | None:
    try:
        return times.instant(str(value))
    except Refused:
        return None


def measured(measures: Mapping[str, Measure]) -> Measured:
    """Compile the measures of a dialect, by the field of Receipt that each fills."""
    readers = [_reader(measures[name]) if name in measures else _none for name in FURTHER]
    while readers and readers[-1] is _none:
        readers.pop()
    return lambda fields, outcome: [read(fields, outcome) for read in readers]


def _reader(measure: Measure) -> _Reader:
    names, of, only = measure.fields, measure.of, measure.only

    def read(fields: Fields, outcome: Outcome | None) -> Any:
        return of(*[fields.get(name) for name in names]) if only is None or outcome is only else None

    return read


def _none(_fields: Fields, _outcome: Outcome | None) -> None:
    """The reader of a number that the dialect does not have."""
