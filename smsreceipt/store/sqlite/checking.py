"""Reads from SQLite what a check compares; the rules are in store/checking."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import apsw
import msgspec

from smsreceipt.matching import SEND_DETAIL, SMS_REPORT, Candidate
from smsreceipt.model import Claim, Instant, Kind, Outcome, Source, leg_of
from smsreceipt.store.call_tallies import Body, InAdvance
from smsreceipt.store.call_tallies import Day as CallDay
from smsreceipt.store.checking.engine import Counters
from smsreceipt.store.checking.faults import Fault, Finding, ReadAgain
from smsreceipt.store.checking.statements import Member, Stored, body_fault
from smsreceipt.store.checking.ties import Detail, Number, Report, Tied
from smsreceipt.store.ledger_rows import FINAL_SQL, REPORTS
from smsreceipt.store.reject_rows import reject_id
from smsreceipt.store.removal import UNATTRIBUTED
from smsreceipt.store.sqlite import call_tallies, tallies
from smsreceipt.store.sqlite.columns import NUMBERED, SELECTED, UNREAD, receipt_from
from smsreceipt.store.sqlite.migrations import TABLES
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sqlite.tally_changes import KINDS, PREFIX
from smsreceipt.store.tallies import KEY, SUMS, Key, Message, State

BUCKET = 20_000  #: statements whose rows in the index of phones are counted together
PIECE = 20_000  #: sends that are read at once

_SAME = "{0}.id1 = {1}.id1 AND {0}.id2 = {1}.id2 AND {0}.id3 = {1}.id3 AND {0}.id4 = {1}.id4 AND {0}.kind = {1}.kind"
_STATEMENTS = (
    f"SELECT seq, received_at, day, {UNREAD}, {SELECTED} FROM statement CROSS JOIN kind ON kind.id = statement.kind"
    " WHERE seq > ? AND seq <= ? ORDER BY seq"
)
#: Identities with several statements, or with a single one whose marks are not those of a single one.
_UNEVEN = (
    "WITH touched AS MATERIALIZED (SELECT DISTINCT id1, id2, id3, id4, kind FROM statement AS fresh"
    " WHERE seq > ? AND seq <= ? AND (NOT current OR conflict"
    " OR kind = (SELECT id FROM kind WHERE name = 'SendDetail')"
    f" OR EXISTS (SELECT 1 FROM statement AS other WHERE {_SAME.format('other', 'fresh')} AND other.seq <> fresh.seq)))"
    " "
)
_MEMBERS = (
    "SELECT seq, lead, parts, told.id1, told.id2, told.id3, told.id4, told.kind, name, outcome, code, signed,"
    " reported_at, detail, numbers, current, conflict, test"
    f" FROM touched CROSS JOIN statement AS told ON {_SAME.format('told', 'touched')}"
    " CROSS JOIN kind ON kind.id = told.kind"
)
_IDENTITY = "WITH touched (id1, id2, id3, id4, kind) AS (VALUES (?, ?, ?, ?, ?)) "
_TIME = "iif({0} < 0, NULL, {0})"
_SAID = "outcome, code, reported_at, detail"
_DETAILS = (
    f"SELECT seq, id1, id2, id3, id4, kind, {_SAID}, {_TIME.format('sent_at')}, out_id, signed, digest, received_at,"
    " road FROM json_each(?) CROSS JOIN statement INDEXED BY statement_key ON id1 = value WHERE kind = ? ORDER BY seq"
)
_REPORTS = (
    f"SELECT seq, id1, {_SAID}, {_TIME.format('sent_at')}, {_TIME.format('reported_at')}, out_id, source, native,"
    " digest, received_at, road, id2 FROM statement JOIN road ON road.id = statement.road"
    " WHERE kind = ? AND id2 = phone AND test = 0 AND seq IN (SELECT seq FROM phone WHERE phone IN"
    " (SELECT value FROM json_each(?1)) UNION ALL SELECT seq FROM statement WHERE seq > (SELECT phones_to FROM counter)"
    " AND phone IN (SELECT value FROM json_each(?1)))"
).replace("kind = ?", "kind = ?2")
_RECEIPT = (
    "SELECT 1 FROM statement INDEXED BY statement_key WHERE id1 = send.biz_id AND id2 = send.phone"
    f" AND id3 = '' AND id4 = '' AND +kind IN (SELECT id FROM kind WHERE name IN {REPORTS}) AND +outcome IN {FINAL_SQL}"
)
#: A send that is marked without a final receipt; {} limits the rows.
SETTLED_WRONGLY = (
    f"SELECT biz_id, phone FROM send WHERE settled = 1 AND answer <> 'pruned' AND {{0}} AND NOT EXISTS ({_RECEIPT})"
)
_COUNTED = (
    "SELECT name, count(*), total(current AND NOT test), total(current AND test) FROM statement"
    " JOIN kind ON kind.id = statement.kind GROUP BY statement.kind"
)
_MESSAGE = tallies.MESSAGE.format(PREFIX.format("statement"))


class Audit:
    """Reads through one connection what a check compares; see Audited."""

    def __init__(self, db: apsw.Connection, snapshot: Callable[[], AbstractContextManager[None]]) -> None:
        self._db = db
        self.snapshot = snapshot
        self._phones_to = 0
        self._phones: Counter[int] = Counter()  # how many numbers the index must have, by bucket of seqs

    def damage(self) -> Iterator[Fault]:
        """SQLite's own check, table by table."""
        found = rows(self._db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        for name in sorted({name for (name,) in found} & TABLES) or ["sqlite_schema"]:
            for said in self._said(name):
                if said != "ok":
                    yield Fault(finding=Finding.ENGINE, identity=(name,), stored=said, expected="ok")

    def _said(self, table: str) -> list[str]:
        try:
            return [str(said) for (said,) in self._db.execute(f"PRAGMA integrity_check({table})").fetchall()]
        except (apsw.CorruptError, apsw.NotADBError) as exc:
            return [str(exc)]

    def begin(self) -> None:
        """Note up to which seq the index of phones is to be compared."""
        self._phones_to = number(self._db, "SELECT phones_to FROM counter")

    def last_seq(self) -> int:
        """The last seq."""
        return number(self._db, "SELECT ifnull(max(seq), 0) FROM statement")

    def after(self, seq: int) -> int:
        """The last seq, if it is after *seq*."""
        return max(seq, self.last_seq())

    def statements(self, after: int, to: int) -> Iterator[Stored]:
        """The statements of a slice, in the order of seq."""
        for seq, received_at, day, marked, *columns in rows(self._db, _STATEMENTS, (after, to)):
            yield Stored(seq, receipt_from(*columns), received_at, day, bool(marked))

    def uneven(self, after: int, to: int) -> Iterator[Member]:
        """The statements of the identities of a slice that are not single and marked as usual."""
        return self._members(_UNEVEN + _MEMBERS, (after, to))

    def identity(self, unit: tuple[Any, ...]) -> Iterator[Member]:
        """The statements of one identity."""
        return self._members(_IDENTITY + _MEMBERS, unit)

    def _members(self, query: str, values: Sequence[Any]) -> Iterator[Member]:
        for row in rows(self._db, query, values):
            seq, lead, parts, *unit, name, outcome, code, signed, reported, detail, numbers, now, differs, test = row
            at = None if reported < 0 else Instant(reported)
            claim = Claim(Outcome(outcome) if outcome else None, code, bool(signed), at, detail, leg_of(numbers))
            identity = identity_of(lead, parts, *unit[:4])
            yield Member(seq, identity, name, tuple(unit), claim, bool(now), bool(differs), bool(test))

    def numbers(self, phones: Sequence[str]) -> Iterator[Number]:
        """All that decides what is attributed about these numbers."""
        answers, told = (
            number(self._db, "SELECT id FROM kind WHERE name = ?", name) for name in (SEND_DETAIL, SMS_REPORT)
        )
        listed = msgspec.json.encode(phones).decode()
        details, reports = defaultdict(list), defaultdict(list)
        for seq, *unit, outcome, code, reported, said, sent_at, out_id, signed, digest, received, road in rows(
            self._db, _DETAILS, (listed, answers)
        ):
            details[unit[0]].append(
                Detail(seq, tuple(unit[:4]), tuple(unit), (outcome, code, reported, said), sent_at, out_id,
                       bool(signed), (digest, received, road))
            )  # fmt: skip
        for seq, biz_id, o, c, r, d, sent_at, reported, out_id, source, native, *copied, phone in rows(
            self._db, _REPORTS, (listed, told)
        ):
            signed = Source(source).signed
            reports[phone].append(
                Report(seq, biz_id, (o, c, r, d), sent_at, reported, out_id, signed, bool(native), tuple(copied))
            )
        ledger, ties = self._ledger(listed), self._ties(listed)
        named = "SELECT name FROM note WHERE topic = ? AND name IN (SELECT value FROM json_each(?))"
        waiting = {phone for (phone,) in rows(self._db, named, (UNATTRIBUTED, listed))}
        for phone in phones:
            yield Number(phone, details[phone], reports[phone], ledger[phone], ties[phone], phone in waiting)

    def _ledger(self, listed: str) -> dict[str, list[Candidate]]:
        found = defaultdict(list)
        for phone, *sent in rows(
            self._db,
            f"SELECT phone, biz_id, day, {_TIME.format('sent_at')}, out_id FROM send"
            " WHERE phone IN (SELECT value FROM json_each(?))",
            (listed,),
        ):
            found[phone].append(Candidate(*sent))
        return found

    def _ties(self, listed: str) -> dict[str, list[Tied]]:
        found = defaultdict(list)
        for phone, detail, report, made, signed in rows(
            self._db,
            "SELECT phone, detail, report, made, signed FROM tie WHERE phone IN (SELECT value FROM json_each(?))",
            (listed,),
        ):
            found[phone].append(Tied(detail, report, bool(made), bool(signed)))
        return found

    def slice_faults(self, after: int, to: int, read_again: ReadAgain) -> Iterator[Fault]:
        """Rows of the index of phones that are missing, further bodies, references to nothing."""
        yield from self._missing_phones(after, min(to, self._phones_to))
        stored: dict[int, Stored] = {}
        for seq, body, digest in rows(
            self._db, "SELECT seq, body, digest FROM body WHERE seq > ? AND seq <= ?", (after, to)
        ):
            if seq not in stored:
                stored |= {each.seq: each for each in self.statements(seq - 1, seq)}
            if seq in stored and (fault := body_fault(stored[seq], body, digest, read_again, (seq, digest))):
                yield fault
        for seq, kind, road in rows(
            self._db,
            "SELECT seq, kind, road FROM statement WHERE seq > ? AND seq <= ?"
            " AND (kind NOT IN (SELECT id FROM kind) OR road NOT IN (SELECT id FROM road))",
            (after, to),
        ):
            yield Fault(finding=Finding.ORPHAN, seq=seq, stored={"kind": kind, "road": road})

    def _missing_phones(self, after: int, to: int) -> Iterator[Fault]:
        if to <= after:
            return
        numbered = NUMBERED.format("seq > ?1 AND seq <= ?2")
        self._phones[after // BUCKET] += number(self._db, f"SELECT count(*) FROM ({numbered})", after, to)
        for phone, seq in rows(
            self._db,
            f"SELECT told.phone, told.seq FROM ({numbered} ORDER BY 1, 2) AS told"
            " LEFT JOIN phone ON phone.phone = told.phone AND phone.seq = told.seq WHERE phone.seq IS NULL",
            (after, to),
        ):
            self._phones[after // BUCKET] -= 1
            yield _phone(phone, seq, stored=False)

    def other_faults(self) -> Iterator[Fault]:
        """What is wrong with the index of phones, attributions, bodies, sends and rejects beside statements."""
        with self.snapshot():
            found = [*self._extra_phones(), *self._orphans()]
        yield from found
        yield from self._sends()

    def _extra_phones(self) -> Iterator[Fault]:
        """Rows of the index of phones that no statement has. Buckets whose counts are right are not looked into."""
        counted = dict(
            rows(
                self._db,
                f"SELECT (seq - 1) / {BUCKET}, count(*) FROM phone WHERE seq BETWEEN 1 AND ? GROUP BY 1",
                (self._phones_to,),
            )
        )
        suspect = [bucket for bucket in counted.keys() | self._phones.keys()
                   if counted.get(bucket, 0) != self._phones[bucket]]  # fmt: skip
        for phone, seq in rows(
            self._db,
            f"SELECT phone, seq FROM phone WHERE (seq - 1) / {BUCKET} IN (SELECT value FROM json_each(?1))"
            " AND seq >= 1 OR seq < 1 OR seq > (SELECT phones_to FROM counter)",
            (msgspec.json.encode(suspect).decode(),),
        ):
            numbered = rows(self._db, f"SELECT 1 FROM ({NUMBERED.format('seq = ?2')}) WHERE phone = ?1", (phone, seq))
            if not list(numbered) or seq > number(self._db, "SELECT phones_to FROM counter"):
                yield _phone(phone, seq, stored=True)

    def _orphans(self) -> Iterator[Fault]:
        for seq, digest in rows(
            self._db, "SELECT seq, digest FROM body WHERE NOT EXISTS (SELECT 1 FROM statement WHERE seq = body.seq)"
        ):
            yield Fault(finding=Finding.ORPHAN, seq=seq, stored={"body": digest.hex()}, unit=("body", seq, digest))
        for detail, report in rows(
            self._db,
            "SELECT detail, report FROM tie WHERE NOT EXISTS (SELECT 1 FROM statement JOIN kind ON kind.id = kind"
            f" WHERE seq = tie.detail AND name = '{SEND_DETAIL}' AND id1 = tie.phone)",
        ):
            yield Fault(finding=Finding.ORPHAN, seq=detail, stored={"report": report}, unit=("tie", detail))
        for found, kind, body in rows(self._db, "SELECT id, kind, body FROM reject"):
            if found != (right := reject_id(Kind(kind) if kind else None, body)):
                yield Fault(finding=Finding.BODY, identity=(found,), stored=found, expected=right)

    def _sends(self) -> Iterator[Fault]:
        """Sends that are marked without a final receipt, piece by piece."""
        at: tuple[Any, ...] | None = ("", "")
        while at is not None:
            with self.snapshot():
                ends = rows(
                    self._db, "SELECT biz_id, phone FROM send WHERE (biz_id, phone) > (?, ?) ORDER BY 1, 2"
                    f" LIMIT 1 OFFSET {PIECE}", at,
                )  # fmt: skip
                end = next(iter(ends), None)
                within, values = "(biz_id, phone) > (?, ?)", [*at]
                if end is not None:
                    within, values = f"{within} AND (biz_id, phone) <= (?, ?)", [*at, *end]
                found = list(rows(self._db, SETTLED_WRONGLY.format(within), values))
            for biz_id, phone in found:
                yield Fault(
                    finding=Finding.SETTLED, identity=(biz_id, phone), stored=True, expected=False, unit=(biz_id, phone)
                )
            at = end

    def counters(self) -> Mapping[str, Counters]:
        """The stored counters of each kind."""
        found = rows(self._db, "SELECT name, statements, identities, tests FROM kind")
        return {name: Counters(*counts) for name, *counts in found}

    def counted(self) -> Mapping[str, Counters]:
        """The same, counted."""
        return {name: Counters(*map(int, counts)) for name, *counts in rows(self._db, _COUNTED)}

    def totals(self) -> Iterator[Fault]:
        """The last seq and the number of sends."""
        last, sends = next(iter(rows(self._db, "SELECT last_seq, sends FROM counter")))
        if last < (newest := self.last_seq()):
            yield Fault(finding=Finding.COUNTER, identity=("last_seq",), stored=last, expected=newest, unit="last_seq")
        if sends != (listed := number(self._db, "SELECT count(*) FROM send")):
            yield Fault(finding=Finding.SENDS, stored=sends, expected=listed, unit="sends")

    def tallies(self) -> State:
        """How far messages are counted in advance."""
        return tallies.state(self._db)

    def messages(self, after: int, to: int) -> list[Message]:
        """The messages of a slice."""
        return tallies.messages(self._db, after, to)

    def message(self, seq: int, *, current: bool) -> Message | None:
        """One statement as a message."""
        found: Iterable[Any] = rows(
            self._db,
            f"SELECT {_MESSAGE} FROM statement JOIN kind ON kind.id = statement.kind"
            f" WHERE seq = ? AND statement.kind IN {KINDS} AND current = ? AND NOT test",
            (seq, current),
        )
        return next(iter(found), None)

    def tally_rows(self) -> Iterator[tuple[Key, Sequence[int]]]:
        """All rows of the tallies."""
        return _tallied(rows(self._db, f"SELECT {', '.join(KEY + SUMS)} FROM day_tally"))

    def tally_changes(self) -> Iterator[tuple[int, Message]]:
        """What is not in the rows yet."""
        yield from tallies.changes(self._db, tallies.state(self._db).to_seq)

    def tallied_day(self, day: int) -> Day:
        """All about the tallies of one day."""
        return Day(self._db, day)

    def call_days(self) -> list[CallDay]:
        """The kinds and days of calls and replies that have tallies, or should."""
        return call_tallies.counted_days(self._db)

    def calls_in_advance(self, kind: str, day: int) -> InAdvance:
        """The tally of one of them."""
        return call_tallies.in_advance(self._db, kind, day, day)

    def bodies_of_day(self, kind: str, day: int, to: int) -> Iterable[Body]:
        """What it is compared with: the states with seq at most *to*."""
        return call_tallies.bodies_of_day(self._db, kind, day, to)


class Day:
    """The tallies of one day, and what they are compared with."""

    def __init__(self, db: apsw.Connection, day: int) -> None:
        to_seq = tallies.state(db).to_seq
        found: Iterable[Any] = rows(
            db,
            f"SELECT {_MESSAGE} FROM statement INDEXED BY statement_day JOIN kind ON kind.id = statement.kind"
            f" WHERE day = ? AND statement.kind IN {KINDS} AND current AND NOT test AND seq <= ?",
            (day, to_seq),
        )
        self.messages: list[Message] = list(found)
        changes = tallies.changes(db, to_seq)
        self.changes = [each for each in changes if each[1][0] == day]
        self.rows = dict(_tallied(rows(db, f"SELECT {', '.join(KEY + SUMS)} FROM day_tally WHERE day = ?", (day,))))


def identity_of(lead: int, parts: int, id1: str, id2: str, id3: str, id4: str) -> tuple[str, ...]:
    """The identity as receipts have it."""
    return ((id2, id1, id3, id4) if lead else (id1, id2, id3, id4))[:parts]


def _tallied(found: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Key, Sequence[int]]]:
    width = len(KEY)
    for row in found:
        yield row[:width], row[width:]


def _phone(phone: str, seq: int, *, stored: bool) -> Fault:
    return Fault(
        finding=Finding.PHONE, seq=seq, identity=(phone,), stored=stored, expected=not stored, unit=(phone, seq)
    )
