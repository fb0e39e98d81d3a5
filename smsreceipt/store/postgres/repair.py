"""Derives again what a check found wrong, inside one transaction while no other writer is at work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Protocol

from smsreceipt.store import call_tallies
from smsreceipt.store.checking.days import checked_views, expected_rows
from smsreceipt.store.checking.faults import Fault, Finding
from smsreceipt.store.checking.run import Check, repaired
from smsreceipt.store.checking.statements import day_of, judge
from smsreceipt.store.checking.ties import verdict
from smsreceipt.store.postgres import tallies
from smsreceipt.store.postgres.attribution import Attribution
from smsreceipt.store.postgres.batch import Key
from smsreceipt.store.postgres.call_tallies import counted_again
from smsreceipt.store.postgres.checking import SETTLED_WRONGLY, TWICE, Audit
from smsreceipt.store.postgres.columns import ident_of, identity_columns, identity_place, phone_place, said_of
from smsreceipt.store.postgres.faults import reading
from smsreceipt.store.postgres.identities import RowTypes
from smsreceipt.store.postgres.keep import Numbers
from smsreceipt.store.postgres.session import Db, Reader
from smsreceipt.store.postgres.writer import Begun
from smsreceipt.store.tallies import Sums
from smsreceipt.store.verified import Checking

_DIGESTS = {"ident", "said"}
#: What a repair of these may change is counted.
_COUNTED = (Finding.COUNTER, Finding.SENDS, Finding.STATE, Finding.CONFLICT, Finding.ATTRIBUTION, Finding.ORPHAN)


class Write(Protocol):
    """Runs a writing transaction."""

    def __call__(self, work: Callable[[Db, Begun], int], *, alone: bool) -> int:
        """*alone*: no other writer may be at work."""


def checking(
    location: str, reader: Reader, numbers: Numbers, types: Callable[[Db], RowTypes], write: Write
) -> Checking:
    """What checks and repairs the store at *location*."""

    def repair(check: Check, faults: Sequence[Fault]) -> int:
        def work(db: Db, _: Begun) -> int:
            audit = Audit(reader.within_transaction(db), reader.snapshot)
            return _Repair(db, audit, Attribution(db, types(db), numbers), check).run(faults)

        return write(work, alone=True)

    return Checking(Audit(reader, reader.snapshot), reading(location), repair)


class _Repair:
    def __init__(self, db: Db, audit: Audit, attribution: Attribution, check: Check) -> None:
        self._db, self._audit, self._attribution, self._check = db, audit, attribution, check

    def run(self, faults: Sequence[Fault]) -> int:
        """Derive again what these faults are about; how many of them could be."""
        found = repaired(faults)
        days = {day for fault in faults if fault.seq for day in self._days(fault.seq)}
        for fault in found[Finding.DIGEST]:
            self._digest(fault.unit)
        for fault in found[Finding.DAY]:
            for stored in self._audit.statements(fault.unit - 1, fault.unit):
                self._run("UPDATE smsreceipt.statement SET day = %s WHERE seq = %s", day_of(stored), fault.unit)
        for fault in found[Finding.KEY]:
            self._key(fault.unit)
        for fault in found[Finding.ORPHAN]:
            self._orphan(fault.unit)
        ties = found[Finding.ATTRIBUTION] + found[Finding.ORPHAN]
        self._attribute(sorted({each.unit for each in ties if isinstance(each.unit, str)}))
        for unit in {each.unit for each in found[Finding.STATE] + found[Finding.CONFLICT]}:
            self._decide(unit)
        for fault in found[Finding.SETTLED]:
            self._run(
                "UPDATE smsreceipt.send SET settled = false"
                f" WHERE place = %s AND ident = %s::uuid AND {SETTLED_WRONGLY}",
                *fault.unit,
            )
        if any(found[each] for each in _COUNTED):
            self._counters()
        days |= {day for fault in faults if fault.seq for day in self._days(fault.seq)}
        calls = {each.unit for each in found[Finding.TALLY] if isinstance(each.unit, tuple)}
        days |= {each.unit for each in found[Finding.TALLY] if not isinstance(each.unit, tuple)}
        for day in sorted(days):
            self._tally(day)
            calls |= {(kind, day) for kind in call_tallies.KINDS}
        for kind, day in sorted(calls):
            counted_again(self._db, kind, day)
        return sum(map(len, found.values()))

    def _run(self, statement: str, *values: object) -> None:
        self._db.execute(statement, values or None)

    def _days(self, seq: int) -> list[int]:
        """The days of the statements of the same identity."""
        return [day for (day,) in self._db.execute(
            "SELECT other.day FROM smsreceipt.statement JOIN smsreceipt.statement AS other USING (place, ident, kind)"
            " WHERE statement.seq = %s", (seq,),
        )]  # fmt: skip

    def _digest(self, unit: Any) -> None:
        if isinstance(unit, tuple):
            where, table, values = "place = %s AND seq = %s AND digest = %s", "body", unit
        else:
            where, table, values = "seq = %s", "statement", (unit,)
        for (body,) in self._db.execute(f"SELECT body FROM smsreceipt.{table} WHERE {where}", values).fetchall():
            self._run(f"UPDATE smsreceipt.{table} SET digest = %s WHERE {where}", sha256(body).digest(), *values)

    def _key(self, unit: Any) -> None:
        if isinstance(unit, tuple):
            biz_id, phone, place, ident = unit
            self._set("send", {"place": phone_place(phone), "ident": ident_of(biz_id, phone).hex()}, place, ident)
            return
        for stored in self._audit.statements(unit - 1, unit):
            receipt = stored.receipt
            id1, identity = identity_columns(receipt)
            right = {
                "place": identity_place(receipt.kind, receipt.identity), "ident": ident_of(*receipt.identity).hex(),
                "said": said_of(receipt).hex(), "id1": id1, "identity": identity,
            }  # fmt: skip
            found = self._db.execute("SELECT place, ident::text FROM smsreceipt.statement WHERE seq = %s", (unit,))
            for place, ident in found.fetchall():
                self._set("statement", right, place, ident, f" AND seq = {unit}")

    def _set(self, table: str, right: dict[str, Any], place: int, ident: str, more: str = "") -> None:
        """Write these columns; the place, by which a table may be distributed, only where it changes."""
        changed = {name: value for name, value in right.items() if name != "place" or value != place}
        columns = ", ".join(f"{name} = %s::{'uuid' if name in _DIGESTS else 'text'}" for name in changed)
        columns = columns.replace("place = %s::text", "place = %s::int8")
        self._run(
            f"UPDATE smsreceipt.{table} SET {columns} WHERE place = %s AND ident = %s::uuid{more}",
            *changed.values(), place, ident,
        )  # fmt: skip

    def _orphan(self, unit: Any) -> None:
        if not isinstance(unit, tuple):
            return
        table, *key = unit
        if table == "body":
            self._run("DELETE FROM smsreceipt.body WHERE place = %s AND seq = %s AND digest = %s", *key)
        else:
            self._run("DELETE FROM smsreceipt.tie WHERE place = %s AND detail = %s", *key)

    def _attribute(self, phones: Sequence[str]) -> None:
        """Store attributions that are sound, then attribute these numbers anew, as after any change."""
        for known in self._audit.numbers(phones) if phones else ():
            place = phone_place(known.phone)
            self._run("DELETE FROM smsreceipt.tie WHERE place = %s", place)
            for each in verdict(known).ties:
                self._run("INSERT INTO smsreceipt.tie VALUES (%s, %s, %s, %s, %s)", place, *each)
        if phones:
            self._attribution.retract(phones)
            self._attribution.attribute(phones)

    def _decide(self, unit: Key) -> None:
        members = self._audit.identity(unit)
        if not members:
            return
        tied = "SELECT 1 FROM smsreceipt.tie WHERE place = %s AND detail = %s"
        stateless = self._db.execute(tied, (unit.place, members[0].seq)).fetchone() is not None
        judged = judge(members, stateless=stateless)
        conflicts = next((each.expected for each in judged.faults if each.finding is Finding.CONFLICT), None)
        winner = judged.winner and judged.winner.seq
        for each in sorted(members, key=lambda each: each.seq == winner):  # what ceases to be the state first
            conflict = each.conflict if conflicts is None else each.seq in conflicts
            self._run(
                "UPDATE smsreceipt.statement SET current = %s, conflict = %s WHERE seq = %s AND place = %s",
                each.seq == winner, conflict, each.seq, unit.place,
            )  # fmt: skip

    def _counters(self) -> None:
        """Count all again: a repair may have changed any of them."""
        counted = self._audit.counted()
        spans = self._db.execute(
            "SELECT name, tally.kind, min(first_received), max(last_received) FROM smsreceipt.tally"
            " JOIN smsreceipt.kind ON kind.id = tally.kind GROUP BY 1, 2"
        ).fetchall()
        self._run("DELETE FROM smsreceipt.tally")
        for name, kind, first, last in spans:
            statements, identities, tests = counted.get(name, (0, 0, 0))
            self._run(
                "INSERT INTO smsreceipt.tally VALUES (%s, 0, %s, %s, %s, %s, %s)",
                kind, identities, tests, statements, first, last,
            )  # fmt: skip
        self._run("DELETE FROM smsreceipt.ledger")
        self._run("INSERT INTO smsreceipt.ledger SELECT 0, count(*) FROM smsreceipt.send")
        self._run(
            "SELECT setval('smsreceipt.seq', max(seq)) FROM smsreceipt.statement"
            " HAVING max(seq) > (SELECT last_value FROM smsreceipt.seq)"
        )

    def _tally(self, day: int) -> None:
        """Write the tallies of one day."""
        state, told = self._audit.tallies(), self._audit.tallied_day(day)
        views = checked_views(state.place, self._check.place)
        expected = expected_rows(told, (), self._check.place)
        sums = Sums(self._check.place)
        sums.rows = {key: values for key, values in expected.items() if key[0] in views}
        self._run("DELETE FROM smsreceipt.day_tally WHERE day = %s AND view = ANY(%s)", day, views)
        tallies.add(self._db, sums)
        self._run("UPDATE smsreceipt.tally_state SET turn = turn + 1")


def glance(reader: Reader) -> bool:
    """Look for statements that are there twice; False if two seconds were not enough. Raises ValueError for one."""
    found = reader.within(2.0, f"{TWICE} LIMIT 1")
    if found:
        raise ValueError("a statement is there twice")
    return found is not None
