"""Numbers that were forgotten: what is older and comes again is acknowledged, counted, and not stored.

The store holds a keyed digest of each number, never the number. The key is in a file of its own, outside the store: who
has only one of both cannot find out the numbers, of which there are too few to need a key otherwise.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from smsreceipt.model import Decoded, Instant, Kind, Receipt, Reject, Send
from smsreceipt.model.mentions import mentioned
from smsreceipt.store.values import Imported

TOPIC = "forgotten"  #: of the notes: the time of forgetting, by the digest of the number
TURN = ("forget", "turn")  #: topic and name of the note that changes with those
LOG = "forget log"  #: of the notes: what was forgotten when, for proof
_LENGTH = 32  # bytes of a key
_MANY = 50_000  # digests that are remembered

Left = tuple[Sequence[Decoded], int]  #: a batch without what is about forgotten numbers, and how many that were


class Tombstone(msgspec.Struct, frozen=True):
    """What stays of a number."""

    at: Instant  #: what is older is not stored again


def key_of(file: Path, *, make: bool = False) -> bytes | None:
    """The key in the file; None where there is none, unless it is to be made: 0600, flushed to the disk.

    Raises OSError where it can be neither read nor made.
    """
    try:
        key = file.read_bytes()
    except FileNotFoundError:
        if not make:
            return None
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as made:
            made.write(secrets.token_bytes(_LENGTH))
            made.flush()
            os.fsync(made.fileno())
        return key_of(file)
    return key if len(key) == _LENGTH else None


def digest_of(key: bytes, number: str) -> str:
    """The keyed digest of a number in its normal form."""
    return hmac.digest(key, number.encode(), "sha256").hex()


def text_of(send: Send) -> str:
    """Everything in a send that may carry a number."""
    return f"{send.phone} {send.biz_id} {send.out_id} {send.template_code} {send.sign_name}"


class Forgotten:
    """Leaves out of a batch what is about a forgotten number. One for each open store."""

    def __init__(self, key_file: Callable[[], Path]) -> None:
        self._key_file = key_file
        self.turn = ""  #: the note TURN as it was when the tombstones were read; "" for none
        self.unguarded = False  #: there are tombstones, and their key is not on this machine
        self._key: bytes | None = None
        self._times: dict[str, Instant] = {}
        self._known: dict[str, Instant | None] = {}

    def read(self, turn: str, tombstones: Mapping[str, str]) -> None:
        """Take over the tombstones, which are of this turn."""
        self._times = {name: msgspec.json.decode(text, type=Tombstone).at for name, text in tombstones.items()}
        self._key = key_of(self._key_file()) if self._times else None
        self._known.clear()
        self.unguarded = bool(self._times) and self._key is None
        self.turn = turn

    def without(self, decoded: Sequence[Decoded]) -> Left:
        """The batch without what is about a forgotten number and not younger than its forgetting; how many that were.

        What tells no time is taken for older.
        """
        if not self._times or self._key is None:
            return decoded, 0
        left = [self._filtered(item) for item in decoded]
        return left, sum(map(_size, decoded)) - sum(map(_size, left))

    def sends_without(self, sends: Sequence[Send]) -> tuple[Sequence[Send], int]:
        """The sends without those that carry a forgotten number and are not younger than its forgetting; how many."""
        if not self._times or self._key is None:
            return sends, 0
        left = [each for each in sends if not self._carries(each)]
        return left, len(sends) - len(left)

    def with_forgotten(self, added: Imported, forgotten: int) -> Imported:
        """What adding sends changed, after so many were left out."""
        return replace(added, forgotten=forgotten, unguarded=self.unguarded)

    def _carries(self, send: Send) -> bool:
        numbers = mentioned(text_of(send).encode()) | {send.phone}
        return any(at is not None and send.sent_from <= at for at in map(self._forgotten_at, numbers))

    def _filtered(self, item: Decoded) -> Decoded:
        receipts = tuple(each for each in item.receipts if not self._covers(each))
        rejects = tuple(each for each in item.rejects if not self._mentions(each))
        if len(receipts) == len(item.receipts) and len(rejects) == len(item.rejects):
            return item
        return replace(item, receipts=receipts, rejects=rejects)

    def _covers(self, receipt: Receipt) -> bool:
        when = receipt.sent_at if receipt.sent_at is not None else receipt.reported_at
        numbers = mentioned(receipt.body) | {receipt.phone, *receipt.numbers.split()}
        return any(at is not None and (when is None or when <= at) for at in map(self._forgotten_at, numbers))

    def _mentions(self, reject: tuple[Kind | None, Reject]) -> bool:
        return any(self._forgotten_at(number) is not None for number in mentioned(reject[1].body))

    def _forgotten_at(self, number: str) -> Instant | None:
        if number not in self._known:
            if len(self._known) > _MANY:
                self._known.clear()
            assert self._key is not None  # noqa: S101 - without() looked
            self._known[number] = self._times.get(digest_of(self._key, number))
        return self._known[number]


def _size(item: Decoded) -> int:
    return len(item.receipts) + len(item.rejects)
