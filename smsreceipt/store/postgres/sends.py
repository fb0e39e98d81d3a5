"""The ledger in SQL: what was sent, and which of it has no final receipt.

Writing functions work inside their caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from smsreceipt.model import Answer, Instant, Send, Share
from smsreceipt.store.ledger_rows import (
    COLUMNS,
    FINAL_SQL,
    REPORTS,
    RESUMED,
    all_of,
    filters,
    merged,
    row_of,
    send_of,
    stored_send,
)
from smsreceipt.store.postgres.arrays import Pack, Packed, int4s, int8s, texts, uuids
from smsreceipt.store.postgres.batch import columns
from smsreceipt.store.postgres.columns import ident_of, phone_place
from smsreceipt.store.postgres.session import Db, Reader
from smsreceipt.store.values import DaySends, Imported, ListedParts, SendQuery, StoredSend

#: Whether a number is one of the mainland, in SQL: model.is_mainland.
_MAINLAND = "(length(phone) = 11 AND phone ~ '^1[3-9]')"
_ROWS = (
    "unnest(%s::int8[], %s::uuid[], %s::text[], %s::text[], %s::int4[], %s::int8[], %s::text[], %s::text[], %s::text[],"
    f" %s::int4[]) AS given (place, ident, {COLUMNS})"
)
_ABOUT = "FROM smsreceipt.statement WHERE statement.place = {0}.place AND statement.ident = {0}.ident AND kind IN ({1})"

_COUNT = (
    "INSERT INTO smsreceipt.ledger VALUES (pg_backend_pid() %% 64, %s)"
    " ON CONFLICT (slot) DO UPDATE SET sends = ledger.sends + excluded.sends"
)
_EXACT = 2_000  # open sends up to which each is looked up, for a count that is exact

_Key = tuple[int, bytes]  # place and ident


def receipt_of(send: str, kinds: str) -> str:
    """A subquery for a final receipt of a send. Final beats open, so the state is one if any statement is."""
    return f"SELECT {_ABOUT.format(send, kinds)} AND current AND outcome IN {FINAL_SQL}"


def add(db: Db, sends: Sequence[Send], kinds: str) -> Imported:
    """Insert the sends; complete those that are known."""
    batch = [((phone_place(each.phone), ident_of(each.biz_id, each.phone)), row_of(each)) for each in sends]
    first: dict[_Key, tuple[Any, ...]] = {}
    for key, row in batch:
        first.setdefault(key, row)
    found = db.execute(
        f"INSERT INTO smsreceipt.send (place, ident, {COLUMNS}, settled)"
        f" SELECT given.*, EXISTS ({receipt_of('given', kinds)}) FROM {_ROWS}"
        " ON CONFLICT (place, ident) DO NOTHING RETURNING place, uuid_send(ident)",
        _packed(first),
        binary=True,
    )
    new = set(found)
    count(db, len(new))
    if len(new) == len(batch):
        return Imported(len(new))
    completed, contradicting = _complete(db, batch)
    return Imported(len(new), len(batch) - len(new) - completed, completed, contradicting)


def _packed(rows: dict[_Key, tuple[Any, ...]]) -> list[Packed]:
    """The values of _ROWS, in the order of their keys."""
    values = columns([(*key, *rows[key]) for key in sorted(rows)], 10)
    packers: tuple[Pack, ...] = (int8s, uuids, texts, texts, int4s, int8s, texts, texts, texts, int4s)
    return [pack(column) for pack, column in zip(packers, values, strict=True)]


def _complete(db: Db, batch: Sequence[tuple[_Key, tuple[Any, ...]]]) -> tuple[int, int]:
    """Add the values that known sends lack; return how many sends got one, and how many have another value."""
    keys = sorted({key for key, _ in batch})
    places, idents = columns(keys, 2)
    found = db.execute(
        f"SELECT place, uuid_send(ident), {COLUMNS} FROM smsreceipt.send WHERE (place, ident) IN"
        " (SELECT * FROM unnest(%s::int8[], %s::uuid[])) ORDER BY place, ident FOR UPDATE",
        (int8s(places), uuids(idents)),
        binary=True,
    )
    known = {(place, ident): tuple(row) for place, ident, *row in found}
    completed = contradicting = 0
    changed: dict[_Key, tuple[Any, ...]] = {}
    for key, row in batch:
        ids, values = known[key][:2], known[key][2:]
        if values == row[2:]:
            continue
        completion, differs = merged(values, row[2:])
        contradicting += differs
        if completion != values:
            completed += 1
            known[key] = changed[key] = (*ids, *completion)
    if changed:
        names = COLUMNS.split(", ")[2:]
        db.execute(
            f"UPDATE smsreceipt.send SET {', '.join(f'{name} = given.{name}' for name in names)} FROM {_ROWS}"
            " WHERE send.place = given.place AND send.ident = given.ident",
            _packed(changed),
        )
    return completed, contradicting


def forget(db: Db, query: SendQuery, kinds: str) -> tuple[int, set[str]]:
    """Delete the sends that match *query*; return how many, and their phones."""
    terms, values = _terms(query, kinds)
    gone = db.execute(f"DELETE FROM smsreceipt.send WHERE {all_of(terms)} RETURNING phone", values or None).fetchall()
    count(db, -len(gone))
    return len(gone), {phone for (phone,) in gone}


def count(db: Db, more: int) -> None:
    """Add to the number of sends that the ledger holds."""
    if more:
        db.execute(_COUNT, (more,))


def begin_comparison(db: Db, first_day: int, last_day: int, at: Instant) -> Instant:
    """When the comparison of these days that is now under way began: *at*, or the time of one that was cut off."""
    key = (first_day, last_day)
    same = "SELECT began_at FROM smsreceipt.comparison WHERE first_day = %s AND last_day = %s FOR UPDATE"
    for (began,) in db.execute(same, key):
        if at - RESUMED < began <= at:
            return Instant(began)
    db.execute(
        "INSERT INTO smsreceipt.comparison VALUES (%s, %s, %s)"
        " ON CONFLICT (first_day, last_day) DO UPDATE SET began_at = excluded.began_at",
        (*key, at),
    )
    return at


def end_comparison(db: Db, first_day: int, last_day: int) -> None:
    """Delete the note of the comparison of these days."""
    db.execute("DELETE FROM smsreceipt.comparison WHERE first_day = %s AND last_day = %s", (first_day, last_day))


def kinds_of_reports(reader: Reader) -> str:
    """The numbers of the kinds in REPORTS, for IN (…)."""
    found = reader.rows("SELECT id FROM smsreceipt.kind WHERE name = ANY(%s)", ([*REPORTS],))
    return ", ".join(str(number) for (number,) in found) or "NULL"


class Sends:
    """Reads the ledger."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def find(self, query: SendQuery) -> Iterator[StoredSend]:
        """Yield the sends that match *query*, by day, BizId and number."""
        terms, values = _terms(query, kinds := kinds_of_reports(self._reader))
        backward = query.newest and query.limit is not None
        order = "DESC" if backward else "ASC"
        text = f"{_select(kinds)} WHERE {all_of(terms)} ORDER BY day {order}, biz_id {order}, phone {order}"
        if query.limit is not None:
            text, values = f"{text} LIMIT %s", [*values, query.limit]
        found = self._reader.stream(text, values)
        return map(stored_send, list(found)[::-1] if backward else found)

    def of(self, phone: str, first_day: int, last_day: int) -> list[Send]:
        """Every send to a number on these days."""
        found = self._reader.rows(
            f"SELECT {COLUMNS} FROM smsreceipt.send WHERE place = %s AND phone = %s AND day BETWEEN %s AND %s"
            " ORDER BY sent_at, biz_id",
            (phone_place(phone), phone, first_day, last_day),
        )
        return [send_of(row) for row in found]

    def missing(self, first_day: int, last_day: int, share: Share) -> Iterator[StoredSend]:
        """Yield the sends of these days and this share without a final receipt, by number, day and BizId."""
        kinds = kinds_of_reports(self._reader)
        found = self._reader.stream(
            f"{_select(kinds)} WHERE NOT settled AND day BETWEEN %s AND %s{_in_share(share)}"
            f" AND NOT EXISTS ({receipt_of('send', kinds)}) ORDER BY phone, day, biz_id",
            (first_day, last_day),
        )
        return map(stored_send, found)

    def count(self, first_day: int, last_day: int, share: Share) -> int:
        """How many sends there are of these days and this share."""
        days = "SELECT count(*) FROM smsreceipt.send WHERE settled IN (true, false) AND day BETWEEN %s AND %s"
        return self._reader.number(days + _in_share(share), first_day, last_day)

    def by_day(self, first_day: int, last_day: int) -> list[DaySends]:
        """How many sends there are of each of these days."""
        found = self._reader.sums(
            f"SELECT day, count(*) FILTER (WHERE {_MAINLAND}), count(*) FROM smsreceipt.send"
            " WHERE day BETWEEN %s AND %s GROUP BY day ORDER BY day",
            (first_day, last_day),
        )
        return [DaySends(day, mainland, sends - mainland) for day, mainland, sends in found]

    def parts(self, first_day: int, last_day: int) -> list[ListedParts]:
        """The billed parts of the sends of these days, by mainland or not."""
        about = (
            f"(SELECT max(billed_parts) {_ABOUT.format('send', kinds_of_reports(self._reader))} AND billed_parts > 0"
        )
        found = self._reader.sums(
            "SELECT mainland, coalesce(sum(size), 0)::int8, count(*) FILTER (WHERE size IS NULL),"
            " count(*) FILTER (WHERE size IS NULL AND answer = %s) FROM ("
            f" SELECT {_MAINLAND} AS mainland, answer,"
            f" coalesce(greatest({about} AND current), {about} AND NOT current)),"
            " CASE WHEN parts > 0 THEN parts END) AS size"
            " FROM smsreceipt.send WHERE day BETWEEN %s AND %s) AS sized GROUP BY mainland ORDER BY mainland",
            (str(Answer.NO_RECORD), first_day, last_day),
        )
        return [ListedParts(*row) for row in found]

    def open(self) -> int:
        """How many sends have no final receipt; where that are very many, a few may be among them that have one."""
        few = f"SELECT count(*) FROM (SELECT FROM smsreceipt.send WHERE NOT settled LIMIT {_EXACT + 1}) AS found"
        if self._reader.number(few) > _EXACT:
            return self._reader.number("SELECT count(*) FROM smsreceipt.send WHERE NOT settled")
        without = f"NOT EXISTS ({receipt_of('send', kinds_of_reports(self._reader))})"
        return self._reader.number(f"SELECT count(*) FROM smsreceipt.send WHERE NOT settled AND {without}")

    def oldest_open_day(self, first_day: int) -> int | None:
        """The first day, from this one on, with a send without a final receipt that may still be asked about."""
        without = f"NOT EXISTS ({receipt_of('send', kinds_of_reports(self._reader))})"
        found = self._reader.rows(
            f"SELECT day FROM smsreceipt.send WHERE NOT settled AND day >= %s AND answer <> %s AND {without}"
            " ORDER BY day LIMIT 1",
            (first_day, str(Answer.NO_RECORD)),
        )
        return next((int(day) for (day,) in found), None)


