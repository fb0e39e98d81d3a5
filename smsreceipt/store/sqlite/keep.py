"""What one transaction writes: statements, their states, further bodies, rejects, counters.

The caller begins the transaction and commits it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import apsw

from smsreceipt.model import Claim, Decoded, Delivery, Instant, Kind, Outcome, contradictory
from smsreceipt.store.sqlite.batch import PLACEHOLDERS, WIDTH, Identity, News, Offer, Row
from smsreceipt.store.sqlite.migrations import sql
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sqlite.sends import Sends

_STATEMENT = (
    "id1 = ? AND id2 = ? AND id3 = ? AND id4 = ? AND kind = ?"
    " AND outcome = ? AND code = ? AND reported_at = ? AND detail = ?"
)
_IDENTITY = "id1 = ? AND id2 = ? AND id3 = ? AND id4 = ? AND kind = ?"


_PHONES = 20_000  # statements whose phones are looked for one by one; a few milliseconds
_TOGETHER = (128, 16, 1)  # rows an INSERT; apsw prepares texts beyond 16 KiB anew each time
_ROW = f"({PLACEHOLDERS},1,0,1)"


class Keeper:
    """Writes what was decoded through one connection, inside its caller's transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        insert, _, conflict = sql("keep.sql").partition("/* rows */")
        self._inserts = [(count, insert + ",".join([_ROW] * count) + conflict) for count in _TOGETHER]
        self._contested = sql("contested.sql")
        self._kinds: dict[str, int] = {}
        self._roads: dict[tuple[str, str], int] = {}

    def forget_numbers(self) -> None:
        """The transaction was undone: rows that gave kinds and roads their numbers may be gone."""
        self._kinds.clear()
        self._roads.clear()

    def receipts(self, decoded: Sequence[Decoded]) -> tuple[News, int]:
        """Write every receipt; return the statements that were new, in seq order, and how many receipts there were."""
        last_seq = number(self._db, "SELECT last_seq FROM counter")
        offer = Offer(decoded, last_seq, self._kind, self._road)
        if not len(offer):
            return News(), 0
        repeated, changed = self._insert(offer)
        identities = Counter(zip(offer.column("kind"), offer.column("test"), strict=True))
        identities.subtract((row.kind, row.test) for row in repeated)
        statements = Counter({kind: identities[kind, False] + identities[kind, True] for kind, _ in identities})
        bringing = [row for row in repeated if self._brings(row)] if changed < len(offer) else []
        contested = {row.identity for row in bringing if self._repeat(row)}
        contested |= {offer.row(seq).identity for (seq,) in rows(self._db, self._contested, (last_seq,))}
        for identity in sorted(contested):
            identities.update(self.decide(identity))
        self._advance(last_seq + len(offer))
        self._count(offer, identities, statements)
        return News(offer, {row.seq for row in repeated}), len(offer)

    def _advance(self, last_seq: int) -> None:
        """Note the last seq; once a run of statements is worth it, file its phones and settle its sends."""
        self._db.execute("UPDATE counter SET last_seq = ?", (last_seq,))
        if last_seq - number(self._db, "SELECT phones_to FROM counter") >= _PHONES:
            self._db.execute(
                "INSERT INTO phone SELECT phone, seq FROM statement"
                " WHERE seq > (SELECT phones_to FROM counter) AND phone <> '' ORDER BY phone, seq"
            )
            Sends(self._db).settle(number(self._db, "SELECT phones_to FROM counter"))
            self._db.execute("UPDATE counter SET phones_to = last_seq")

    def _insert(self, offer: Offer) -> tuple[list[Row], int]:
        """Insert what is new, as its identity's state, and count plain repeats.

        Returns all repeats, and how many rows that inserted or counted.
        """
        before = self._db.total_changes()
        values, at = offer.values, 0
        for together, insert in self._inserts:
            while (end := at + together * WIDTH) <= len(values):
                self._db.execute(insert, values[at:end])
                at = end
        changed = self._db.total_changes() - before
        if number(self._db, "SELECT count(*) FROM statement WHERE seq > ?", offer.last_seq) == len(offer):
            return [], changed
        taken = {seq for (seq,) in rows(self._db, "SELECT seq FROM statement WHERE seq > ?", (offer.last_seq,))}
        return [offer.row(seq) for seq in offer.column("seq") if seq not in taken], changed

    def _brings(self, row: Row) -> bool:
        """Whether a repeat is more than that, as keep.sql has it, which therefore did not count it."""
        values = (row.outcome, row.code, row.reported_at, row.detail, row.digest, row.signed, row.native)
        counted = f"SELECT 1 FROM statement WHERE {_STATEMENT} AND digest = ? AND signed >= ? AND native >= ?"
        return not list(rows(self._db, counted, (*row.identity, *values)))

    def _repeat(self, row: Row) -> bool:
        """Count one that brings something; True when nothing before brought it: the state must be decided again."""
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

    def _merge(self, seq: int, row: Row, shown: bytes) -> None:
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

    def _show(self, seq: int, row: Row) -> None:
        """Let a statement show the body and the fields of *row*, and keep what it showed beside it."""
        self._db.execute("INSERT INTO body SELECT seq, digest, native, body FROM statement WHERE seq = ?", (seq,))
        self._db.execute("DELETE FROM body WHERE seq = ? AND digest = ?", (seq, row.digest))
        if self._db.execute("SELECT 1 FROM counter WHERE phones_to >= ?", (seq,)).fetchall():
            self._db.execute(
                "DELETE FROM phone WHERE (phone, seq) IN (SELECT phone, seq FROM statement WHERE seq = ?)", (seq,)
            )
            self._db.execute("INSERT INTO phone SELECT ?1, ?2 WHERE ?1 <> ''", (row.phone, seq))
        known = "SELECT ? - test FROM statement WHERE seq = ? AND current = 1"
        self._recount(row.kind, number(self._db, known, row.test, seq))
        self._db.execute(
            "UPDATE statement SET sent_at = ?, day = ?, phone = ?, biz_id = ?, out_id = ?, call_id = ?, test = ?,"
            " native = ?, digest = ?, body = ? WHERE seq = ?",
            (row.sent_at, row.day, row.phone, row.biz_id, row.out_id, row.call_id, row.test, row.native, row.digest,
             row.body, seq),
        )  # fmt: skip

    def decide(self, identity: Identity) -> Counter[tuple[int, bool]]:
        """Make the winning statement of *identity* its state, mark contradictions.

        Returns what that adds to the counts of its kind, in which each statement that claims to be the state, as new
        ones do, has been counted. An identity counts as a test when its state is one.
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
            if was:
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

    def _count(self, offer: Offer, identities: Counter[tuple[int, bool]], statements: Counter[int]) -> None:
        spans: dict[int, set[int]] = {}
        for kind, at in set(zip(offer.column("kind"), offer.column("received_at"), strict=True)):
            spans.setdefault(kind, set()).add(at)
        self._db.executemany(
            "UPDATE kind SET identities = identities + ?, tests = tests + ?, statements = statements + ?,"
            " first_received = min(first_received, ?), last_received = max(last_received, ?) WHERE id = ?",
            [
                (identities[kind, False], identities[kind, True], statements[kind], min(ats), max(ats), kind)
                for kind, ats in spans.items()
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


def _instant(value: int) -> Instant | None:
    return None if value < 0 else Instant(value)
