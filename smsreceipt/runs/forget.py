"""Deletes everything that carries a phone number, so that no byte of it is left, and keeps it from coming back."""

from __future__ import annotations

import base64
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from smsreceipt.app import App
from smsreceipt.errors import StoreUnavailable, UsageError
from smsreceipt.forward import cursor
from smsreceipt.insight.answer import readers_of
from smsreceipt.language import N_, _, n_, of_system
from smsreceipt.model import Instant, normalise_phone
from smsreceipt.model.mentions import LONGEST, SHORTEST
from smsreceipt.output.objects.forgotten import FORGOTTEN, Logged
from smsreceipt.output.printer import Printer, tabular
from smsreceipt.runs import removing
from smsreceipt.runs.existing import open_existing, say_absent
from smsreceipt.runs.forget_files import Recordings, bring_in, noted_sends
from smsreceipt.runs.forget_finder import LOT, Finder
from smsreceipt.runs.places import places
from smsreceipt.runs.removing import Remover, Tally, lots
from smsreceipt.store import Store
from smsreceipt.store.forgotten import LOG, TOPIC, TURN, Tombstone, digest_of, key_of
from smsreceipt.store.removal import Removal, Removals, Whole

_PASSES = 5  # over the whole store, while others add to what is to go
_FEW = 20  # numbers whose bytes are searched for in the files; for more, the files are written anew at once
_PARKED = (cursor.PARKED, cursor.AGAIN)  # topics of notes whose names end with a seq


def numbers_in(words: Iterable[str]) -> list[str]:
    """The numbers in their normal form, each once. Raises UsageError for what is no phone number, or for none."""
    found: dict[str, None] = {}
    for place, word in enumerate(words, 1):
        number = normalise_phone(word)
        if word.isascii() and word.isdigit() and len(set(word)) == 1:
            raise UsageError(
                _("number {place} is no phone number: it is one digit repeated", place=place),
                hint=_("Nothing was deleted."),
            )
        if not (number.isascii() and number.isdigit() and SHORTEST <= len(number) <= LONGEST and len(set(number)) > 1):
            raise UsageError(
                _(
                    "number {place} is no phone number: it needs {least} to {most} digits",
                    place=place,
                    least=SHORTEST,
                    most=LONGEST,
                ),
                hint=_("Nothing was deleted."),
            )
        found[number] = None
    if not found:
        raise UsageError(_("no number was named"), hint=_("For example smsreceipt forget - < numbers.txt"))
    return [*found]


def plan(app: App, numbers: Collection[str]) -> None:
    """Print what would be deleted. Writes nothing, and takes no lock."""
    say_absent(app)
    with app.open_store(readonly=True) as store:
        finder = Finder(app, store, numbers)
        tally, files, outside = Tally(removing.day), set[str](), Recordings(store)
        for lot in finder.wholes():
            tally.add(lot)
            outside.look_at(lot)
            files |= set[str]().union(*map(outside.there, lot))
        sends = {key for key, _ in finder.sends()}
        sends |= {(each.biz_id, each.phone) for each in noted_sends(app, finder.carries)}
        tally.add_others("recordings", len(files))
        tally.add_others("sends", len(sends))
        tally.add_others("rejects", sum(1 for _ in finder.rejects()))
        tally.add_others("notes", sum(len(names) for _, names in finder.notes()))
    removing.report(app, tally)
    app.summary({f"would_delete_{what}": tally.total(what)[1] for what in _ALL})


def lift(app: App, numbers: Collection[str]) -> None:
    """Let what is about these numbers be stored again."""
    with open_existing(app, backfill=False) as store:
        removals = store.removals()
        known = store.notes(TOPIC)
        key = _key(removals, make=False) if known else b""
        lifted = [digest for digest in (digest_of(key, number) for number in numbers) if digest in known]
        if lifted:
            _turn(Remover(app, removals), dict.fromkeys(lifted))
    app.summary({"lifted": len(lifted), "not_forgotten": len(numbers) - len(lifted)})


def log(app: App, numbers: Collection[str]) -> None:
    """Print what was forgotten when; only about *numbers* if there are any."""
    printer = Printer(app, FORGOTTEN)
    with app.open_store(readonly=True) as store:
        removals, in_force = store.removals(), store.notes(TOPIC)
        logged = sorted(store.notes(LOG).items())
        key = _key(removals, make=False) if numbers and logged else b""  # there is none before the first forgetting
        wanted = {digest_of(key, number) for number in numbers}
        for _name, text in logged:
            line = msgspec.json.decode(text, type=Logged)
            if not wanted or line.forgotten in wanted:
                printer.print([msgspec.structs.replace(line, in_force=line.forgotten in in_force)])
        app.say(_("key: {file}", file=removals.key_file()))
    printer.end()


