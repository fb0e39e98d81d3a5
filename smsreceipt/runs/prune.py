"""Deletes what is older than a number of days: whole messages and calls, archived before if that is wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from smsreceipt.app import App
from smsreceipt.errors import UsageError
from smsreceipt.forward import cursor
from smsreceipt.language import _
from smsreceipt.model import StoredReceipt, beijing_day, date_of, start_of_day
from smsreceipt.output.columns import Column, View
from smsreceipt.output.objects.receipts import RECEIPTS
from smsreceipt.output.objects.sends import SENDS
from smsreceipt.runs import archive, recordings, removing
from smsreceipt.runs.existing import open_existing
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.runs.removing import Remover, Tally, lots
from smsreceipt.store import Query, SendQuery, SendState, Store, StoredSend
from smsreceipt.store.removal import At, Removal, Whole

LEAST = 35  #: days: the provider answers queries about 30 days, so reconcile would fetch again what is deleted earlier
_PROVIDER = 30  # days for which the provider answers
_TOPIC = "prune"  # of the notes of archives that are being deleted
#: How far a run with an archive has come: which archives are whole, or that all that is in them is deleted.
_NOTHING, _RECEIPTS, _SENDS, _DONE = range(4)
_PAGE = 1_000  # rows that are looked at together
_OF_CALLS = frozenset({"SecretReport", "SecretRecording"})

_ARCHIVED = View(
    RECEIPTS.name,
    [*RECEIPTS.columns, Column(key="digest", of="receipt.digest", convert=bytes.hex)],
)


class _Line(msgspec.Struct):
    """What is read again of an archived receipt: which one it is, and which of its bodies."""

    seq: int
    digest: str


class _SendLine(msgspec.Struct):
    """The same of an archived send."""

    biz_id: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is deleted, and how."""

    days: int  #: that statements may be old
    kinds: frozenset[str] = frozenset()  #: none: all
    archive: Path | None = None
    sends: bool = False
    compact: bool = False
    force: bool = False


def plan(app: App, options: Options) -> None:
    """Print what would be deleted. Writes nothing, and takes no lock. Raises UsageError as run() does."""
    _check(app, options)
    with app.open_store(readonly=True) as store:
        say_unknown_kinds(app, options.kinds, store)
        old = _Old(app, store, options)
        tally = _planned(old, options)
        removing.report(app, tally)
        old.report()
    identities, statements = tally.total()[:2]
    app.summary(
        {"would_delete_identities": identities, "would_delete_statements": statements,
         "would_delete_sends": tally.total("sends")[1]}
    )  # fmt: skip


def run(app: App, options: Options, *, confirm: Callable[[str], None] | None) -> None:
    """Delete, and print what went.

    *confirm* is called with what would go, and raises if the user does not agree. Run again after a kill, it goes on.
    Raises UsageError for less than 35 days without *force*, and where the archive is there already.
    """
    _check(app, options)
    with open_existing(app) as store:
        if not store.facts().exists:
            return
        say_unknown_kinds(app, options.kinds, store)
        pruning = _Pruning(app, store, options)
        if confirm is not None:
            pruning.confirm(confirm)
        pruning.run()


def _check(app: App, options: Options) -> None:
    if options.days < LEAST and not options.force:
        raise UsageError(
            _(
                "receipts younger than {days} days are not deleted: the provider still answers about them, so that"
                " reconcile would fetch them again, and pay for it",
                days=LEAST,
            ),
            hint=_("--older-than 35d, or --force."),
        )
    if options.days < 1:
        raise UsageError(_("--older-than is at least one day"), hint=_("For example --older-than 180d"))
    if options.archive is not None:
        archive.checked(options.archive)
    if app.now() < start_of_day(options.days):
        raise UsageError(_("--older-than reaches back before 1970"))


