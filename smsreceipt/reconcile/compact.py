"""A list that holds millions of values in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

_BLOCK = 1_000  # values that are encoded together


class CompactList(Generic[T]):
    """Values of one type, kept as msgpack, in the order in which they were added. Can be iterated more than once."""

    def __init__(self, kind: type[T], values: Iterable[T] = ()) -> None:
        self._blocks: list[bytes] = []
        self._open: list[T] = []
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[kind]).decode  # type: ignore[valid-type]  # made at run time
        for value in values:
            self.add(value)

    def add(self, value: T) -> None:
        """Append a value."""
        self._open.append(value)
        if len(self._open) == _BLOCK:
            self._blocks.append(self._encode(self._open))
            self._open = []

    def __len__(self) -> int:
        return len(self._blocks) * _BLOCK + len(self._open)

    def __iter__(self) -> Iterator[T]:
        for block in self._blocks:
            yield from self._decode(block)
        yield from self._open