def run(app: App, numbers: Collection[str], *, compact: bool, confirm: Callable[[str], None] | None) -> None:
    """Delete, print what went, and say what could not be reached.

    *confirm* is called with the question, and raises if the user does not agree; a person in front of a terminal sees
    first what would go. Run again after a kill, it goes on.
    Exit code 3 if bytes may be left in the files of the store, or anything could not be deleted.
    """
    planned = confirm is not None and tabular(app) and app.stdin_is_tty
    if confirm is not None:
        if planned:
            plan(app, numbers)
        confirm(
            n_(
                "Delete everything about {n:,} number for good?",
                "Delete everything about {n:,} numbers for good?",
                len(numbers),
            )
        )
    if not planned:
        say_absent(app)
    with app.open_store(readonly=False) as store:
        _Forgetting(app, store, numbers).run(compact=compact)


_ALL = ("receipts", "sends", "rejects", "notes", "recordings")
_NOT_REACHED = N_(
    "not reached: backups, archives, exports, logs and reports; the provider; queues that still hold messages"
)
_NOT_REACHED_SERVER = N_(
    "not reached: backups, archives, exports, logs and reports; the provider; queues that still hold messages;"
    " recordings and noted sends on other machines"
)


def _key(removals: Removals, *, make: bool) -> bytes:
    file = removals.key_file()
    try:
        key = key_of(file, make=make)
    except OSError as exc:
        raise StoreUnavailable(
            _("the key of forgotten numbers cannot be used: {file}: {reason}", file=file, reason=of_system(exc))
        ) from exc
    if key is None:
        raise StoreUnavailable(
            _("the key of forgotten numbers is not here: {file}", file=file),
            hint=_("Copy it from the machine on which numbers were forgotten, or from a backup."),
        )
    return key


def _turn(remover: Remover, tombstones: Mapping[str, str | None]) -> None:
    """Change tombstones, and have whoever writes to the store look at them."""
    for lot in lots(tombstones.items(), LOT):
        remover.remove(Removal(notes={TOPIC: dict(lot), TURN[0]: {TURN[1]: secrets.token_hex(8)}}))


@dataclass(slots=True)
class _Proof:
    """What is noted of a run about each number, in the transaction that deletes it."""

    at: Instant
    digests: Mapping[str, str]  #: by number
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def of(self, what: str, carried: Collection[Collection[str]], sign: int = 1) -> dict[str, str | None]:
        """The notes after so many more, or less, have gone."""
        changed = Counter(number for numbers in carried for number in numbers)
        for number, more in changed.items():
            self.counts[number][what] += sign * more
        return {self.name(number): self.text(number) for number in changed}

    def name(self, number: str) -> str:
        """The name of the note about a number: in the order of time."""
        return f"{self.at:015} {self.digests[number]}"

    def text(self, number: str) -> str:
        """The note."""
        gone = self.counts[number]
        line = Logged(self.at, self.digests[number], gone["statements"], gone["sends"], gone["rejects"], gone["notes"])
        return msgspec.json.encode(line).decode()


