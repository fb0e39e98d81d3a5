"""How far receipts are handed on: a cursor in the notes of the store, which one process at a time may move.

A note of the topic `forward` is a JSON object with the key `seq`: every statement up to it was confirmed or parked.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

import msgspec

from smsreceipt.errors import StoreUnavailable, UsageError
from smsreceipt.ingest import LockRetry
from smsreceipt.language import N_, _
from smsreceipt.model import Instant
from smsreceipt.store import ConsumerLease, Store, StoreFacts

TOPIC = "forward"
PARKED = "forward parked"  #: the topic of what was refused
AGAIN = "forward again"  #: the topic of what is to be handed on once more
LEASE = "forward "  #: how the names of leases begin; the name of the cursor follows
_LIST = "smsreceipt status"  # shows cursors
_Now = Callable[[], Instant]
T = TypeVar("T", "Note", "Parked")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class CursorInUse(StoreUnavailable):
    """Another process hands on receipts under the same name."""

    hint = N_("Stop the other one first, or give this one a cursor of its own: --name.")


class Note(msgspec.Struct, frozen=True):
    """What is noted of a cursor."""

    seq: int
    id: str  #: part of the Idempotency-Key
    moved_at: Instant
    holder: str = ""  #: changes with every process that takes the cursor


class Parked(msgspec.Struct, frozen=True):
    """A statement that the receiver refused."""

    name: str  #: of the cursor
    seq: int
    reason: str
    parked_at: Instant
    again: bool = False  #: it is to be handed on once more

    @property
    def key(self) -> str:
        """The name of its note: in the order of cursors and seqs."""
        return f"{self.name} {self.seq:020}"


def checked_name(name: str) -> str:
    """The name itself. Raises UsageError where it cannot be one."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            _("the name of a cursor has 1 to 64 letters, digits, dots, hyphens and underscores"),
            hint=_("Such as {example}", example="--name orders"),
        )
    return name


def cursors(store: Store) -> dict[str, Note]:
    """All cursors, by name; what a newer version wrote and this one cannot read is left out."""
    found = {name: _decoded(text, Note) for name, text in store.notes(TOPIC).items()}
    return {name: note for name, note in found.items() if note is not None}


def held(facts: StoreFacts) -> set[str]:
    """The names of the cursors that a process holds now."""
    return {each.removeprefix(LEASE) for each in facts.consumed if each.startswith(LEASE)}


def parked(store: Store, name: str | None = None) -> Iterator[Parked]:
    """Yield what is parked, under one name or under all; by name and seq."""
    again = store.notes(AGAIN)
    for key, text in sorted(store.notes(PARKED).items()):
        found = _decoded(text, Parked)
        if found is not None and name in {None, found.name}:
            yield msgspec.structs.replace(found, again=key in again)


def request_again(store: Store, chosen: Mapping[str, Parked]) -> None:
    """Have parked statements handed on once more by whatever runs under their names."""
    store.write_notes(AGAIN, dict.fromkeys(chosen, "{}"))


def drop_parked(store: Store, chosen: Mapping[str, Parked]) -> None:
    """Forget that these were refused; they are handed on no more."""
    store.write_notes(PARKED, dict.fromkeys(chosen))
    store.write_notes(AGAIN, dict.fromkeys(chosen))


def drop(store: Store, name: str, retry: LockRetry) -> int:
    """Delete a cursor and what is parked under its name, so that nothing waits for it; how many were parked.

    Raises UsageError where there is none, and CursorInUse while a process holds it. After a crash it is done again.
    """
    before, waiting = expect(store, name)
    _settle(store, name, retry)
    deleted = partial(store.write_notes, TOPIC, {name: None}, expected={name: before})
    if before is not None and not retry.call(deleted):
        raise _in_use(name)
    retry.call(partial(drop_parked, store, waiting))
    return len(waiting)


def expect(store: Store, name: str) -> tuple[str | None, dict[str, Parked]]:
    """The note of a cursor, and what is parked under its name. Raises UsageError where there is neither."""
    before = store.notes(TOPIC).get(name)
    waiting = {each.key: each for each in parked(store, name)}
    if before is None and not waiting:
        raise UsageError(_("there is no cursor {name}", name=name), hint=_LIST)
    return before, waiting


def _settle(store: Store, name: str, retry: LockRetry) -> None:
    """Delete what a crash left behind: no message is invisible because of it. Raises CursorInUse."""
    if name in held(store.facts()):
        raise _in_use(name)
    lease = retry.call(lambda: store.acquire_lease(LEASE + name))
    retry.call(lambda: store.release_lease(lease, settled=True))


