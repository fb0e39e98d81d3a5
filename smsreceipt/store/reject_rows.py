"""What every engine does with rows of rejects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from typing import Any

from smsreceipt.model import Kind, Reason, Source, StoredReject


def reject_id(kind: Kind | None, body: bytes) -> str:
    """What identifies a reject: the same bytes of another kind are another one."""
    return sha256((kind or "").encode() + b"\0" + body).hexdigest()


def stored_rejects(rows: Iterable[tuple[Any, ...]], ids: Collection[str]) -> Iterator[StoredReject]:
    """The rejects of rows of id, kind, source, origin, reason, received_at, size and times_seen.

    Only those whose id starts with one of *ids*, if there are any.
    """
    for id_, kind, source, origin, reason, at, size, seen in rows:
        if not ids or any(id_.startswith(wanted) for wanted in ids):
            yield StoredReject(id_, Kind(kind) or None, Source(source), origin, Reason(reason), at, size, seen)
