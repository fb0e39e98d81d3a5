"""Deletes whole identities, sends and rejects from the file, and gives the space back."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any

import apsw
import msgspec

from smsreceipt.language import N_
from smsreceipt.store.ledger_rows import FINAL_SQL, REPORTS
from smsreceipt.store.removal import UNATTRIBUTED, At, Held, Removal, Space, Whole, gathered
from smsreceipt.store.sqlite import files, notes
from smsreceipt.store.sqlite.attribution import Attribution
from smsreceipt.store.sqlite.columns import NUMBERED
from smsreceipt.store.sqlite.connect import reconnect
from smsreceipt.store.sqlite.faults import reading, translated
from smsreceipt.store.sqlite.files import Files
from smsreceipt.store.sqlite.rows import number, rows

_SLICE = 5_000  # statements that are read at once: a long read would keep the journal from being emptied
_STEP = 500  # pages that are given back at once
_PAUSE = 0.02  # seconds between two such steps
_PIECE = 1 << 24  # bytes of a file that are searched at once
_INCREMENTAL = 2  # the auto_vacuum of a file that was rewritten once
_THESE = "IN (SELECT value FROM json_each(?1))"
_SAME = " AND ".join(f"statement.{name} = wanted.{name}" for name in ("id1", "id2", "id3", "id4", "kind"))
_WHOLE = (
    "SELECT statement.seq, statement.id1, statement.id2, statement.id3, statement.id4, statement.kind, kind.name, day,"
    " phone, call_id, current, length(body), digest"
    f" FROM (SELECT DISTINCT id1, id2, id3, id4, kind FROM statement WHERE seq {_THESE}) AS wanted"
    f" CROSS JOIN statement INDEXED BY statement_key ON {_SAME} CROSS JOIN kind ON kind.id = statement.kind"
)
_OLD = (
    "SELECT day, kind, seq FROM statement INDEXED BY statement_day WHERE (day, kind, seq) > (?, ?, ?) AND day >= ?"
    " AND day < ? ORDER BY day, kind, seq LIMIT ?"
)
_TEXTS = (
    "SELECT seq, phone || ' ' || numbers || ' ' || biz_id || ' ' || out_id || ' ' || call_id || ' ' || id1 || ' ' ||"
    " id2 || ' ' || id3 || ' ' || id4 || ' ' || code || ' ' || detail, body FROM statement WHERE seq > ?"
    " ORDER BY seq LIMIT ?"
)
_FURTHER = "SELECT seq, digest, body FROM body WHERE (seq, digest) > (?, ?) ORDER BY seq, digest LIMIT ?"

#: A replay that was cut off has noted its file, perhaps before anything of it was stored.
_ORIGINS = "SELECT origin FROM road UNION SELECT file FROM replay"
_CODES = "SELECT DISTINCT code FROM day_tally UNION SELECT DISTINCT code FROM tally_change"


class Removals:
    """The Removals of one store."""

    seconds = 0.02  #: who answers a push waits for a transaction, for there is one writer at a time

    def __init__(
        self,
        db: apsw.Connection,
        transaction: Callable[[], AbstractContextManager[None]],
        attribution: Attribution,
        files: Files,
        path: Path,
    ) -> None:
        self._db, self._transaction, self._attribution = db, transaction, attribution
        self._files, self._path = files, path

    def old(self, before: int, after: At, limit: int) -> list[At]:
        """The next statements of days before a Beijing day."""
        with reading(self._path):
            return [At(*found) for found in rows(self._db, _OLD, (*after, after.day, before, limit))]

    def wholes(self, seqs: Collection[int]) -> list[Whole]:
        """The wholes that these seqs belong to."""
        with reading(self._path):
            return _wholes(self._db, seqs)

    def texts(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield the seq of each statement with what its columns tell, and with each of its bodies."""
        with reading(self._path):
            after = 0
            while found := list(rows(self._db, _TEXTS, (after, _SLICE))):
                yield from ((seq, told.encode(), body) for seq, told, body in found)
                after = found[-1][0]
            at: tuple[Any, ...] = (0, b"")
            while found := list(rows(self._db, _FURTHER, (*at, _SLICE))):
                yield from ((seq, b"", body) for seq, _, body in found)
                at = found[-1][:2]

    def origins(self) -> list[str]:
        """The origins of what is and was stored: queues, paths, files."""
        with reading(self._path):
            return [origin for (origin,) in rows(self._db, _ORIGINS)]

    def counted(self) -> list[str]:
        """The codes in figures that were counted in advance."""
        with reading(self._path):
            return [code for (code,) in rows(self._db, _CODES)]

    def remove(self, removal: Removal) -> bool:
        """Delete all of *removal* in one transaction; False if an identity is not as it was read."""
        with self._transaction():
            return _remove(self._db, self._attribution, removal)

    def attribute(self, limit: int) -> int:
        """Attribute anew what removals have left of the next numbers."""
        with reading(self._path):
            if not self._unattributed(limit):
                return 0
        with self._transaction():
            phones = self._unattributed(limit)
            self._attribution.again(phones)
            notes.write(self._db, UNATTRIBUTED, dict.fromkeys(phones), {})
        return len(phones)

    def _unattributed(self, limit: int) -> list[str]:
        noted = rows(self._db, "SELECT name FROM note WHERE topic = ? ORDER BY name LIMIT ?", (UNATTRIBUTED, limit))
        return [phone for (phone,) in noted]

    def reclaim(self, *, rewrite: bool) -> Space:
        """Give free pages back, or write the file anew, and empty the journal."""
        with translated(self._path):
            if rewrite:
                self._cut("PRAGMA auto_vacuum = INCREMENTAL", "VACUUM")
            elif number(self._db, "PRAGMA auto_vacuum") == _INCREMENTAL:
                while number(self._db, "PRAGMA freelist_count"):
                    self._cut(f"PRAGMA incremental_vacuum({_STEP})")
                    time.sleep(_PAUSE)
            ((busy, *_),) = rows(self._db, "PRAGMA wal_checkpoint(TRUNCATE)")
        free = number(self._db, "PRAGMA freelist_count") * number(self._db, "PRAGMA page_size")
        size = files.size(self._path) + files.size(files.beside(self._path, "-wal"))
        return Space(size, free, N_("another process") if busy else "")

    def _cut(self, *statements: str) -> None:
        with ExitStack() as stack:
            db = self._db if self._files.in_memory else stack.enter_context(closing(reconnect(self._path)))
            for statement in statements:
                db.execute(statement).fetchall()

    def key_file(self) -> Path:
        """Beside the store."""
        return self._path.with_suffix(files.FORGET_KEY)

    def traces(self, needles: Collection[bytes]) -> bool:
        """Whether one of these texts stands in the file or its journal."""
        longest = max(map(len, needles), default=0)
        for read in self._files.readers():
            at, before = 0, b""
            while piece := read(_PIECE, at):
                joined = before + piece
                if any(needle in joined for needle in needles):
                    return True
                at, before = at + len(piece), piece[-longest:]
        return False


