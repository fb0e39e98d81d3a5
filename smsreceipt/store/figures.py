"""What the stores of all engines do to count: the base of each store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from smsreceipt.model import Instant
from smsreceipt.store import call_tallies, tallies
from smsreceipt.store.arrivals import Came
from smsreceipt.store.counting import Engine, counted
from smsreceipt.store.counts import Count, CountQuery, Folded, Readers


class Figures(ABC):
    """The counts of a store; the promises of its methods are those of Store."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside see one moment."""

    @abstractmethod
    def _counts(self) -> Engine:
        """What reads for counts."""

    @abstractmethod
    def _tallies(self) -> tallies.Tallies:
        """What is counted in advance."""

    def counts(self, query: CountQuery, readers: Readers) -> Sequence[Count]:
        """How many receipts, sends, calls or replies of some days have what in common."""
        with self.snapshot():
            return list(counted(self._counts(), readers, query))

    def came(self, since: Instant, until: Instant) -> Sequence[Came]:
        """Which kinds came by which ways in which minutes, at or after *since* and before *until*."""
        with self.snapshot():
            return self._counts().came(since, until)

    def fold(
        self,
        readers: Readers,
        *,
        anew: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Folded:
        """Count in advance, as far as the store can be written."""
        known = self._tallies()
        if readers.place.version:
            call_tallies.fold(known.calls, readers, anew=anew, on_progress=on_progress)
        return tallies.fold(known, readers.place, anew=anew, on_progress=on_progress)

    def folded(self) -> Folded:
        """How far fold() has come; it writes nothing."""
        return tallies.folded(self._tallies())
