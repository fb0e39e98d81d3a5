"""Copies a whole store into an empty one, of whatever engine, and proves that both hold the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import TypeVar

from smsreceipt.app import App
from smsreceipt.errors import StoreDamaged, UsageError
from smsreceipt.language import _, of_system
from smsreceipt.model import Reached
from smsreceipt.runs.private_file import write_private
from smsreceipt.store import Query, SendQuery, Store, StoreFacts
from smsreceipt.store.copies import Copied, CopiedReject, CopiedStatement, Fingerprint
from smsreceipt.store.forgotten import LOG, TOPIC, key_of

T = TypeVar("T", bound=Copied)

_FILE = "smsreceipt store copy"  # what the checkpoint of a copy is noted for
_COPYING = ("copying the store", "复制存储")
_COMPARING = ("comparing both stores", "核对两个存储")
_AT_ONCE = 4_000  # objects of one commit
_BYTES = 8 << 20  # of bodies in one commit


def run(app: App, source: str, target: str) -> None:
    """Copy the store at *source* into the one at *target*, and print the summary.

    A copy that was cut off goes on after its last commit. Raises UsageError if the source is not there or the target is
    in use, StoreDamaged if both do not hold the same afterwards. Exit code 3 if others wrote to the source meanwhile,
    or if the key of forgotten numbers cannot be copied.
    """
    shown = app.shown(source), app.shown(target)
    if shown[0] == shown[1]:
        raise UsageError(_("{store} cannot be copied into itself", store=shown[0]))
    with app.open_store_at(source, readonly=True) as origin:
        if not origin.facts().exists:
            raise UsageError(_("there is no store at {place}", place=shown[0]))
        with app.open_store_at(target, readonly=False) as made, origin.snapshot():
            copy = _Copy(app, origin, made, shown)
            copy.run()
            _bring_key(app, origin, made)
    with app.open_store_at(source, readonly=True) as origin:
        if _contents(origin.facts()) != copy.contents:
            app.needs_a_look(
                _(
                    "{store} was written to during the copy: what came meanwhile is not in {copy}",
                    store=shown[0],
                    copy=shown[1],
                )
            )
    copy.sum_up()


def _bring_key(app: App, source: Store, target: Store) -> None:
    """Copy the key of forgotten numbers, which is outside of both stores.

    Without it those numbers would be stored again, and nothing would prove that a number was forgotten.
    """
    in_force = bool(source.notes(TOPIC))
    if not in_force and not source.notes(LOG):
        return
    file, copy = source.removals().key_file(), target.removals().key_file()
    try:
        key, there = key_of(file), key_of(copy)
        if key is not None and there is None:
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(copy, key, replace=False)
            app.say(_("the key of forgotten numbers is copied to {file}; each machine that writes needs it", file=copy))
        reason = "" if key is not None and there in {None, key} else _("it is missing, or another one is there")
    except OSError as exc:
        reason = of_system(exc)
    if reason and in_force:
        app.needs_a_look(
            _(
                "the key of forgotten numbers is not copied ({reason}), so that they may be stored again: bring {file}"
                " to {copy}",
                reason=reason,
                file=file,
                copy=copy,
            )
        )


class _Copy:
    """One copy of a store that is read in one snapshot."""

    def __init__(self, app: App, source: Store, target: Store, shown: tuple[str, str]) -> None:
        self._app, self._source, self._target, self._shown = app, source, target, shown
        self._began = time.monotonic()
        self._facts = source.facts()
        self.contents = _contents(self._facts)
        self._statements, self._rejects, self._sends = Fingerprint(), Fingerprint(), Fingerprint()
        self._resumed = 0  # statements that an earlier run has copied
        self._mark = _mark(source)
        self._progress = app.progress()
        self._steps = 2 * (self._facts.statements + self._facts.sends + self._facts.rejects)
        self._done = 0

    def run(self) -> None:
        """Copy everything, compare both stores, and delete the checkpoint."""
        reached = self._begin()
        with self._progress:
            self._copy_statements(reached)
            for rejects in _batches(self._counted(_rejects(self._source), self._rejects), _size_of_reject):
                self._target.import_rejects(rejects)
            for sends in _batches(self._counted(self._source.sends(SendQuery()), self._sends), lambda _: 0):
                self._target.import_sends(sends)
            for topic in self._source.note_topics():
                self._target.write_notes(topic, self._source.notes(topic))
            notes = [note for note in self._source.unfinished().values() if note.file != _FILE]
            self._finish(notes)
            self._verify()
        self._finish([self._reached(0, done=True)])

    def _begin(self) -> int:
        """The seq up to which an earlier run has copied. Raises UsageError for a target that is no copy under way."""
        facts, noted = self._target.facts(), self._target.unfinished().get(_FILE)
        if noted is None:
            self._refuse_used(facts)
            self._target.import_statements([], self._reached(0))
            return 0
        if noted.mark != self._mark:
            raise UsageError(
                _("the store {store} holds an unfinished copy of another store", store=self._shown[1]),
                hint=_("Copy into a new file or an empty database."),
            )
        if noted.offset:
            self._app.say(_("going on after seq {seq:,} of {last:,}", seq=noted.offset, last=self._facts.last_seq))
        return noted.offset

    def _refuse_used(self, facts: StoreFacts) -> None:
        if facts.kinds or facts.rejects or facts.sends:
            raise UsageError(
                _(
                    "the store {store} is in use: it holds {receipts:,} receipts, {rejects:,} rejects and {sends:,}"
                    " sends",
                    store=self._shown[1],
                    receipts=facts.statements,
                    rejects=facts.rejects,
                    sends=facts.sends,
                ),
                hint=_("Copy into a new file or an empty database; a store is never copied over another one."),
            )

    def _copy_statements(self, reached: int) -> None:
        for batch in _batches(self._counted(self._source.export_statements(), self._statements), _size):
            fresh = [each for each in batch if each.seq > reached]
            self._resumed += len(batch) - len(fresh)
            if fresh:
                self._target.import_statements(fresh, self._reached(fresh[-1].seq))

    def _counted(self, items: Iterable[T], counted: Fingerprint) -> Iterator[T]:
        for item in items:
            self._count(item, counted, _COPYING)
            yield item

    def _count(self, item: Copied, counted: Fingerprint, words: tuple[str, str]) -> None:
        counted.add(item)
        self._done += 1
        if not self._done % 1_000:
            self._progress.counted(self._done, self._steps, words)

    def _verify(self) -> None:
        """Raise StoreDamaged unless the target holds exactly what was read from the source."""
        statements, rejects, sends = Fingerprint(), Fingerprint(), Fingerprint()
        with self._target.snapshot():
            for items, counted in (
                (self._target.export_statements(), statements),
                (_rejects(self._target), rejects),
                (self._target.sends(SendQuery()), sends),
            ):
                for item in items:
                    self._count(item, counted, _COMPARING)
            contents = _contents(self._target.facts())
        pairs = {
            _("receipts"): (statements, self._statements),
            _("rejects"): (rejects, self._rejects),
            _("sends"): (sends, self._sends),
            _("counters"): (contents, self.contents),
        }
        if differing := [name for name, (mine, theirs) in pairs.items() if mine != theirs]:
            raise StoreDamaged(
                _(
                    "the copy {copy} differs from {store} in its {what}",
                    copy=self._shown[1],
                    store=self._shown[0],
                    what=("、" if self._app.chinese else " and ").join(differing),
                ),
                hint=_(
                    "Do not use it. Was one of them written to between two runs? Delete it, stop what writes, and copy"
                    " again."
                ),
            )

    def _reached(self, seq: int, *, done: bool = False) -> Reached:
        return Reached(_FILE, seq, self._mark, done)

    def _finish(self, notes: Sequence[Reached]) -> None:
        self._target.import_counters(self._facts.kinds, self._facts.last_seq, notes)

    def sum_up(self) -> None:
        """Print the summary."""
        seconds = time.monotonic() - self._began
        self._app.say(_("both stores hold the same; from now on: --store {store}", store=self._shown[1]))
        self._app.summary(
            {
                "receipts": self._statements.count,
                "resumed": self._resumed,
                "rejects": self._rejects.count,
                "sends": self._sends.count,
                "digest": str(self._statements)[:16],
                "seconds": f"{seconds:.1f}",
                "rate": round((self._statements.count - self._resumed) / max(seconds, 0.001)),
            }
        )


def _contents(facts: StoreFacts) -> tuple[object, ...]:
    """The counts by which a write to the store is noticed."""
    return facts.kinds, facts.rejects, facts.conflicts, facts.sends


def _mark(store: Store) -> str:
    """What tells a store from others: its first statement."""
    first = [
        (each.receipt.kind, *each.receipt.identity, str(each.received_at))
        for each in store.list(Query(history=True, limit=1))
    ]
    return sha256(repr(first).encode()).hexdigest()


def _rejects(store: Store) -> Iterator[CopiedReject]:
    return (CopiedReject(each, store.reject_body(each.id)) for each in store.rejects())


def _size(item: CopiedStatement) -> int:
    return len(item.stored.receipt.body) + sum(len(body) for _, body in item.bodies)


def _size_of_reject(item: CopiedReject) -> int:
    return len(item.body)


def _batches(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """The items in groups, each small enough for one commit."""
    batch: list[T] = []
    held = 0
    for item in items:
        batch.append(item)
        held += size(item)
        if len(batch) == _AT_ONCE or held >= _BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
