"""What one transaction of received messages writes: statements, their states, further bodies, rejects, counters.

A commit of new receipts and plain repeats takes one statement for all of them. That statement also locks the states of
the identities about which something else is said; they are then read, decided and written as a set (see identities).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from smsreceipt.matching import SEND_DETAIL
from smsreceipt.model import SETTLED, Asked, Decoded, Delivery, Reached, Reason, Source
from smsreceipt.store.postgres.arrays import byteas, int4s, int8s, texts, uuids
from smsreceipt.store.postgres.batch import Batch, Key, Row, columns, packed_rows
from smsreceipt.store.postgres.columns import OF_SENDS, digest, ident_of, phone_place
from smsreceipt.store.postgres.identities import INSERT, Counts, Identities, RowTypes
from smsreceipt.store.postgres.session import Db
from smsreceipt.store.reject_rows import reject_id

_KEEP = (
    f"{INSERT} ON CONFLICT (place, ident, kind) WHERE current DO UPDATE"
    " SET times_seen = statement.times_seen + excluded.times_seen"
    " WHERE statement.said = excluded.said AND statement.digest = excluded.digest"
    " AND statement.signed >= excluded.signed AND statement.native >= excluded.native"
    " RETURNING seq, place, uuid_send(ident), kind"
)
_COUNT = (
    "INSERT INTO smsreceipt.tally SELECT kind, pg_backend_pid() % 64, identities, tests, statements, first, last"
    " FROM unnest(%s::int4[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[])"
    " AS more (kind, identities, tests, statements, first, last) ORDER BY kind"
    " ON CONFLICT (kind, slot) DO UPDATE SET identities = tally.identities + excluded.identities,"
    " tests = tally.tests + excluded.tests, statements = tally.statements + excluded.statements,"
    " first_received = least(tally.first_received, excluded.first_received),"
    " last_received = greatest(tally.last_received, excluded.last_received)"
).replace(" % ", " %% ")
_REJECT = (
    "INSERT INTO smsreceipt.reject (place, n, id, kind, road, reason, received_at, times_seen, body)"
    " SELECT * FROM unnest(%s::int8[], %s::int8[], %s::text[], %s::text[], %s::int4[], %s::text[], %s::int8[],"
    " %s::int4[], %s::bytea[])"
    " ON CONFLICT (place, id) DO UPDATE SET times_seen = reject.times_seen + excluded.times_seen"
    " RETURNING id, times_seen"
)
_REASON = 5  # the position of the reason in a row of rejects
#: Rows of the ledger that others write at the same time are left out: `settled` may be behind.
_SETTLE = (
    "UPDATE smsreceipt.send SET settled = true WHERE (place, ident) IN ("
    "SELECT send.place, send.ident FROM unnest(%s::int8[], %s::uuid[]) AS told (place, ident)"
    " JOIN smsreceipt.send ON send.place = told.place AND send.ident = told.ident"
    " WHERE NOT settled FOR UPDATE OF send SKIP LOCKED)"
)


class Numbers:
    """The numbers of kinds and of ways in which receipts come; a new one is committed at once."""

    def __init__(self) -> None:
        self._kinds: dict[str, int] = {}
        self._roads: dict[tuple[str, str], int] = {}

    def prepare(self, db: Db) -> None:
        """Look up the kinds that a transaction needs whatever it writes: in it, none can be added."""
        for kind in (SEND_DETAIL, *sorted(OF_SENDS)):
            self.kind(db, kind)

    @property
    def of_sends(self) -> list[int]:
        """The kinds whose receipts are those of sends."""
        return [self._kinds[kind] for kind in OF_SENDS]

    def kind(self, db: Db, kind: str) -> int:
        """The number of a kind."""
        if kind not in self._kinds:
            self._kinds[kind] = _numbered(db, "kind", "name", (kind,))
        return self._kinds[kind]

    def road(self, db: Db, delivery: Delivery) -> int:
        """The number of the delivery's source and origin."""
        return self.road_of(db, delivery.source, delivery.origin)

    def road_of(self, db: Db, source: Source, origin: str) -> int:
        """The number of a source and an origin."""
        key = (str(source), origin)
        if key not in self._roads:
            self._roads[key] = _numbered(db, "road", "source, origin", key)
        return self._roads[key]


