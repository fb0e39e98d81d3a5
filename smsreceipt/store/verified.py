"""What the stores of all engines do to check themselves: a base of each store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from smsreceipt.model.facts import Place
from smsreceipt.store.checking.engine import Audited
from smsreceipt.store.checking.faults import Fault, ReadAgain
from smsreceipt.store.checking.run import Check


class Verified(ABC):
    """The check of a store; the promises of its methods are those of Store."""

    _check: Check | None = None

    @abstractmethod
    def _audit(self) -> Audited:
        """What reads for a check."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[None]:
        """Inside, what the engine raises is translated."""

    @abstractmethod
    def _repair(self, check: Check, faults: Sequence[Fault]) -> int:
        """Derive again what these faults are about, in one transaction."""

    def verify(
        self,
        read_again: ReadAgain,
        place: Place,
        *,
        deep: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Iterator[Fault]:
        """Yield everything that is not as it should be."""
        self._check = Check(self._audit(), read_again, place, deep=deep)
        with self._reading():
            yield from self._check.faults(on_progress)

    def repair(self, faults: Sequence[Fault]) -> int:
        """Derive again what a check by this store found wrong."""
        assert self._check is not None  # noqa: S101 - the faults are those of a check
        return self._repair(self._check, faults) if any(each.fixable for each in faults) else 0
