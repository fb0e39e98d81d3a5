"""Derives again what a check found wrong, inside its caller's transaction. The log of statements stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw

from smsreceipt.store import call_tallies
from smsreceipt.store.checking.days import checked_views, expected_rows
from smsreceipt.store.checking.faults import Fault, Finding
from smsreceipt.store.checking.run import Check, repaired
from smsreceipt.store.checking.statements import day_of, judge
from smsreceipt.store.checking.ties import verdict
from smsreceipt.store.sqlite import tallies
from smsreceipt.store.sqlite.attribution import Attribution
from smsreceipt.store.sqlite.call_tallies import counted_again
from smsreceipt.store.sqlite.checking import SETTLED_WRONGLY, Audit
from smsreceipt.store.sqlite.columns import ADDED, NUMBERED
from smsreceipt.store.sqlite.faults import reading
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.verified import Checking

#: What a repair of these may change is counted.
_COUNTED = (Finding.COUNTER, Finding.SENDS, Finding.STATE, Finding.CONFLICT, Finding.ATTRIBUTION, Finding.ORPHAN)


def checking(
    path: Path,
    db: apsw.Connection,
    snapshot: Callable[[], AbstractContextManager[None]],
    transaction: Callable[[], AbstractContextManager[None]],
    attribution: Attribution,
) -> Checking:
    """What checks and repairs the store at *path*."""
    audit = Audit(db, snapshot)

    def repair(check: Check, faults: Sequence[Fault]) -> int:
        with transaction():
            return _Repair(db, audit, attribution, check).run(faults)

    return Checking(audit, reading(path), repair)


class _Repair:
    """One repair."""

    def __init__(self, db: apsw.Connection, audit: Audit, attribution: Attribution, check: Check) -> None:
        self._db, self._audit, self._attribution, self._check = db, audit, attribution, check

    def run(self, faults: Sequence[Fault]) -> int:
        """Derive again what these faults are about; how many of them could be."""
        found = repaired(faults)
        days = {day for fault in faults if fault.seq for day in self._days(fault.seq)}
        self._digests([each.unit for each in found[Finding.DIGEST]])
        for fault in found[Finding.DAY]:
            self._day(fault.unit)
        self._orphans([each.unit for each in found[Finding.ORPHAN] if isinstance(each.unit, tuple)])
        self._phones([each.unit for each in found[Finding.PHONE]])
        ties = found[Finding.ATTRIBUTION] + found[Finding.ORPHAN]
        self._attribute(sorted({each.unit for each in ties if isinstance(each.unit, str)}))
        for unit in {each.unit for each in found[Finding.STATE] + found[Finding.CONFLICT]}:
            self._decide(unit)
        for fault in found[Finding.SETTLED]:
            self._settle(fault.unit)
        if any(found[each] for each in _COUNTED):
            self._counters()
        days |= {day for fault in faults if fault.seq for day in self._days(fault.seq)}
        calls = {each.unit for each in found[Finding.TALLY] if isinstance(each.unit, tuple)}
        days |= {each.unit for each in found[Finding.TALLY] if not isinstance(each.unit, tuple)}
        self._check.wrong.marks.clear()
        self._check.wrong.days.clear()
        for day in sorted(days):
            self._tally(day)
            calls |= {(kind, day) for kind in call_tallies.KINDS}
        for kind, day in sorted(calls):
            counted_again(self._db, kind, day)
        return sum(map(len, found.values()))

    def _days(self, seq: int) -> list[int]:
        """The days of the statements of the same identity."""
        return [day for (day,) in rows(
            self._db, "SELECT other.day FROM statement JOIN statement AS other USING (id1, id2, id3, id4, kind)"
            " WHERE statement.seq = ?", (seq,),
        )]  # fmt: skip

    def _digests(self, units: Sequence[Any]) -> None:
        for unit in units:
            if isinstance(unit, tuple):
                ((body,),) = rows(self._db, "SELECT body FROM body WHERE seq = ? AND digest = ?", unit)
                self._db.execute(
                    "UPDATE OR REPLACE body SET digest = ? WHERE seq = ? AND digest = ?", (sha256(body).digest(), *unit)
                )
                continue
            names = ", ".join(column.name for column in ADDED)
            ((body, *added),) = rows(self._db, f"SELECT body, {names} FROM statement WHERE seq = ?", (unit,))
            self._db.execute("UPDATE statement SET digest = ? WHERE seq = ?", (sha256(body).digest(), unit))
            # A trigger took these for those of another body.
            placed = ", ".join(f"{column.name} = ?" for column in ADDED)
            self._db.execute(f"UPDATE statement SET {placed} WHERE seq = ?", (*added, unit))

    def _day(self, seq: int) -> None:
        for stored in self._audit.statements(seq - 1, seq):
            self._db.execute("UPDATE statement SET day = ? WHERE seq = ?", (day_of(stored), seq))

    def _orphans(self, units: Sequence[tuple[Any, ...]]) -> None:
        for table, *key in units:
            if table == "body":
                self._db.execute("DELETE FROM body WHERE seq = ? AND digest = ?", key)
            else:
                self._db.execute("DELETE FROM tie WHERE detail = ?", key)

    def _phones(self, units: Sequence[tuple[str, int]]) -> None:
        """Make the rows of these statements, and delete those that they do not have."""
        self._db.executemany("DELETE FROM phone WHERE phone = ? AND seq = ?", units)
        for seq in sorted({seq for _, seq in units}):
            known = number(self._db, "SELECT phones_to FROM counter") >= seq
            if known:
                self._db.execute(f"INSERT OR IGNORE INTO phone {NUMBERED.format('seq = ?1')}", (seq,))

    def _attribute(self, phones: Sequence[str]) -> None:
        """Store attributions that are sound, then attribute these numbers anew, as after any change."""
        for known in self._audit.numbers(phones) if phones else ():
            self._db.execute("DELETE FROM tie WHERE phone = ?", (known.phone,))
            self._db.executemany(
                "INSERT OR REPLACE INTO tie VALUES (?, ?, ?, ?, ?)",
                [(each.detail, each.report, known.phone, each.made, each.signed) for each in verdict(known).ties],
            )
        if phones:
            self._attribution.again(phones)

    def _decide(self, unit: tuple[Any, ...]) -> None:
        members = list(self._audit.identity(unit))
        if not members:
            return
        stateless = number(self._db, "SELECT 1 FROM tie WHERE detail = ?", members[0].seq) == 1
        judged = judge(members, stateless=stateless)
        conflicts = next((each.expected for each in judged.faults if each.finding is Finding.CONFLICT), None)
        for each in members:
            current = judged.winner is not None and each.seq == judged.winner.seq
            conflict = each.conflict if conflicts is None else each.seq in conflicts
            self._db.execute(
                "UPDATE statement SET current = ?, conflict = ? WHERE seq = ?", (current, conflict, each.seq)
            )

    def _settle(self, unit: tuple[str, str]) -> None:
        found = SETTLED_WRONGLY.format("biz_id = ? AND phone = ?")
        for biz_id, phone in list(rows(self._db, found, unit)):
            self._db.execute("UPDATE send SET settled = 0 WHERE biz_id = ? AND phone = ?", (biz_id, phone))

    def _counters(self) -> None:
        """Count all again: a repair may have changed any of them."""
        self._db.execute("UPDATE kind SET statements = 0, identities = 0, tests = 0")
        self._db.executemany(
            "UPDATE kind SET statements = ?, identities = ?, tests = ? WHERE name = ?",
            [(*counts, name) for name, counts in self._audit.counted().items()],
        )
        self._db.execute(
            "UPDATE counter SET sends = (SELECT count(*) FROM send),"
            " last_seq = max(last_seq, (SELECT ifnull(max(seq), 0) FROM statement))"
        )

    def _tally(self, day: int) -> None:
        """Write the tallies of one day."""
        state, told = tallies.state(self._db), self._audit.tallied_day(day)
        views = checked_views(state.place, self._check.place)
        expected = expected_rows(told, (), self._check.place)
        for view in views:
            self._db.execute("DELETE FROM day_tally WHERE view = ? AND day = ?", (view, day))
        self._db.executemany(tallies.ADD, [(*key, *values) for key, values in expected.items() if key[0] in views])
        self._db.execute("UPDATE counter SET tally_turn = tally_turn + 1")
