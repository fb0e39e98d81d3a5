"""Counts receipts and sends of some days by what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import apsw

from smsreceipt.matching import SEND_DETAIL
from smsreceipt.model import Kind
from smsreceipt.store.counting import PREFIX, Row, hour_sql, seconds_sql
from smsreceipt.store.counts import By, CountQuery
from smsreceipt.store.ledger_rows import REPORTS
from smsreceipt.store.promise import Reread
from smsreceipt.store.sqlite.columns import UNREAD
from smsreceipt.store.sqlite.rows import rows

_PREFIX = "iif(length({0}.phone) = 11 AND {0}.phone GLOB '1[3-9]*', substr({0}.phone, 1, 7), '')"
_FINAL = "('delivered', 'failed', 'expired')"
_MESSAGES = (
    "FROM statement INDEXED BY statement_day JOIN kind ON kind.id = statement.kind JOIN road ON road.id = road"
    " LEFT JOIN send ON send.biz_id = statement.id1 AND send.phone = statement.id2"
    " WHERE statement.day BETWEEN ? AND ? AND statement.kind IN"
    " (SELECT id FROM kind WHERE name IN ('SmsReport', 'DypnsSmsVerifyReport')) AND current AND NOT test"
)
#: A send and the state of its receipt.
_SENDS = (
    "FROM send INDEXED BY send_day LEFT JOIN statement ON statement.seq = (SELECT seq FROM statement AS told"
    " INDEXED BY statement_key WHERE told.id1 = send.biz_id AND told.id2 = send.phone AND told.id3 = ''"
    f" AND told.id4 = '' AND +told.kind IN (SELECT id FROM kind WHERE name IN {REPORTS}) AND told.current"
    f" ORDER BY told.outcome IN {_FINAL} DESC, told.outcome, told.code, told.reported_at LIMIT 1)"
    " LEFT JOIN kind ON kind.id = statement.kind LEFT JOIN road ON road.id = road"
    " WHERE send.settled IN (0, 1) AND send.day BETWEEN ? AND ?"
)
_OF_RECEIPT: dict[str, str] = {By.KIND: "name", By.OUTCOME: "outcome", By.CODE: "code", By.ORIGIN: "origin"}
_OF_SEND: dict[str, str] = {By.TEMPLATE: "template_code", By.SIGN: "sign_name"}
#: Parts that the receipt does not tell are the ledger's, else 1.
_PARTS = "iif(billed_parts > 0, billed_parts, max(ifnull(send.parts, 1), 1))"


class Counts:
    """Reads through one connection what counting.counted() asks for."""

    def __init__(self, db: apsw.Connection, reread: Reread) -> None:
        self._db = db
        self._reread = reread

    def messages(self, query: CountQuery, columns: Sequence[str]) -> Iterator[Row]:
        """The messages of the query's days: these columns, the count and the parts."""
        told: dict[str, str] = {
            By.DAY: "statement.day",
            By.HOUR: hour_sql("statement.sent_at"),
            By.SECONDS: seconds_sql("statement.sent_at", exact=query.exact),
            PREFIX: _PREFIX.format("statement"),
            **{by: f"ifnull({column}, '')" for by, column in _OF_SEND.items()},
            **_OF_RECEIPT,
        }
        names = [told[column] for column in columns]
        unread = f"({UNREAD})"
        if By.TEMPLATE in columns:  # the answer of a query tells it too
            unread += " OR NOT native AND ifnull(template_code, '') = ''"
        days = (query.first_day, query.last_day)
        yield from _grouped(self._db, names, f"{_MESSAGES} AND NOT ({unread})", days)
        for *row, parts, kind, body in rows(
            self._db, f"SELECT {', '.join([*names, _PARTS])}, name, body {_MESSAGES} AND ({unread})", days
        ):
            receipt = self._reread(Kind(kind), body)
            if receipt and receipt.kind == SEND_DETAIL and By.TEMPLATE in columns:
                at = columns.index(By.TEMPLATE)
                row[at] = row[at] or receipt.identity[2]
            yield (*row, 1, (receipt and receipt.parts) or parts)

    def sends(self, query: CountQuery, columns: Sequence[str]) -> Iterable[Row]:
        """The same of the ledger."""
        told: dict[str, str] = {
            By.DAY: "send.day",
            By.HOUR: hour_sql("send.sent_at"),
            By.SECONDS: f"ifnull({seconds_sql('statement.sent_at', exact=query.exact)}, -1)",
            PREFIX: _PREFIX.format("send"),
            **_OF_SEND,
            **{by: f"ifnull({column}, '')" for by, column in _OF_RECEIPT.items()},
        }
        return _grouped(self._db, [told[column] for column in columns], _SENDS, (query.first_day, query.last_day))

    def bodies(self, kind: str, first_day: int, last_day: int) -> Iterable[Row]:
        """A row for each state of that kind, test pushes left out: OF_BODIES and the body."""
        return rows(
            self._db,
            f"SELECT day, {hour_sql('sent_at')}, outcome, code, origin, call_id, {_PREFIX.format('statement')}, body"
            " FROM statement INDEXED BY statement_day JOIN road ON road.id = road WHERE day BETWEEN ? AND ?"
            " AND kind = (SELECT id FROM kind WHERE name = ?) AND current AND NOT test",
            (first_day, last_day, kind),
        )


def _grouped(db: apsw.Connection, names: list[str], tables: str, values: tuple[int, int]) -> Iterable[Row]:
    places = ", ".join(str(place) for place in range(1, len(names) + 1))
    group = f"GROUP BY {places}" if names else "HAVING count(*) > 0"
    return rows(db, f"SELECT {', '.join([*names, 'count(*)', f'sum({_PARTS})'])} {tables} {group}", values)
