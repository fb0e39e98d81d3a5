"""Re-read paginated results until two passes agree: rows have no id, there is no cursor, and totals may be wrong.

An answer is complete when its pages and its total agree, or when a second reading of all pages finds the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

PAGE = 50  #: rows, the most that a page may have
READINGS = 3  #: of all pages, after which an answer that does not agree is unstable
_PAGES = 100  # of one reading: far more than one number can be sent in a day
#: The fields of a row that the provider still changes; the others tell rows apart.
_CHANGING = frozenset({"SendStatus", "ErrCode", "ReceiveDate"})


class Page:
    """One page of QuerySendDetails."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._rows = _listed(answer) or []
        self.total = number(answer.get("TotalCount"))  #: None: absent, or no number

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def whole(self) -> bool:
        """Whether this first page holds all rows by its own total. An empty page is not believed."""
        return 0 < len(self._rows) == self.total and self.total < PAGE

    @cached_property
    def bodies(self) -> list[bytes]:
        """The rows, each as compact JSON."""
        return [compact(row) for row in self._rows]

    @cached_property
    def keys(self) -> list[bytes]:
        """What identifies each row, also after its status has changed."""
        return [
            compact({name: row[name] for name in row if name not in _CHANGING}) if isinstance(row, dict) else body
            for row, body in zip(self._rows, self.bodies, strict=True)
        ]


def is_page(answer: Mapping[str, Any]) -> bool:
    """Whether an answer has a list of rows or their total. One with neither does not say that there are no rows."""
    return _listed(answer) is not None or number(answer.get("TotalCount")) is not None


def _listed(answer: Mapping[str, Any]) -> list[object] | None:
    listed = answer.get("SmsSendDetailDTOs")
    rows = listed.get("SmsSendDetailDTO") if isinstance(listed, dict) else listed
    return rows if isinstance(rows, list) else None


class Reading:
    """All pages, read once from the first to the last."""

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._repeated = False  # a row was on two pages, so another may have been on none
        self._idle = 0  # the last pages in a row that added nothing
        self._once: dict[bytes, list[bytes]] = {}  # rows by key, as often as one page has them
        self._each: dict[bytes, list[bytes]] = {}  # rows by key, as often as all pages have them

    def add(self, page: Page) -> bool:
        """Add the next page; return whether the reading is over."""
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
        """The total, if all pages have the same; else None."""
        totals = {page.total for page in self._pages}
        return totals.pop() if len(totals) == 1 else None

    @cached_property
    def rows(self) -> dict[bytes, list[bytes]]:
        """The rows by key. A row on two pages has moved between the requests, unless the total counts it twice."""
        return self._each if _count(self._each) == self.total else self._once

    @property
    def consistent(self) -> bool:
        """Whether rows and total agree. No rows never do: empty lists have been seen for sends that exist."""
        return not self._repeated and 0 < _count(self.rows) == self.total

    @property
    def incomplete(self) -> bool:
        """Whether any page announces more rows than were found."""
        return any(page.total is not None and page.total > _count(self.rows) for page in self._pages)

    def agrees(self, other: Reading) -> bool:
        """Whether two readings found the same rows, and both are complete."""
        if self.incomplete or other.incomplete:
            return False
        return _counts(self.rows) == _counts(other.rows)


class Readings:
    """Several readings of the same pages."""

    def __init__(self) -> None:
        self._all: list[Reading] = []
        self.settled = False  #: the last reading is confirmed

    def add(self, reading: Reading) -> None:
        """Add one more."""
        known = {key for earlier in self._all for key in earlier.rows}
        agreed = reading.consistent or any(reading.agrees(earlier) for earlier in self._all)
        self.settled = agreed and known <= reading.rows.keys()
        self._all.append(reading)

    def rows(self) -> tuple[bytes, ...]:
        """The rows of the last reading if it is confirmed, else the rows of all readings."""
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
    """JSON in UTF-8 without white space, names in their order; lone surrogates stay escaped."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _grouped(page: Page) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for key, body in zip(page.keys, page.bodies, strict=True):
        found.setdefault(key, []).append(body)
    return found


def _counts(rows: Mapping[bytes, list[bytes]]) -> dict[bytes, int]:
    return {key: len(bodies) for key, bodies in rows.items()}


def _count(rows: Mapping[bytes, list[bytes]]) -> int:
    return sum(map(len, rows.values()))
