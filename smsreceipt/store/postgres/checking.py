"""Reads from PostgreSQL what a check compares; the rules are in store/checking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from smsreceipt.matching import SEND_DETAIL, SMS_REPORT, Candidate
from smsreceipt.model import Claim, Instant, Kind, Outcome, Receipt, Source, leg_of
from smsreceipt.store.call_tallies import Body, InAdvance
from smsreceipt.store.call_tallies import Day as CallDay
from smsreceipt.store.checking.engine import Counters
from smsreceipt.store.checking.faults import Fault, Finding, ReadAgain
from smsreceipt.store.checking.statements import Member, Stored, body_fault
from smsreceipt.store.checking.ties import Detail, Number, Report, Tied
from smsreceipt.store.ledger_rows import FINAL_SQL
from smsreceipt.store.postgres import call_tallies, notes, tallies
from smsreceipt.store.postgres.arrays import int8s, texts
from smsreceipt.store.postgres.batch import Key
from smsreceipt.store.postgres.columns import (
    OF_SENDS,
    SELECTED,
    ident_of,
    identity_columns,
    identity_place,
    phone_place,
    receipt_from,
    said_of,
)
from smsreceipt.store.postgres.session import Reader
from smsreceipt.store.postgres.tallies import KINDS, PREFIX
from smsreceipt.store.reject_rows import reject_id
from smsreceipt.store.removal import UNATTRIBUTED
from smsreceipt.store.tallies import KEY, SUMS, Message, State
from smsreceipt.store.tallies import Key as TallyKey

PIECE = 20_000  #: sends that are read at once

_STATEMENTS = (
    "SELECT seq, received_at, day, place, uuid_send(ident), uuid_send(said), id1, statement.identity,"
    f" {SELECTED} FROM smsreceipt.statement"
    " JOIN smsreceipt.kind ON kind.id = statement.kind WHERE seq > %s AND seq <= %s ORDER BY seq"
)
_SAME = "{0}.place = {1}.place AND {0}.ident = {1}.ident AND {0}.kind = {1}.kind"
_OTHER = (
    f"EXISTS (SELECT FROM smsreceipt.statement AS other WHERE {_SAME.format('other', 'fresh')}"
    " AND other.seq <> fresh.seq"
)
#: Identities with several statements, or with a single one whose marks are not those of a single one. Each index has
#: either what is the state or what is not.
_UNEVEN = (
    "WITH touched AS MATERIALIZED (SELECT DISTINCT place, ident, kind FROM smsreceipt.statement AS fresh"
    " WHERE seq > %s AND seq <= %s AND (NOT current OR conflict"
    " OR kind = (SELECT id FROM smsreceipt.kind WHERE name = 'SendDetail')"
    f" OR {_OTHER} AND other.current) OR {_OTHER} AND NOT other.current)))"
)
_MEMBER = (
    "SELECT seq, told.place, uuid_send(told.ident), told.kind, name, told.identity, biz_id, phone,"
    " outcome, code, signed, reported_at, detail, numbers, current, conflict, test FROM touched"
    f" JOIN smsreceipt.statement AS told ON {_SAME.format('told', 'touched')} AND {{0}}"
    " JOIN smsreceipt.kind ON kind.id = told.kind"
)
_MEMBERS = f" {_MEMBER.format('told.current')} UNION ALL {_MEMBER.format('NOT told.current')}"
_IDENTITY = "WITH touched (place, ident, kind) AS (VALUES (%s::int8, %s::uuid, %s::int4))"
_ABOUT = (
    "SELECT seq, place, uuid_send(ident), kind, statement.identity, biz_id, phone, uuid_send(said), sent_at,"
    " reported_at, out_id, signed, source, native, digest, received_at, road FROM smsreceipt.statement"
    " JOIN smsreceipt.road ON road.id = statement.road WHERE place = ANY(%s) AND NOT test"
    " AND kind = (SELECT id FROM smsreceipt.kind WHERE name = %s) AND"
)
_RECEIPT = (
    f"SELECT FROM smsreceipt.statement WHERE statement.place = send.place AND statement.ident = send.ident"
    f" AND kind IN (SELECT id FROM smsreceipt.kind WHERE name IN {tuple(sorted(OF_SENDS))})"
    f" AND current AND outcome IN {FINAL_SQL}"
)
#: A final statement beats open ones: without one that is the state, there may be one that should be.
_ANY = _RECEIPT.replace("AND current AND", "AND NOT current AND")
SETTLED_WRONGLY = f"send.settled AND send.answer <> 'pruned' AND NOT EXISTS ({_RECEIPT}) AND NOT EXISTS ({_ANY})"
_COUNTED = (
    "SELECT name, count(*), count(*) FILTER (WHERE current AND NOT test), count(*) FILTER (WHERE current AND test)"
    " FROM smsreceipt.statement JOIN smsreceipt.kind ON kind.id = statement.kind GROUP BY name"
)
COUNTERS = (
    "SELECT name, coalesce(sum(statements), 0)::int8, coalesce(sum(identities), 0)::int8, coalesce(sum(tests), 0)::int8"
    " FROM smsreceipt.kind LEFT JOIN smsreceipt.tally ON kind.id = tally.kind GROUP BY name"
)
_MESSAGE = tallies.MESSAGE.format(PREFIX.format("statement"))
#: Statements that are the state of their identity and, against what the indexes can prevent, are there a second time.
TWICE = (
    "SELECT state.seq FROM smsreceipt.statement AS state JOIN smsreceipt.statement AS other"
    f" ON {_SAME.format('other', 'state')} AND other.said = state.said AND NOT other.current WHERE state.current"
)
_TWICE = f"{TWICE} AND state.seq > %s AND state.seq <= %s"
#: The schema of amcheck, where it is installed in this database and may be used.
_AMCHECK = (
    "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace"
    " JOIN pg_proc ON pronamespace = extnamespace AND proname = 'bt_index_check' AND pronargs = 2"
    " WHERE extname = 'amcheck' AND has_schema_privilege(pg_namespace.oid, 'USAGE')"
    " AND has_function_privilege(pg_proc.oid, 'EXECUTE')"
)
_INDEXES = (
    "SELECT relname, pg_class.oid::int8 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " JOIN pg_am ON pg_am.oid = relam WHERE nspname = 'smsreceipt' AND amname = 'btree' AND relkind = 'i' ORDER BY 1"
)


class Audit:
    """Reads what a check compares; see Audited."""

    def __init__(self, reader: Reader, snapshot: Callable[[], AbstractContextManager[None]]) -> None:
        self._reader = reader
        self.snapshot = snapshot

    def damage(self) -> Iterator[Fault]:
        """The check of indexes by amcheck, where an administrator has installed it in this database."""
        for (schema,) in self._reader.rows(_AMCHECK):
            for name, oid in self._reader.rows(_INDEXES):
                said = self._reader.refused(f"SELECT {schema}.bt_index_check(%s::oid::regclass, true)", (oid,))
                if said:
                    yield Fault(finding=Finding.ENGINE, identity=(name,), stored=said, expected="ok")

    def begin(self) -> None:
        """Nothing is referred to later."""

    def last_seq(self) -> int:
        """Up to which seq nothing more will appear."""
        return min(self._reader.horizon(), self._newest())

    def after(self, seq: int) -> int:
        """The largest visible seq."""
        return max(seq, self._newest())

    def _newest(self) -> int:
        return self._reader.number("SELECT max(seq) FROM smsreceipt.statement")

    def statements(self, after: int, to: int) -> Iterator[Stored]:
        """The statements of a slice, in the order of seq."""
        for stored, *_ in self._rows(after, to):
            yield stored

    def _rows(self, after: int, to: int) -> Iterator[tuple[Stored, int, bytes, bytes, str, str]]:
        for seq, received_at, day, place, ident, said, id1, identity, *columns in self._reader.stream(
            _STATEMENTS, (after, to)
        ):
            yield Stored(seq, receipt_from(*columns), received_at, day, False), place, ident, said, id1, identity

    def uneven(self, after: int, to: int) -> Iterator[Member]:
        """The statements of the identities of a slice that are not single and marked as usual."""
        return self._members(_UNEVEN + _MEMBERS, (after, to))

    def identity(self, unit: Key) -> list[Member]:
        """The statements of one identity."""
        return list(self._members(_IDENTITY + _MEMBERS, (unit.place, unit.ident.hex(), unit.kind)))

    def _members(self, query: str, values: Sequence[Any]) -> Iterator[Member]:
        for row in self._reader.stream(query, values):
            seq, place, ident, number, name, identity, biz_id, phone, outcome, code, signed, at, detail, *rest = row
            numbers, *marks = rest
            reported = None if at < 0 else Instant(at)
            claim = Claim(Outcome(outcome) if outcome else None, code, signed, reported, detail, leg_of(numbers))
            unit = Key(place, ident, number)
            yield Member(seq, _identity(identity, biz_id, phone), name, unit, claim, *marks)

    def numbers(self, phones: Sequence[str]) -> Iterator[Number]:
        """All that decides what is attributed about these numbers."""
        places = int8s(sorted({phone_place(phone) for phone in phones}))
        details, reports = defaultdict(list), defaultdict(list)
        for row in self._about(places, SEND_DETAIL):
            seq, *unit, identity, biz_id, phone, said, sent_at, _, out_id, signed, _, _, digest, received, road = row
            details[phone].append(
                Detail(seq, _identity(identity, biz_id, phone), Key(*unit), said, _time(sent_at), out_id, signed,
                       (digest, received, road))
            )  # fmt: skip
        for seq, _, _, _, identity, biz_id, phone, said, sent_at, at, out_id, _, source, native, *copied in self._about(
            places, SMS_REPORT
        ):
            if identity == "":
                signed = Source(source).signed
                reports[phone].append(
                    Report(seq, biz_id, said, _time(sent_at), _time(at), out_id, signed, native, tuple(copied))
                )
        ledger, ties = self._ledger(places), self._ties(places)
        waiting = {phone for (phone,) in self._reader.rows(notes.NAMED, (UNATTRIBUTED, texts(phones)))}
        for phone in phones:
            mine = ties[phone_place(phone)]
            yield Number(phone, details[phone], reports[phone], ledger[phone], mine, phone in waiting)

    def _about(self, places: object, kind: str) -> list[tuple[Any, ...]]:
        query = f"{_ABOUT} current UNION ALL {_ABOUT} NOT current"
        return self._reader.sums(query, (places, kind) * 2)

    def _ledger(self, places: object) -> dict[str, list[Candidate]]:
        found = defaultdict(list)
        for phone, biz_id, day, sent_at, out_id in self._reader.sums(
            "SELECT phone, biz_id, day, sent_at, out_id FROM smsreceipt.send WHERE place = ANY(%s)", (places,)
        ):
            found[phone].append(Candidate(biz_id, day, _time(sent_at), out_id))
        return found

    def _ties(self, places: object) -> dict[int, list[Tied]]:
        found = defaultdict(list)
        for place, *tie in self._reader.sums(
            "SELECT place, detail, report, made, signed FROM smsreceipt.tie WHERE place = ANY(%s)", (places,)
        ):
            found[place].append(Tied(*tie))
        return found

    def slice_faults(self, after: int, to: int, read_again: ReadAgain) -> Iterator[Fault]:
        """Digests by which rows are found, further bodies, references to nothing, statements that are there twice."""
        stored: dict[int, Stored] = {}
        for each, *key in self._rows(after, to):
            if key != (right := _key_of(each.receipt)):
                yield Fault(
                    finding=Finding.KEY, seq=each.seq, kind=each.receipt.kind, identity=each.receipt.identity,
                    stored=_shown(key), expected=_shown(right), unit=each.seq,
                )  # fmt: skip
        for seq, body, digest, place in self._reader.sums(
            "SELECT body.seq, body.body, body.digest, body.place FROM smsreceipt.body JOIN smsreceipt.statement"
            " ON statement.place = body.place AND statement.seq = body.seq"
            " WHERE statement.seq > %s AND statement.seq <= %s",
            (after, to),
        ):  # fmt: skip
            if seq not in stored:
                stored |= {each.seq: each for each in self.statements(seq - 1, seq)}
            if fault := body_fault(stored[seq], body, digest, read_again, (place, seq, digest)):
                yield fault
        for seq, kind, road in self._reader.sums(
            "SELECT seq, kind, road FROM smsreceipt.statement WHERE seq > %s AND seq <= %s"
            " AND (kind NOT IN (SELECT id FROM smsreceipt.kind) OR road NOT IN (SELECT id FROM smsreceipt.road))",
            (after, to),
        ):
            yield Fault(finding=Finding.ORPHAN, seq=seq, stored={"kind": kind, "road": road})
        for (seq,) in self._reader.sums(_TWICE, (after, to)):
            yield Fault(finding=Finding.DUPLICATE, seq=seq, stored=2, expected=1)

    def other_faults(self) -> Iterator[Fault]:
        """What is wrong with attributions, bodies, sends and rejects beside statements."""
        with self.snapshot():
            found = list(self._orphans())
        yield from found
        yield from self._sends()

    def _orphans(self) -> Iterator[Fault]:
        for place, seq, digest in self._reader.sums(
            "SELECT place, seq, digest FROM smsreceipt.body WHERE NOT EXISTS (SELECT FROM smsreceipt.statement"
            " WHERE statement.seq = body.seq AND statement.place = body.place)"
        ):
            yield Fault(
                finding=Finding.ORPHAN, seq=seq, stored={"body": digest.hex()}, unit=("body", place, seq, digest)
            )
        for place, detail, report in self._reader.sums(
            "SELECT place, detail, report FROM smsreceipt.tie WHERE NOT EXISTS (SELECT FROM smsreceipt.statement"
            " JOIN smsreceipt.kind ON kind.id = kind WHERE statement.seq = tie.detail AND statement.place = tie.place"
            f" AND name = '{SEND_DETAIL}')"
        ):
            yield Fault(finding=Finding.ORPHAN, seq=detail, stored={"report": report}, unit=("tie", place, detail))
        for found, kind, body in self._reader.stream("SELECT id, kind, body FROM smsreceipt.reject"):
            if found != (right := reject_id(Kind(kind) if kind else None, body)):
                yield Fault(finding=Finding.BODY, identity=(found,), stored=found, expected=right)

    def _sends(self) -> Iterator[Fault]:
        """Sends whose keys are wrong, or that are marked without a final receipt; piece by piece."""
        at: tuple[int, str] | None = (-(1 << 63), "00000000-0000-0000-0000-000000000000")
        while at is not None:
            with self.snapshot():
                found = self._reader.sums(
                    f"SELECT place, ident::text, biz_id, phone, {SETTLED_WRONGLY} FROM smsreceipt.send"
                    f" WHERE (place, ident) > (%s, %s::uuid) ORDER BY place, ident LIMIT {PIECE}",
                    at,
                )
            at = (found[-1][0], found[-1][1]) if len(found) == PIECE else None
            for place, ident, biz_id, phone, suspect in found:
                right = phone_place(phone), ident_of(biz_id, phone).hex()
                if (place, ident.replace("-", "")) != right:
                    yield Fault(
                        finding=Finding.KEY, identity=(biz_id, phone), stored=ident.replace("-", ""), expected=right[1],
                        unit=(biz_id, phone, place, ident),
                    )  # fmt: skip
                    if suspect and self._has_receipt(*right):
                        continue
                if suspect:
                    yield Fault(
                        finding=Finding.SETTLED, identity=(biz_id, phone), stored=True, expected=False, unit=right
                    )

    def _has_receipt(self, place: int, ident: str) -> bool:
        """Whether there is a final receipt of the send with this key."""
        key = "(VALUES (%s::int8, %s::uuid)) AS send (place, ident)"
        query = f"SELECT 1 FROM {key} WHERE EXISTS ({_RECEIPT}) OR EXISTS ({_ANY})"
        return bool(self._reader.rows(query, (place, ident)))

    def counters(self) -> Mapping[str, Counters]:
        """The stored counters of each kind."""
        return {name: Counters(*counts) for name, *counts in self._reader.sums(COUNTERS)}

    def counted(self) -> Mapping[str, Counters]:
        """The same, counted."""
        return {name: Counters(*counts) for name, *counts in self._reader.sums(_COUNTED)}

    def totals(self) -> Iterator[Fault]:
        """The last seq and the number of sends."""
        last, newest = self._reader.number("SELECT last_value FROM smsreceipt.seq"), self._newest()
        if last < newest:
            yield Fault(finding=Finding.COUNTER, identity=("last_seq",), stored=last, expected=newest, unit="last_seq")
        sends = self._reader.number("SELECT coalesce(sum(sends), 0)::int8 FROM smsreceipt.ledger")
        if sends != (listed := self._reader.number("SELECT count(*) FROM smsreceipt.send")):
            yield Fault(finding=Finding.SENDS, stored=sends, expected=listed, unit="sends")

    def tallies(self) -> State:
        """How far messages are counted in advance."""
        return tallies.state(self._reader)

    def messages(self, after: int, to: int) -> list[Message]:
        """The messages of a slice."""
        return tallies.messages(self._reader, after, to)

    def message(self, seq: int, *, current: bool) -> Message | None:
        """One statement as a message."""
        found: list[Any] = self._reader.rows(
            f"SELECT {_MESSAGE} FROM smsreceipt.statement JOIN smsreceipt.kind ON kind.id = statement.kind"
            f" WHERE seq = %s AND statement.kind IN {KINDS} AND current = %s AND NOT test",
            (seq, current),
        )
        return next(iter(found), None)

    def tally_rows(self) -> Iterator[tuple[TallyKey, Sequence[int]]]:
        """All rows of the tallies."""
        return _tallied(self._reader.stream(f"SELECT {', '.join(KEY + SUMS)} FROM smsreceipt.day_tally"))

    def tally_changes(self) -> Iterator[tuple[int, Message]]:
        """What is not in the rows yet."""
        yield from tallies.changes(self._reader, self.tallies().to_seq)

    def tallied_day(self, day: int) -> Day:
        """All about the tallies of one day."""
        return Day(self._reader, day)

    def call_days(self) -> list[CallDay]:
        """The kinds and days of calls and replies that have tallies, or should."""
        return call_tallies.counted_days(self._reader)

    def calls_in_advance(self, kind: str, day: int) -> InAdvance:
        """The tally of one of them."""
        return call_tallies.in_advance(self._reader, kind, day, day)

    def bodies_of_day(self, kind: str, day: int, to: int) -> Iterable[Body]:
        """What it is compared with: the states with seq at most *to*."""
        return call_tallies.bodies_of_day(self._reader, kind, day, to)


class Day:
    """The tallies of one day, and what they are compared with."""

    def __init__(self, reader: Reader, day: int) -> None:
        to_seq = tallies.state(reader).to_seq
        found: Iterable[Any] = reader.sums(
            f"SELECT {_MESSAGE} FROM smsreceipt.statement JOIN smsreceipt.kind ON kind.id = statement.kind"
            f" WHERE day = %s AND statement.kind IN {KINDS} AND current AND NOT test AND seq <= %s",
            (day, to_seq),
        )
        self.messages: list[Message] = list(found)
        changes = tallies.changes(reader, to_seq)
        self.changes = [each for each in changes if each[1][0] == day]
        rows = reader.sums(f"SELECT {', '.join(KEY + SUMS)} FROM smsreceipt.day_tally WHERE day = %s", (day,))
        self.rows = dict(_tallied(rows))


def _key_of(receipt: Receipt) -> list[Any]:
    """What place, ident, said, id1 and identity must be."""
    place = identity_place(receipt.kind, receipt.identity)
    return [place, ident_of(*receipt.identity), said_of(receipt), *identity_columns(receipt)]


def _shown(key: Sequence[Any]) -> dict[str, object]:
    values = (each.hex() if isinstance(each, bytes) else each for each in key)
    return dict(zip(("place", "ident", "said", "id1", "identity"), values, strict=True))


def _identity(identity: str, biz_id: str, phone: str) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(identity)) if identity else (biz_id, phone)


def _time(stored: int) -> Instant | None:
    return None if stored < 0 else Instant(stored)


def _tallied(found: Iterable[tuple[Any, ...]]) -> Iterator[tuple[TallyKey, Sequence[int]]]:
    width = len(KEY)
    for row in found:
        yield row[:width], row[width:]
