"""Notices that several rows of one list name the same send."""

from __future__ import annotations

from collections.abc import Iterable

from smsreceipt.language import _
from smsreceipt.model import Send

_REMEMBERED = 500_000  # sends in one generation; two are kept, so that memory stays bounded


class Repeats:
    """The sends of one list that more than one row names; rows further apart than 500,000 sends may be missed."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._older: set[int] = set()
        self._named: set[int] = set()
        self._rows = 0

    def add(self, sends: Iterable[Send]) -> None:
        """Take note of more rows."""
        for send in sends:
            key = hash((send.biz_id, send.phone))
            if key in self._recent or key in self._older:
                self._rows += 1
                self._named.add(key)
            self._recent.add(key)
        if len(self._recent) > _REMEMBERED:
            self._recent, self._older = set(), self._recent

    def __bool__(self) -> bool:
        return bool(self._named)

    def __str__(self) -> str:
        rows, sends = self._rows + len(self._named), len(self._named)
        if sends == 1:
            return _("{rows:,} rows name one send", rows=rows)
        return _("{rows:,} rows name {sends:,} sends", rows=rows, sends=sends)
