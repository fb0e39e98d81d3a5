"""Some identities with all their statements, read under their locks, changed by the rules of model, and written back.

However many identities there are, reading and writing them takes the same few statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from smsreceipt.model import Claim, Instant, Outcome, decide, leg_of, said_in
from smsreceipt.store.postgres import tallies
from smsreceipt.store.postgres.arrays import Pack, booleans, byteas, int4s, int8s, texts, uuids
from smsreceipt.store.postgres.batch import Key, Row, columns, packed_rows
from smsreceipt.store.postgres.columns import SHOWN, TYPES
from smsreceipt.store.postgres.session import Db

Counts = Counter[tuple[int, bool]]  #: identities by kind, and by whether their states are test pushes

_READ = (
    "SELECT statement.place, uuid_send(statement.ident), statement.kind, seq, uuid_send(said), outcome, code, detail,"
    " reported_at, numbers, times_seen, signed, current, conflict, test, native, digest, sent_at, out_id, phone,"
    " received_at"
    " FROM unnest(%s::int8[], %s::uuid[], %s::int4[]) AS wanted (place, ident, kind)"
    " JOIN smsreceipt.statement ON statement.place = wanted.place AND statement.ident = wanted.ident"
    " AND statement.kind = wanted.kind AND"
)
_CHANGE = (
    "UPDATE smsreceipt.statement SET times_seen = changed.times_seen, signed = changed.signed, native = changed.native,"
    " current = changed.current, conflict = changed.conflict"
    " FROM unnest(%s::int8[], %s::int8[], %s::int4[], %s::bool[], %s::bool[], %s::bool[], %s::bool[])"
    " AS changed (seq, place, times_seen, signed, native, current, conflict)"
    " WHERE statement.seq = changed.seq AND statement.place = changed.place"
)
_SHOW = (
    f"UPDATE smsreceipt.statement SET {', '.join(f'{name} = shown.{name}' for name in SHOWN)}"
    " FROM unnest(%s::smsreceipt.statement[]) AS shown"
    " WHERE statement.seq = shown.seq AND statement.place = shown.place"
)
_CURRENT = 3  # the place of `current` in Statement.flags
INSERT = f"INSERT INTO smsreceipt.statement ({', '.join(TYPES)}) SELECT * FROM unnest(%s::smsreceipt.statement[])"
#: What a statement that is made of another one does not copy.
_MADE = {
    "seq": "made.seq", "kind": "made.kind", "ident": "made.ident", "biz_id": "made.biz_id", "signed": "made.signed",
    "current": "made.current", "conflict": "made.conflict", "times_seen": "1", "test": "false", "native": "false",
    "id1": "''", "identity": "''",
}  # fmt: skip
_COPY = (
    f"INSERT INTO smsreceipt.statement ({', '.join(TYPES)})"
    f" SELECT {', '.join(_MADE.get(name, 'statement.' + name) for name in TYPES)}"
    " FROM unnest(%s::int8[], %s::int8[], %s::uuid[], %s::int4[], %s::text[], %s::bool[], %s::bool[], %s::bool[])"
    " AS made (copied, seq, ident, kind, biz_id, signed, current, conflict)"
    " JOIN smsreceipt.statement ON statement.seq = made.copied"
)
_FURTHER = (
    "INSERT INTO smsreceipt.body (place, seq, digest, native, body)"
    " SELECT * FROM unnest(%s::int8[], %s::int8[], %s::bytea[], %s::bool[], %s::bytea[])"
    " ON CONFLICT (place, seq, digest) DO UPDATE SET native = body.native OR excluded.native"
)
_NO_FURTHER = (
    "DELETE FROM smsreceipt.body USING unnest(%s::int8[], %s::int8[], %s::bytea[]) AS gone (place, seq, digest)"
    " WHERE body.place = gone.place AND body.seq = gone.seq AND body.digest = gone.digest"
)


class RowTypes(msgspec.Struct, frozen=True):
    """The numbers that the database has for the row type of `statement` and for arrays of it."""

    row: int
    array: int

    @classmethod
    def of(cls, db: Db) -> RowTypes:
        """Look them up."""
        found = db.execute(
            "SELECT 'smsreceipt.statement'::regtype::oid::int8, 'smsreceipt.statement[]'::regtype::oid::int8"
        ).fetchone()
        assert found is not None  # noqa: S101 - a query without a table has one row
        return cls(*found)


class Statement(msgspec.Struct, gc=False):
    """One statement: as it is stored, and as it is to be."""

    key: Key
    seq: int
    said: bytes
    outcome: str
    code: str
    detail: str
    reported_at: int
    numbers: str
    times_seen: int
    signed: bool
    current: bool
    conflict: bool
    test: bool
    native: bool
    digest: bytes
    sent_at: int
    out_id: str
    phone: str
    received_at: int
    was: tuple[Any, ...] = ()  #: the values that _CHANGE writes, as they are stored; () for a new statement
    road: int = 0  #: of a new statement
    shown: Row | None = None  #: the row whose body it shows, if that is not the stored one
    body: bytes | None = None  #: the stored body that it shows, where it was read
    further: dict[bytes, tuple[bool, bytes]] | None = None  #: bodies to be stored beside it, by their digests
    no_further: set[bytes] | None = None  #: digests of bodies that are not beside it any more
    copy_of: int = 0  #: of a new one that is made of a stored statement: that one's seq
    biz_id: str = ""  #: of such a new one

    @property
    def flags(self) -> tuple[Any, ...]:
        """The values that _CHANGE writes."""
        return (self.times_seen, self.signed, self.native, self.current, self.conflict)

    @property
    def claim(self) -> Claim:
        """What decides whether it is the state."""
        at = None if self.reported_at < 0 else Instant(self.reported_at)
        outcome = Outcome(self.outcome) if self.outcome else None
        return Claim(outcome, self.code, self.signed, at, self.detail, leg_of(self.numbers))

    @classmethod
    def new(cls, row: Row) -> Statement:
        """A statement that is not stored yet."""
        receipt = row.receipt
        return cls(
            row.key, row.seq, row.said, str(receipt.outcome or ""), receipt.code, receipt.detail,
            -1 if receipt.reported_at is None else receipt.reported_at, receipt.numbers, row.times_seen, row.signed,
            False, False, receipt.test, row.native, receipt.digest,
            -1 if receipt.sent_at is None else receipt.sent_at, receipt.out_id, receipt.phone, row.received_at,
            road=row.road, shown=row,
        )  # fmt: skip

    def repeat(self, row: Row) -> None:
        """Count a repeat, and take over its signature and its body.

        A statement shows its native body that says most, then that with the smallest digest, so that the order of
        arrival does not matter.
        """
        self.times_seen += row.times_seen
        self.signed = self.signed or row.signed
        receipt = row.receipt
        if receipt.digest == self.digest:
            self.native = self.native or row.native
            return
        body = self.shown.receipt.body if self.shown else self.body
        assert body is not None  # noqa: S101 - it was read: see Identities.read_bodies
        if self.further is None or self.no_further is None:
            self.further, self.no_further = {}, set()
        theirs, ours = (not row.native, -said_in(receipt.body)), (not self.native, -said_in(body))
        if (*theirs, receipt.digest) > (*ours, self.digest):
            known, _ = self.further.get(receipt.digest, (False, b""))
            self.further[receipt.digest] = known or row.native, receipt.body
            return
        self.further[self.digest] = self.native, body
        self.further.pop(receipt.digest, None)
        self.no_further.add(receipt.digest)
        self.shown, self.native, self.digest = row, row.native, receipt.digest
        self.test, self.numbers = receipt.test, receipt.numbers

    def row(self) -> Row:
        """The row of a new statement, or of one that shows another body."""
        shown = self.shown
        assert shown is not None  # noqa: S101 - it is asked of these two only
        return Row(
            self.key, self.said, shown.receipt, self.road, self.received_at, self.signed, self.native, self.seq,
            self.times_seen, self.current, self.conflict,
        )  # fmt: skip


class Identities:
    """The statements of some identities, locked until the transaction ends by the rows of their states."""

    def __init__(self, db: Db, types: RowTypes) -> None:
        self._db, self._types = db, types
        self.known: dict[Key, dict[bytes, Statement]] = {}
        self._before: Counts = Counter()
        self._gone: list[Statement] = []

    def read(self, keys: Collection[Key]) -> None:
        """Read all statements of these identities."""
        keys = sorted(set(keys) - self.known.keys())
        if not keys:
            return
        places, idents, kinds = columns(keys, 3)
        wanted = (int8s(places), uuids(idents), int4s(kinds))
        for key in keys:
            self.known[key] = {}
        for place, ident, kind, *values in self._db.execute(
            f"{_READ} current UNION ALL {_READ} NOT current", wanted * 2, binary=True
        ):
            statement = Statement(Key(place, ident, kind), *values)
            statement.was = statement.flags
            self._before[kind, statement.test] += statement.current
            self.known[statement.key][statement.said] = statement

    def read_bodies(self, rows: Iterable[Row]) -> None:
        """Read the stored bodies that are to be compared with those of *rows*."""
        differing = {
            statement.seq: statement
            for row in rows
            if (statement := self.known[row.key].get(row.said)) and statement.digest != row.receipt.digest
        }
        if differing:
            wanted = (int8s(list(differing)),)
            for seq, body in self._db.execute(
                "SELECT seq, body FROM smsreceipt.statement WHERE seq = ANY(%s)", wanted, binary=True
            ):
                differing[seq].body = body

    def take(self, row: Row) -> bool:
        """Add what a row says; False if it repeats a statement."""
        statements = self.known[row.key]
        if statement := statements.get(row.said):
            statement.repeat(row)
            return False
        statements[row.said] = Statement.new(row)
        return True

    def drop(self, statement: Statement) -> None:
        """Delete a stored statement."""
        del self.known[statement.key][statement.said]
        self._gone.append(statement)

    def decide(self, stateless: Collection[Key] = ()) -> None:
        """Mark the states and the conflicts; the identities *stateless* have none."""
        for key, statements in self.known.items():
            if not statements:
                continue
            current, conflicting = decide({said: each.claim for said, each in statements.items()})
            if key in stateless:
                current, conflicting = b"", frozenset()
            for said, statement in statements.items():
                statement.current, statement.conflict = said == current, said in conflicting

    def write(self) -> Counts:
        """Write what has changed; return how that changes the counts of identities."""
        everything = [each for statements in self.known.values() for each in statements.values()]
        counted = [each for each in everything if each.was and (each.shown or each.current is not each.was[_CURRENT])]
        tallies.note(self._db, -1, [each.seq for each in counted + self._gone])
        if self._gone:
            self._db.execute(
                "DELETE FROM smsreceipt.statement WHERE seq = ANY(%s)", (int8s([each.seq for each in self._gone]),)
            )
        changed = [each for each in everything if each.was and each.flags != each.was]
        for current in (False, True):  # what ceases to be the state first: there is never more than one
            self._change([each for each in changed if each.current is current])
        self._copy([each for each in everything if each.copy_of])
        if new := [each.row() for each in everything if not each.was and not each.copy_of]:
            new.sort(key=lambda row: (row.key, row.seq))
            self._db.execute(INSERT, (packed_rows(new, self._types.array, self._types.row),))
        if shown := [each.row() for each in everything if each.was and each.shown]:
            self._db.execute(_SHOW, (packed_rows(shown, self._types.array, self._types.row),))
        tallies.note(self._db, 1, [each.seq for each in everything if each.copy_of] + [each.seq for each in counted])
        self._write_bodies([each for each in everything if each.further is not None])
        counts: Counts = Counter()
        for each in everything:
            counts[each.key.kind, each.test] += each.current
        counts.subtract(self._before)
        return counts

    def _copy(self, made: list[Statement]) -> None:
        """Insert statements that are made of stored ones."""
        if made:
            values = columns(
                [(e.copy_of, e.seq, e.key.ident, e.key.kind, e.biz_id, e.signed, e.current, e.conflict) for e in made],
                8,
            )
            packers: tuple[Pack, ...] = (int8s, int8s, uuids, int4s, texts, booleans, booleans, booleans)
            self._db.execute(_COPY, [pack(column) for pack, column in zip(packers, values, strict=True)])

    def _change(self, changed: list[Statement]) -> None:
        if changed:
            values = columns([(each.seq, each.key.place, *each.flags) for each in changed], 7)
            seqs, places, times, *flags = values
            self._db.execute(_CHANGE, (int8s(seqs), int8s(places), int4s(times), *map(booleans, flags)))

    def _write_bodies(self, statements: list[Statement]) -> None:
        gone = [(each.key.place, each.seq, digest) for each in statements for digest in each.no_further or ()]
        if gone:
            places, seqs, digests = columns(gone, 3)
            self._db.execute(_NO_FURTHER, (int8s(places), int8s(seqs), byteas(digests)))
        more = [
            (each.key.place, each.seq, digest, native, body)
            for each in statements
            for digest, (native, body) in (each.further or {}).items()
        ]
        if more:
            places, seqs, digests, natives, bodies = columns(more, 5)
            self._db.execute(_FURTHER, (int8s(places), int8s(seqs), byteas(digests), booleans(natives), byteas(bodies)))