def _numbered(db: Db, table: str, names: str, values: tuple[str, ...]) -> int:
    key = digest("\0".join(values)).hex()
    find = f"SELECT id FROM smsreceipt.{table} WHERE key = %s::uuid"
    found = db.execute(find, (key,)).fetchone()
    if found is None:
        db.execute(
            f"INSERT INTO smsreceipt.{table} (key, {names}) VALUES (%s::uuid{', %s' * len(values)})"
            " ON CONFLICT (key) DO NOTHING",
            (key, *(value.replace("\0", "") for value in values)),
        )
        found = db.execute(find, (key,)).fetchone()
    assert found is not None  # noqa: S101 - it is there now
    return int(found[0])


def rename_origin(db: Db, origin: str, instead: str) -> None:
    """Let another text stand for an origin."""
    for number, source in db.execute("SELECT id, source FROM smsreceipt.road WHERE origin = %s", (origin,)).fetchall():
        key = digest(f"{source}\0{instead}").hex()
        db.execute("UPDATE smsreceipt.road SET origin = %s, key = %s::uuid WHERE id = %s", (instead, key, number))


def receipts(db: Db, batch: Batch, types: RowTypes, settling: Collection[int]) -> set[int]:
    """Write the rows of the batch, which have their seqs; return the seqs of the new statements.

    *settling*: the kinds whose receipts settle sends of the ledger.
    """
    first, later = batch.folded()
    rows = [first[key] for key in sorted(first)]
    written = db.execute(_KEEP, (packed_rows(rows, types.array, types.row),), binary=True).fetchall()
    mine = {row.seq for row in rows}
    new = {seq for seq, *_ in written} & mine
    counts: Counts = Counter((row.key.kind, row.receipt.test) for row in rows if row.seq in new)
    if len(written) < len(rows) or later:
        counted = {Key(place, ident, kind) for _, place, ident, kind in written}
        contested = [row for key, row in first.items() if key not in counted] + later
        more, changed = _contested(db, contested, types)
        new |= more
        counts.update(changed)
    statements = Counter(row.key.kind for row in batch.rows if row.seq in new)
    if settling:
        _settle(db, [row for row in batch.rows if row.seq in new and row.key.kind in settling])
    count(db, counts, statements, batch.arrivals)
    return new


def _contested(db: Db, rows: list[Row], types: RowTypes) -> tuple[set[int], Counts]:
    """Write further statements, signatures and bodies of known identities, whose states are locked."""
    rows.sort(key=lambda row: row.seq)
    identities = Identities(db, types)
    identities.read({row.key for row in rows})
    identities.read_bodies(rows)
    new = {row.seq for row in rows if identities.take(row)}
    identities.decide()
    return new, identities.write()


def _settle(db: Db, rows: list[Row]) -> None:
    """Note in the ledger which sends have a final receipt now."""
    final = sorted({row.key[:2] for row in rows if row.receipt.outcome in SETTLED})
    if final:
        places, idents = columns(final, 2)
        db.execute(_SETTLE, (int8s(places), uuids(idents)))


def count(
    db: Db, identities: Counts, statements: Counter[int], arrivals: Mapping[int, tuple[int | None, int | None]]
) -> None:
    """Add to the counters of the kinds that *arrivals* names, with the times of the first and the last delivery."""
    if not arrivals:
        return
    rows = [
        (kind, identities[kind, False], identities[kind, True], statements[kind], *span)
        for kind, span in sorted(arrivals.items())
    ]
    kinds, *others = columns(rows, 6)
    db.execute(_COUNT, (int4s(kinds), *map(int8s, others)))


