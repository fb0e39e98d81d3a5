"""Whole answers out of pages that may lie: their rows have no id, there is no cursor, totals have been seen not to fit.

An answer counts when its pages and its total agree, or when a second reading of all pages says the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

PAGE = 50  #: rows, the most that a page may have
READINGS = 3  #: after which an answer that is still in doubt is called unstable
_PAGES = 100  #: of one reading: far beyond what one number can be sent in a day
#: What the provider still changes about a row; everything else tells it from others.
_CHANGING = frozenset({"SendStatus", "ErrCode", "ReceiveDate"})


class Page:
    """One page of QuerySendDetails."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        listed = answer.get("SmsSendDetailDTOs")
        rows = listed.get("SmsSendDetailDTO") if isinstance(listed, dict) else listed
        self._rows: list[object] = rows if isinstance(rows, list) else []
        self.total = number(answer.get("TotalCount"))  #: None: it does not say, or not in a number
        self.mute = self.total is None and not isinstance(rows, list)  #: it says neither what there is nor how much

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def whole(self) -> bool:
        """Whether this first page is all there is, and says so. Nothing at all is not taken at its word."""
        return 0 < len(self._rows) == self.total and self.total < PAGE

    @cached_property
    def bodies(self) -> list[bytes]:
        """The rows, each as compact JSON."""
        return [compact(row) for row in self._rows]

    @cached_property
    def keys(self) -> list[bytes]:
        """What tells the rows apart, whatever has become of them meanwhile."""
        return [
            compact({name: row[name] for name in row if name not in _CHANGING}) if isinstance(row, dict) else body
            for row, body in zip(self._rows, self.bodies, strict=True)
        ]


class Reading:
    """All pages, read once from the first to the last."""

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._repeated = False  # a row was on two pages, so that another may have been on none
        self._idle = 0  # so many of the last pages added nothing
        self._once: dict[bytes, list[bytes]] = {}  # as often as they are on one page
        self._each: dict[bytes, list[bytes]] = {}  # as often as they are on all pages together

    def add(self, page: Page) -> bool:
        """Take the next page; return whether it is no use to ask for another."""
        again = len(page) > 0 and any(page.bodies == earlier.bodies for earlier in self._pages)
        rows = _grouped(page)
        fresh = rows.keys() - self._once.keys()
        self._repeated |= len(fresh) < len(rows)
        self._idle = 0 if fresh else self._idle + 1
        self._pages.append(page)
        for key, bodies in rows.items():
            if len(bodies) >= len(self._once.get(key, ())):
                self._once[key] = bodies
            if not again:
                self._each.setdefault(key, []).extend(bodies)
        read, announced = len(self._pages), -(-(page.total or 0) // PAGE)
        return read >= _PAGES or self._idle > 1 or (read >= announced and (len(page) < PAGE or not fresh))

    @cached_property
    def total(self) -> int | None:
        """What all pages say there is; None where they do not say the same."""
        said = {page.total for page in self._pages}
        return said.pop() if len(said) == 1 else None

    @cached_property
    def rows(self) -> dict[bytes, list[bytes]]:
        """The rows by their key. A row on two pages has moved meanwhile, unless the total says that it is two."""
        return self._each if _count(self._each) == self.total else self._once

    @property
    def sound(self) -> bool:
        """Whether there is nothing to doubt. Of no rows there is: empty lists came for sends that are there."""
        return not self._repeated and 0 < _count(self.rows) == self.total

    @property
    def lacks(self) -> bool:
        """Whether the provider says on any page that there are more rows than it gave, or says nothing at all."""
        return any(page.mute or (page.total is not None and page.total > _count(self.rows)) for page in self._pages)

    def agrees(self, other: Reading) -> bool:
        """Whether two readings found the same rows, and neither has word of more."""
        alike = Counter({key: len(bodies) for key, bodies in self.rows.items()})
        return alike == {key: len(bodies) for key, bodies in other.rows.items()} and not (self.lacks or other.lacks)


class Readings:
    """What several readings of the same pages come to."""

    def __init__(self) -> None:
        self._all: list[Reading] = []
        self.settled = False  #: whether the last reading needs no other

    def add(self, reading: Reading) -> None:
        """Take one more."""
        known = {key for earlier in self._all for key in earlier.rows}
        agreed = reading.sound or any(reading.agrees(earlier) for earlier in self._all)
        self.settled = agreed and known <= reading.rows.keys()
        self._all.append(reading)

    def rows(self) -> tuple[bytes, ...]:
        """The rows of the last reading; while nothing is settled, what all of them found."""
        found: dict[bytes, list[bytes]] = {}
        for reading in self._all[-1:] if self.settled else self._all:
            for key, bodies in reading.rows.items():
                if len(bodies) >= len(found.get(key, ())):
                    found[key] = bodies
        return tuple(body for bodies in found.values() for body in bodies)


def number(value: object) -> int | None:
    """A count that may be spelled as text; None for everything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def compact(value: object) -> bytes:
    """JSON without blanks, in UTF-8, names in their order; half characters stay the escapes they came as."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _grouped(page: Page) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for key, body in zip(page.keys, page.bodies, strict=True):
        found.setdefault(key, []).append(body)
    return found


def _count(rows: Mapping[bytes, list[bytes]]) -> int:
    return sum(map(len, rows.values()))
