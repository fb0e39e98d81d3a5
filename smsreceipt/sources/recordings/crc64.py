"""CRC-64/XZ, which the provider's object store names for every object (x-oss-hash-crc64ecma).

A table and a loop: about 10 MB/s, which is enough for the few recordings of which no MD5 is named.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

_POLYNOMIAL = 0xC96C5795D7870F42
_ONES = (1 << 64) - 1


def crc64(pieces: Iterable[bytes]) -> int:
    """The CRC of these bytes, one piece after the other."""
    table, crc = _table(), _ONES
    for piece in pieces:
        for byte in piece:
            crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ _ONES


@cache
def _table() -> list[int]:
    made = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        made.append(crc)
    return made