def reject_place(reject_id: str) -> int:
    """The place of a reject."""
    return int.from_bytes(bytes.fromhex(reject_id[:16]), "big", signed=True)


class Rejects:
    """The rejects of one commit, each once."""

    def __init__(self, decoded: Sequence[Decoded], numbers: Numbers, db: Db) -> None:
        self.total = 0
        self.fresh: Counter[Reason] = Counter()  #: reasons of those that write() found new
        self._rows: dict[str, list[object]] = {}
        for item in decoded:
            for kind, reject in item.rejects:
                self.total += 1
                found = reject_id(kind, reject.body)
                if known := self._rows.get(found):
                    known[-2] += 1  # type: ignore[operator]
                    continue
                delivery = item.delivery
                road, at = numbers.road_of(db, delivery.source, reject.origin or delivery.origin), delivery.received_at
                place, reason = reject_place(found), str(reject.reason)
                self._rows[found] = [place, 0, found, kind or "", road, reason, at, 1, reject.body]

    def __len__(self) -> int:
        return len(self._rows)

    def write(self, db: Db, seqs: Sequence[int]) -> None:
        """Write them, numbered in the order of arrival."""
        if not self._rows:
            return
        for row, seq in zip(self._rows.values(), seqs, strict=True):
            row[1] = seq
        rows = sorted(self._rows.values(), key=lambda row: str(row[2]))
        places, numbers, ids, kinds, roads, reasons, ats, times, bodies = columns(rows, 9)
        written = db.execute(
            _REJECT,
            (int8s(places), int8s(numbers), texts(ids), texts(kinds), int4s(roads), texts(reasons), int8s(ats),
             int4s(times), byteas(bodies)),
        ).fetchall()  # fmt: skip
        new = [self._rows[found] for found, seen in written if seen == self._rows[found][-2]]
        self.fresh = Counter(Reason(str(row[_REASON])) for row in new)


def drop_rejects(db: Db, ids: Collection[str]) -> int:
    """Delete rejects by their full ids; return how many."""
    if not ids:
        return 0
    return db.execute("DELETE FROM smsreceipt.reject WHERE id = ANY(%s)", (list(ids),)).rowcount


def note_asked(db: Db, asked: Collection[Asked]) -> None:
    """Note which sends the provider was asked about, and its answers; of several about one send, the last."""
    latest = {(phone_place(each.phone), ident_of(each.biz_id, each.phone)): each for each in asked}
    if latest:
        rows = [(place, ident, each.at, str(each.answer)) for (place, ident), each in sorted(latest.items())]
        places, idents, ats, answers = columns(rows, 4)
        db.execute(
            "UPDATE smsreceipt.send SET asked_at = told.at, answer = told.answer"
            " FROM unnest(%s::int8[], %s::uuid[], %s::int8[], %s::text[]) AS told (place, ident, at, answer)"
            " WHERE send.place = told.place AND send.ident = told.ident",
            (int8s(places), uuids(idents), int8s(ats), texts(answers)),
        )


def note_reached(db: Db, decoded: Sequence[Decoded]) -> None:
    """Note how far each file is read; delete the notes of files that are read to their end."""
    latest = {reached.file: reached for item in decoded if (reached := item.delivery.reached) is not None}
    write_reached(db, latest.values())


def write_reached(db: Db, notes: Iterable[Reached]) -> None:
    """Write the checkpoints of files; delete those of files that are read to their end."""
    for reached in notes:
        key = digest(reached.file).hex()
        if reached.done:
            db.execute("DELETE FROM smsreceipt.replay WHERE key = %s::uuid", (key,))
        else:
            db.execute(
                "INSERT INTO smsreceipt.replay VALUES (%s::uuid, %s, %s, %s)"
                " ON CONFLICT (key) DO UPDATE SET reached = excluded.reached, mark = excluded.mark",
                (key, reached.file, reached.offset, reached.mark),
            )
