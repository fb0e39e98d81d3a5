"""A check from its beginning to its end, in slices: no moment is held for long, and nothing grows with the store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from smsreceipt.matching import SEND_DETAIL
from smsreceipt.model import date_of
from smsreceipt.store import call_tallies
from smsreceipt.store.checking.days import Correction, Digests, checked_views, day_faults, expected_rows
from smsreceipt.store.checking.engine import Audited, Counters
from smsreceipt.store.checking.faults import Fault, Finding, ReadAgain
from smsreceipt.store.checking.statements import Judged, Member, Stored, day_of, judge, statement_faults
from smsreceipt.store.checking.ties import verdict
from smsreceipt.store.counts import Readers
from smsreceipt.store.tallies import Message

SLICE = 20_000  #: statements that are read at one moment

Progress = Callable[[int, int], None]


@dataclass
class Wrong:
    """What is wrong with the marks of statements, so that what is counted by them can be counted right."""

    marks: dict[int, tuple[str, bool, bool]] = field(default_factory=dict)  #: seq --> kind, test, expected mark
    days: dict[int, int] = field(default_factory=dict)  #: seq --> expected day


class Check:
    """One check of a store."""

    def __init__(self, engine: Audited, read_again: ReadAgain, readers: Readers) -> None:
        self._engine, self._read_again, self._readers = engine, read_again, readers
        self.place = readers.place
        self.wrong = Wrong()
        self._statements: Counter[str] = Counter()
        self._identities: Counter[tuple[str, bool]] = Counter()
        self._judged_numbers: dict[str, frozenset[tuple[str, ...]]] = {}

    def faults(self, on_progress: Progress) -> Iterator[Fault]:
        """Yield every fault. Stops after those of the engine: nothing of a damaged file can be relied on."""
        damaged = list(self._engine.damage())
        yield from damaged
        if damaged:
            return
        self._engine.begin()
        with self._engine.snapshot():
            tallied = self._engine.tallies()
            last = self._engine.last_seq()
        digests = Digests(self.place)
        done = 0
        while done < last:
            to = min((done // SLICE + 1) * SLICE, last)
            with self._engine.snapshot():
                found = list(self._slice(done, to))
                digests.add(self._engine.messages(done, min(to, tallied.to_seq)) if done < tallied.to_seq else ())
            yield from found
            done = to
            on_progress(done, last)
        yield from self._rest(done, digests)

    def _rest(self, done: int, digests: Digests) -> Iterator[Fault]:
        """What is told by all slices together, with the statements that came meanwhile."""
        yield from self._engine.other_faults()
        with self._engine.snapshot():
            found = list(self._slice(done, self._engine.after(done)))
            found += self._counters()
            found += self._engine.totals()
            digests.add_rows(self._engine.tally_rows(), -1)
            for sign, message in self._engine.tally_changes():
                digests.add([message], -sign)
            for message, sign in self._corrections(self._engine.tallies().to_seq):
                digests.add([message], sign)
        yield from found
        for day in digests.differing(checked_views(self._engine.tallies().place, self.place)):
            with self._engine.snapshot():
                found = list(self.day(day))
            yield from found
        yield from self._calls()

    def _calls(self) -> Iterator[Fault]:
        """Tallies of calls and replies that are not what is counted now. Those of other Readers are not looked at."""
        with self._engine.snapshot():
            days = self._engine.call_days()
        for kind, day in days:
            with self._engine.snapshot():
                known = self._engine.calls_in_advance(kind, day)
                if known.state.version != self._readers.version or day in known.changed:
                    continue
                bodies = self._engine.bodies_of_day(kind, day, known.state.to_seq)
                right = call_tallies.counted(self._readers, kind, bodies)
            stored = "".join(text for _, text in known.counts)
            if stored != right:
                yield Fault(
                    finding=Finding.TALLY, kind=kind, identity=(date_of(day).isoformat(), f"kind={kind}"),
                    stored=stored, expected=right, unit=(kind, day),
                )  # fmt: skip

    def day(self, day: int) -> Iterator[Fault]:
        """What is wrong with the tallies of one day, counted exactly."""
        state = self._engine.tallies()
        told = self._engine.tallied_day(day)
        corrections = [each for each in self._corrections(state.to_seq) if each[0][0] == day]
        expected = expected_rows(told, corrections, self.place)
        yield from day_faults(day, expected, told.rows, checked_views(state.place, self.place))

    def _corrections(self, to_seq: int) -> Iterator[Correction]:
        """What the marks and days that are wrong change in the messages up to *to_seq*."""
        for seq in sorted(self.wrong.marks.keys() | self.wrong.days.keys()):
            if seq > to_seq:
                continue
            mark = self.wrong.marks.get(seq)
            was, right = self._engine.message(seq, current=True), None
            if mark is None or mark[2]:
                right = was or (mark and self._engine.message(seq, current=False)) or None
            if right is not None and seq in self.wrong.days:
                right = _on(right, self.wrong.days[seq])
            if was is not None:
                yield was, -1
            if right is not None:
                yield right, 1

    def _slice(self, after: int, to: int) -> Iterator[Fault]:
        if to <= after:
            return
        phones: set[str] = set()
        for stored in self._engine.statements(after, to):
            receipt = stored.receipt
            self._statements[receipt.kind] += 1
            self._identities[receipt.kind, receipt.test] += 1
            if receipt.kind == SEND_DETAIL:
                phones.add(receipt.phone)
            for fault in statement_faults(stored, self._read_again):
                self._note_day(fault, stored)
                yield fault
        stateless: set[tuple[str, ...]] = set()
        yield from self._numbers(phones, after, to, stateless)
        yield from self._uneven(after, to, stateless)
        yield from self._engine.slice_faults(after, to, self._read_again)

    def _note_day(self, fault: Fault, stored: Stored) -> None:
        if fault.finding is Finding.DAY:
            self.wrong.days[stored.seq] = day_of(stored)

    def _numbers(self, phones: set[str], after: int, to: int, stateless: set[tuple[str, ...]]) -> Iterator[Fault]:
        """The attributions of numbers whose first answer is in this slice; *stateless* gets what is attributed."""
        for number in self._engine.numbers(sorted(phones)) if phones else ():
            said = verdict(number)
            stateless.update(said.attributed)
            if number.details and after < min(each.seq for each in number.details) <= to:
                yield from said.faults

    def _uneven(self, after: int, to: int, stateless: set[tuple[str, ...]]) -> Iterator[Fault]:
        """The marks of identities with several statements, or with unusual ones; each in the slice of its first."""
        groups: dict[object, list[Member]] = defaultdict(list)
        for member in self._engine.uneven(after, to):
            groups[member.unit].append(member)
        for members in groups.values():
            members.sort(key=lambda each: each.seq)
            first = members[0]
            for each in members:
                if after < each.seq <= to:
                    self._identities[each.kind, each.test] -= 1
            if not after < first.seq <= to:
                continue
            judged = judge(members, stateless=first.kind == SEND_DETAIL and first.identity in stateless)
            self._note(judged)
            yield from judged.faults

    def _note(self, judged: Judged) -> None:
        if judged.winner is not None:
            self._identities[judged.winner.kind, judged.winner.test] += 1
        for member, mark in judged.wrong:
            self.wrong.marks[member.seq] = (member.kind, member.test, mark)

    def _counters(self) -> Iterator[Fault]:
        """The counters of kinds. What seems wrong may have changed between slices: it is counted in one look."""
        stored = self._engine.counters()
        counted = {kind: self._of(kind) for kind in self._statements}
        if not _differing(stored, counted):
            return
        counted = self.right_counters()
        for kind in _differing(stored, counted):
            none = Counters(0, 0, 0)
            yield Fault(
                finding=Finding.COUNTER, kind=kind, identity=(kind,), stored=_told(stored.get(kind, none)),
                expected=_told(counted.get(kind, none)), unit=kind,
            )  # fmt: skip

    def right_counters(self) -> dict[str, Counters]:
        """The counters of each kind, counted by the marks that statements should have."""
        counted = dict(self._engine.counted())
        for kind, test, mark in self.wrong.marks.values():
            more = 1 if mark else -1
            was = counted[kind]
            counted[kind] = Counters(was.statements, was.identities + more * (not test), was.tests + more * test)
        return counted

    def _of(self, kind: str) -> Counters:
        return Counters(self._statements[kind], self._identities[kind, False], self._identities[kind, True])


def _differing(stored: object, counted: object) -> list[str]:
    """The kinds whose counters differ; one that was never received has none."""
    assert isinstance(stored, dict)  # noqa: S101
    assert isinstance(counted, dict)  # noqa: S101
    none = Counters(0, 0, 0)
    return sorted(kind for kind in stored.keys() | counted.keys() if stored.get(kind, none) != counted.get(kind, none))


def _told(counters: Counters) -> dict[str, int]:
    return counters._asdict()


def _on(message: Message, day: int) -> Message:
    """The message on another day."""
    return (day, *message[1:])


def repaired(faults: Sequence[Fault]) -> dict[Finding, list[Fault]]:
    """The faults that can be repaired, by finding."""
    found: dict[Finding, list[Fault]] = defaultdict(list)
    for fault in faults:
        if fault.fixable:
            found[fault.finding].append(fault)
    return found
