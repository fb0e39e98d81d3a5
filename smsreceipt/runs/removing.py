"""What `prune` and `forget` share: deleting in short transactions with pauses, and counting what goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from smsreceipt.app import App
from smsreceipt.ingest import LockRetry
from smsreceipt.language import N_, _
from smsreceipt.model import date_of
from smsreceipt.output.formatting import size
from smsreceipt.output.objects.gone import GONE, Gone
from smsreceipt.output.printer import Printer
from smsreceipt.store.removal import BATCH, Removal, Removals, Space, Whole

_LEAST = 20  # identities, or numbers, of one transaction
_LARGEST_PAUSE = 1.0  # seconds
_FREE = N_("{free} of the store's {size} are free for later receipts")
_FREE_UNTIL = N_("{free} of the store's {size} are free for later receipts; --compact gives them back to the disk")
T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """Counts what goes, by what it is, kind and period."""

    period: Callable[[int], str]  #: of a Beijing day
    rows: dict[tuple[str, str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))

    def add(self, wholes: Iterable[Whole]) -> None:
        """Count these."""
        for whole in wholes:
            for each in whole.statements:
                row = self.rows["receipts", each.kind, self.period(each.day)]
                row[0] += each.current
                row[1] += 1
                row[2] += each.size

    def add_others(self, what: str, count: int, period: str = "", kind: str = "", length: int = 0) -> None:
        """Count rows that are no statements."""
        if count:
            row = self.rows[what, kind, period]
            row[1] += count
            row[2] += length

    def gone(self) -> list[Gone]:
        """What was counted, receipts first, by period and kind."""
        order = ("receipts", "sends", "rejects", "notes", "recordings")
        found = sorted(self.rows.items(), key=lambda item: (order.index(item[0][0]), item[0][2], item[0][1]))
        return [Gone(what, kind, period, *numbers) for (what, kind, period), numbers in found]

    def total(self, what: str = "receipts") -> tuple[int, int, int]:
        """Identities, statements and bytes of all rows of one sort."""
        found = [numbers for (each, _, _), numbers in self.rows.items() if each == what]
        return sum(row[0] for row in found), sum(row[1] for row in found), sum(row[2] for row in found)


def month(day: int) -> str:
    """The month of a Beijing day: 2026-05."""
    return date_of(day).isoformat()[:7]


def day(number: int) -> str:
    """A Beijing day: 2026-05-14."""
    return date_of(number).isoformat()


def report(app: App, tally: Tally) -> None:
    """Print what was counted."""
    printer = Printer(app, GONE)
    printer.print(tally.gone())
    printer.end()


def lots(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the rows in lists of at most *size*."""
    rest = iter(rows)
    while lot := list(islice(rest, size)):
        yield lot


class Remover:
    """Deletes in transactions that are so short that others who write hardly wait, and pauses between them."""

    def __init__(self, app: App, removals: Removals) -> None:
        self._app, self._removals = app, removals
        self._retry = LockRetry(app.say)
        self._size = _LEAST * 5

    def pieces(self, wholes: Iterable[Whole]) -> Iterator[list[Whole]]:
        """The wholes in lots of the size that is right now."""
        lot: list[Whole] = []
        statements = 0
        for whole in wholes:
            lot.append(whole)
            statements += len(whole.statements)
            if statements >= self._size:
                yield lot
                lot, statements = [], 0
        if lot:
            yield lot

    def remove(self, removal: Removal) -> bool:
        """Delete all of it; False if what is stored has changed since it was read. Waits for other writers."""
        done, taken = self._paused(lambda: self._removals.remove(removal))
        scale = self._removals.seconds / max(taken, 0.001)
        self._size = round(min(max(self._size * min(max(scale, 0.5), 1.2), _LEAST), BATCH))
        return done

    def attribute(self) -> None:
        """Attribute what has been left of numbers, also by a run that was killed."""
        while self._paused(lambda: self._removals.attribute(_LEAST))[0]:
            pass

    def _paused(self, work: Callable[[], T]) -> tuple[T, float]:
        """The result of one transaction and how long it took; followed by a pause."""
        began = time.monotonic()
        done = self._retry.call(work)
        taken = time.monotonic() - began
        self._app.sleep(min(taken, _LARGEST_PAUSE))
        return done, taken


def reclaimed(app: App, removals: Removals, *, rewrite: bool) -> Space:
    """Give the space back, and say what became of it. Exit code 3 if it should be written anew and could not be."""
    space = removals.reclaim(rewrite=rewrite)
    if rewrite:
        report_unwritten(app, space)
    if space.free:
        app.say(_(_FREE if rewrite else _FREE_UNTIL, free=size(space.free), size=size(space.size)))
    return space


def report_unwritten(app: App, space: Space) -> None:
    """Say why what was deleted is still in the files although they should be written anew, and set exit code 3."""
    if space.held_by:
        app.needs_a_look(
            _(
                "{holder} may still read what was deleted, so it is not out of the files yet: end that, and run this"
                " again",
                holder=_(space.held_by),
            )
        )
    if space.refused:
        app.needs_a_look(
            _(
                "the server writes the tables anew for their owner alone, so what was deleted is not out of the files"
                " yet: run this again as the owner"
            )
        )
