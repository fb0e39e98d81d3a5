"""Counts receipts and sends of some days by what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from smsreceipt.matching import SEND_DETAIL
from smsreceipt.model import Instant, Kind
from smsreceipt.store.arrivals import Came
from smsreceipt.store.call_tallies import InAdvance
from smsreceipt.store.counting import OF_SEND, Row, grouped_sql, hour_sql, sql_of_changes, sql_of_messages, sql_of_sends
from smsreceipt.store.counts import FINAL, By, CountQuery
from smsreceipt.store.ledger_rows import FINAL_SQL, REPORTS
from smsreceipt.store.postgres import arrivals, call_tallies
from smsreceipt.store.postgres.session import Reader
from smsreceipt.store.postgres.tallies import KINDS, state
from smsreceipt.store.postgres.tallies import PREFIX as PREFIX_SQL
from smsreceipt.store.promise import Reread
from smsreceipt.store.tallies import State

_JOINED: dict[str, set[str]] = {
    "JOIN smsreceipt.kind ON kind.id = statement.kind": {By.KIND},
    "JOIN smsreceipt.road ON road.id = statement.road": {By.ORIGIN},
    "LEFT JOIN smsreceipt.send ON send.place = statement.place AND send.ident = statement.ident": set(OF_SEND),
}
#: A send and the state of its receipt.
_SENDS = (
    "FROM smsreceipt.send LEFT JOIN LATERAL (SELECT * FROM smsreceipt.statement AS told"
    " WHERE told.place = send.place AND told.ident = send.ident AND told.current"
    f" AND told.kind IN (SELECT id FROM smsreceipt.kind WHERE name IN {REPORTS})"
    f" ORDER BY told.outcome IN {FINAL_SQL} DESC, told.outcome, told.code, told.reported_at LIMIT 1)"
    " AS statement ON true LEFT JOIN smsreceipt.kind ON kind.id = statement.kind"
    " LEFT JOIN smsreceipt.road ON road.id = statement.road"
    " WHERE send.day BETWEEN %s AND %s"
)
#: Parts that the receipt does not tell are the ledger's, else 1.
_LEDGER_PARTS = (
    "greatest(coalesce((SELECT s.parts FROM smsreceipt.send AS s WHERE s.place = statement.place"
    " AND s.ident = statement.ident), 1), 1)"
)
_PARTS = f"CASE WHEN billed_parts > 0 THEN billed_parts ELSE {_LEDGER_PARTS} END"
_SENT_PARTS = "CASE WHEN billed_parts > 0 THEN billed_parts ELSE greatest(send.parts, 1) END"


class Counts:
    """Reads through one connection what counting.counted() asks for."""

    def __init__(self, reader: Reader, reread: Reread) -> None:
        self._reader = reader
        self._reread = reread

    def state(self) -> State:
        """How far messages are counted in advance."""
        return state(self._reader)

    def came(self, since: Instant, until: Instant) -> list[Came]:
        """Which kinds came by which ways in which minutes."""
        return arrivals.came(self._reader, since, until)

    def has_sends(self) -> bool:
        """Whether a ledger may tell the parts of messages that do not tell them themselves."""
        return bool(self._reader.rows("SELECT FROM smsreceipt.send LIMIT 1"))

    def tallied(self, view: int, query: CountQuery, columns: Sequence[str]) -> Sequence[Row]:
        """The messages that are counted in advance."""
        where = "FROM smsreceipt.day_tally WHERE view = %s AND day BETWEEN %s AND %s"
        sums = ("sum(messages)::int8", "sum(parts)::int8", "sum(untold)::int8")
        return list(_grouped(self._reader, columns, sums, where, (view, query.first_day, query.last_day)))

    def changed(self, to_seq: int, query: CountQuery, columns: Sequence[str]) -> Sequence[Row]:
        """What has changed in them; what went counts negative."""
        names = sql_of_changes(columns, exact=query.exact)
        sums = ("sum(sign)", "sum(sign * greatest(billed_parts, 0))", "sum(sign * (billed_parts <= 0)::int4)")
        where = (
            "FROM smsreceipt.tally_change JOIN smsreceipt.kind ON kind.id = tally_change.kind"
            " WHERE seq <= %s AND day BETWEEN %s AND %s"
        )
        days = (to_seq, query.first_day, query.last_day)
        return list(_grouped(self._reader, names, sums, where, days))

    def messages(self, query: CountQuery, columns: Sequence[str], after: int = 0) -> Iterator[Row]:
        """The messages of the query's days: these columns, the count and the parts."""
        if after and after >= self._reader.horizon():
            return
        names = sql_of_messages(columns, PREFIX_SQL, exact=query.exact)
        joins = " ".join(join for join, its in _JOINED.items() if its & set(columns))
        where = (
            f"FROM smsreceipt.statement {joins} WHERE statement.seq > %s AND statement.day BETWEEN %s AND %s"
            f" AND statement.kind IN {KINDS} AND current AND NOT test"
        )
        values = (after, query.first_day, query.last_day)
        sums = ("count(*)", f"sum({_PARTS})::int8")
        if By.TEMPLATE not in columns:
            yield from _grouped(self._reader, names, sums, where, values)
            return
        unread = "(NOT native AND coalesce(template_code, '') = '')"  # the answer of a query tells it too
        yield from _grouped(self._reader, names, sums, f"{where} AND NOT {unread}", values)
        at, kind_of = columns.index(By.TEMPLATE), "(SELECT name FROM smsreceipt.kind WHERE id = statement.kind)"
        for *row, parts, kind, body in self._reader.stream(
            f"SELECT {', '.join([*names, _PARTS])}, {kind_of}, body {where} AND {unread}", values
        ):
            receipt = self._reread(Kind(kind), body)
            if receipt and receipt.kind == SEND_DETAIL:
                row[at] = receipt.identity[2]
            yield (*row, 1, parts)

    def sends(self, query: CountQuery, columns: Sequence[str]) -> Iterator[Row]:
        """The same of the ledger."""
        names, days = sql_of_sends(columns, PREFIX_SQL, exact=query.exact), (query.first_day, query.last_day)
        if columns == (By.STATE,):  # whether it is final needs no look at the receipt, for nearly all
            settled = "SELECT count(*) FROM smsreceipt.send WHERE settled AND day BETWEEN %s AND %s"
            yield FINAL, self._reader.number(settled, *days), 0
            yield from _grouped(self._reader, names, ("count(*)", "0"), f"{_SENDS} AND NOT settled", days)
            return
        yield from _grouped(self._reader, names, ("count(*)", f"sum({_SENT_PARTS})::int8"), _SENDS, days)

    def bodies(self, kind: str, first_day: int, last_day: int, after: int = 0) -> Iterable[Row]:
        """A row for each state of that kind, test pushes left out: OF_BODIES and the body."""
        return self._reader.stream(
            f"SELECT day, {hour_sql('sent_at')}, origin, call_id, {PREFIX_SQL.format('statement')}, outcome, code, body"
            " FROM smsreceipt.statement JOIN smsreceipt.road ON road.id = road WHERE day BETWEEN %s AND %s"
            " AND kind = (SELECT id FROM smsreceipt.kind WHERE name = %s) AND seq > %s AND current AND NOT test",
            (first_day, last_day, kind, after),
        )

    def bodies_in_advance(self, kind: str, first_day: int, last_day: int) -> InAdvance:
        """What is counted of that kind in advance."""
        return call_tallies.in_advance(self._reader, kind, first_day, last_day)


def _grouped(
    reader: Reader, names: Sequence[str], sums: Sequence[str], tables: str, values: tuple[int, ...]
) -> Iterable[Row]:
    return reader.stream(grouped_sql(names, sums, tables), values)
