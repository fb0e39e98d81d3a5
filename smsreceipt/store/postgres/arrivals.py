"""What arrived in a period, from the statements of that period only."""

from __future__ import annotations

from smsreceipt.model import Instant, Kind, Source
from smsreceipt.store.arrivals import MINUTE, SLACK, Arrived, Came, first_since
from smsreceipt.store.counting import seconds_sql
from smsreceipt.store.postgres.session import Reader

_MINUTE = f"CASE WHEN sent_at < 0 THEN -1 ELSE sent_at / {MINUTE} END"


def arrivals(reader: Reader, since: Instant, until: Instant) -> list[Arrived]:
    """The states that arrived at or after *since* and before *until*, added up."""
    first, last = _bounds(reader, since, until)
    found = reader.sums(
        f"SELECT name, {_MINUTE}, outcome, code, {seconds_sql('sent_at', exact=True)}, count(*)"
        " FROM smsreceipt.statement JOIN smsreceipt.kind ON kind.id = statement.kind"
        " WHERE seq >= %s AND seq < %s AND received_at >= %s AND received_at < %s AND current AND NOT test"
        " GROUP BY 1, 2, 3, 4, 5",
        (first, last, since, until),
    )
    return [Arrived.of(*row) for row in found]


def came(reader: Reader, since: Instant, until: Instant) -> list[Came]:
    """Which kinds came by which ways in which minutes, at or after *since* and before *until*."""
    found = reader.sums(
        "SELECT name, source, minute, sum(count)::int8 FROM ("
        f" SELECT kind, road, received_at / {MINUTE} AS minute, count(*) AS count FROM smsreceipt.statement"
        "  WHERE seq >= %s AND seq < %s AND received_at >= %s AND received_at < %s GROUP BY 1, 2, 3"
        ") AS told JOIN smsreceipt.kind ON kind.id = told.kind JOIN smsreceipt.road ON road.id = told.road"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        (*_bounds(reader, since, until), since, until),
    )
    return [Came(Kind(kind), Source(source), minute, count) for kind, source, minute, count in found]


def _bounds(reader: Reader, since: Instant, until: Instant) -> tuple[int, int]:
    """The seqs between which all statements of a period are."""
    top = reader.horizon()

    def received(seq: int) -> int | None:
        found = reader.rows(
            "SELECT received_at FROM smsreceipt.statement WHERE seq BETWEEN %s AND %s ORDER BY seq LIMIT 1", (seq, top)
        )
        return next((int(at) for (at,) in found), None)

    return first_since(since - SLACK, top, received), first_since(until + SLACK, top, received)
