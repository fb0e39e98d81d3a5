"""Counts receipts and sends of some days by what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from smsreceipt.matching import SEND_DETAIL
from smsreceipt.model import Kind
from smsreceipt.store.counting import PREFIX, Row, hour_sql, seconds_sql
from smsreceipt.store.counts import By, CountQuery
from smsreceipt.store.ledger_rows import REPORTS
from smsreceipt.store.postgres.session import Reader
from smsreceipt.store.promise import Reread

_PREFIX = "CASE WHEN length({0}.phone) = 11 AND {0}.phone ~ '^1[3-9]' THEN left({0}.phone, 7) ELSE '' END"
_FINAL = "('delivered', 'failed', 'expired')"
_MESSAGES = (
    "FROM smsreceipt.statement JOIN smsreceipt.kind ON kind.id = statement.kind"
    " JOIN smsreceipt.road ON road.id = statement.road"
    " LEFT JOIN smsreceipt.send ON send.place = statement.place AND send.ident = statement.ident"
    " WHERE statement.day BETWEEN %s AND %s AND statement.kind IN"
    " (SELECT id FROM smsreceipt.kind WHERE name IN ('SmsReport', 'DypnsSmsVerifyReport')) AND current AND NOT test"
)
#: A send and the state of its receipt.
_SENDS = (
    "FROM smsreceipt.send LEFT JOIN LATERAL (SELECT * FROM smsreceipt.statement AS told"
    " WHERE told.place = send.place AND told.ident = send.ident AND told.current"
    f" AND told.kind IN (SELECT id FROM smsreceipt.kind WHERE name IN {REPORTS})"
    f" ORDER BY told.outcome IN {_FINAL} DESC, told.outcome, told.code, told.reported_at LIMIT 1) AS statement ON true"
    " LEFT JOIN smsreceipt.kind ON kind.id = statement.kind LEFT JOIN smsreceipt.road ON road.id = statement.road"
    " WHERE send.day BETWEEN %s AND %s"
)
_OF_RECEIPT: dict[str, str] = {By.KIND: "name", By.OUTCOME: "outcome", By.CODE: "code", By.ORIGIN: "origin"}
_OF_SEND: dict[str, str] = {By.TEMPLATE: "template_code", By.SIGN: "sign_name"}
#: Parts that the receipt does not tell are the ledger's, else 1.
_PARTS = "CASE WHEN billed_parts > 0 THEN billed_parts ELSE greatest(coalesce(send.parts, 1), 1) END"


class Counts:
    """Reads what counting.counted() asks for."""

    def __init__(self, reader: Reader, reread: Reread) -> None:
        self._reader = reader
        self._reread = reread

    def messages(self, query: CountQuery, columns: Sequence[str]) -> Iterator[Row]:
        """The messages of the query's days: these columns, the count and the parts."""
        told: dict[str, str] = {
            By.DAY: "statement.day",
            By.HOUR: hour_sql("statement.sent_at"),
            By.SECONDS: seconds_sql("statement.sent_at", exact=query.exact),
            PREFIX: _PREFIX.format("statement"),
            **{by: f"coalesce({column}, '')" for by, column in _OF_SEND.items()},
            **_OF_RECEIPT,
        }
        names = [told[column] for column in columns]
        days = (query.first_day, query.last_day)
        if By.TEMPLATE not in columns:
            yield from self._grouped(names, _MESSAGES, days)
            return
        unread = "(NOT native AND coalesce(template_code, '') = '')"  # the answer of a query tells it too
        yield from self._grouped(names, f"{_MESSAGES} AND NOT {unread}", days)
        at = columns.index(By.TEMPLATE)
        for *row, parts, kind, body in self._reader.stream(
            f"SELECT {', '.join([*names, _PARTS])}, name, body {_MESSAGES} AND {unread}", days
        ):
            receipt = self._reread(Kind(kind), body)
            if receipt and receipt.kind == SEND_DETAIL:
                row[at] = receipt.identity[2]
            yield (*row, 1, parts)

    def sends(self, query: CountQuery, columns: Sequence[str]) -> Iterable[Row]:
        """The same of the ledger."""
        told: dict[str, str] = {
            By.DAY: "send.day",
            By.HOUR: hour_sql("send.sent_at"),
            By.SECONDS: f"coalesce({seconds_sql('statement.sent_at', exact=query.exact)}, -1)",
            PREFIX: _PREFIX.format("send"),
            **_OF_SEND,
            **{by: f"coalesce({column}, '')" for by, column in _OF_RECEIPT.items()},
        }
        return self._grouped([told[column] for column in columns], _SENDS, (query.first_day, query.last_day))

    def bodies(self, kind: str, first_day: int, last_day: int) -> Iterable[Row]:
        """A row for each state of that kind, test pushes left out: OF_BODIES and the body."""
        return self._reader.stream(
            f"SELECT day, {hour_sql('sent_at')}, outcome, code, origin, call_id, {_PREFIX.format('statement')}, body"
            " FROM smsreceipt.statement JOIN smsreceipt.road ON road.id = road WHERE day BETWEEN %s AND %s"
            " AND kind = (SELECT id FROM smsreceipt.kind WHERE name = %s) AND current AND NOT test",
            (first_day, last_day, kind),
        )

    def _grouped(self, names: list[str], tables: str, values: tuple[int, int]) -> Iterable[Row]:
        places = ", ".join(str(place) for place in range(1, len(names) + 1))
        group = f"GROUP BY {places}" if names else "HAVING count(*) > 0"
        return self._reader.stream(
            f"SELECT {', '.join([*names, 'count(*)', f'sum({_PARTS})::int8'])} {tables} {group}", values
        )
