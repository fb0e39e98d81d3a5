"""A list for a million values that would not fit as objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

_BLOCK = 1_000  # values that are packed together


class Packed(Generic[T]):
    """Values of one type that msgspec knows, in the order they were added. May be gone through more than once."""

    def __init__(self, kind: type[T], values: Iterable[T] = ()) -> None:
        self._blocks: list[bytes] = []
        self._open: list[T] = []
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[kind]).decode  # type: ignore[valid-type]  # made at run time
        for value in values:
            self.add(value)

    def add(self, value: T) -> None:
        """Put it at the end."""
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
