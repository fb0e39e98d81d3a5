"""What arrived in a period, from the statements of that period only."""

from __future__ import annotations

import apsw

from smsreceipt.model import Instant, Kind, Source
from smsreceipt.store.arrivals import MINUTE, SLACK, Arrived, Came, first_since
from smsreceipt.store.counting import seconds_sql
from smsreceipt.store.sqlite.rows import number, rows

_MINUTE = f"iif(sent_at < 0, -1, sent_at / {MINUTE})"


def arrivals(db: apsw.Connection, since: Instant, until: Instant) -> list[Arrived]:
    """The states that arrived at or after *since* and before *until*, added up."""
    first, last = _bounds(db, since, until)
    found = rows(
        db,
        f"SELECT name, {_MINUTE}, outcome, code, {seconds_sql('sent_at', exact=True)}, count(*)"
        " FROM statement NOT INDEXED JOIN kind ON kind.id = statement.kind"
        " WHERE seq >= ? AND seq < ? AND received_at >= ? AND received_at < ? AND current = 1 AND test = 0"
        " GROUP BY 1, 2, 3, 4, 5",
        (first, last, since, until),
    )
    return [Arrived.of(*row) for row in found]


def came(db: apsw.Connection, since: Instant, until: Instant) -> list[Came]:
    """Which kinds came by which ways in which minutes, at or after *since* and before *until*."""
    found = rows(
        db,
        "SELECT name, source, minute, sum(count) FROM ("
        f" SELECT kind, road, received_at / {MINUTE} AS minute, count(*) AS count FROM statement NOT INDEXED"
        "  WHERE seq >= ? AND seq < ? AND received_at >= ? AND received_at < ? GROUP BY 1, 2, 3"
        ") AS told JOIN kind ON kind.id = told.kind JOIN road ON road.id = told.road GROUP BY 1, 2, 3",
        (*_bounds(db, since, until), since, until),
    )
    return [Came(Kind(kind), Source(source), minute, count) for kind, source, minute, count in found]


def _bounds(db: apsw.Connection, since: Instant, until: Instant) -> tuple[int, int]:
    """The seqs between which all statements of a period are."""

    def received(seq: int) -> int | None:
        found = rows(db, "SELECT received_at FROM statement WHERE seq >= ? ORDER BY seq LIMIT 1", (seq,))
        return next((int(at) for (at,) in found), None)

    top = number(db, "SELECT last_seq FROM counter")
    return first_since(since - SLACK, top, received), first_since(until + SLACK, top, received)
