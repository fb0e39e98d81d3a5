"""Answers a CountQuery from the rows of an engine: looks up places, reads bodies, filters and adds up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from smsreceipt.model import Instant
from smsreceipt.model.facts import CallFacts, Place
from smsreceipt.store import call_tallies
from smsreceipt.store.arrivals import Came
from smsreceipt.store.call_tallies import CALL, COLUMNS, RECORDING, REPLY, VIEWS, InAdvance, values_of
from smsreceipt.store.counts import FINAL, By, Count, CountQuery, Readers, Subject
from smsreceipt.store.ledger_rows import FINAL_SQL
from smsreceipt.store.tallies import OF_PLACE, State, view_of

PREFIX = "prefix"  #: the first 7 digits of a number of the mainland, else ""
CALL_ID = "call_id"
_OF_PLACE = (By.CARRIER, By.PROVINCE)
#: Subjects that are counted by what bodies tell, and their kinds.
KINDS = {
    Subject.CALLS: CALL,
    Subject.REPLIES: REPLY,
    Subject.RECORDINGS: RECORDING,
    Subject.UNRECORDED: CALL,
}
_OF_COLUMNS = (By.DAY, By.HOUR, By.ORIGIN, CALL_ID, PREFIX)
#: What an engine tells of a receipt whose body is read: these, and the body.
OF_BODIES = (*_OF_COLUMNS, By.OUTCOME, By.CODE)

Row = tuple[Any, ...]
#: Rows and their columns, which the count and the parts follow.
Piece = tuple[Sequence[str], Iterable[Row]]


class Engine(Protocol):
    """What an engine reads. Hours and seconds that are not known are -1."""

    def came(self, since: Instant, until: Instant) -> Sequence[Came]:
        """Which kinds came by which ways in which minutes."""

    def messages(self, query: CountQuery, columns: Sequence[str], after: int = 0) -> Iterable[Row]:
        """The messages of the query's days: these columns, the count and the parts; one row or more for each group.

        Only statements with seq > *after*.
        """

    def state(self) -> State:
        """How far messages are counted in advance."""

    def tallied(self, view: int, query: CountQuery, columns: Sequence[str]) -> Sequence[Row]:
        """The messages that are counted in advance: these columns, the count, the parts, and how many tell no parts."""

    def changed(self, to_seq: int, query: CountQuery, columns: Sequence[str]) -> Sequence[Row]:
        """The same of what has changed in them; what went counts negative."""

    def has_sends(self) -> bool:
        """Whether a ledger may tell the parts of messages that do not tell them themselves."""

    def sends(self, query: CountQuery, columns: Sequence[str]) -> Iterable[Row]:
        """The same of the ledger."""

    def bodies(self, kind: str, first_day: int, last_day: int, after: int = 0) -> Iterable[Row]:
        """A row for each state of that kind, test pushes left out: OF_BODIES and the body.

        Only statements with seq > *after*.
        """

    def bodies_in_advance(self, kind: str, first_day: int, last_day: int) -> InAdvance:
        """What is counted of that kind in advance."""


def counted(engine: Engine, readers: Readers, query: CountQuery) -> Iterator[Count]:
    """The answer to *query*. Call it where all reads see one moment."""
    wanted = (*query.by, *(each for each in query.where if each not in query.by))
    accepted = [(wanted.index(by), frozenset(values)) for by, values in query.where.items() if values]
    width, sums = len(query.by), defaultdict[Row, list[int]](lambda: [0, 0])
    for columns, rows in _pieces(engine, readers, query, wanted):
        pick = _picker(columns, wanted, readers.place)
        for *row, count, parts in rows:
            values = pick(row)
            if all(values[at] in allowed for at, allowed in accepted):
                known = sums[values[:width]]
                known[0] += count
                known[1] += parts
    for values, (count, parts) in sums.items():
        if count:
            yield Count(values, count, parts)


def _pieces(engine: Engine, readers: Readers, query: CountQuery, wanted: Sequence[By]) -> list[Piece]:
    """What together is the answer."""
    columns = tuple(dict.fromkeys(PREFIX if each in _OF_PLACE else each for each in wanted))
    if query.subject is Subject.MESSAGES:
        return _in_advance(engine, readers, query, wanted, columns) or [(columns, engine.messages(query, columns))]
    if query.subject is Subject.SENDS:
        return [(columns, engine.sends(query, columns))]
    return _bodies_in_advance(engine, readers, query, wanted) or [(_OF_ROWS, _of_bodies(engine, readers, query))]


def _in_advance(
    engine: Engine, readers: Readers, query: CountQuery, wanted: Sequence[By], columns: Sequence[str]
) -> list[Piece]:
    """The tallies, their changes, and the messages that came later; nothing where tallies do not answer."""
    view, state = None if query.exact else view_of(wanted), engine.state()
    if view is None or not state.to_seq or (view in OF_PLACE and state.place != readers.place.version):
        return []
    pieces: list[Piece] = []
    for names, rows in (
        (wanted, engine.tallied(view, query, wanted)),
        (columns, engine.changed(state.to_seq, query, columns)),
    ):
        if query.parts and any(row[-1] for row in rows) and engine.has_sends():
            return []
        pieces.append((names, [(*row[:-2], row[-2] + row[-1]) for row in rows]))
    return [*pieces, (columns, engine.messages(query, columns, state.to_seq))]


def _picker(columns: Sequence[str], wanted: Sequence[By], place: Place) -> Callable[[Sequence[Any]], Row]:
    """A function that makes the wanted values of a row of *columns*."""
    at = {name: index for index, name in enumerate(columns)}
    places: dict[str, tuple[str, str]] = {}

    def where(prefix: str) -> tuple[str, str]:
        if prefix not in places:
            places[prefix] = place(prefix)
        return places[prefix]

    def pick(row: Sequence[Any]) -> Row:
        return tuple([read(row) for read in readers])

    def reader(by: By) -> Callable[[Sequence[Any]], Any]:
        if by in _OF_PLACE and by not in at:
            index, which = at[PREFIX], _OF_PLACE.index(by)
            return lambda row: where(row[index])[which]
        index = at[by]
        if by is By.HOUR:
            return lambda row: None if row[index] < 0 else row[index]
        if by in {By.SECONDS, By.RING}:
            return lambda row: None if row[index] == -1 else row[index]
        return lambda row: row[index]

    readers = [reader(by) for by in wanted]
    return pick


def _bodies_in_advance(engine: Engine, readers: Readers, query: CountQuery, wanted: Sequence[By]) -> list[Piece]:
    """The tallies, the days that have changed since, and what came later; nothing where tallies do not answer."""
    kind, days = KINDS[query.subject], (query.first_day, query.last_day)
    view = None if query.subject is Subject.UNRECORDED else call_tallies.view_of(kind, wanted)
    if view is None:
        return []
    known = engine.bodies_in_advance(kind, *days)
    if not known.state.to_seq or known.state.version != readers.version:
        return []
    rows = ((day, *row, 0) for day, text in known.counts for row in call_tallies.rows_of(text, view))
    later = (row for row in engine.bodies(kind, *days, known.state.to_seq) if row[_DAY] not in known.changed)
    changed = (row for day in known.changed for row in engine.bodies(kind, day, day))
    return [
        ((By.DAY, *VIEWS[kind][view]), rows),
        *((_OF_ROWS, _read(readers, kind, bodies)) for bodies in (later, changed)),
    ]


_OF_ROWS = (*_OF_COLUMNS, *COLUMNS)
_DAY = OF_BODIES.index(By.DAY)


def _read(readers: Readers, kind: str, bodies: Iterable[Row]) -> Iterator[Row]:
    """_OF_ROWS, count and parts of rows of bodies."""
    for *row, outcome, code, body in bodies:
        yield (*row, *values_of(readers, kind, outcome, code, body), 1, 0)


def _of_bodies(engine: Engine, readers: Readers, query: CountQuery) -> Iterator[Row]:
    """_OF_ROWS, count and parts of each receipt of the query's subject."""
    bodies = engine.bodies(KINDS[query.subject], query.first_day, query.last_day)
    if query.subject is Subject.UNRECORDED:
        accepts = _unrecorded(engine, readers, query)
        bodies = (row for row in bodies if accepts(row, readers.call(row[-1])))
    return _read(readers, KINDS[query.subject], bodies)


