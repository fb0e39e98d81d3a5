"""The new statements of one commit, as every engine hands them to those who print them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

from smsreceipt.model import StoredReceipt


class NewReceipts(Sequence[StoredReceipt]):
    """The new statements of one commit, in seq order. They are made on first use: most runs print none of them."""

    def __init__(self, count: int = 0, make: Callable[[], Iterable[StoredReceipt]] = tuple) -> None:
        """*make* returns the *count* statements."""
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> StoredReceipt: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StoredReceipt]: ...
    def __getitem__(self, index: int | slice) -> StoredReceipt | Sequence[StoredReceipt]:
        return self._made[index]

    def __iter__(self) -> Iterator[StoredReceipt]:
        return iter(self._made)

    @cached_property
    def _made(self) -> tuple[StoredReceipt, ...]:
        return tuple(self._make())
