"""What one transaction of received messages writes: statements, their states, further bodies, rejects, counters.

The caller begins the transaction and commits it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import apsw

from smsreceipt.model import Claim, Decoded, Delivery, Instant, Kind, Outcome, Reason, Source, decide, leg_of, said_in
from smsreceipt.store.new_receipts import NewReceipts
from smsreceipt.store.reject_rows import reject_id
from smsreceipt.store.sqlite import backfill
from smsreceipt.store.sqlite.batch import WIDTH, Identity, InsertBatch, Row
from smsreceipt.store.sqlite.columns import COLUMNS, INSERTED, NUMBERED, SHOWN, WRITTEN
from smsreceipt.store.sqlite.migrations import sql
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sqlite.sends import Sends

_KEY = ("id1", "id2", "id3", "id4", "kind", *(column.name for column in COLUMNS if column.key))
_SAME_KEY = " AND ".join(f"{name} = ?" for name in _KEY)
_SAME_IDENTITY = "id1 = ? AND id2 = ? AND id3 = ? AND id4 = ? AND kind = ?"
_PHONES = 20_000  # statements whose phones are looked up one by one; a few milliseconds
#: While many come at once, so many: an index of millions is written nearly whole for each lot, whatever its size.
_BULK_PHONES = 100_000
_BULK = 2_000  # statements in one commit that mean that many more follow
_ROW = f"({','.join('?' * WIDTH)})"
_LONGEST = 16_000  # apsw prepares a text beyond 16 KiB anew each time


class Keeper:
    """Writes decoded receipts and rejects through one connection, inside its caller's transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        text = sql("keep.sql").replace("/* columns */", ", ".join(INSERTED)).replace("/* values */", WRITTEN)
        insert, _, conflict = text.partition("/* rows */")
        most = (_LONGEST - len(insert) - len(conflict)) // (len(_ROW) + 1)
        self._inserts = [(count, insert + ",".join([_ROW] * count) + conflict) for count in (most, 16, 4, 1)]
        self._contested = sql("contested.sql")
        self._kinds: dict[str, int] = {}
        self._roads: dict[tuple[str, str], int] = {}

    def forget_numbers(self) -> None:
        """Clear the caches after a rollback, which may have removed the rows of kinds and origins."""
        self._kinds.clear()
        self._roads.clear()

    def receipts(self, decoded: Sequence[Decoded]) -> tuple[NewReceipts, int]:
        """Write every receipt; return the statements that were new, in seq order, and how many receipts there were.

        Raises AssertionError when SQLite's own count of changed rows says that a receipt was neither inserted nor
        counted as a repeat; the caller undoes the transaction then, and acknowledges nothing.
        """
        last_seq = number(self._db, "SELECT last_seq FROM counter")
        batch = InsertBatch(decoded, last_seq, self.kind, self.road)
        if not len(batch):
            return NewReceipts(), 0
        repeated, changed = self._insert(batch)
        kinds, tests = batch.column("kind"), batch.column("test")
        identities = _counted(kinds, tests)
        identities.subtract((kinds[seq - last_seq - 1], tests[seq - last_seq - 1]) for seq in repeated)
        statements = Counter({kind: identities[kind, False] + identities[kind, True] for kind, _ in identities})
        uncounted = [row for row in map(batch.row, repeated) if self._adds(row)] if changed < len(batch) else []
        if changed + len(uncounted) != len(batch):
            raise AssertionError(
                f"SQLite changed {changed} rows for {len(batch)} receipts, of which {len(uncounted)} wait to be counted"
            )
        contested = {_identity(row) for row in uncounted if self._count_repeat(row)}
        contested |= {_identity(batch.row(seq)) for (seq,) in rows(self._db, self._contested, (last_seq,))}
        for identity in sorted(contested):
            identities.update(self.decide(identity))
        self.advance(last_seq, last_seq + len(batch), done=_ends_a_file(decoded))
        self._count(batch, identities, statements)
        repeats = set(repeated)
        return NewReceipts(len(batch) - len(repeats), lambda: batch.statements(repeats)), len(batch)

    def advance(self, before: int, last_seq: int, *, done: bool) -> None:
        """Note the last seq. Once enough statements have come, index their phones and settle their sends.

        *done*: a file was read to its end with them. In the middle of a large file, which is told by the size of the
        commit, more are waited for. A small commit indexes few at a time, since its sender waits for the answer.
        """
        self._db.execute("UPDATE counter SET last_seq = ?", (last_seq,))
        backfill.advance(self._db, before, last_seq)
        bulk, indexed = last_seq - before >= _BULK, number(self._db, "SELECT phones_to FROM counter")
        if last_seq - indexed >= (_BULK_PHONES if bulk and not done else _PHONES):
            to = last_seq if bulk or done else indexed + _PHONES
            self._db.execute(
                f"INSERT INTO phone {NUMBERED.format('seq > ?1 AND seq <= ?2')} ORDER BY 1, 2", (indexed, to)
            )
            Sends(self._db).settle(indexed)
            self._db.execute("UPDATE counter SET phones_to = ?", (to,))

    def _insert(self, batch: InsertBatch) -> tuple[list[int], int]:
        """Insert new statements as the state of their identities, and count plain repeats.

        Returns the seqs of all repeats, and how many rows were inserted or counted.
        """
        before = self._db.total_changes()
        values, at = batch.values, 0
        for together, insert in self._inserts:
            while (end := at + together * WIDTH) <= len(values):
                self._db.execute(insert, values[at:end])
                at = end
        changed = self._db.total_changes() - before
        if number(self._db, "SELECT count(*) FROM statement WHERE seq > ?", batch.last_seq) == len(batch):
            return [], changed
        taken = {seq for (seq,) in rows(self._db, "SELECT seq FROM statement WHERE seq > ?", (batch.last_seq,))}
        return [seq for seq in batch.column("seq") if seq not in taken], changed

    def _adds(self, row: Row) -> bool:
        """Whether a repeat adds a signature or a body: the condition of keep.sql, which did not count it then."""
        counted = f"SELECT 1 FROM statement WHERE {_SAME_KEY} AND digest = ? AND signed >= ? AND native >= ?"
        return not list(rows(self._db, counted, (*_key(row), row["digest"], row["signed"], row["native"])))

    def _count_repeat(self, row: Row) -> bool:
        """Count a repeat that adds something; False when an earlier row of the same batch has added it already.

        After True the state must be decided again.
        """
        counted = list(
            rows(
                self._db,
                f"UPDATE statement SET times_seen = times_seen + 1 WHERE {_SAME_KEY}"
                " RETURNING seq, signed, native, digest",
                _key(row),
            )
        )
        if len(counted) != 1:
            raise AssertionError(f"SQLite holds a receipt {len(counted)} times that it should hold once")
        seq, signed, native, digest = counted[0]
        if digest == row["digest"] and signed >= row["signed"] and native >= row["native"]:
            return False
        self._merge(seq, row, digest)
        return True

    def kind(self, kind: Kind, delivery: Delivery) -> int:
        """The number of a kind that came with the delivery, in the table `kind`."""
        known = self._kinds.get(kind)
        if known is None:
            at = delivery.received_at
            self._db.execute(
                "INSERT INTO kind (name, first_received, last_received) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (kind, at, at),
            )
            known = self._kinds[kind] = number(self._db, "SELECT id FROM kind WHERE name = ?", kind)
        return known

    def road(self, delivery: Delivery) -> int:
        """The number of the delivery's source and origin in the table `road`."""
        return self.road_of(delivery.source, delivery.origin)

    def road_of(self, source: Source, origin: str) -> int:
        """The number of a source and an origin in the table `road`."""
        key = (source, origin)
        known = self._roads.get(key)
        if known is None:
            self._db.execute("INSERT INTO road (source, origin) VALUES (?, ?) ON CONFLICT DO NOTHING", key)
            known = self._roads[key] = number(self._db, "SELECT id FROM road WHERE source = ? AND origin = ?", *key)
        return known

    def _merge(self, seq: int, row: Row, shown: bytes) -> None:
        """Add a repeat's signature or body to the statement, which shows the body with the digest *shown*.

        A statement shows its native body that says most, then that with the smallest digest, and that body's fields,
        so that the order of arrival does not matter.
        """
        if row["signed"]:
            self._db.execute("UPDATE statement SET signed = 1 WHERE seq = ?", (seq,))
        ((shown_native, shown_body),) = rows(self._db, "SELECT native, body FROM statement WHERE seq = ?", (seq,))
        native, digest = row["native"], row["digest"]
        if digest == shown:
            if native and not shown_native:
                self._db.execute("UPDATE statement SET native = 1 WHERE seq = ?", (seq,))
        elif (not native, -said_in(row["body"]), digest) > (not shown_native, -said_in(shown_body), shown):
            self._db.execute(
                "INSERT INTO body VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET native = max(native, excluded.native)",
                (seq, digest, native, row["body"]),
            )
        else:
            self._show(seq, row)

    def _show(self, seq: int, row: Row) -> None:
        """Let a statement show the body and the fields of *row*; move the body that it showed to `body`."""
        self._db.execute("INSERT INTO body SELECT seq, digest, native, body FROM statement WHERE seq = ?", (seq,))
        self._db.execute("DELETE FROM body WHERE seq = ? AND digest = ?", (seq, row["digest"]))
        if self._db.execute("SELECT 1 FROM counter WHERE phones_to >= ?", (seq,)).fetchall():
            self._db.execute(f"DELETE FROM phone WHERE (phone, seq) IN ({NUMBERED.format('seq = ?1')})", (seq,))
            phones = {row["phone"], *row["numbers"].split()} - {"", "-"}
            self._db.executemany("INSERT INTO phone VALUES (?, ?)", [(phone, seq) for phone in sorted(phones)])
        known = "SELECT ? - test FROM statement WHERE seq = ? AND current = 1"
        self._recount(row["kind"], number(self._db, known, row["test"], seq))
        for names in filter(None, SHOWN):  # the first of them has a trigger mark the added columns as unread
            self._db.execute(
                f"UPDATE statement SET {', '.join(f'{name} = ?' for name in names)} WHERE seq = ?",
                (*(row[name] for name in names), seq),
            )

    def decide(self, identity: Identity) -> Counter[tuple[int, bool]]:
        """Mark the state of *identity* and its conflicts by the rule of model.decide().

        Returns the changes of the counts by kind and test. Each statement that was marked as the state before, as new
        ones are, has been counted. An identity counts as a test when its state is one.
        """
        claims: dict[int, Claim] = {}
        tests: dict[int, bool] = {}
        counts: Counter[tuple[int, bool]] = Counter()
        for seq, outcome, code, signed, reported, detail, numbers, test, was_current in rows(
            self._db,
            "SELECT seq, outcome, code, signed, reported_at, detail, numbers, test, current"
            f" FROM statement WHERE {_SAME_IDENTITY}",
            identity,
        ):
            at = None if reported < 0 else Instant(reported)
            claims[seq] = Claim(Outcome(outcome) if outcome else None, code, bool(signed), at, detail, leg_of(numbers))
            tests[seq] = bool(test)
            if was_current:
                counts[identity[-1], tests[seq]] -= 1
        current, conflicting = decide(claims)
        counts[identity[-1], tests[current]] += 1
        self._db.executemany(
            "UPDATE statement SET current = ?1, conflict = ?2 WHERE seq = ?3 AND (current, conflict) <> (?1, ?2)",
            [(seq == current, seq in conflicting, seq) for seq in claims],
        )
        return counts

    def _recount(self, kind: int, tests: int) -> None:
        """Count *tests* more identities of *kind* as test pushes."""
        if tests:
            self._db.execute(
                "UPDATE kind SET tests = tests + ?1, identities = identities - ?1 WHERE id = ?2", (tests, kind)
            )

    def _count(self, batch: InsertBatch, identities: Counter[tuple[int, bool]], statements: Counter[int]) -> None:
        spans: dict[int, set[int]] = {}
        for kind, at in batch.arrivals:
            spans.setdefault(kind, set()).add(at)
        self._db.executemany(
            "UPDATE kind SET identities = identities + ?, tests = tests + ?, statements = statements + ?,"
            " first_received = min(first_received, ?), last_received = max(last_received, ?) WHERE id = ?",
            [
                (identities[kind, False], identities[kind, True], statements[kind], min(ats), max(ats), kind)
                for kind, ats in spans.items()
            ],
        )

    def rejects(self, decoded: Sequence[Decoded]) -> tuple[Counter[Reason], int]:
        """Write every reject; return the reasons of those that were new, and how many there were."""
        fresh: Counter[Reason] = Counter()
        total = 0
        for item in decoded:
            for kind, reject in item.rejects:
                total += 1
                delivery = item.delivery
                road = self.road_of(delivery.source, reject.origin or delivery.origin)
                ((seen,),) = rows(
                    self._db,
                    "INSERT INTO reject (id, kind, road, reason, received_at, times_seen, body)"
                    " VALUES (?, ?, ?, ?, ?, 1, ?)"
                    " ON CONFLICT (id) DO UPDATE SET times_seen = times_seen + 1 RETURNING times_seen",
                    (reject_id(kind, reject.body), kind or "", road, reject.reason, delivery.received_at, reject.body),
                )
                if seen == 1:
                    fresh[reject.reason] += 1
        return fresh, total


def _ends_a_file(decoded: Sequence[Decoded]) -> bool:
    return any(item.delivery.reached and item.delivery.reached.done for item in decoded)


def _counted(kinds: list[int], tests: list[bool]) -> Counter[tuple[int, bool]]:
    """How many rows there are of each kind, test pushes apart."""
    if any(tests):
        return Counter(zip(kinds, tests, strict=True))
    return Counter({(kind, False): count for kind, count in Counter(kinds).items()})  # four times as fast


def _identity(row: Row) -> Identity:
    return (row["id1"], row["id2"], row["id3"], row["id4"], row["kind"])


def _key(row: Row) -> tuple[str | int, ...]:
    return tuple(row[name] for name in _KEY)