class _Old:
    """Finds what is old enough."""

    def __init__(self, app: App, store: Store, options: Options) -> None:
        self._app, self._store, self._options = app, store, options
        self._today = beijing_day(app.now())
        self.before = self._today - options.days
        self._cursors, self._parked = _forwarded(store)
        self._cursor = min(self._cursors.values(), default=float("inf"))
        self._held, self._newest_held = 0, 0

    def wholes(self) -> Iterator[Whole]:
        """Yield the whole identities whose newest statement is old enough, each once."""
        removals, at = self._store.removals(), At()
        self._held, self._newest_held = 0, 0
        while found := removals.old(self.before, at, _PAGE):
            page = set(found)
            for whole in removals.wholes([each.seq for each in found]):
                if min(each.at for each in whole.statements) in page and self._may_go(whole):
                    yield whole
            at = found[-1]

    def _may_go(self, whole: Whole) -> bool:
        kinds = self._options.kinds
        if whole.last_day >= self.before or (kinds and kinds.isdisjoint(each.kind for each in whole.statements)):
            return False
        held = whole.last_seq > self._cursor or not self._parked.isdisjoint(whole.seqs)
        if held:
            self._held, self._newest_held = self._held + 1, max(self._newest_held, whole.last_seq)
        return not held

    def sends(self, *, planned: bool = False) -> Iterator[tuple[int, list[StoredSend]]]:
        """Yield the sends that are old enough and have no receipt in the store, by day.

        Those without a final receipt, of days about which the provider answers, are not among them. *planned*: nothing
        is deleted yet, so those with a receipt are among them.
        """
        for day in (each.day for each in self._store.sends_by_day(0, self.before - 1)):
            of_day = SendQuery(since=start_of_day(day), until=start_of_day(day + 1))
            if day >= self._today - _PROVIDER:
                of_day = replace(of_day, states=[SendState.WITH_RECEIPT])
            found = [each for each in self._store.sends(of_day) if each.send.day == day]
            sends = [each for each in found if each.outcome is None or planned]
            if sends:
                yield day, sends

    def report(self) -> None:
        """Say what `forward` has held back, and what to do about it."""
        if not self._held:
            return
        behind = sorted(name for name, seq in self._cursors.items() if seq < self._newest_held)
        causes = [
            _("not handed on under the name {name} (smsreceipt forward drop {name}, if nobody does)", name=name)
            for name in behind
        ]
        if self._parked:
            causes.append(_("parked (smsreceipt forward parked list)"))
        self._app.needs_a_look(
            _(
                "{n:,} old enough stay: {causes}",
                n=self._held,
                causes=("；" if self._app.chinese else "; ").join(causes),
            )
        )


def _forwarded(store: Store) -> tuple[dict[str, int], frozenset[int]]:
    """Up to which seq each cursor of `forward` has come, and the seqs of statements that are parked."""
    cursors = {name: _seq(text) for name, text in store.notes(cursor.TOPIC).items()}
    return cursors, frozenset(_seq(text) for text in store.notes(cursor.PARKED).values())


class _Cursor(msgspec.Struct):
    seq: int = 0


def _seq(text: str) -> int:
    try:
        return msgspec.json.decode(text, type=_Cursor).seq
    except msgspec.MsgspecError:
        return 0