def _wholes(db: apsw.Connection, seqs: Collection[int]) -> list[Whole]:
    return gathered(seqs, lambda wanted: _statements(db, wanted), lambda found: _ties(db, found))


def _statements(db: apsw.Connection, seqs: Collection[int]) -> Iterator[Held]:
    found = list(rows(db, _WHOLE, (_listed(seqs),)))
    further: dict[int, list[tuple[bytes, int]]] = defaultdict(list)
    for seq, digest, size in rows(
        db, f"SELECT seq, digest, length(body) FROM body WHERE seq {_THESE}", (_listed([row[0] for row in found]),)
    ):
        further[seq].append((digest, size))
    for seq, *identity, kind, day, phone, call_id, current, size, digest in found:
        more = further[seq]
        yield Held(
            seq, tuple(identity), kind, day, phone, call_id, bool(current), size + sum(each for _, each in more),
            frozenset({digest, *(each for each, _ in more)}),
        )  # fmt: skip


def _ties(db: apsw.Connection, statements: Collection[Held]) -> Iterable[tuple[int, int]]:
    listed = _listed([each.seq for each in statements])
    either = f"SELECT detail, report FROM tie WHERE detail {_THESE} UNION SELECT detail, report FROM tie WHERE report"
    found: Iterable[tuple[int, int]] = rows(db, f"{either} {_THESE}", (listed,))
    return found


