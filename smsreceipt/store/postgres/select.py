"""Reads receipts. Where a filter is selective, its rows are found first; else the rows are read in seq order.

Left to itself the planner expects the rows of every filter evenly along seq, and reads most of the table for a few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

from smsreceipt.model import Instant, Source, StoredReceipt, beijing_day
from smsreceipt.store.answers import answered_template, with_body
from smsreceipt.store.postgres.columns import SELECTED, phone_place, receipt_from
from smsreceipt.store.postgres.session import Reader
from smsreceipt.store.promise import Reread
from smsreceipt.store.values import Query

_STORED = (
    "statement.seq, statement.received_at, road.source, road.origin, statement.times_seen, statement.signed,"
    " coalesce(send.template_code, ''), coalesce(send.sign_name, ''), statement.native, {}, " + SELECTED
)
_ARRIVAL = 10  # columns of _STORED before SELECTED
_FURTHER = (
    "(SELECT array_agg(body.body ORDER BY body.digest) FROM smsreceipt.body"
    " WHERE body.place = statement.place AND body.seq = statement.seq)"
)
#: With the send that each is about, looked up for the rows that are yielded.
_JOINED = (
    " JOIN smsreceipt.kind ON kind.id = statement.kind JOIN smsreceipt.road ON road.id = statement.road"
    " LEFT JOIN LATERAL (SELECT template_code, sign_name FROM smsreceipt.send"
    "  WHERE left(send.biz_id, 200) = left(statement.biz_id, 200) AND left(send.phone, 40) = left(statement.phone, 40)"
    "  AND send.biz_id = statement.biz_id AND send.phone = statement.phone LIMIT 1) AS send ON statement.biz_id <> ''"
)
_WHEN = "CASE WHEN sent_at >= 0 THEN sent_at WHEN reported_at >= 0 THEN reported_at ELSE received_at END"
_LEAD = "CASE WHEN identity = '' THEN biz_id ELSE id1 END"
_NUMBERS = "string_to_array(left(phone || ' ' || numbers, 600), ' ')"
_MAX_BRANCHES = 100  # beyond that many, reading the table in seq order is cheaper
_SOURCES = {member.value: member for member in Source}


class _Condition(NamedTuple):
    """A condition, and the values to bind in it."""

    text: str
    values: tuple[Any, ...] = ()


_NONE = _Condition("false")


def receipts(reader: Reader, query: Query, reread: Reread) -> Iterator[StoredReceipt]:
    """Yield what matches *query*, in ascending seq. Raises ValueError or KeyError for a value that is never written."""
    backward = query.newest and query.limit is not None
    columns = _STORED.format(_FURTHER if query.bodies else "NULL::bytea[]")
    # An expression keeps the planner from reading all rows in seq order, because it finds few among them.
    order = f"ORDER BY seq{' + 0' if _lookup(query) else ''}{' DESC' if backward else ''}"
    source, values = _source(reader, query, order, query.limit)
    found = reader.stream(f"SELECT {columns} FROM {source}{_JOINED} {order}", values)
    if backward:
        found = iter(list(found)[::-1])
    lines = (line for row in found for line in _lines(reread, row))
    if not query.bodies or query.limit is None:
        return lines
    return iter(list(lines)[-query.limit :]) if query.newest else islice(lines, query.limit)


def count(reader: Reader, query: Query, at_most: int) -> int:
    """How many receipts match *query*, at most *at_most*."""
    source, values = _source(reader, query, "", at_most)
    return reader.number(f"SELECT count(*) FROM {source}", *values)


def _source(reader: Reader, query: Query, order: str, limit: int | None) -> tuple[str, list[Any]]:
    """The matching rows, at most *limit* in this order, named `statement`, for FROM; and the values to bind in it."""
    kinds = _numbers(reader, "kind", "name", query.kinds)
    roads = _numbers(reader, "road", "source", query.sources)
    terms = [_Condition("seq <= %s", (reader.horizon(),)), *_terms(query, kinds, roads)]
    found = _lookup(query)
    if found:
        terms.append(_any_of_seqs(found))
        branches = [_Condition("true")]
    else:
        branches = _ordered(reader, query, kinds)
    pieces, values = [], list[Any]()
    for branch in branches:
        conditions = [branch, *terms]
        where = " AND ".join(each.text for each in conditions)
        values += [value for each in conditions for value in each.values]
        if limit is None:
            pieces.append(f"SELECT * FROM smsreceipt.statement WHERE {where}")
        else:  # as many of each branch, in order, so that no branch is read through
            pieces.append(f"(SELECT * FROM smsreceipt.statement WHERE {where} {order} LIMIT %s)")
            values.append(limit)
    rows = " UNION ALL ".join(pieces)
    if limit is None:
        return f"({rows}) AS statement", values
    return f"(SELECT * FROM ({rows}) AS found {order} LIMIT %s) AS statement", [*values, limit]


def _numbers(reader: Reader, table: str, column: str, names: Collection[str]) -> list[int] | None:
    """The numbers of kinds or roads; None where nothing is asked for."""
    if not names:
        return None
    query = f"SELECT id FROM smsreceipt.{table} WHERE {column} = ANY(%s)"
    return [number for (number,) in reader.rows(query, ([str(name) for name in names],))]


def _terms(query: Query, kinds: list[int] | None, roads: list[int] | None) -> Iterator[_Condition]:
    """Every filter; a branch narrows what is read, but filters nothing."""
    if query.conflicts:
        yield _Condition("conflict")
    elif not query.history:
        yield _Condition("current")
    if query.after:
        yield _Condition("seq > %s", (query.after,))
    for column, numbers in (("kind", kinds), ("road", roads)):
        if numbers is not None:
            yield _Condition(f"{column} = ANY(%s)", (numbers,)) if numbers else _NONE
    for column, wanted in (
        ("biz_id", query.biz_ids),
        ("out_id", query.out_ids),
        ("call_id", query.call_ids),
        ("outcome", query.outcomes),
        ("code", query.codes),
    ):
        if wanted:
            yield _Condition(f"{column} = ANY(%s)", ([str(value) for value in wanted],))
    if query.phones:
        phones = list(query.phones)
        yield _Condition("(phone = ANY(%s) OR numbers <> '' AND string_to_array(numbers, ' ') && %s)", (phones, phones))
    if query.ids:
        found = [each for text in query.ids for each in _with_id(_LEAD, text)]
        yield _Condition(
            f"({' OR '.join(each.text for each in found)})", tuple(v for each in found for v in each.values)
        )
    for bound, comparison, day in ((query.since, ">=", ">="), (query.until, "<", "<=")):
        if bound is not None:
            yield _Condition(f"day {day} %s AND {_WHEN} {comparison} %s", (beijing_day(bound), bound))


def _lookup(query: Query) -> list[_Condition]:
    """Conditions each of which an index finds, that together hold every match; none where no filter is selective."""
    if query.seqs:
        return [_Condition("seq = ANY(%s)", ([*query.seqs],))]
    for column, wanted in (("biz_id", query.biz_ids), ("call_id", query.call_ids)):
        if wanted:
            return _indexed(column, wanted)
    if query.ids:
        return [each for text in query.ids for each in _by_id(text)]
    if query.phones:
        phones = list(query.phones)
        placed = ("place = ANY(%s) AND phone = ANY(%s)", ([phone_place(phone) for phone in phones], phones))
        return [
            _Condition(f"current AND {placed[0]}", placed[1]),
            _Condition(f"NOT current AND {placed[0]}", placed[1]),
            _Condition(f"identity <> '' AND {_NUMBERS} && %s", (phones,)),
        ]
    return _indexed("out_id", query.out_ids)


def _indexed(column: str, wanted: Collection[str]) -> list[_Condition]:
    """A condition for each value. Of many at once the planner expects so many rows that it reads the table."""
    values = {str(value)[:200] for value in wanted}
    same = f"{column} <> '' AND left({column}, 200) ="
    if len(values) > _MAX_BRANCHES:
        return [_Condition(f"{same} ANY(%s)", (list(values),))]
    return [_Condition(f"{same} %s", (value,)) for value in values]


def _by_id(text: str) -> Iterator[_Condition]:
    """Conditions that an index finds for the identities that begin with a text, or with the BizId *text*^N."""
    for column, guard in (("biz_id", "identity = '' AND biz_id <> ''"), ("id1", "id1 <> ''")):
        same, with_suffix = _with_id(f"left({column}, 200)", text)
        yield _Condition(f"{guard} AND {same.text}", (text[:200],))
        if len(text) < 200:  # else the first 200 characters are the same
            yield _Condition(f"{guard} AND {with_suffix.text}", with_suffix.values)


def _with_id(column: str, text: str) -> list[_Condition]:
    """The conditions that a text is this one, or begins with it and a ^."""
    return [
        _Condition(f"{column} = %s", (text,)),
        _Condition(f'{column} COLLATE "C" > %s AND {column} COLLATE "C" < %s', (f"{text}^", f"{text}_")),
    ]  # "_" comes after "^"


def _any_of_seqs(found: list[_Condition]) -> _Condition:
    pieces = " UNION ALL ".join(f"SELECT seq FROM smsreceipt.statement WHERE {each.text}" for each in found)
    return _Condition(
        f"seq IN (WITH found AS MATERIALIZED ({pieces}) SELECT seq FROM found)",
        tuple(value for each in found for value in each.values),
    )


def _ordered(reader: Reader, query: Query, kinds: list[int] | None) -> list[_Condition]:
    """Conditions with which an index yields the rows in seq order, without reading most of the others."""
    if query.conflicts:
        return [_Condition("true")]
    if query.since is None and query.until is None:
        if rare := _rare(query):
            return rare
        if kinds is None or not _are_rare(reader, kinds):
            return [_Condition("true")]
    return _by_day(reader, query, kinds) or _rare(query) or [_Condition("true")]


def _rare(query: Query) -> list[_Condition]:
    """Conditions for a code or an outcome that the partial indexes hold."""
    for column, indexed, common, wanted in (
        ("code", "left(code, 200)", ("", "DELIVERED", "16"), {str(value) for value in query.codes}),
        ("outcome", "outcome", ("", "delivered", "connected"), {str(value) for value in query.outcomes}),
    ):
        if wanted and wanted.isdisjoint(common) and len(wanted) <= _MAX_BRANCHES:
            guard = ", ".join(f"'{value}'" for value in common)
            return [_Condition(f"{column} NOT IN ({guard}) AND {indexed} = %s", (value[:200],)) for value in wanted]
    return []


def _are_rare(reader: Reader, kinds: list[int]) -> bool:
    """Whether less than half of all statements are of these kinds."""
    (counts,) = reader.rows(
        "SELECT sum(statements), sum(statements) FILTER (WHERE kind = ANY(%s)) FROM smsreceipt.tally", (kinds,)
    ) or [(0, 0)]
    total, wanted = counts
    return (wanted or 0) * 2 < (total or 0)


def _by_day(reader: Reader, query: Query, kinds: list[int] | None) -> list[_Condition]:
    """A condition for each Beijing day and kind; none if there are too many of them."""
    if kinds is None:
        kinds = [number for (number,) in reader.rows("SELECT DISTINCT kind FROM smsreceipt.tally")]
    found = days(reader, query, at_most=_MAX_BRANCHES + 1)
    if len(found) * max(len(kinds), 1) > _MAX_BRANCHES:
        return []
    return [_Condition("day = %s AND kind = %s", (day, kind)) for day in found for kind in kinds] or [_NONE]


def days(reader: Reader, query: Query, at_most: int | None = None) -> list[int]:
    """The Beijing days between the bounds of *query* that have statements; one look into the index each."""
    low = -1 if query.since is None else beijing_day(query.since)
    high = (1 << 31) - 2 if query.until is None else beijing_day(Instant(query.until - 1))
    found = reader.rows(
        "WITH RECURSIVE days (day) AS ("
        " (SELECT day FROM smsreceipt.statement WHERE day >= %s AND day <= %s ORDER BY day LIMIT 1) UNION ALL"
        " SELECT (SELECT day FROM smsreceipt.statement WHERE day > days.day AND day <= %s ORDER BY day LIMIT 1)"
        " FROM days WHERE day IS NOT NULL"
        ") SELECT day FROM days WHERE day IS NOT NULL LIMIT %s",
        (low, high, high, at_most),
    )
    return [day for (day,) in found]


def _lines(reread: Reread, row: tuple[Any, ...]) -> Iterator[StoredReceipt]:
    """A statement once with each further body that was read, and then with the one that it shows."""
    statement = stored(reread, row)
    again = partial(with_body, reread, statement)
    yield from (again(body, sha256(body).digest()) for body in row[_ARRIVAL - 1] or ())
    yield statement


def stored(reread: Reread, row: tuple[Any, ...]) -> StoredReceipt:
    """The statement of the values that _STORED names. Raises ValueError for a value that is never written."""
    seq, received, source, origin, seen, signed, template, sign, native, _ = row[:_ARRIVAL]
    receipt = receipt_from(*row[_ARRIVAL:])
    if sha256(receipt.body).digest() != receipt.digest:
        raise ValueError("a body does not have the digest that was stored with it")
    if not (template or native):
        template = answered_template(reread, receipt)
    return StoredReceipt(seq, receipt, received, _SOURCES[source], origin, seen, signed, template, sign)
