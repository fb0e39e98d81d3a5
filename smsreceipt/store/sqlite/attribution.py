"""Which answers of QuerySendDetails are which sends; the rule itself is in matching.

A SendDetail has no BizId. Once the ledger or a receipt shows that it can be one send only, an SmsReport statement about
that send says the same, and the SendDetail has no state of its own. This is a function of all details, sends and
receipts of a number, in any order. So a change of any of them retracts what was attributed for its number, is written,
and everything is attributed again. The table `tie` holds the attributions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import apsw
import msgspec

from smsreceipt.matching import SEND_DETAIL, SMS_REPORT, Candidate, Reported, attributed, candidates
from smsreceipt.model import Decoded, Instant
from smsreceipt.store.sqlite import backfill, tally_changes
from smsreceipt.store.sqlite.batch import Identity
from smsreceipt.store.sqlite.columns import INSERTED
from smsreceipt.store.sqlite.rows import number, rows

Decide = Callable[[Identity], Counter[tuple[int, bool]]]
_Key = tuple[str, str, str, str, int, str]  # BizId, phone, outcome, code, reported_at, detail

_SOME = "IN (SELECT value FROM json_each(?))"
_KEY = "id1, id2, outcome, code, reported_at, detail"
#: What a statement made from a SendDetail does not copy: ?1 is its seq, ?2 its kind, ?3 the BizId.
_OWN = {
    "seq": "?1", "kind": "?2", "lead": "0", "parts": "2", "id1": "?3", "id2": "id1", "id3": "''", "id4": "''",
    "biz_id": "?3", "test": "0", "native": "0", "times_seen": "1", "current": "0", "conflict": "0",
}  # fmt: skip
_COLUMNS = (*INSERTED, "times_seen", "current", "conflict")
_COPY = (
    f"INSERT INTO statement ({', '.join(_COLUMNS)})"
    f" SELECT {', '.join(_OWN.get(name, name) for name in _COLUMNS)} FROM statement WHERE seq = ?4"
)


class _Detail(NamedTuple):
    """One SendDetail statement."""

    seq: int
    id1: str
    id2: str
    id3: str
    id4: str
    outcome: str
    code: str
    reported_at: int
    detail: str
    sent_at: Instant | None
    out_id: str
    signed: int

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return (self.id1, self.id2, self.id3, self.id4)


class Attribution:
    """Keeps the attributions of one store right, inside its caller's transactions."""

    def __init__(self, db: apsw.Connection, decide: Decide) -> None:
        """*decide* marks the state of an identity and returns what that changes in the counts."""
        self._db = db
        self._decide = decide

    @contextmanager
    def around_receipts(self, decoded: Sequence[Decoded]) -> Iterator[None]:
        """To be held while these receipts are written."""
        kinds = {SMS_REPORT, SEND_DETAIL}

        def phones() -> set[str]:
            return {receipt.phone for item in decoded for receipt in item.receipts if receipt.kind in kinds}

        with self._around(phones):
            yield

    def around_phones(self, phones: Collection[str]) -> AbstractContextManager[None]:
        """To be held while rows of the ledger about these numbers are written."""
        return self._around(lambda: phones)

    @contextmanager
    def around_everything(self) -> Iterator[None]:
        """To be held while rows of the ledger change that are not known beforehand."""

        def phones() -> set[str]:
            return {phone for (phone,) in rows(self._db, "SELECT DISTINCT id1 FROM statement WHERE kind = ?", (kind,))}

        kind = self._kind(SEND_DETAIL)
        with self._around(phones):
            yield

    @contextmanager
    def _around(self, phones: Callable[[], Collection[str]]) -> Iterator[None]:
        if not self._kind(SEND_DETAIL):
            yield
            if not self._kind(SEND_DETAIL):
                return
            changed, retracted = phones(), dict[_Key, int]()
        else:
            changed = phones()
            retracted = self._retract(msgspec.json.encode(sorted(changed)).decode())
            yield
        self._attribute(sorted(changed), retracted)

    def again(self, phones: Sequence[str]) -> None:
        """Attribute everything about these numbers anew."""
        retracted = self._retract(msgspec.json.encode(phones).decode())
        self._attribute(phones, retracted)

    def with_details(self, phones: Collection[str]) -> list[str]:
        """Those of these numbers about which there are details."""
        if not (kind := self._kind(SEND_DETAIL)):
            return []
        known = "SELECT 1 FROM statement INDEXED BY statement_key WHERE id1 = value AND kind = ?2"
        found = rows(
            self._db,
            f"SELECT value FROM json_each(?1) WHERE EXISTS ({known})",
            (msgspec.json.encode(sorted(phones)).decode(), kind),
        )
        return [phone for (phone,) in found]

    def _kind(self, name: str) -> int:
        """The number of a kind of which there are statements; 0 where there are none."""
        return number(self._db, "SELECT id FROM kind WHERE name = ? AND statements > 0", name)

    def _retract(self, phones: str) -> dict[_Key, int]:
        """Undo every attribution of these numbers; return the seqs of the statements that this deletes, by their keys.

        *phones* is a JSON array.
        """
        found = list(rows(self._db, f"SELECT report, made, signed FROM tie WHERE phone {_SOME}", (phones,)))
        retracted: dict[_Key, int] = {}
        for report, made, signed in found:
            if made:
                retracted |= self._delete_statement(report)
            else:
                self._db.execute(
                    "UPDATE statement SET signed = signed - ?, times_seen = times_seen - 1 WHERE seq = ?",
                    (signed, report),
                )
                self._decide_again(self._identity(report))
        self._db.execute(f"DELETE FROM tie WHERE phone {_SOME}", (phones,))
        return retracted

    def _delete_statement(self, seq: int) -> dict[_Key, int]:
        identity = self._identity(seq)
        ((kind, current, *key),) = rows(self._db, f"SELECT kind, current, {_KEY} FROM statement WHERE seq = ?", (seq,))
        self._db.execute("DELETE FROM phone WHERE phone = ? AND seq = ?", (key[1], seq))
        self._db.execute("DELETE FROM statement WHERE seq = ?", (seq,))
        self._db.execute(
            "UPDATE kind SET statements = statements - 1, identities = identities - ? WHERE id = ?", (current, kind)
        )
        self._decide_again(identity)
        return {(key[0], key[1], key[2], key[3], key[4], key[5]): seq}

    def _identity(self, seq: int) -> Identity:
        ((id1, id2, id3, id4, kind),) = rows(
            self._db, "SELECT id1, id2, id3, id4, kind FROM statement WHERE seq = ?", (seq,)
        )
        return (id1, id2, id3, id4, kind)

    def _decide_again(self, identity: Identity) -> None:
        """Decide the state of an identity, if there still is a statement about it."""
        known = "SELECT 1 FROM statement WHERE id1 = ? AND id2 = ? AND id3 = ? AND id4 = ? AND kind = ? LIMIT 1"
        if not number(self._db, known, *identity):
            return
        for (kind, test), more in self._decide(identity).items():
            column = "tests" if test else "identities"
            self._db.execute(f"UPDATE kind SET {column} = {column} + ? WHERE id = ?", (more, kind))

    def _attribute(self, phones: Sequence[str], retracted: dict[_Key, int]) -> None:
        """Attribute the details of these numbers. A statement that is made again gets the seq that it had."""
        kind = self._kind(SEND_DETAIL)
        details = self._details(phones, kind)
        sends = self._candidates(sorted(details))
        for phone, statements in details.items():
            identities = {detail.identity: detail for detail in statements}
            biz_ids = attributed(identities, sends[phone])
            for detail in statements:
                if detail.identity in biz_ids:
                    self._add_evidence(detail, biz_ids[detail.identity], retracted)
            for identity in identities:
                self._mark((*identity, kind), of_send=identity in biz_ids)
        # A statement that was not made again may have settled its send.
        self._db.executemany(
            "UPDATE send SET settled = 0 WHERE biz_id = ? AND phone = ?", [(key[0], key[1]) for key in retracted]
        )

    def _details(self, phones: Sequence[str], kind: int) -> dict[str, list[_Detail]]:
        found: dict[str, list[_Detail]] = defaultdict(list)
        columns = f"seq, id1, id2, id3, id4, outcome, code, reported_at, detail, {_time('sent_at')}, out_id, signed"
        for row in rows(
            self._db,
            f"SELECT {columns} FROM json_each(?) CROSS JOIN statement INDEXED BY statement_key ON id1 = value"
            " WHERE kind = ? ORDER BY seq",
            (msgspec.json.encode(phones).decode(), kind),
        ):
            detail = _Detail(*row)
            found[detail.id1].append(detail)
        return found

    def _candidates(self, phones: Sequence[str]) -> Mapping[str, list[Candidate]]:
        """The sends to each number that the ledger or a receipt knows of."""
        listed = msgspec.json.encode(phones).decode()
        ledger: dict[str, list[Candidate]] = defaultdict(list)
        reports: dict[str, list[Reported]] = defaultdict(list)
        for phone, *sent in rows(
            self._db,
            f"SELECT phone, biz_id, day, {_time('sent_at')}, out_id FROM send WHERE phone {_SOME}",
            (listed,),
        ):
            ledger[phone].append(Candidate(*sent))
        for phone, *report in rows(
            self._db,
            f"SELECT phone, id1, {_time('sent_at')}, {_time('reported_at')}, out_id FROM statement"
            " WHERE kind = ? AND id2 = phone AND test = 0 AND seq IN ("
            f"SELECT seq FROM phone WHERE phone {_SOME} UNION ALL SELECT seq FROM statement"
            f" WHERE seq > (SELECT phones_to FROM counter) AND phone {_SOME})",
            (self._kind(SMS_REPORT), listed, listed),
        ):
            reports[phone].append(Reported(*report))
        return {phone: candidates(ledger[phone], reports[phone]) for phone in phones}

    def _add_evidence(self, detail: _Detail, biz_id: str, retracted: dict[_Key, int]) -> None:
        """Count a detail as evidence of the statement about a send that says the same; make that if there is none."""
        key: _Key = (biz_id, detail.id1, detail.outcome, detail.code, detail.reported_at, detail.detail)
        kind = self._report_kind(detail.seq)
        known = list(
            rows(
                self._db,
                "SELECT seq, signed FROM statement WHERE id1 = ? AND id2 = ? AND id3 = '' AND id4 = '' AND kind = ?"
                " AND outcome = ? AND code = ? AND reported_at = ? AND detail = ?",
                (*key[:2], kind, *key[2:]),
            )
        )
        if known:
            ((report, signed),) = known
            signature = max(detail.signed - signed, 0)
            self._db.execute(
                "UPDATE statement SET signed = signed + ?, times_seen = times_seen + 1 WHERE seq = ?",
                (signature, report),
            )
        else:
            report, signature = self._insert_statement(detail, biz_id, kind, retracted.pop(key, 0)), detail.signed
        values = (detail.seq, report, detail.id1, not known, signature)
        self._db.execute("INSERT INTO tie VALUES (?, ?, ?, ?, ?)", values)
        self._decide_again((biz_id, detail.id1, "", "", kind))

    def _report_kind(self, like: int) -> int:
        """The number of SmsReport. If none was ever received, its times are those of the statement *like*."""
        self._db.execute(
            "INSERT INTO kind (name, first_received, last_received)"
            " SELECT ?, received_at, received_at FROM statement WHERE seq = ? ON CONFLICT DO NOTHING",
            (SMS_REPORT, like),
        )
        return number(self._db, "SELECT id FROM kind WHERE name = ?", SMS_REPORT)

    def _insert_statement(self, detail: _Detail, biz_id: str, kind: int, seq: int) -> int:
        """Write what a detail says as a statement about a send, with this seq or, if it is 0, a new one; return it."""
        if not seq:
            seq = number(self._db, "UPDATE counter SET last_seq = last_seq + 1 RETURNING last_seq")
            backfill.advance(self._db, seq - 1, seq)
        self._db.execute(_COPY, (seq, kind, biz_id, detail.seq))
        tally_changes.note_again(self._db, seq)
        self._db.execute("INSERT INTO phone SELECT ?1, ?2 FROM counter WHERE phones_to >= ?2", (detail.id1, seq))
        self._db.execute("UPDATE kind SET statements = statements + 1 WHERE id = ?", (kind,))
        return seq

    def _mark(self, identity: Identity, *, of_send: bool) -> None:
        """A detail that is a known send has no state; any other has one."""
        whole = "id1 = ? AND id2 = ? AND id3 = ? AND id4 = ? AND kind = ?"
        current = number(self._db, f"SELECT sum(current) FROM statement WHERE {whole}", *identity)
        if of_send and current:
            self._db.execute(f"UPDATE statement SET current = 0, conflict = 0 WHERE {whole}", identity)
            self._db.execute("UPDATE kind SET identities = identities - 1 WHERE id = ?", identity[-1:])
        elif not of_send and not current:
            self._decide_again(identity)


def _time(column: str) -> str:
    return f"iif({column} < 0, NULL, {column})"
