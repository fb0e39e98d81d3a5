"""Reads receipts: chooses the index that leaves the fewest rows to read, and merges its streams in seq order.

A stream is one equality on one index. Within it SQLite yields rows in rowid order, which is seq order, without a sort.
So the first rows come at once, however large the store is.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

import apsw
import msgspec
from msgspec import structs

from smsreceipt.model import Instant, Source, StoredReceipt, beijing_day
from smsreceipt.store.answers import answered_template, with_body
from smsreceipt.store.promise import Reread
from smsreceipt.store.sqlite.columns import ADDED, NUMBERS, SELECTED, UNREAD, receipt_from
from smsreceipt.store.sqlite.rows import Members, rows
from smsreceipt.store.values import Query

_Value = str | int
#: With the template's code and the signature of the send that the receipt is about.
_STORED = (
    "statement.seq, received_at, source, origin, times_seen, signed, ifnull(template_code, ''), ifnull(sign_name, ''),"
    f" native, {UNREAD}, {SELECTED}"
)
_ARRIVAL = 10  # columns of _STORED before SELECTED
_SOURCES = Members(Source)
_TABLES = "statement {} CROSS JOIN kind ON kind.id = statement.kind CROSS JOIN road ON road.id = statement.road"
#: A lookup by primary key for each row that is yielded.
_LEDGER = (
    " LEFT JOIN (SELECT biz_id AS its_biz_id, phone AS its_phone, template_code, sign_name FROM send)"
    " ON its_biz_id = statement.biz_id AND its_phone = statement.phone"
)
_WHEN = "CASE WHEN sent_at >= 0 THEN sent_at WHEN reported_at >= 0 THEN reported_at ELSE received_at END"
_MAX_STREAMS = 400  # beyond that many, reading the table in seq order is cheaper
_LISTED = "IN (SELECT value FROM json_each(?))"
_RARE = 2_000  # an index that holds fewer rows than this for a value is read whole at once


class _Stream(NamedTuple):
    """One equality on one index ("" for the table itself)."""

    by: str
    condition: str
    values: tuple[_Value, ...]


def receipts(db: apsw.Connection, query: Query, reread: Reread) -> Iterator[StoredReceipt]:
    """Yield what matches *query*, in ascending seq. Raises ValueError for a value that is never written."""
    backward = query.newest and query.limit is not None
    found = _merged(db, query, _STORED, _LEDGER, backward=backward)
    if query.limit is not None:
        found = islice(found, query.limit)
    if backward:
        found = iter(list(found)[::-1])
    receipts = map(partial(stored, reread), found)
    if not query.bodies or not db.execute("SELECT 1 FROM body LIMIT 1").fetchall():
        return receipts
    lines = (line for stored in receipts for line in _lines(db, reread, stored))
    if query.limit is None:
        return lines
    return iter(list(lines)[-query.limit :]) if query.newest else islice(lines, query.limit)


def _lines(db: apsw.Connection, reread: Reread, stored: StoredReceipt) -> Iterator[StoredReceipt]:
    """A statement once with each further body, and then with the one that it shows."""
    for body, digest in db.execute("SELECT body, digest FROM body WHERE seq = ? ORDER BY digest", (stored.seq,)):
        yield with_body(reread, stored, body, digest)
    yield stored


def count(db: apsw.Connection, query: Query, at_most: int) -> int:
    """How many receipts match *query*, at most *at_most*."""
    return sum(1 for _ in islice(_merged(db, query, "statement.seq", "", backward=False), at_most))


def _merged(
    db: apsw.Connection, query: Query, columns: str, joined: str, *, backward: bool
) -> Iterator[tuple[Any, ...]]:
    terms, values = _terms(query)
    order = "DESC" if backward else "ASC"
    streams = [
        db.execute(
            f"SELECT {columns} FROM {_TABLES.format(stream.by and 'INDEXED BY ' + stream.by)}{joined}"
            f" WHERE {' AND '.join([stream.condition, *terms])} ORDER BY statement.seq {order}",
            (*stream.values, *values),
        )
        for stream in _streams(db, query)
    ]
    if len(streams) == 1:
        return iter(streams[0])
    return heapq.merge(*streams, key=lambda row: row[0], reverse=backward)


def _terms(query: Query) -> tuple[list[str], list[_Value]]:
    """Every filter as SQL; a stream narrows what is read, but filters nothing."""
    terms: list[str] = []
    values: list[_Value] = []
    if not query.history and not query.conflicts:
        terms.append("current = 1")
    if query.conflicts:
        terms.append("conflict = 1")
    if query.after:
        terms.append("statement.seq > ?")
        values.append(query.after)
    for column, wanted in (
        ("kind.name", query.kinds),
        ("biz_id", query.biz_ids),
        ("out_id", query.out_ids),
        ("call_id", query.call_ids),
        ("outcome", query.outcomes),
        ("code", query.codes),
        ("source", query.sources),
    ):
        if wanted:
            term, bound_values = _among(column, wanted)
            terms.append(term)
            values += bound_values
    if query.phones:
        term, bound_values = _with_phone(query.phones)
        terms.append(term)
        values += bound_values
    if query.ids:
        found = [each for text in query.ids for each in _with_id(text)]
        terms.append(f"({' OR '.join(term for term, _ in found)})")
        values += [value for _, more in found for value in more]
    for bound, comparison, day in ((query.since, ">=", ">="), (query.until, "<", "<=")):
        if bound is not None:
            terms.append(f"day {day} ? AND {_WHEN} {comparison} ?")
            values += [beijing_day(bound), bound]
    return terms, values


def _streams(db: apsw.Connection, query: Query) -> list[_Stream]:
    """The cheapest streams that hold every match: those of the most selective filter."""
    if query.seqs:
        return [_Stream("", f"statement.seq {_LISTED}", (msgspec.json.encode([*query.seqs]).decode(),))]
    for column, wanted in (("biz_id", query.biz_ids), ("call_id", query.call_ids)):
        if wanted:
            return _by_value(column, sorted({str(value) for value in wanted}))
    if query.ids:
        return [
            _Stream("statement_key", condition, tuple(values))
            for text in sorted(set(query.ids))
            for condition, values in _with_id(text)
        ]
    if query.phones:
        return _by_phone(sorted(set(query.phones)))
    if query.out_ids:
        return _by_value("out_id", sorted(set(query.out_ids)))
    if query.conflicts:
        return [_Stream("statement_conflict", "conflict = 1", ())]
    if query.sources and not _any_from(db, query.sources):
        return [_Stream("", "0", ())]
    rare = _rare(query)
    if rare and (_few(db, rare) or not (query.since and query.until)):
        return rare
    return _by_day(db, query) or rare or [_Stream("", "1", ())]


def _any_from(db: apsw.Connection, sources: Collection[Source]) -> bool:
    """Whether anything ever came from one of *sources*; if not, every row would be read to find nothing."""
    term, values = _among("source", sources)
    return bool(db.execute(f"SELECT 1 FROM road WHERE {term} LIMIT 1", values).fetchall())


def _by_value(column: str, wanted: list[str]) -> list[_Stream]:
    """Streams for values of a column that is indexed wherever it is not empty.

    biz_id and call_id mostly lead the identity and are found by its key; where they do not, by an index of their own.
    """
    indexes = [(f"statement_{column}", f"{column} <> ''", column)]
    if column in {"biz_id", "call_id"}:
        indexes = [
            ("statement_key", f"{column} = id1", "id1"),
            (f"statement_{column}", f"{column} <> '' AND {column} <> id1", column),
        ]
    pieces = [wanted] if len(wanted) > _MAX_STREAMS else [[value] for value in wanted]
    streams = []
    for index, guard, key in indexes:
        for piece in pieces:
            term, values = _among(key, piece)
            streams.append(_Stream(index, f"{guard} AND {term}", tuple(values)))
    return streams


def _by_phone(wanted: list[str]) -> list[_Stream]:
    """Streams for phones: the indexed ones, and the last statements, whose phones are not indexed yet."""
    term, values = _among("phone", wanted)
    shown, both = _with_phone(wanted)
    return [
        _Stream("", f"statement.seq IN (SELECT seq FROM phone WHERE {term})", tuple(values)),
        _Stream("", f"statement.seq > (SELECT phones_to FROM counter) AND {shown}", tuple(both)),
    ]


def _with_phone(wanted: Collection[str]) -> tuple[str, list[str]]:
    """The condition that the phone, or another number of the call, is one of *wanted*."""
    phone, values = _among("phone", wanted)
    number, more = _among("value", wanted)
    return f"({phone} OR numbers <> '' AND EXISTS (SELECT 1 FROM json_each({NUMBERS}) WHERE {number}))", values + more


def _with_id(text: str) -> list[tuple[str, list[str]]]:
    """The conditions, each with its values, that the identity begins with this text, or with the BizId *text*^N."""
    return [("id1 = ?", [text]), ("id1 > ? AND id1 < ?", [f"{text}^", f"{text}_"])]  # "_" comes after "^"


def _among(column: str, wanted: Collection[str]) -> tuple[str, list[str]]:
    """The condition that *column* is one of *wanted*, and the values to bind; a long list is bound as one value."""
    values = [str(value) for value in wanted]
    if len(values) == 1:
        return f"{column} = ?", values
    if len(values) > _MAX_STREAMS:
        return f"{column} {_LISTED}", [msgspec.json.encode(values).decode()]
    return f"{column} IN ({', '.join('?' * len(values))})", values


def _rare(query: Query) -> list[_Stream]:
    """Streams for a code or outcome that the partial indexes hold."""
    for index, column, common, wanted in (
        ("statement_code", "code", ("DELIVERED", "16"), set(query.codes)),
        ("statement_outcome", "outcome", ("delivered", "connected"), {str(value) for value in query.outcomes}),
    ):
        if wanted and wanted.isdisjoint({"", *common}):
            guard = ", ".join(f"'{value}'" for value in ("", *common))
            return [_Stream(index, f"{column} NOT IN ({guard}) AND {column} = ?", (value,)) for value in sorted(wanted)]
    return []


def _few(db: apsw.Connection, streams: list[_Stream]) -> bool:
    found = 0
    for stream in streams:
        probe = f"SELECT 1 FROM statement INDEXED BY {stream.by} WHERE {stream.condition} LIMIT {_RARE}"
        found += len(db.execute(probe, stream.values).fetchall())
    return found < _RARE


def _by_day(db: apsw.Connection, query: Query) -> list[_Stream]:
    """A stream for each Beijing day and kind, if the query has a date or a rare kind and the days are few."""
    kinds: dict[str, int] = dict(rows(db, "SELECT name, id FROM kind"))
    wanted = [kinds[kind] for kind in set(query.kinds) if kind in kinds] if query.kinds else list(kinds.values())
    if query.since is None and query.until is None and not _rare_kind(db, query):
        return []
    found: list[int] = []
    for day in days(db, query):
        found.append(day)
        if len(found) * max(len(wanted), 1) > _MAX_STREAMS:
            return []
    streams = [
        _Stream("statement_day", "day = ? AND statement.kind = ?", (day, kind)) for day in found for kind in wanted
    ]
    return streams or [_Stream("", "0", ())]


def days(db: apsw.Connection, query: Query) -> Iterator[int]:
    """Yield the Beijing days between the bounds of *query* that have statements; one look into the index each."""
    low = -1 if query.since is None else beijing_day(query.since)
    high = 1 << 40 if query.until is None else beijing_day(Instant(query.until - 1))
    found = db.execute(
        "WITH RECURSIVE days (day) AS ("
        " SELECT min(day) FROM statement WHERE day >= ?1 AND day <= ?2 UNION ALL"
        " SELECT (SELECT min(day) FROM statement WHERE day > days.day AND day <= ?2) FROM days WHERE day IS NOT NULL"
        ") SELECT day FROM days WHERE day IS NOT NULL",
        (low, high),
    )
    return (day for (day,) in found)


def _rare_kind(db: apsw.Connection, query: Query) -> bool:
    """Whether the query has kinds of which less than half of all statements are."""
    if not query.kinds:
        return False
    total = wanted = 0
    for name, statements in db.execute("SELECT name, statements FROM kind"):
        total += statements
        wanted += statements * (name in query.kinds)
    return wanted * 2 < total


def stored(reread: Reread, row: tuple[Any, ...]) -> StoredReceipt:
    """The statement of the values that _STORED names. Raises ValueError for a value that is never written."""
    seq, received, source, origin, seen, signed, template, sign, native, unread = row[:_ARRIVAL]
    receipt = receipt_from(*row[_ARRIVAL:])
    if sha256(receipt.body).digest() != receipt.digest:
        raise ValueError("a body does not have the digest that was stored with it")
    if unread and (again := reread(receipt.kind, receipt.body)):
        receipt = structs.replace(receipt, **{column.field: getattr(again, column.field) for column in ADDED})
    if not (template or native):
        template = answered_template(reread, receipt)
    arrived = (received, _SOURCES[source], origin, seen, bool(signed))
    return StoredReceipt(seq, receipt, *arrived, template, sign)
