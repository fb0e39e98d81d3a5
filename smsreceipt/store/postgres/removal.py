"""Deletes whole identities, sends and rejects from the database, and gives the space back."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from psycopg.errors import Diagnostic

from smsreceipt.store.forgotten import TURN
from smsreceipt.store.ledger_rows import FINAL_SQL
from smsreceipt.store.postgres import keep, notes, sends, tallies
from smsreceipt.store.postgres.address import private_file
from smsreceipt.store.postgres.arrays import int8s, texts, uuids
from smsreceipt.store.postgres.attribution import Attribution
from smsreceipt.store.postgres.batch import columns
from smsreceipt.store.postgres.columns import ident_of, phone_place
from smsreceipt.store.postgres.faults import translated
from smsreceipt.store.postgres.identities import Counts
from smsreceipt.store.postgres.session import Connections, Db, Reader
from smsreceipt.store.postgres.writer import Begun
from smsreceipt.store.removal import UNATTRIBUTED, At, Held, Removal, Space, Whole, gathered

_SLICE = 5_000  # statements that are read at once
_ROWS = (
    "SELECT statement.seq, statement.place, uuid_send(statement.ident), statement.kind, kind.name, day, phone, call_id,"
    " current, length(body), digest FROM wanted JOIN smsreceipt.statement ON statement.place = wanted.place"
    " AND statement.ident = wanted.ident AND statement.kind = wanted.kind AND {} current"
    " JOIN smsreceipt.kind ON kind.id = statement.kind"
)
_WHOLE = (
    "WITH wanted AS MATERIALIZED (SELECT DISTINCT place, ident, kind FROM smsreceipt.statement WHERE seq = ANY(%s))"
    f" {_ROWS.format('')} UNION ALL {_ROWS.format('NOT')}"
)
_OLD = (
    "SELECT day, kind, seq FROM smsreceipt.statement WHERE (day, kind, seq) > (%s, %s, %s) AND day < %s AND seq <= %s"
    " ORDER BY day, kind, seq LIMIT %s"
)
_TEXTS = (
    "SELECT seq, concat_ws(' ', phone, numbers, biz_id, out_id, call_id, id1, identity, code, detail), body"
    " FROM smsreceipt.statement WHERE seq > %s ORDER BY seq LIMIT %s"
)
_FURTHER = "SELECT seq, body FROM smsreceipt.body ORDER BY seq"
#: A replay that was cut off has noted its file, perhaps before anything of it was stored.
_ORIGINS = "SELECT origin FROM smsreceipt.road UNION SELECT file FROM smsreceipt.replay"
_CODES = "SELECT code FROM smsreceipt.day_tally UNION SELECT code FROM smsreceipt.tally_change"
_PAIRS = "(SELECT * FROM unnest(%s::int8[], %s::uuid[]))"
_TABLES = ("statement", "body", "reject", "send", "tie", "note", "road", "replay", "day_tally", "tally_change",
           "call_tally")  # fmt: skip
_PATIENCE = 10.0  # seconds for which others may still read what was deleted
_LOOK = 0.1  # seconds between two looks at that
_NOW = "SELECT pg_snapshot_xmax(pg_current_snapshot())::xid::text"
#: Who may still see rows that a transaction before this one deleted: VACUUM FULL keeps them. A session that writes
#: counts in whatever database it is: the snapshot that VACUUM FULL takes is not newer.
_HOLDERS = """
SELECT who FROM (
    SELECT format('session %%s of the server (%%s)', pid, coalesce(nullif(application_name, ''), backend_type)),
        greatest(age(backend_xid), CASE WHEN datname = current_database() OR datname IS NULL THEN age(backend_xmin) END)
    FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
    UNION ALL SELECT format('the prepared transaction %%s', gid), age(transaction) FROM pg_prepared_xacts
    UNION ALL SELECT format('the replication slot %%s', slot_name), age(xmin) FROM pg_replication_slots
) AS holder (who, age) WHERE age > age(%s::xid) ORDER BY age DESC LIMIT 1
"""
_TIES = (
    "SELECT detail, report FROM smsreceipt.tie WHERE place = ANY(%s) AND detail = ANY(%s)"
    " UNION SELECT detail, report FROM smsreceipt.tie WHERE place = ANY(%s) AND report = ANY(%s)"
)
_UNATTRIBUTED = "SELECT name FROM smsreceipt.note WHERE topic = %s ORDER BY name LIMIT %s"
#: Indexes find all that a transaction reads. A planner that has no statistics, because the tables were filled a moment
#: ago, would read whole tables instead.
_BY_INDEX = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;"
    " SET LOCAL jit = off"
)
_LOCK = "SELECT FROM smsreceipt.statement WHERE seq = ANY(%s) ORDER BY place, ident, kind, seq FOR UPDATE"
_OF_BODIES = (
    "SELECT body.seq, body.digest, length(body.body) FROM unnest(%s::int8[], %s::int8[]) AS wanted (place, seq)"
    " JOIN smsreceipt.body ON body.place = wanted.place AND body.seq = wanted.seq"
)

T = TypeVar("T")
_Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
_Attribution = Callable[[Db], Attribution]


class _Write(Protocol):
    def __call__(self, work: Callable[[Db, Begun], T], *, alone: bool) -> T: ...


class Removals:
    """The Removals of one store."""

    seconds = 0.1  #: others write meanwhile; its many requests take time

    def __init__(
        self,
        connections: Connections,
        reader: Reader,
        write: _Write,
        attribution: _Attribution,
        kinds: Callable[[], str],
    ) -> None:
        """*kinds*: the numbers of the kinds whose receipts are those of sends, once a transaction has begun."""
        self._connections, self._reader, self._write = connections, reader, write
        self._attribution, self._kinds = attribution, kinds

    def old(self, before: int, after: At, limit: int) -> list[At]:
        """The next statements of days before a Beijing day."""
        return [At(*found) for found in self._reader.rows(_OLD, (*after, before, self._reader.horizon(), limit))]

    def wholes(self, seqs: Collection[int]) -> list[Whole]:
        """The wholes that these seqs belong to."""
        return _wholes(self._reader.rows, seqs)

    def texts(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield the seq of each statement with what its columns tell, and with each of its bodies."""
        after = 0
        while found := self._reader.rows(_TEXTS, (after, _SLICE)):
            yield from ((seq, told.encode(), bytes(body)) for seq, told, body in found)
            after = found[-1][0]
        yield from ((seq, b"", bytes(body)) for seq, body in self._reader.stream(_FURTHER))

    def origins(self) -> list[str]:
        """The origins of what is and was stored: queues, paths, files."""
        return [origin for (origin,) in self._reader.rows(_ORIGINS)]

    def counted(self) -> list[str]:
        """The codes in figures that were counted in advance."""
        return [code for (code,) in self._reader.rows(_CODES)]

    def remove(self, removal: Removal) -> bool:
        """Delete all of *removal* in one transaction; False if an identity is not as it was read."""
        seqs = [seq for whole in removal.wholes for seq in whole.seqs]
        phones = {each.phone for whole in removal.wholes for each in whole.statements}
        phones |= {phone for _, phone in removal.sends}

        def work(db: Db, begun: Begun) -> bool:
            def query(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
                return db.execute(text, values, binary=True).fetchall()

            db.execute(_BY_INDEX)
            db.execute(_LOCK, (int8s(seqs),))
            if set(_wholes(query, seqs)) != set(removal.wholes):
                return False
            answered = _answered(db, seqs, self._kinds())
            _delete_statements(db, seqs)
            _delete_sends(db, removal.sends)
            self._note_unattributed(db, begun, phones)
            _settle(db, answered, settled=removal.settle)
            keep.drop_rejects(db, removal.rejects)
            for origin, instead in removal.origins.items():
                keep.rename_origin(db, origin, instead)
                db.execute("DELETE FROM smsreceipt.replay WHERE file = %s", (origin,))
            for topic, changes in removal.notes.items():
                notes.write(db, topic, changes, {})
            return True

        # What changes the tombstones must be seen by every transaction that ends later.
        return self._write(work, alone=TURN[0] in removal.notes)

    def _note_unattributed(self, db: Db, begun: Begun, phones: set[str]) -> None:
        """Note those of these numbers about which answers stay. A number that is noted already is not read again."""
        known = {phone for (phone,) in db.execute(notes.NAMED, (UNATTRIBUTED, texts(sorted(phones))))}
        if left := self._attribution(db).with_details(begun, phones - known):
            notes.write(db, UNATTRIBUTED, dict.fromkeys(left, ""), {})

    def attribute(self, limit: int) -> int:
        """Attribute anew what removals have left of the next numbers."""

        def work(db: Db, _: Begun) -> int:
            phones = [phone for (phone,) in db.execute(_UNATTRIBUTED, (UNATTRIBUTED, limit))]
            self._attribution(db).again(phones)
            notes.write(db, UNATTRIBUTED, dict.fromkeys(phones), {})
            return len(phones)

        return self._write(work, alone=True) if self._reader.rows(_UNATTRIBUTED, (UNATTRIBUTED, 1)) else 0

    def reclaim(self, *, rewrite: bool) -> Space:
        """Let the server vacuum the tables; how much is free in them is not known."""
        warned: list[str | None] = []

        def note(notice: Diagnostic) -> None:
            warned.append(notice.severity_nonlocalized)

        with translated(self._connections.location), self._connections.lend() as db:
            holder = _holder(db) if rewrite else ""
            db.add_notice_handler(note)
            try:
                for table in _TABLES:
                    db.execute(f"VACUUM ({'FULL, ' if rewrite and not holder else ''}ANALYZE) smsreceipt.{table}")
            finally:
                db.remove_notice_handler(note)
        # The server skips the tables of others, and warns.
        return Space(self._reader.number("SELECT smsreceipt.size()"), None, holder, "WARNING" in warned)

    def key_file(self) -> Path:
        """In the platform's data directory: each machine that writes needs it."""
        return private_file(self._connections.location, "forget-key")

    def traces(self, needles: Collection[bytes]) -> None:
        """None: the server keeps the files."""


def _holder(db: Db) -> str:
    """Wait until nobody can see any more what was deleted before now; who still can after a while, "" for nobody."""
    ((now,),) = db.execute(_NOW).fetchall()
    limit = time.monotonic() + _PATIENCE
    while found := db.execute(_HOLDERS, (now,)).fetchall():
        if time.monotonic() > limit:
            return str(found[0][0])
        time.sleep(_LOOK)
    return ""


def _wholes(query: _Query, seqs: Collection[int]) -> list[Whole]:
    def ties(found: Collection[Held]) -> list[tuple[int, int]]:
        places = int8s(sorted({phone_place(each.phone) for each in found}))
        of_these = (places, int8s([each.seq for each in found]))
        return [(detail, report) for detail, report in query(_TIES, of_these * 2)]

    return gathered(seqs, lambda wanted: _statements(query, wanted), ties)


def _statements(query: _Query, seqs: Collection[int]) -> Iterator[Held]:
    found = query(_WHOLE, (int8s(list(seqs)),))
    further: dict[int, list[tuple[bytes, int]]] = defaultdict(list)
    for seq, digest, size in query(_OF_BODIES, (int8s([row[1] for row in found]), int8s([row[0] for row in found]))):
        further[seq].append((bytes(digest), size))
    for seq, place, ident, number, kind, day, phone, call_id, current, size, digest in found:
        more = further[seq]
        yield Held(
            seq, (place, bytes(ident), number), kind, day, phone, call_id, current,
            size + sum(each for _, each in more), frozenset({bytes(digest), *(each for each, _ in more)}),
        )  # fmt: skip


def _delete_statements(db: Db, seqs: Sequence[int]) -> None:
    these = (int8s(seqs),)
    tallies.note(db, -1, seqs)
    db.execute(
        "DELETE FROM smsreceipt.body USING smsreceipt.statement WHERE statement.seq = ANY(%s)"
        " AND body.place = statement.place AND body.seq = statement.seq",
        these,
    )
    db.execute(
        "DELETE FROM smsreceipt.tie USING smsreceipt.statement WHERE statement.seq = ANY(%s)"
        " AND tie.place = statement.place AND tie.detail = statement.seq",
        these,
    )
    identities: Counts = Counter()
    statements: Counter[int] = Counter()
    for kind, test, current in db.execute(
        "DELETE FROM smsreceipt.statement WHERE seq = ANY(%s) RETURNING kind, test, current", these
    ):
        identities[kind, test] -= current
        statements[kind] -= 1
    keep.count(db, identities, statements, dict.fromkeys(statements, (None, None)))


def _delete_sends(db: Db, gone: Collection[tuple[str, str]]) -> None:
    if gone:
        keys = [(phone_place(phone), ident_of(biz_id, phone)) for biz_id, phone in gone]
        places, idents = columns(sorted(keys), 2)
        deleted = db.execute(
            f"DELETE FROM smsreceipt.send WHERE (place, ident) IN {_PAIRS}", (int8s(places), uuids(idents))
        ).rowcount
        sends.count(db, -deleted)


def _answered(db: Db, seqs: Sequence[int], kinds: str) -> list[tuple[int, bytes]]:
    """The keys of the sends whose final receipts are among these statements."""
    return db.execute(
        f"SELECT DISTINCT place, uuid_send(ident) FROM smsreceipt.statement WHERE seq = ANY(%s) AND kind IN ({kinds})"
        f" AND outcome IN {FINAL_SQL}",
        (int8s(seqs),),
        binary=True,
    ).fetchall()


def _settle(db: Db, answered: Sequence[tuple[int, bytes]], *, settled: bool) -> None:
    if answered:
        places, idents = columns(sorted(answered), 2)
        db.execute(
            "UPDATE smsreceipt.send SET settled = %s, answer = CASE WHEN %s THEN 'pruned' ELSE answer END"
            f" WHERE (place, ident) IN {_PAIRS}",
            (settled, settled, int8s(places), uuids(idents)),
        )
