"""Days of traffic as a store would count them, quiet or with an incident, drawn at random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from smsreceipt.store import Store
from smsreceipt.store.counts import By, Count, CountQuery, Folded, Readers, Subject

CARRIERS = {"mobile": 0.55, "unicom": 0.2, "telecom": 0.2, "mvno": 0.04, "broadnet": 0.01}
PROVINCES = {"guangdong": 0.3, "zhejiang": 0.3, "beijing": 0.2, "hebei": 0.2}
CODES = {"MOBILE_NOT_ON_SERVICE": 0.4, "MOBILE_IN_BLACK": 0.3, "UNDELIV": 0.2, "SIGN_ILLEGAL": 0.1}
HOURS = [1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 14, 15, 16, 16, 15, 16, 18, 20, 18, 12, 6, 2]
SECONDS = {2: 0.1, 3: 0.25, 4: 0.25, 5: 0.15, 6: 0.1, 8: 0.05, 10: 0.04, 12: 0.03, 20: 0.02, 94: 0.01}
_COLUMNS = (By.DAY, By.HOUR, By.CARRIER, By.PROVINCE, By.OUTCOME, By.CODE, By.SECONDS)

Row = tuple[int, int, str, str, str, str, int | None]


class Cell:
    """The messages of one day, hour, carrier and province, before they are drawn; an incident changes them."""

    def __init__(self, day: int, hour: int, carrier: str, province: str, expected: float) -> None:
        self.day, self.hour, self.carrier, self.province, self.expected = day, hour, carrier, province, expected
        self.failing = 0.03
        self.slower = 1
        self.codes = dict(CODES)


Incident = Callable[[Cell], None]


def quiet(_: Cell) -> None:
    """No incident."""


def drawn(days: range, *, messages: int = 300_000, incident: Incident = quiet, seed: int = 1) -> Counter[Row]:
    """The messages of these days by the values of _COLUMNS; the number of a day varies, as does that of each cell."""
    dice = np.random.default_rng(seed)
    found: Counter[Row] = Counter()
    for day in days:
        volume = messages * dice.uniform(0.8, 1.2) / sum(HOURS)
        for hour, share in enumerate(HOURS):
            for carrier, of_carrier in CARRIERS.items():
                for province, of_province in PROVINCES.items():
                    cell = Cell(day, hour, carrier, province, volume * share * of_carrier * of_province)
                    incident(cell)
                    _draw(dice, cell, found)
    return found


def _draw(dice: np.random.Generator, cell: Cell, found: Counter[Row]) -> None:
    count = int(dice.poisson(cell.expected))
    failed = int(dice.binomial(count, cell.failing))
    place = (cell.day, cell.hour, cell.carrier, cell.province)
    for seconds, each in zip(SECONDS, dice.multinomial(count - failed, list(SECONDS.values())), strict=True):
        found[(*place, "delivered", "DELIVERED", seconds * cell.slower)] += int(each)
    total = sum(cell.codes.values())
    drawn_codes = dice.multinomial(failed, [share / total for share in cell.codes.values()])
    for code, each in zip(cell.codes, drawn_codes, strict=True):
        found[(*place, "failed", code, None)] += int(each)


class Counted:
    """A store that only counts messages; it has no list of sends."""

    def __init__(self, rows: Counter[Row]) -> None:
        self._days: dict[int, list[tuple[Row, int]]] = {}
        for row, count in rows.items():
            if count:
                self._days.setdefault(row[0], []).append((row, count))

    def sends_by_day(self, _first: int, _last: int) -> Sequence[object]:
        return ()

    def call_gaps(self, _first: int, _last: int) -> Sequence[object]:
        return ()

    def folded(self) -> Folded:
        return Folded(0, complete=False)

    def counts(self, query: CountQuery, _: Readers) -> Sequence[Count]:
        if query.subject is not Subject.MESSAGES:
            return ()
        at = [_COLUMNS.index(each) for each in query.by]
        sums: Counter[tuple[Any, ...]] = Counter()
        for day in range(query.first_day, query.last_day + 1):
            for row, count in self._days.get(day, ()):
                sums[tuple([row[place] for place in at])] += count
        return [Count(values, count, count) for values, count in sums.items()]


def store_of(rows: Counter[Row]) -> Store:
    return cast("Store", Counted(rows))
