"""Whether the messages that are counted in advance are those of the log, without a second count in memory.

Tallies are sums, and so is a digest of them: each row's hash times its values. The digest of a day's tallies is the sum
of those of its messages, in whatever slices these are read. A day whose digests differ is counted exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from smsreceipt.model import date_of
from smsreceipt.model.facts import Place
from smsreceipt.store.checking.faults import Fault, Finding
from smsreceipt.store.tallies import KEY, OF_PLACE, VIEWS, Key, Message, Sums

_BITS = (1 << 64) - 1
_WEIGHTS = (1, 1_000_003, 998_244_353)

Rows = Mapping[Key, Sequence[int]]
Correction = tuple[Message, int]  #: a message that is counted, with sign -1 or 1 for what it should be


class TalliedDay(Protocol):
    """What the tallies of one day are compared with, all of one moment."""

    @property
    def messages(self) -> Sequence[Message]:
        """Those of the log, up to the seq that is counted."""

    @property
    def changes(self) -> Sequence[tuple[int, Message]]:
        """What is noted and not in the rows yet: 1 or -1, message."""

    @property
    def rows(self) -> Rows:
        """The rows of the tallies."""


class Digests:
    """Digests of tallies by view and day."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._sums: dict[tuple[int, int], int] = defaultdict(int)
        self.days: set[int] = set()

    def add(self, messages: Sequence[Message], sign: int = 1) -> None:
        """Add messages of the log."""
        sums = Sums(self._place)
        sums.add(messages, sign)
        self.add_rows(sums.rows.items())

    def add_rows(self, rows: Iterable[tuple[Key, Sequence[int]]], sign: int = 1) -> None:
        """Add rows of tallies."""
        for key, values in rows:
            weighed = sum(weight * value for weight, value in zip(_WEIGHTS, values, strict=True))
            # The hashes of -1 and -2 are the same, and both may stand for seconds.
            self._sums[key[:2]] += sign * hash((key, key[-1] + 2)) * weighed
            self.days.add(key[1])

    def differing(self, views: Iterable[int]) -> list[int]:
        """The days of which something is left, of these views."""
        wanted = set(views)
        return sorted({day for (view, day), left in self._sums.items() if view in wanted and left & _BITS})


def checked_views(known: str, place: Place) -> list[int]:
    """The views that can be checked: those of places only with the table of places that made them."""
    return [view for view in VIEWS if view not in OF_PLACE or known == place.version]


def expected_rows(day: TalliedDay, corrections: Iterable[Correction], place: Place) -> dict[Key, list[int]]:
    """The rows that the tallies of a day must have."""
    sums = Sums(place)
    sums.add(day.messages)
    for message, sign in corrections:
        sums.add([message], sign)
    for sign, message in day.changes:
        sums.add([message], -sign)
    return {key: values for key, values in sums.rows.items() if any(values)}


def day_faults(number: int, expected: Rows, stored: Rows, views: Iterable[int]) -> Iterator[Fault]:
    """Every row of a day's tallies that is wrong."""
    wanted = set(views)
    for key in sorted(expected.keys() | stored.keys()):
        was, right = stored.get(key), expected.get(key)
        if key[0] in wanted and list(was or ()) != list(right or ()) and any([*(was or ()), *(right or ())]):
            named = zip(KEY[2:], key[2:], strict=True)
            told = (date_of(number).isoformat(), *(f"{name}={value}" for name, value in named if value not in ("", -1)))
            yield Fault(finding=Finding.TALLY, identity=told, stored=_told(was), expected=_told(right), unit=number)


def _told(values: Sequence[int] | None) -> dict[str, int] | None:
    return None if values is None else dict(zip(("messages", "parts", "untold"), values, strict=True))