def _decoded(text: str, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError):
        return None


def _encoded(note: Note | Parked) -> str:
    return msgspec.json.encode(note).decode()


class Cursor:
    """A cursor that this process holds. After a crash it stands where it was moved last, and the next process takes it.

    Every move fails once another process has taken it, so that a process that was taken for gone moves nothing.
    """

    def __init__(self, store: Store, name: str, note: Note, lease: ConsumerLease, retry: LockRetry, now: _Now) -> None:
        self.name = name
        self.new = False  #: nobody had it before
        self._store, self._note, self._lease, self._retry, self._now = store, note, lease, retry, now

    @classmethod
    def take(cls, store: Store, name: str, *, begin: Callable[[], int], retry: LockRetry, now: _Now) -> Cursor:
        """Take the cursor of this name; a new one stands at *begin*. Raises CursorInUse while another process has it.

        That a process is gone is found as with consumers of queues: at once on its own machine, on others, which only
        a store on a server has, after 90 seconds without a sign of life.
        """
        checked_name(name)
        before = store.notes(TOPIC).get(name)
        was = None if before is None else _decoded(before, Note)
        if before is not None and was is None:
            raise UsageError(
                _("the cursor {name} was written by a newer version", name=name),
                hint=_("Upgrade, or use another --name."),
            )
        _settle(store, name, retry)
        lease = retry.call(lambda: store.acquire_lease(LEASE + name))
        holder = secrets.token_hex(8)
        if was is None:
            note = Note(begin(), secrets.token_hex(6), now(), holder)
        else:
            note = msgspec.structs.replace(was, holder=holder)
        cursor = cls(store, name, note, lease, retry, now)
        if not cursor._swap(before, note):
            cursor.release()
            raise _in_use(name)
        cursor.new = was is None
        return cursor

    @property
    def id(self) -> str:
        """Part of the Idempotency-Key."""
        return self._note.id

    @property
    def seq(self) -> int:
        """Every statement up to this one was confirmed or parked."""
        return self._note.seq

    def move(self, seq: int) -> None:
        """Note that every statement up to *seq* was confirmed or parked. Raises CursorInUse if it was taken away."""
        note = msgspec.structs.replace(self._note, seq=seq, moved_at=self._now())
        if not self._swap(_encoded(self._note), note):
            raise CursorInUse(_("another process has taken the cursor {name}: this one stops", name=self.name))
        self._note = note

    def park(self, seq: int, reason: str) -> None:
        """Note why this statement was refused. Call it before move(): a crash in between repeats it."""
        each = Parked(self.name, seq, reason, self._now())
        self._retry.call(partial(self._store.write_notes, PARKED, {each.key: _encoded(each)}))

    def again(self) -> list[Parked]:
        """What is parked under this name and is to be handed on once more, in ascending seq."""
        asked = sorted(key for key in self._store.notes(AGAIN) if key.startswith(f"{self.name} "))
        if not asked:
            return []
        notes = self._store.notes(PARKED)
        found = [_decoded(notes.get(key, ""), Parked) for key in asked]
        self._answer([key for key, each in zip(asked, found, strict=True) if each is None])
        return [each for each in found if each is not None]

    def unpark(self, each: Parked) -> None:
        """Note that it was confirmed at last."""
        self._retry.call(partial(self._store.write_notes, PARKED, {each.key: None}))
        self._answer([each.key])

    def repark(self, each: Parked, reason: str) -> None:
        """Note that it was refused once more."""
        self.park(each.seq, reason)
        self._answer([each.key])

    def _answer(self, keys: list[str]) -> None:
        if keys:
            self._retry.call(partial(self._store.write_notes, AGAIN, dict.fromkeys(keys)))

    def _swap(self, before: str | None, note: Note) -> bool:
        """Replace the note; False where it is not as before."""
        after = _encoded(note)
        if self._write(before, after):
            return True
        there = self._store.notes(TOPIC).get(self.name)
        found = None if there is None else _decoded(there, Note)
        # The answer to a commit of ours may have been lost, and not the commit.
        return found is not None and found.holder == note.holder and self._write(there, after)

    def _write(self, before: str | None, after: str) -> bool:
        write = partial(self._store.write_notes, TOPIC, {self.name: after}, expected={self.name: before})
        return self._retry.call(write)

    def release(self) -> None:
        """Let another process take it; idempotent enough for a store that is gone, where a lease ends by itself."""
        self._retry.call(lambda: self._store.release_lease(self._lease, settled=True))


def _in_use(name: str) -> CursorInUse:
    return CursorInUse(_("another process forwards under the name {name}", name=name))
