"""What one transaction writes: statements, their states, further bodies, rejects, counters.

The caller begins the transaction and commits it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import apsw

from smsreceipt.model import (
    Claim,
    Decoded,
    Delivery,
    Instant,
    Kind,
    Outcome,
    Receipt,
    Source,
    StoredReceipt,
    beijing_day,
    contradictory,
)
from smsreceipt.store.connect import sql

_Identity = tuple[str, str, str, str, int]  # id1 to id4 and the kind's number


class _Row(NamedTuple):
    """What keep.sql binds, in its order."""

    seq: int
    kind: int
    lead: int
    parts: int
    id1: str
    id2: str
    id3: str
    id4: str
    outcome: str
    code: str
    reported_at: int
    detail: str
    sent_at: int
    received_at: int
    day: int
    phone: str
    biz_id: str
    out_id: str
    call_id: str
    road: int
    signed: bool
    test: bool
    native: bool
    digest: bytes
    body: bytes

    @property
    def identity(self) -> _Identity:
        return (self.id1, self.id2, self.id3, self.id4, self.kind)


_STATEMENT = (
    "id1 = ? AND id2 = ? AND id3 = ? AND id4 = ? AND kind = ?"
    " AND outcome = ? AND code = ? AND reported_at = ? AND detail = ?"
)
_IDENTITY = "id1 = ? AND id2 = ? AND id3 = ? AND id4 = ? AND kind = ?"


_PHONES = 20_000  # statements whose phones are looked for one by one; a few milliseconds
_TOGETHER = 40  # rows an INSERT; more gains nothing
_VALUES = f"({', '.join('?' * len(_Row._fields))}, 1, 0, 1)"


class Keeper:
    """Writes what was decoded through one connection, inside its caller's transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        template = sql("keep.sql")
        self._insert_one = template.replace("/* rows */", _VALUES)
        self._insert_many = template.replace("/* rows */", ", ".join([_VALUES] * _TOGETHER))
        self._contested = sql("contested.sql")
        self._kinds: dict[str, int] = {}
        self._roads: dict[tuple[str, str], int] = {}

    def forget_numbers(self) -> None:
        """The transaction was undone: rows that gave kinds and roads their numbers may be gone."""
        self._kinds.clear()
        self._roads.clear()

    def receipts(self, decoded: Sequence[Decoded]) -> tuple[list[StoredReceipt], int]:
        """Write every receipt; return the statements that were new, in seq order, and how many receipts there were."""
        taken = [(receipt, item.delivery) for item in decoded for receipt in item.receipts]
        if not taken:
            return [], 0
        last_seq = number(self._db, "SELECT last_seq FROM counter")
        offered = [self._row(receipt, delivery, last_seq + n) for n, (receipt, delivery) in enumerate(taken, 1)]
        repeats = self._offer(offered, last_seq)
        several = {seq for (seq,) in rows(self._db, self._contested, (last_seq,))}
        new: list[StoredReceipt] = []
        contested: set[_Identity] = set()
        for (receipt, delivery), row in zip(taken, offered, strict=True):
            if row.seq in repeats:
                if self._repeat(row):
                    contested.add(row.identity)
                continue
            new.append(StoredReceipt.of(receipt, delivery, row.seq))
            if row.seq in several:
                contested.add(row.identity)
        identities = Counter(
            (row.kind, row.test)
            for row in offered
            if row.seq not in repeats and not (contested and row.identity in contested)
        )
        for identity in sorted(contested):
            identities.update(self._decide(identity, last_seq))
        self._advance(last_seq + len(taken))
        self._count(taken, new, identities)
        return new, len(taken)

    def _advance(self, last_seq: int) -> None:
        """Note the last seq, and file the phones of a run of statements once there are enough to be worth it."""
        self._db.execute("UPDATE counter SET last_seq = ?", (last_seq,))
        if last_seq - number(self._db, "SELECT phones_to FROM counter") >= _PHONES:
            self._db.execute(
                "INSERT INTO phone SELECT phone, seq FROM statement"
                " WHERE seq > (SELECT phones_to FROM counter) AND phone <> '' ORDER BY phone, seq"
            )
            self._db.execute("UPDATE counter SET phones_to = last_seq")

    def _offer(self, offered: list[_Row], last_seq: int) -> set[int]:
        """Insert what is new, as its identity's state; return the seqs of those that were known."""
        before = self._db.total_changes()
        whole = len(offered) - len(offered) % _TOGETHER
        for begin in range(0, whole, _TOGETHER):
            together = offered[begin : begin + _TOGETHER]
            self._db.execute(self._insert_many, tuple(chain.from_iterable(together)))
        self._db.executemany(self._insert_one, offered[whole:])
        if self._db.total_changes() - before == len(offered):
            return set()
        taken = {seq for (seq,) in rows(self._db, "SELECT seq FROM statement WHERE seq > ?", (last_seq,))}
        return {row.seq for row in offered} - taken

    def _repeat(self, row: _Row) -> bool:
        """Count a repeat; True when it brought a signature or another body, so that the state must be decided again."""
        ((seq, signed, native, digest),) = rows(
            self._db,
            f"UPDATE statement SET times_seen = times_seen + 1 WHERE {_STATEMENT}"
            " RETURNING seq, signed, native, digest",
            (*row.identity, row.outcome, row.code, row.reported_at, row.detail),
        )
        if digest == row.digest and signed >= row.signed and native >= row.native:
            return False
        self._merge(seq, row, digest)
        return True

    def _row(self, receipt: Receipt, delivery: Delivery, seq: int) -> _Row:
        count = len(receipt.identity)
        id1, id2, id3, id4 = receipt.identity + ("", "", "", "")[count:]
        lead = 1 if count > 1 and receipt.call_id and id2 == receipt.call_id else 0
        if lead:
            id1, id2 = id2, id1
        sent = -1 if receipt.sent_at is None else receipt.sent_at
        reported = -1 if receipt.reported_at is None else receipt.reported_at
        when = sent if sent >= 0 else reported if reported >= 0 else delivery.received_at
        return _Row(
            seq, self._kind(receipt.kind, delivery), lead, count, id1, id2, id3, id4,
            receipt.outcome or "", receipt.code, reported, receipt.detail,
            sent, delivery.received_at, beijing_day(Instant(when)), receipt.phone, receipt.biz_id, receipt.out_id,
            receipt.call_id, self._road(delivery), delivery.source.signed, receipt.test,
            delivery.source is not Source.QUERY, receipt.digest, receipt.body,
        )  # fmt: skip

    def _kind(self, kind: Kind, delivery: Delivery) -> int:
        known = self._kinds.get(kind)
        if known is None:
            at = delivery.received_at
            self._db.execute(
                "INSERT INTO kind (name, first_received, last_received) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (kind, at, at),
            )
            known = self._kinds[kind] = number(self._db, "SELECT id FROM kind WHERE name = ?", kind)
        return known

    def _road(self, delivery: Delivery) -> int:
        key = (delivery.source, delivery.origin)
        known = self._roads.get(key)
        if known is None:
            self._db.execute("INSERT INTO road (source, origin) VALUES (?, ?) ON CONFLICT DO NOTHING", key)
            known = self._roads[key] = number(self._db, "SELECT id FROM road WHERE source = ? AND origin = ?", *key)
        return known

    def _merge(self, seq: int, row: _Row, shown: bytes) -> None:
        """Add to a known statement what a repeat brought: a signature, another body.

        The statement shows its native body with the smallest digest, and that body's fields, so that the order of
        arrival does not matter.
        """
        if row.signed:
            self._db.execute("UPDATE statement SET signed = 1 WHERE seq = ?", (seq,))
        ((shown_native,),) = rows(self._db, "SELECT native FROM statement WHERE seq = ?", (seq,))
        if row.digest == shown:
            if row.native and not shown_native:
                self._db.execute("UPDATE statement SET native = 1 WHERE seq = ?", (seq,))
        elif (not row.native, row.digest) > (not shown_native, shown):
            self._db.execute(
                "INSERT INTO body VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET native = max(native, excluded.native)",
                (seq, row.digest, row.native, row.body),
            )
        else:
            self._show(seq, row)

    def _show(self, seq: int, row: _Row) -> None:
        """Let a statement show the body and the fields of *row*, and keep what it showed beside it."""
        self._db.execute("INSERT INTO body SELECT seq, digest, native, body FROM statement WHERE seq = ?", (seq,))
        self._db.execute("DELETE FROM body WHERE seq = ? AND digest = ?", (seq, row.digest))
        if self._db.execute("SELECT 1 FROM counter WHERE phones_to >= ?", (seq,)).fetchall():
            self._db.execute(
                "DELETE FROM phone WHERE (phone, seq) IN (SELECT phone, seq FROM statement WHERE seq = ?)", (seq,)
            )
            self._db.execute("INSERT INTO phone SELECT ?1, ?2 WHERE ?1 <> ''", (row.phone, seq))
        known = "SELECT ? - test FROM statement, counter WHERE seq = ? AND current = 1 AND seq <= last_seq"
        self._recount(row.kind, number(self._db, known, row.test, seq))
        self._db.execute(
            "UPDATE statement SET sent_at = ?, day = ?, phone = ?, biz_id = ?, out_id = ?, call_id = ?, test = ?,"
            " native = ?, digest = ?, body = ? WHERE seq = ?",
            (row.sent_at, row.day, row.phone, row.biz_id, row.out_id, row.call_id, row.test, row.native, row.digest,
             row.body, seq),
        )  # fmt: skip

    def _decide(self, identity: _Identity, last_seq: int) -> Counter[tuple[int, bool]]:
        """Make the winning statement of *identity* its state, mark contradictions.

        Returns what that adds to the counts of its kind. An identity counts as a test when its state is one.
        """
        claims: dict[int, Claim] = {}
        tests: dict[int, bool] = {}
        counts: Counter[tuple[int, bool]] = Counter()
        for seq, outcome, code, signed, reported, detail, test, was in rows(
            self._db,
            f"SELECT seq, outcome, code, signed, reported_at, detail, test, current FROM statement WHERE {_IDENTITY}",
            identity,
        ):
            claims[seq] = Claim(Outcome(outcome) if outcome else None, code, bool(signed), _instant(reported), detail)
            tests[seq] = bool(test)
            if was and seq <= last_seq:
                counts[identity[-1], tests[seq]] -= 1
        current = max(claims, key=lambda seq: claims[seq].rank())
        counts[identity[-1], tests[current]] += 1
        conflict = contradictory({claim.outcome for claim in claims.values()})
        for seq, claim in claims.items():
            state = (seq == current, conflict and claim.settled)
            self._db.execute(
                "UPDATE statement SET current = ?1, conflict = ?2 WHERE seq = ?3 AND (current, conflict) <> (?1, ?2)",
                (*state, seq),
            )
        return counts

    def _recount(self, kind: int, tests: int) -> None:
        """So many more identities of *kind* are now the console's test push."""
        if tests:
            self._db.execute(
                "UPDATE kind SET tests = tests + ?1, identities = identities - ?1 WHERE id = ?2", (tests, kind)
            )

    def _count(
        self,
        taken: list[tuple[Receipt, Delivery]],
        new: list[StoredReceipt],
        identities: Counter[tuple[int, bool]],
    ) -> None:
        statements = Counter(receipt.kind for receipt in new)
        span: dict[str, tuple[int, int]] = {}
        for receipt, delivery in taken:
            at = delivery.received_at
            first, last = span.get(receipt.kind, (at, at))
            span[receipt.kind] = (min(first, at), max(last, at))
        self._db.executemany(
            "UPDATE kind SET identities = identities + ?, tests = tests + ?, statements = statements + ?,"
            " first_received = min(first_received, ?), last_received = max(last_received, ?) WHERE id = ?",
            [
                (identities[number, False], identities[number, True], statements[Kind(kind)], first, last, number)
                for kind, (first, last) in span.items()
                for number in (self._kinds[kind],)
            ],
        )

    def rejects(self, decoded: Sequence[Decoded]) -> tuple[int, int]:
        """Write every reject; return how many were not known before, and how many there were."""
        fresh = total = 0
        for item in decoded:
            for kind, reject in item.rejects:
                total += 1
                reject_id = hashlib.sha256((kind or "").encode() + b"\0" + reject.body).hexdigest()
                road, at = self._road(item.delivery), item.delivery.received_at
                ((seen,),) = rows(
                    self._db,
                    "INSERT INTO reject (id, kind, road, reason, received_at, times_seen, body)"
                    " VALUES (?, ?, ?, ?, ?, 1, ?)"
                    " ON CONFLICT (id) DO UPDATE SET times_seen = times_seen + 1 RETURNING times_seen",
                    (reject_id, kind or "", road, reject.reason, at, reject.body),
                )
                fresh += seen == 1
        return fresh, total


def rows(db: apsw.Connection, statement: str, values: Sequence[str | int | bytes] = ()) -> Iterable[tuple[Any, ...]]:
    """The rows of a query; what types its columns have is known from the schema (STRICT), not from here."""
    return db.execute(statement, values)


def number(db: apsw.Connection, statement: str, *values: str | int) -> int:
    """The one number that a query answers with; 0 where it has no row."""
    for (found,) in rows(db, statement, values):
        return int(found)
    return 0


def _instant(value: int) -> Instant | None:
    return None if value < 0 else Instant(value)
