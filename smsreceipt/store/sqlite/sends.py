"""The ledger in SQL: what was sent, and which of it has no final receipt.

Writing methods work inside their caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import apsw
import msgspec

from smsreceipt.model import Answer, Asked, Instant, Send, Share
from smsreceipt.store.ledger_rows import (
    COLUMNS,
    FINAL_SQL,
    REPORTS,
    RESUMED,
    SendRow,
    all_of,
    filters,
    merged,
    row_of,
    send_of,
    stored_send,
)
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.values import DaySends, Imported, ListedParts, SendQuery, StoredSend

#: Whether a number is one of the mainland, in SQL: model.is_mainland.
_MAINLAND = "(length(phone) = 11 AND phone GLOB '1[3-9]*')"
_DIFFERS = (
    "SELECT ?9, day, sent_at, out_id, template_code, sign_name, parts FROM send WHERE biz_id = ?1 AND phone = ?2"
    " AND (day, sent_at, out_id, template_code, sign_name, parts) <> (?3, ?4, ?5, ?6, ?7, ?8)"
)


class Sends:
    """Reads and writes the ledger through one connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def add(self, sends: Sequence[Send]) -> Imported:
        """Insert the sends; complete those that are known."""
        batch = [row_of(send) for send in sends]
        before = self._db.total_changes()
        settled = self._receipt("?1", "?2")
        self._db.executemany(
            f"INSERT INTO send ({COLUMNS}, settled) VALUES (?1, ?2, ?, ?, ?, ?, ?, ?, EXISTS ({settled}))"
            " ON CONFLICT DO NOTHING",
            batch,
        )
        new = self._db.total_changes() - before
        self._db.execute("UPDATE counter SET sends = sends + ?", (new,))
        if new == len(batch):
            return Imported(new)
        completed, contradicting = self._complete(batch)
        return Imported(new, len(batch) - new - completed, completed, contradicting)

    def _complete(self, batch: Sequence[SendRow]) -> tuple[int, int]:
        """Add the values that known sends lack; return how many sends got one, and how many have another value."""
        completed = contradicting = 0
        numbered = ((*row, n) for n, row in enumerate(batch))
        for n, *known in self._db.executemany(_DIFFERS, numbered):
            completion, differs = merged(tuple(known), batch[n][2:])
            contradicting += differs
            if completion != tuple(known):
                completed += 1
                self._db.execute(
                    "UPDATE send SET day = ?, sent_at = ?, out_id = ?, template_code = ?, sign_name = ?, parts = ?"
                    " WHERE biz_id = ? AND phone = ?",
                    (*completion, *batch[n][:2]),
                )
        return completed, contradicting

    def note(self, asked: Collection[Asked]) -> None:
        """Note which sends the provider was asked about, and its answers."""
        self._db.executemany(
            "UPDATE send SET asked_at = ?, answer = ? WHERE biz_id = ? AND phone = ?",
            [(each.at, each.answer, each.biz_id, each.phone) for each in asked],
        )

    def settle(self, after: int) -> None:
        """Mark the sends that have a final statement with seq > *after*, so that it need not be looked up again."""
        if number(self._db, "SELECT sends FROM counter"):
            self._db.execute(
                "UPDATE send SET settled = 1 WHERE +settled = 0 AND (biz_id, phone) IN ("
                "SELECT id1, id2 FROM statement WHERE seq > ? AND id3 = '' AND id4 = ''"
                f" AND +kind IN ({self._reports()}) AND +outcome IN {FINAL_SQL})",
                (after,),
            )

    def forget(self, query: SendQuery) -> int:
        """Delete the sends that match *query*; return how many."""
        terms, values = self._terms(query)
        before = self._db.total_changes()
        self._db.execute(
            f"DELETE FROM send WHERE (biz_id, phone) IN (SELECT biz_id, phone FROM send WHERE {all_of(terms)})", values
        )
        gone = self._db.total_changes() - before
        self._db.execute("UPDATE counter SET sends = sends - ?", (gone,))
        return gone

    def begin_comparison(self, first_day: int, last_day: int, at: Instant) -> Instant:
        """When the comparison of these days that is now under way began: *at*, or the time of one that was cut off."""
        began = number(
            self._db, "SELECT began_at FROM comparison WHERE first_day = ? AND last_day = ?", first_day, last_day
        )
        if at - RESUMED < began <= at:
            return Instant(began)
        self._db.execute("INSERT OR REPLACE INTO comparison VALUES (?, ?, ?)", (first_day, last_day, at))
        return at

    def end_comparison(self, first_day: int, last_day: int) -> None:
        """Delete the note of the comparison of these days."""
        self._db.execute("DELETE FROM comparison WHERE first_day = ? AND last_day = ?", (first_day, last_day))

    def find(self, query: SendQuery) -> Iterator[StoredSend]:
        """Yield the sends that match *query*, by day, BizId and number."""
        terms, values = self._terms(query)
        ways = [terms]
        if not (query.phones or query.biz_ids or query.out_ids):  # each in the order of its index: no sort
            ways = [["settled = 0", *terms], ["settled = 1", *terms]]
        backward = query.newest and query.limit is not None
        order = "DESC" if backward else "ASC"
        found = self._db.execute(
            " UNION ALL ".join(f"{self._select()} WHERE {all_of(way)}" for way in ways)
            + f" ORDER BY day {order}, biz_id {order}, phone {order} LIMIT ?",
            (*values * len(ways), -1 if query.limit is None else query.limit),
        )
        return map(stored_send, list(found)[::-1] if backward else found)

    def of(self, phone: str, first_day: int, last_day: int) -> list[Send]:
        """Every send to a number on these days."""
        found = self._db.execute(
            f"SELECT {COLUMNS} FROM send INDEXED BY send_phone WHERE phone = ? AND day BETWEEN ? AND ?"
            " ORDER BY sent_at, biz_id",
            (phone, first_day, last_day),
        )
        return [send_of(row) for row in found]

    def missing(self, first_day: int, last_day: int, share: Share) -> Iterator[StoredSend]:
        """Yield the sends of these days and this share without a final receipt, by number, day and BizId."""
        found = self._db.execute(
            f"{self._select()} INDEXED BY send_day WHERE settled = 0 AND day BETWEEN ? AND ?"
            f" AND NOT EXISTS ({self._receipt()}) ORDER BY phone, day, biz_id",
            (first_day, last_day),
        )
        return map(stored_send, (row for row in found if share.has(row[1])))

    def count(self, first_day: int, last_day: int, share: Share) -> int:
        """How many sends there are of these days and this share."""
        days = "SELECT {} FROM send WHERE settled IN (0, 1) AND day BETWEEN ? AND ?"
        if share.is_whole:
            return number(self._db, days.format("count(*)"), first_day, last_day)
        found = rows(self._db, days.format("phone"), (first_day, last_day))
        return sum(share.has(phone) for (phone,) in found)

    def by_day(self, first_day: int, last_day: int) -> list[DaySends]:
        """How many sends there are of each of these days."""
        found = rows(
            self._db,
            f"SELECT day, sum({_MAINLAND}), count(*) FROM send INDEXED BY send_day"
            " WHERE settled IN (0, 1) AND day BETWEEN ? AND ? GROUP BY day ORDER BY day",
            (first_day, last_day),
        )
        return [DaySends(day, mainland, sends - mainland) for day, mainland, sends in found]

    def parts(self, first_day: int, last_day: int) -> list[ListedParts]:
        """The billed parts of the sends of these days, by mainland or not."""
        told = (
            "SELECT max(billed_parts) FROM statement INDEXED BY statement_key WHERE id1 = send.biz_id"
            f" AND id2 = send.phone AND id3 = '' AND id4 = '' AND +kind IN ({self._reports()}) AND billed_parts > 0"
        )
        found = rows(
            self._db,
            "SELECT mainland, total(size), sum(size IS NULL), sum(size IS NULL AND answer = ?) FROM ("
            f" SELECT {_MAINLAND} AS mainland, answer, ifnull(({told}), iif(parts > 0, parts, NULL)) AS size"
            " FROM send INDEXED BY send_day WHERE settled IN (0, 1) AND day BETWEEN ? AND ?) GROUP BY mainland",
            (Answer.NO_RECORD, first_day, last_day),
        )
        return [ListedParts(bool(mainland), int(known), *others) for mainland, known, *others in found]

    def open(self) -> int:
        """How many sends have no final receipt."""
        return number(
            self._db,
            f"SELECT count(*) FROM send INDEXED BY send_day WHERE settled = 0 AND NOT EXISTS ({self._receipt()})",
        )

    def oldest_open_day(self, first_day: int) -> int | None:
        """The first day, from this one on, with a send without a final receipt that may still be asked about."""
        found = rows(
            self._db,
            "SELECT day FROM send INDEXED BY send_day WHERE settled = 0 AND day >= ? AND answer <> ?"
            f" AND NOT EXISTS ({self._receipt()}) ORDER BY day LIMIT 1",
            (first_day, Answer.NO_RECORD),
        )
        return next((int(day) for (day,) in found), None)

    def _reports(self) -> str:
        """The numbers of the kinds in REPORTS, for IN (…)."""
        found = rows(self._db, f"SELECT id FROM kind WHERE name IN ({', '.join('?' * len(REPORTS))})", REPORTS)
        return ", ".join(str(number) for (number,) in found)

    def _receipt(self, biz_id: str = "send.biz_id", phone: str = "send.phone") -> str:
        """A subquery for a final statement about the send. It seeks one prefix of the key, whatever the kinds are."""
        return (
            f"SELECT 1 FROM statement INDEXED BY statement_key WHERE id1 = {biz_id} AND id2 = {phone}"
            f" AND id3 = '' AND id4 = '' AND +kind IN ({self._reports()}) AND +outcome IN {FINAL_SQL}"
        )

    def _select(self) -> str:
        """The columns of a StoredSend; the last is outcome and code of its receipt's state, with a blank between."""
        return (
            f"SELECT {COLUMNS}, asked_at, answer, (SELECT outcome || ' ' || code FROM statement"
            " INDEXED BY statement_key WHERE id1 = send.biz_id AND id2 = send.phone AND id3 = '' AND id4 = ''"
            f" AND +kind IN ({self._reports()}) AND current = 1 ORDER BY outcome IN {FINAL_SQL} DESC LIMIT 1) FROM send"
        )

    def _terms(self, query: SendQuery) -> tuple[list[str], list[str | int]]:
        """Every filter as SQL."""
        terms: list[str] = []
        values: list[str | int] = []
        for column, wanted in (("phone", query.phones), ("biz_id", query.biz_ids), ("out_id", query.out_ids)):
            if wanted:
                terms.append(f"{column} IN (SELECT value FROM json_each(?))")
                values.append(msgspec.json.encode([*map(str, wanted)]).decode())
        more, given = filters(query, "?", f"(+settled = 1 OR EXISTS ({self._receipt()}))")
        return terms + more, values + given