_SMS = {"2", "3", "5"}  #: call types that are records of an SMS
_Accepts = Callable[[Sequence[Any], CallFacts], bool]


def _unrecorded(engine: Engine, readers: Readers, query: CountQuery) -> _Accepts:
    """Whether a call was connected, should have a recording, and has none.

    It should if its report names one, or if its pool has any recording of that day.
    """
    recorded: set[tuple[int, str]] = set()
    recording: set[tuple[int, str]] = set()
    day, call_id = OF_BODIES.index(By.DAY), OF_BODIES.index(CALL_ID)
    for *row, body in engine.bodies(KINDS[Subject.RECORDINGS], query.first_day, query.last_day):
        recorded.add((row[day], row[call_id]))
        recording.add((row[day], readers.call(body).pool))
    return lambda row, call: (
        call.talk_seconds is not None
        and call.call_type not in _SMS
        and (call.recorded or (row[day], call.pool) in recording)
        and (row[day], row[call_id]) not in recorded
    )


#: The SQL of what a receipt and a send tell, for every engine.
OF_RECEIPT: dict[str, str] = {By.KIND: "kind.name", By.OUTCOME: "outcome", By.CODE: "code", By.ORIGIN: "origin"}
OF_SEND: dict[str, str] = {By.TEMPLATE: "template_code", By.SIGN: "sign_name"}