def _select(kinds: str) -> str:
    """The columns of a StoredSend; the last is outcome and code of its receipt's state, with a blank between."""
    return (
        f"SELECT {COLUMNS}, asked_at, answer, (SELECT outcome || ' ' || code {_ABOUT.format('send', kinds)} AND current"
        f" ORDER BY outcome IN {FINAL_SQL} DESC LIMIT 1) FROM smsreceipt.send"
    )


def _terms(query: SendQuery, kinds: str) -> tuple[list[str], list[Any]]:
    """Every filter as SQL."""
    terms: list[str] = []
    values: list[Any] = []
    if query.phones:
        terms.append("place = ANY(%s) AND phone = ANY(%s)")
        values += [[phone_place(phone) for phone in query.phones], list(query.phones)]
    for column, wanted in (("biz_id", query.biz_ids), ("out_id", query.out_ids)):
        if wanted:
            known = [str(value) for value in wanted]
            terms.append(f"left({column}, 200) = ANY(%s) AND {column} = ANY(%s)")
            values += [[value[:200] for value in known], known]
    more, given = filters(query, "%s", f"(settled OR EXISTS ({receipt_of('send', kinds)}))")
    return terms + more, values + given


def _in_share(share: Share) -> str:
    """A condition for the places of a share, to be appended to others."""
    return "" if share.is_whole else f" AND place BETWEEN {share.first_place} AND {share.last_place}"