class _Pruning:
    """One run that deletes."""

    def __init__(self, app: App, store: Store, options: Options) -> None:
        self._app, self._store, self._options = app, store, options
        self._old = _Old(app, store, options)
        self._removals = store.removals()
        self._remover = Remover(app, self._removals)
        self._tally = Tally(removing.month)
        self._began = time.monotonic()
        self._changed = 0
        self._archive = _Archives(store, options.archive.absolute(), options.sends) if options.archive else None

    def confirm(self, ask: Callable[[str], None]) -> None:
        """Let the user agree to what would go, if anything would. Not asked again where a killed run is resumed."""
        if self._archive and self._archive.resumes:
            return
        tally = _planned(self._old, self._options)
        statements, sends = tally.total()[1], tally.total("sends")[1]
        if statements or sends:
            until = date_of(self._old.before - 1).isoformat()
            ask(
                _(
                    "Delete {statements:,} statements and {sends:,} sends, all up to {day}, for good?",
                    statements=statements,
                    sends=sends,
                    day=until,
                )
            )

    def run(self) -> None:
        """Archive, delete, give the space back, print."""
        if self._archive:
            self._delete_archived(self._archive)
        else:
            self._delete(self._old.wholes())
            for day, sends in self._old.sends() if self._options.sends else ():
                self._delete_sends(removing.month(day), [(each.send.biz_id, each.send.phone) for each in sends])
        self._remover.attribute()
        self._delete_notes()
        space = removing.reclaimed(self._app, self._removals, rewrite=self._options.compact)
        removing.report(self._app, self._tally)
        self._old.report()
        if self._changed:
            self._app.needs_a_look(
                _("{n:,} stay, because more came about them meanwhile: run this again", n=self._changed)
            )
        identities, statements, size = self._tally.total()
        self._app.summary({
            "identities": identities, "statements": statements, "sends": self._tally.total("sends")[1], "bytes": size,
            "store_bytes": space.size, "seconds": f"{time.monotonic() - self._began:.1f}",
        })  # fmt: skip

    def _delete_archived(self, archives: _Archives) -> None:
        """Archive and delete receipts, then sends, whose receipts have gone. A run that was killed goes on there."""
        if archives.stage == _DONE:
            if next(self._old.wholes(), None) or (self._options.sends and next(self._old.sends(), None)):
                raise _there_already(archives.receipts.path)
            return
        if archives.stage < _RECEIPTS:
            count = archives.receipts.write(self._rows())
            archives.reach(_RECEIPTS)
            self._app.say(_("archived: {file}: {n:,} receipts, read again", file=archives.receipts.path, n=count))
        self._delete(self._covered(archives.receipts.path))
        if self._options.sends:
            if archives.stage < _SENDS:
                count = archives.sends.write(sends for _day, sends in self._old.sends())
                archives.reach(_SENDS)
                self._app.say(_("archived: {file}: {n:,} sends, read again", file=archives.sends.path, n=count))
            for lot in lots(archive.lines(archives.sends.path, _SendLine), _PAGE):
                self._delete_sends("", [(each.biz_id, each.phone) for each in lot])
        archives.end()

    def _rows(self) -> Iterator[list[StoredReceipt]]:
        """The statements that are old enough, with every body."""
        for lot in lots(self._old.wholes(), _PAGE):
            seqs = [seq for whole in lot for seq in whole.seqs]
            yield list(self._store.list(Query(seqs=seqs, history=True, bodies=True)))

    def _covered(self, path: Path) -> Iterator[Whole]:
        """The wholes of which the archive has every body of every statement."""
        archived: dict[int, set[bytes]] = {}
        for lot in lots(archive.lines(path, _Line), _PAGE):
            for line in lot:
                archived.setdefault(line.seq, set()).add(bytes.fromhex(line.digest))
            found = self._removals.wholes(list(archived))
            for whole in found:
                if all(archived.get(each.seq, set()) >= each.digests for each in whole.statements):
                    yield whole
                    for seq in whole.seqs:
                        del archived[seq]
            there = {seq for whole in found for seq in whole.seqs}
            archived = {seq: digests for seq, digests in archived.items() if seq in there}  # others are deleted already
        self._changed += len(self._removals.wholes(list(archived)))

    def _delete(self, wholes: Iterable[Whole]) -> None:
        for lot in self._remover.pieces(wholes):
            if self._remover.remove(Removal(wholes=lot, settle=True)):
                self._tally.add(lot)
                continue
            for whole in lot:  # something came about one of them
                if self._remover.remove(Removal(wholes=[whole], settle=True)):
                    self._tally.add([whole])
                else:
                    self._changed += 1

    def _delete_sends(self, period: str, keys: list[tuple[str, str]]) -> None:
        for lot in lots(keys, _PAGE):
            self._remover.remove(Removal(sends=lot))
            self._tally.add_others("sends", len(lot), period)

    def _delete_notes(self) -> None:
        """Delete what is noted of recordings of calls that are deleted."""
        if self._options.kinds and not self._options.kinds & _OF_CALLS:
            return
        last = f"{recordings.TOPIC}{date_of(self._old.before).isoformat()}"
        for topic in self._store.note_topics():
            if topic.startswith(recordings.TOPIC) and topic < last:
                gone = dict.fromkeys(self._store.notes(topic))
                self._remover.remove(Removal(notes={topic: gone}))
                self._tally.add_others("notes", len(gone), topic.removeprefix(recordings.TOPIC)[:7])


class _Archives:
    """The archive of receipts and that of sends, and in the notes of the store how far a run has come with them."""

    def __init__(self, store: Store, path: Path, with_sends: bool) -> None:
        """Raises UsageError where another run or somebody else has made one of the files."""
        self.receipts = archive.Archive(path, _ARCHIVED)
        self.sends = archive.Archive(archive.beside(path, "sends"), SENDS)
        self._store, self._name = store, str(path)
        self.stage = int(store.notes(_TOPIC).get(self._name) or _NOTHING)
        if self.stage == _DONE and not path.exists():
            self.reach(_NOTHING)
        self.resumes = self._name in store.notes(_TOPIC)
        for made, stage in ((self.receipts, _RECEIPTS), (self.sends, _SENDS)):
            if (made is self.sends and not with_sends) or not made.path.exists():
                continue
            if not self.resumes:
                raise _there_already(made.path)
            if self.stage < stage:
                made.path.unlink()  # nothing that is in it was deleted
        if not self.resumes:
            self.reach(_NOTHING)

    def reach(self, stage: int) -> None:
        """Note that an archive is whole: from now on, what is in it is deleted."""
        self.stage = stage
        self._store.write_notes(_TOPIC, {self._name: str(stage)})

    def end(self) -> None:
        """Note that all is deleted: who did not hear of it may ask for the same again, and gets the same end."""
        self.reach(_DONE)


def _there_already(path: Path) -> UsageError:
    return UsageError(_("{file} is there already", file=path), hint=_("Give each archive a name of its own."))


def _planned(old: _Old, options: Options) -> Tally:
    tally = Tally(removing.month)
    tally.add(old.wholes())
    for day, sends in old.sends(planned=not options.kinds) if options.sends else ():
        tally.add_others("sends", len(sends), removing.month(day))
    return tally