def sql_of_changes(columns: Sequence[str], *, exact: bool) -> list[str]:
    """The SQL of columns of the changes of tallies; for every engine."""
    sql: dict[str, str] = {
        By.DAY: "day",
        By.HOUR: hour_sql("sent_at"),
        By.SECONDS: seconds_sql("sent_at", exact=exact),
        PREFIX: "prefix",
        **OF_RECEIPT,
    }
    return [sql[column] for column in columns]


def sql_of_messages(columns: Sequence[str], prefix: str, *, exact: bool) -> list[str]:
    """The SQL of columns of receipts beside their sends; *prefix* is the engine's own of a table's numbers."""
    sql: dict[str, str] = {
        By.DAY: "statement.day",
        By.HOUR: hour_sql("statement.sent_at"),
        By.SECONDS: seconds_sql("statement.sent_at", exact=exact),
        PREFIX: prefix.format("statement"),
        **{by: f"coalesce({column}, '')" for by, column in OF_SEND.items()},
        **OF_RECEIPT,
    }
    return [sql[column] for column in columns]


def sql_of_sends(columns: Sequence[str], prefix: str, *, exact: bool) -> list[str]:
    """The SQL of columns of sends beside their receipts; *prefix* as above."""
    sql: dict[str, str] = {
        By.DAY: "send.day",
        By.HOUR: hour_sql("send.sent_at"),
        By.SECONDS: f"coalesce({seconds_sql('statement.sent_at', exact=exact)}, -1)",
        PREFIX: prefix.format("send"),
        **OF_SEND,
        **{by: f"coalesce({column}, '')" for by, column in OF_RECEIPT.items()},
        By.STATE: f"CASE WHEN outcome IN {FINAL_SQL} THEN '{FINAL}' ELSE coalesce(outcome, '') END",
    }
    return [sql[column] for column in columns]


def grouped_sql(names: Sequence[str], sums: Sequence[str], tables: str) -> str:
    """A SELECT of these sums for each group of the names; of nothing there is no row."""
    places = ", ".join(str(place) for place in range(1, len(names) + 1))
    group = f"GROUP BY {places}" if names else "HAVING count(*) > 0"
    return f"SELECT {', '.join([*names, *sums])} {tables} {group}"


_DAY_MS, _ZONE = 86_400_000, 28_800_000


def hour_sql(sent_at: str) -> str:
    """The Beijing hour of an instant in a column, -1 where there is none; for every engine."""
    local = f"({sent_at} + {_ZONE})"
    return f"CASE WHEN {sent_at} < 0 THEN -1 ELSE {local} / 3600000 - {local} / {_DAY_MS} * 24 END"


def seconds_sql(sent_at: str, *, exact: bool) -> str:
    """The latency of a delivered message, bucketed unless *exact*; for every engine.

    -1 where there is none, -2 where it is negative. Exact up to 127 s; above that the lower edge of one of 32 buckets
    an octave, at most 3.1 % off.
    """
    took = f"(reported_at / 1000 - {sent_at} / 1000)"
    text = f"CASE WHEN outcome <> 'delivered' OR {sent_at} < 0 OR reported_at < 0 THEN -1"
    text += f" WHEN {took} < 0 THEN -2"
    if not exact:
        text += f" WHEN {took} < 128 THEN {took}"
        text += "".join(f" WHEN {took} < {1 << bits} THEN {took} / {1 << bits - 6} * {1 << bits - 6}"
                        for bits in range(8, 31))  # fmt: skip
    return f"{text} ELSE {took} END"


def bucket(seconds: int) -> int:
    """The lower edge of the bucket that so many seconds are in."""
    if seconds < 128:
        return seconds
    step = 1 << seconds.bit_length() - 6
    return seconds // step * step