class _Forgetting:
    """One run."""

    def __init__(self, app: App, store: Store, numbers: Collection[str]) -> None:
        self._app, self._store, self._numbers = app, store, numbers
        self._removals = store.removals()
        self._remover = Remover(app, self._removals)
        self._tally = Tally(removing.day)
        self._recordings = Recordings(store)
        self._began = time.monotonic()
        key = _key(self._removals, make=not store.notes(TOPIC))
        self._proof = _Proof(app.now(), {number: digest_of(key, number) for number in numbers})

    def run(self, *, compact: bool) -> None:
        """Tombstones before anything is deleted, so that it does not come back meanwhile."""
        noted = bring_in(self._app, self._store, Finder(self._app, self._store, self._numbers).carries)
        stone = msgspec.json.encode(Tombstone(self._proof.at)).decode()
        _turn(self._remover, dict.fromkeys(self._proof.digests.values(), stone))
        for lot in lots(self._numbers, LOT):
            self._remover.remove(Removal(notes={LOG: {self._proof.name(each): self._proof.text(each) for each in lot}}))
        finder = Finder(self._app, self._store, self._numbers)
        left = True
        for _pass in range(_PASSES):
            left = self._delete_statements(finder)
            self._remover.attribute()
            if not left:
                break
        self._delete_others(finder)
        self._erase(finder, compact=compact)
        removing.report(self._app, self._tally)
        if left:
            self._app.needs_a_look(_("more came about the numbers while they were forgotten: run this again"))
        self._report_files(noted)
        totals = {what: self._tally.total(what)[1] for what in _ALL}
        self._app.summary({**totals, "seconds": f"{time.monotonic() - self._began:.1f}"})

    def _report_files(self, noted: Collection[Path]) -> None:
        """Say what is left outside the store, and what nobody looked at."""
        for file in sorted(self._recordings.absent):
            self._app.say(_("this recording was not where it had been fetched to: {file}", file=file))
        for file, why in sorted(self._recordings.refused.items()):
            self._app.needs_a_look(
                _(
                    "the recording {file} cannot be deleted ({why}), so its call stays: delete it, and run this again",
                    file=file,
                    why=why,
                )
            )
        for path in noted:
            self._app.needs_a_look(
                _("a program that runs has not stored yet what it sent: {file}; run this again", file=path)
            )
        self._app.say(_(_NOT_REACHED_SERVER if self._app.store_is_server else _NOT_REACHED))

    def _delete_statements(self, finder: Finder) -> bool:
        """Delete what is found in one pass; whether anything was found that could not be deleted, or was new."""
        left = False
        for lot in finder.wholes():
            for piece in self._remover.pieces(lot):
                piece, notes = self._without_refused(piece)  # noqa: PLW2901 - what is left of it
                carried = [finder.found.get(seq, frozenset[str]()) for whole in piece for seq in whole.seqs]
                changes = {**notes, LOG: self._proof.of("statements", carried)}
                if self._remover.remove(Removal(wholes=piece, notes=changes)):
                    self._tally.add(piece)
                else:
                    self._proof.of("statements", carried, sign=-1)
                    left = True
        return left

    def _without_refused(self, wholes: Collection[Whole]) -> tuple[list[Whole], dict[str, dict[str, str | None]]]:
        """Delete the recordings of these calls. Returns those of which no file is left, and their notes to be deleted.

        The notes go with the call, after the files: what is cut off in between finds the call again.
        """
        gone: dict[str, dict[str, str | None]] = {}
        left = []
        self._recordings.look_at(wholes)
        for whole in wholes:
            notes = self._recordings.notes(whole)
            if self._recordings.delete(notes):
                left.append(whole)
                for topic, names in notes.items():
                    gone.setdefault(topic, {}).update(dict.fromkeys(names))
        gone |= self._parked(left)
        return left, gone

    def _parked(self, wholes: Iterable[Whole]) -> dict[str, dict[str, str | None]]:
        """The notes about statements that `forward` has parked, to be deleted."""
        gone: dict[str, dict[str, str | None]] = {}
        seqs = {f"{seq:020}" for whole in wholes for seq in whole.seqs}
        for topic in _PARKED:
            names = [name for name in self._store.notes(topic) if name.rpartition(" ")[2] in seqs]
            if names:
                gone[topic] = dict.fromkeys(names)
        return gone

    def _delete_others(self, finder: Finder) -> None:
        for lot in lots(list(finder.sends()), LOT):
            log_ = {LOG: self._proof.of("sends", [carried for _, carried in lot])}
            self._remover.remove(Removal(sends=[key for key, _ in lot], notes=log_))
            self._tally.add_others("sends", len(lot))
        self._remover.attribute()
        for rejects in lots(list(finder.rejects()), LOT):
            log_ = {LOG: self._proof.of("rejects", [carried for _, carried in rejects])}
            self._remover.remove(Removal(rejects=[each for each, _ in rejects], notes=log_))
            self._tally.add_others("rejects", len(rejects))
        for topic, names in list(finder.notes()):
            proof = self._proof.of("notes", list(names.values()))
            self._remover.remove(Removal(notes={topic: dict.fromkeys(names), LOG: proof}))
            self._tally.add_others("notes", len(names))
        for origins in lots(list(finder.origins()), LOT):
            named = {origin: f"forgotten {secrets.token_hex(8)}" for origin in origins}  # one may come back
            self._remover.remove(Removal(origins=named))
        self._tally.add_others("recordings", len(self._recordings.deleted))
        if any(map(finder.carried, self._removals.counted())):
            self._store.fold(readers_of(places(self._app)), anew=True)

    def _erase(self, finder: Finder, *, compact: bool) -> None:
        """See to it that no byte of what was deleted is left in the files."""
        few, needles = len(self._numbers) <= _FEW, _needles(self._numbers)
        space = self._removals.reclaim(rewrite=compact)
        found = self._removals.traces(needles) if few else True
        if anew := bool(found) and not compact:
            self._app.say(_("writing the store anew: bytes of what was deleted may be left in it"))
            space = self._removals.reclaim(rewrite=True)
            found = few and self._removals.traces(needles)
        if found and not space.held_by and finder.holds(needles):
            self._app.say(_("the same digits also stand within longer numbers, such as BizIds: these stay"))
        elif found and not space.held_by:
            self._app.needs_a_look(_("the number still stands in the files of the store: run this again"))
        if found is None and not compact:
            self._app.say(
                _(
                    "the server may keep bytes of it in unused space of its tables until it writes there: --compact"
                    " writes them anew. Its write-ahead log, replicas and backups keep them as long as it is set up to"
                )
            )
        if compact or anew:
            removing.report_unwritten(self._app, space)


def _needles(numbers: Iterable[str]) -> set[bytes]:
    """The bytes of the numbers in every form in which they are searched for in the files."""
    found: set[bytes] = set()
    for number in numbers:
        text = number.encode()
        wide = number.translate({digit: digit + 0xFEE0 for digit in range(0x30, 0x3A)}).encode()
        found |= {text, wide, number.encode("utf-16-le"), b"".join(b"\\u00%02x" % digit for digit in text)}
        for shift in range(3):  # base64 of three bytes is four letters; those at the ends depend on what is around
            coded = base64.b64encode(b"0" * shift + text)
            found.add(coded[(0, 2, 3)[shift] : (len(text) + shift) // 3 * 4])
    return found