def _remove(db: apsw.Connection, attribution: Attribution, removal: Removal) -> bool:
    """Delete all of *removal* inside the caller's transaction; False if an identity is not as it was read."""
    seqs = [seq for whole in removal.wholes for seq in whole.seqs]
    if set(_wholes(db, seqs)) != set(removal.wholes):
        return False
    listed = _listed(seqs)
    answered = _listed(_answered(db, listed))
    _delete_statements(db, listed)
    _delete_sends(db, _listed(removal.sends))
    phones = {each.phone for whole in removal.wholes for each in whole.statements}
    left = attribution.with_details(phones | {phone for _, phone in removal.sends})
    notes.write(db, UNATTRIBUTED, dict.fromkeys(left, ""), {})
    db.execute(
        "UPDATE send SET settled = ?1, answer = iif(?1, 'pruned', answer)"
        " WHERE (biz_id, phone) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))",
        (removal.settle, answered),
    )
    db.execute(f"DELETE FROM reject WHERE id {_THESE}", (_listed(removal.rejects),))
    for origin, instead in removal.origins.items():
        db.execute("UPDATE road SET origin = ? WHERE origin = ?", (instead, origin))
        db.execute("DELETE FROM replay WHERE file = ?", (origin,))
    for topic, changes in removal.notes.items():
        notes.write(db, topic, changes, {})
    return True


def _delete_statements(db: apsw.Connection, listed: str) -> None:
    for kind, test, identities, statements in list(
        rows(
            db, f"SELECT kind, test, sum(current), count(*) FROM statement WHERE seq {_THESE} GROUP BY 1, 2", (listed,)
        )
    ):
        db.execute(
            f"UPDATE kind SET {'tests' if test else 'identities'} = {'tests' if test else 'identities'} - ?,"
            " statements = statements - ? WHERE id = ?",
            (identities, statements, kind),
        )
    db.execute(f"DELETE FROM phone WHERE (phone, seq) IN ({NUMBERED.format(f'seq {_THESE}')})", (listed,))
    db.execute(f"DELETE FROM body WHERE seq {_THESE}", (listed,))
    db.execute(f"DELETE FROM tie WHERE detail {_THESE}", (listed,))
    db.execute(f"DELETE FROM statement WHERE seq {_THESE}", (listed,))


def _delete_sends(db: apsw.Connection, listed: str) -> None:
    before = db.total_changes()
    db.execute(
        "DELETE FROM send WHERE (biz_id, phone) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))", (listed,)
    )
    db.execute("UPDATE counter SET sends = sends - ?", (db.total_changes() - before,))


def _answered(db: apsw.Connection, listed: str) -> list[tuple[str, str]]:
    """BizId and phone of the sends whose final receipts are among these statements."""
    names = ", ".join(f"'{name}'" for name in REPORTS)
    found: Iterable[tuple[str, str]] = rows(
        db,
        f"SELECT id1, id2 FROM statement WHERE seq {_THESE} AND outcome IN {FINAL_SQL}"
        f" AND kind IN (SELECT id FROM kind WHERE name IN ({names}))",
        (listed,),
    )
    return list(found)


def _listed(values: Collection[object]) -> str:
    return msgspec.json.encode(list(values)).decode()
