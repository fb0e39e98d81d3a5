"""Values as PostgreSQL's binary protocol sends them, packed here: the driver takes longer to look at each value."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from psycopg import Connection
from psycopg.adapt import Dumper, PyFormat
from psycopg.pq import Format

_BOOL, _BYTEA, _INT8, _INT4, _TEXT, _UUID = 16, 17, 20, 23, 25, 2950
_NULL = b"\xff\xff\xff\xff"
_ARRAYS = {_BOOL: 1000, _BYTEA: 1001, _INT8: 1016, _INT4: 1007, _TEXT: 1009, _UUID: 2951}


Pack = Callable[[Sequence[Any]], "Packed"]  #: makes an array of values


class Packed:
    """The bytes of one parameter, and its type."""

    __slots__ = ("data", "oid")

    def __init__(self, oid: int, data: bytes) -> None:
        self.oid, self.data = oid, data


class PackedDumper(Dumper):
    """Passes packed bytes on as they are."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        """The bytes."""
        return obj.data

    def get_key(self, obj: Packed, format: PyFormat) -> Any:  # noqa: A002, ARG002 - the driver's signature
        """A key for each type: one dumper serves values of one type."""
        return (Packed, obj.oid)

    def upgrade(self, obj: Packed, format: PyFormat) -> PackedDumper:  # noqa: A002, ARG002
        """The dumper of the value's type."""
        dumper = PackedDumper(Packed)
        dumper.oid = obj.oid
        return dumper


def register(connection: Connection[Any]) -> None:
    """Let a connection take Packed parameters."""
    connection.adapters.register_dumper(Packed, PackedDumper)


def array_of(element: int, array: int, items: Sequence[bytes | None]) -> Packed:
    """An array of values that are packed already; None is NULL."""
    if not items:
        return Packed(array, struct.pack(">iii", 0, 0, element))
    count = len(items)
    parts: list[bytes] = [struct.pack(">iiiii", 1, None in items, element, count, 1)]
    for item in items:
        parts += (_NULL,) if item is None else (len(item).to_bytes(4, "big"), item)
    return Packed(array, b"".join(parts))


def _fixed(element: int, code: str, values: Sequence[Any]) -> Packed:
    """An array of values of one size, some of which may be None."""
    if None in values:
        pack = struct.Struct(">" + code).pack
        return array_of(element, _ARRAYS[element], [None if value is None else pack(value) for value in values])
    if not values:
        return array_of(element, _ARRAYS[element], ())
    size = struct.calcsize(">" + code)
    pairs = [part for value in values for part in (size, value)]
    data = struct.pack(f">iiiii{('i' + code) * len(values)}", 1, 0, element, len(values), 1, *pairs)
    return Packed(_ARRAYS[element], data)


int8s = partial(_fixed, _INT8, "q")
int4s = partial(_fixed, _INT4, "i")
booleans = partial(_fixed, _BOOL, "?")
uuids = partial(_fixed, _UUID, "16s")  #: of 16 bytes each


def byteas(values: Sequence[bytes]) -> Packed:
    """An array of bytes."""
    return array_of(_BYTEA, _ARRAYS[_BYTEA], values)


def texts(values: Sequence[str]) -> Packed:
    """An array of texts."""
    return array_of(_TEXT, _ARRAYS[_TEXT], [value.encode() for value in values])
