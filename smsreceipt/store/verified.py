"""What the stores of all engines do to check themselves: a base of each store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from smsreceipt.store.checking.engine import Audited
from smsreceipt.store.checking.faults import Fault, ReadAgain
from smsreceipt.store.checking.run import Check
from smsreceipt.store.counts import Readers


class Checking(NamedTuple):
    """What an engine has for a check."""

    audit: Audited
    reading: AbstractContextManager[None]  #: inside, what the engine raises is translated
    repair: Callable[[Check, Sequence[Fault]], int]  #: derives again what these faults are about, in one transaction


class Verified(ABC):
    """The check of a store; the promises of its methods are those of Store."""

    _check: Check | None = None

    @abstractmethod
    def _checking(self) -> Checking:
        """What checks and repairs."""

    def verify(
        self,
        read_again: ReadAgain,
        readers: Readers,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Iterator[Fault]:
        """Yield everything that is not as it should be."""
        checking = self._checking()
        self._check = Check(checking.audit, read_again, readers)
        with checking.reading:
            yield from self._check.faults(on_progress)

    def repair(self, faults: Sequence[Fault]) -> int:
        """Derive again what a check by this store found wrong."""
        assert self._check is not None  # noqa: S101 - the faults are those of a check
        return self._checking().repair(self._check, faults) if any(each.fixable for each in faults) else 0
