"""Counts receipts and sends of some days by what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import apsw

from smsreceipt.matching import SEND_DETAIL
from smsreceipt.model import Instant, Kind
from smsreceipt.store.arrivals import Came
from smsreceipt.store.call_tallies import InAdvance
from smsreceipt.store.counting import OF_SEND, Row, grouped_sql, hour_sql, sql_of_changes, sql_of_messages, sql_of_sends
from smsreceipt.store.counts import FINAL, By, CountQuery
from smsreceipt.store.ledger_rows import FINAL_SQL, REPORTS
from smsreceipt.store.promise import Reread
from smsreceipt.store.sqlite import arrivals, call_tallies, tally_changes
from smsreceipt.store.sqlite.columns import UNREAD
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sqlite.tallies import state
from smsreceipt.store.tallies import State

_JOINED: dict[str, set[str]] = {
    "JOIN kind ON kind.id = statement.kind": {By.KIND},
    "JOIN road ON road.id = statement.road": {By.ORIGIN},
    "LEFT JOIN send ON send.biz_id = statement.id1 AND send.phone = statement.id2": set(OF_SEND),
}
#: A send and the state of its receipt.
_SENDS = (
    "FROM send INDEXED BY send_day LEFT JOIN statement ON statement.seq = (SELECT seq FROM statement AS told"
    " INDEXED BY statement_key WHERE told.id1 = send.biz_id AND told.id2 = send.phone AND told.id3 = ''"
    f" AND told.id4 = '' AND +told.kind IN (SELECT id FROM kind WHERE name IN {REPORTS}) AND told.current"
    f" ORDER BY told.outcome IN {FINAL_SQL} DESC, told.outcome, told.code, told.reported_at LIMIT 1)"
    " LEFT JOIN kind ON kind.id = statement.kind LEFT JOIN road ON road.id = road"
    " WHERE send.settled IN (0, 1) AND send.day BETWEEN ? AND ?"
)
#: Parts that the receipt does not tell are the ledger's, else 1.
_LEDGER_PARTS = "max(ifnull((SELECT s.parts FROM send AS s WHERE s.biz_id = id1 AND s.phone = id2), 1), 1)"
_PARTS = f"iif(billed_parts > 0, billed_parts, {_LEDGER_PARTS})"
_SENT_PARTS = "iif(billed_parts > 0, billed_parts, max(send.parts, 1))"
_MOST_DAYS = 400
_FEW = 300_000  # statements; to read so many in the order of seq takes less than to read a day


class Counts:
    """Reads through one connection what counting.counted() asks for."""

    def __init__(self, db: apsw.Connection, reread: Reread) -> None:
        self._db = db
        self._reread = reread

    def state(self) -> State:
        """How far messages are counted in advance."""
        return state(self._db)

    def came(self, since: Instant, until: Instant) -> list[Came]:
        """Which kinds came by which ways in which minutes."""
        return arrivals.came(self._db, since, until)

    def has_sends(self) -> bool:
        """Whether a ledger may tell the parts of messages that do not tell them themselves."""
        return bool(number(self._db, "SELECT sends FROM counter"))

    def tallied(self, view: int, query: CountQuery, columns: Sequence[str]) -> Sequence[Row]:
        """The messages that are counted in advance."""
        where = "FROM day_tally WHERE view = ? AND day BETWEEN ? AND ?"
        sums = ("sum(messages)", "sum(parts)", "sum(untold)")
        return list(_grouped(self._db, columns, sums, where, (view, query.first_day, query.last_day)))

    def changed(self, to_seq: int, query: CountQuery, columns: Sequence[str]) -> Sequence[Row]:
        """What has changed in them; what went counts negative."""
        names = sql_of_changes(columns, exact=query.exact)
        sums = ("sum(sign)", "sum(sign * max(billed_parts, 0))", "sum(sign * (billed_parts <= 0))")
        where = "FROM tally_change JOIN kind ON kind.id = tally_change.kind WHERE seq <= ? AND day BETWEEN ? AND ?"
        days = (to_seq, query.first_day, query.last_day)
        return list(_grouped(self._db, names, sums, where, days))

    def messages(self, query: CountQuery, columns: Sequence[str], after: int = 0) -> Iterator[Row]:
        """The messages of the query's days: these columns, the count and the parts."""
        newer = number(self._db, "SELECT last_seq FROM counter") - after
        if not newer:
            return
        names = sql_of_messages(columns, tally_changes.PREFIX, exact=query.exact)
        by_seq = after and newer <= _FEW
        joins = " ".join(join for join, its in _JOINED.items() if its & set(columns))
        where = (
            f"FROM statement {'NOT INDEXED' if by_seq else 'INDEXED BY statement_day'} {joins} WHERE statement.seq > ?"
            f" AND statement.day BETWEEN ? AND ? AND statement.kind IN {tally_changes.KINDS} AND current AND NOT test"
        )
        unread = f"({UNREAD})"
        if By.TEMPLATE in columns:  # the answer of a query tells it too
            unread += " OR NOT native AND ifnull(template_code, '') = ''"
        values = (after, query.first_day, query.last_day)
        yield from _grouped(self._db, names, ("count(*)", f"sum({_PARTS})"), f"{where} AND NOT ({unread})", values)
        yield from self._reread_messages(names, columns, f"{where} AND ({unread})", values)

    def _reread_messages(
        self, names: list[str], columns: Sequence[str], where: str, values: tuple[int, ...]
    ) -> Iterator[Row]:
        """Messages whose bodies tell what their columns do not."""
        kind_of = "(SELECT name FROM kind WHERE id = statement.kind)"
        for *row, parts, kind, body in rows(
            self._db, f"SELECT {', '.join([*names, _PARTS])}, {kind_of}, body {where}", values
        ):
            receipt = self._reread(Kind(kind), body)
            if receipt and receipt.kind == SEND_DETAIL and By.TEMPLATE in columns:
                at = columns.index(By.TEMPLATE)
                row[at] = row[at] or receipt.identity[2]
            yield (*row, 1, (receipt and receipt.parts) or parts)

    def sends(self, query: CountQuery, columns: Sequence[str]) -> Iterator[Row]:
        """The same of the ledger."""
        names, days = sql_of_sends(columns, tally_changes.PREFIX, exact=query.exact), (query.first_day, query.last_day)
        if columns == (By.STATE,):  # whether it is final needs no look at the receipt, for nearly all
            settled = "SELECT count(*) FROM send INDEXED BY send_day WHERE settled = 1 AND day BETWEEN ? AND ?"
            yield FINAL, number(self._db, settled, *days), 0
            open_sends = _SENDS.replace("IN (0, 1)", "= 0")
            yield from _grouped(self._db, names, ("count(*)", "0"), open_sends, days)
            return
        yield from _grouped(self._db, names, ("count(*)", f"sum({_SENT_PARTS})"), _SENDS, days)

    def bodies(self, kind: str, first_day: int, last_day: int, after: int = 0) -> Iterable[Row]:
        """A row for each state of that kind, test pushes left out: OF_BODIES and the body."""
        prefix = tally_changes.PREFIX.format("statement")
        days = f"day IN ({', '.join(map(str, range(first_day, last_day + 1)))})"  # each and the kind are one seek
        if last_day - first_day > _MOST_DAYS:
            days = f"day BETWEEN {first_day} AND {last_day}"
        return rows(
            self._db,
            f"SELECT day, {hour_sql('sent_at')}, origin, call_id, {prefix}, outcome, code, body"
            f" FROM statement INDEXED BY statement_day JOIN road ON road.id = road WHERE {days}"
            " AND kind = (SELECT id FROM kind WHERE name = ?) AND seq > ? AND current AND NOT test",
            (kind, after),
        )

    def bodies_in_advance(self, kind: str, first_day: int, last_day: int) -> InAdvance:
        """What is counted of that kind in advance."""
        return call_tallies.in_advance(self._db, kind, first_day, last_day)


def _grouped(
    db: apsw.Connection, names: Sequence[str], sums: Sequence[str], tables: str, values: tuple[int, ...]
) -> Iterable[Row]:
    return rows(db, grouped_sql(names, sums, tables), values)
