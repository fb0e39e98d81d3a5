"""Rows of QuerySendDetails and the sends that they are.

A SendDetail names no BizId. Once the ledger or a receipt shows that it can be one send only, what it says is said about
that send too, by an SmsReport statement; it is no state of its own then. That is a function of all details, sends and
receipts of a number, in whatever order they came. So whenever one of them comes, what was concluded about its number
is taken back, the new is written, and the conclusion is drawn again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import apsw
import msgspec

from smsreceipt.matching import SEND_DETAIL, SMS_REPORT, ties
from smsreceipt.model import Decoded, Instant, Send, beijing_day
from smsreceipt.store.sqlite.batch import Identity
from smsreceipt.store.sqlite.rows import number, rows

Decide = Callable[[Identity], Counter[tuple[int, bool]]]
_Key = tuple[str, str, str, str, int, str]  # BizId, phone, outcome, code, reported_at, detail

_SOME = "IN (SELECT value FROM json_each(?))"
_KEY = "id1, id2, outcome, code, reported_at, detail"
_NOWHEN = -(10**6)  # the day of a receipt that has no time: it fits nothing


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


class _Candidate(NamedTuple):
    """A send that a detail may be, by everything that is known about it."""

    biz_id: str
    day: int
    sent_at: Instant | None
    out_id: str


class Ties:
    """Keeps the ties of one store right, inside its caller's transactions."""

    def __init__(self, db: apsw.Connection, decide: Decide) -> None:
        """*decide* makes the winning statement of an identity its state and returns what that adds to the counts."""
        self._db = db
        self._decide = decide

    @contextmanager
    def around_receipts(self, decoded: Sequence[Decoded]) -> Iterator[None]:
        """While receipts are written."""
        kinds = {SMS_REPORT, SEND_DETAIL}

        def phones() -> set[str]:
            return {receipt.phone for item in decoded for receipt in item.receipts if receipt.kind in kinds}

        with self._around(phones):
            yield

    @contextmanager
    def around_sends(self, sends: Sequence[Send]) -> Iterator[None]:
        """While rows of the ledger are written."""
        with self._around(lambda: {send.phone for send in sends}):
            yield

    @contextmanager
    def around_everything(self) -> Iterator[None]:
        """While something changes, and nobody knows what."""

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
            concerned, lifted = phones(), dict[_Key, int]()
        else:
            concerned = phones()
            lifted = self._lift(msgspec.json.encode(sorted(concerned)).decode())
            yield
        self._lay(sorted(concerned), lifted)

    def _kind(self, name: str) -> int:
        """The number of a message type of which there are statements; 0 where there are none."""
        return number(self._db, "SELECT id FROM kind WHERE name = ? AND statements > 0", name)

    # -- taking back -----------------------------------------------------------------------------------------------

    def _lift(self, phones: str) -> dict[_Key, int]:
        """Take back all that was concluded about these numbers; return the seqs that statements had by their keys."""
        found = list(rows(self._db, f"SELECT report, made, signed FROM tie WHERE phone {_SOME}", (phones,)))
        lifted: dict[_Key, int] = {}
        for report, made, signed in found:
            if made:
                lifted |= self._unmake(report)
            else:
                self._db.execute(
                    "UPDATE statement SET signed = signed - ?, times_seen = times_seen - 1 WHERE seq = ?",
                    (signed, report),
                )
                self._decide_again(self._identity(report))
        self._db.execute(f"DELETE FROM tie WHERE phone {_SOME}", (phones,))
        return lifted

    def _unmake(self, seq: int) -> dict[_Key, int]:
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

    # -- concluding ------------------------------------------------------------------------------------------------

    def _lay(self, phones: Sequence[str], lifted: dict[_Key, int]) -> None:
        """Conclude what can be concluded about these numbers now. A statement made again gets the seq it had."""
        kind = self._kind(SEND_DETAIL)
        details = self._details(phones, kind)
        candidates = self._candidates(sorted(details))
        for phone, statements in details.items():
            told = {detail.identity: detail for detail in statements}
            sends = candidates[phone]
            tied = ties([*told.values()], sends)
            of = {identity: sends[tied[index]] for index, identity in enumerate(told) if index in tied}
            for detail in statements:
                if detail.identity in of:
                    self._witness(detail, of[detail.identity].biz_id, lifted)
            for identity in told:
                self._mark((*identity, kind), tied=identity in of)
        # What is not said any more may have been taken for the receipt of its send.
        self._db.executemany(
            "UPDATE send SET settled = 0 WHERE biz_id = ? AND phone = ?", [(key[0], key[1]) for key in lifted]
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

    def _candidates(self, phones: Sequence[str]) -> dict[str, list[_Candidate]]:
        """All sends to each number that the ledger or a receipt knows of, by BizId."""
        listed = msgspec.json.encode(phones).decode()
        known: dict[str, dict[str, _Candidate]] = defaultdict(dict)
        for phone, *sent in rows(
            self._db,
            f"SELECT phone, biz_id, day, {_time('sent_at')}, out_id FROM send WHERE phone {_SOME}",
            (listed,),
        ):
            known[phone][sent[0]] = _Candidate(*sent)
        for phone, biz_id, reported, sent_at, out_id in rows(
            self._db,
            f"SELECT phone, id1, min({_time('reported_at')}), min({_time('sent_at')}), max(out_id) FROM statement"
            " WHERE kind = ? AND id2 = phone AND test = 0 AND seq IN ("
            f"SELECT seq FROM phone WHERE phone {_SOME} UNION ALL SELECT seq FROM statement"
            f" WHERE seq > (SELECT phones_to FROM counter) AND phone {_SOME}) GROUP BY phone, id1",
            (self._kind(SMS_REPORT), listed, listed),
        ):
            known[phone][biz_id] = _merged(known[phone].get(biz_id), biz_id, reported, sent_at, out_id)
        return {phone: [known[phone][biz_id] for biz_id in sorted(known[phone])] for phone in phones}

    def _witness(self, detail: _Detail, biz_id: str, lifted: dict[_Key, int]) -> None:
        """Let a detail say what it says about a send."""
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
            brought = max(detail.signed - signed, 0)
            self._db.execute(
                "UPDATE statement SET signed = signed + ?, times_seen = times_seen + 1 WHERE seq = ?", (brought, report)
            )
        else:
            report, brought = self._make(detail, biz_id, kind, lifted.pop(key, 0)), detail.signed
        values = (detail.seq, report, detail.id1, not known, brought)
        self._db.execute("INSERT INTO tie VALUES (?, ?, ?, ?, ?)", values)
        self._decide_again((biz_id, detail.id1, "", "", kind))

    def _report_kind(self, like: int) -> int:
        """The number of SmsReport; where none was ever received, as old as the statement *like*."""
        self._db.execute(
            "INSERT INTO kind (name, first_received, last_received)"
            " SELECT ?, received_at, received_at FROM statement WHERE seq = ? ON CONFLICT DO NOTHING",
            (SMS_REPORT, like),
        )
        return number(self._db, "SELECT id FROM kind WHERE name = ?", SMS_REPORT)

    def _make(self, detail: _Detail, biz_id: str, kind: int, seq: int) -> int:
        """Write the statement that a detail makes about a send; return its seq."""
        if not seq:
            seq = number(self._db, "UPDATE counter SET last_seq = last_seq + 1 RETURNING last_seq")
        self._db.execute(
            "INSERT INTO statement (seq, kind, lead, parts, id1, id2, id3, id4, outcome, code, reported_at, detail,"
            " sent_at, received_at, day, phone, biz_id, out_id, call_id, road, times_seen, signed, current, conflict,"
            " test, native, digest, body)"
            " SELECT ?1, ?2, 0, 2, ?3, id1, '', '', outcome, code, reported_at, detail,"
            " sent_at, received_at, day, phone, ?3, out_id, '', road, 1, signed, 0, 0, 0, 0, digest, body"
            " FROM statement WHERE seq = ?4",
            (seq, kind, biz_id, detail.seq),
        )
        self._db.execute("INSERT INTO phone SELECT ?1, ?2 FROM counter WHERE phones_to >= ?2", (detail.id1, seq))
        self._db.execute("UPDATE kind SET statements = statements + 1 WHERE id = ?", (kind,))
        return seq

    def _mark(self, identity: Identity, *, tied: bool) -> None:
        """A detail that is tied has no state; any other has one."""
        whole = "id1 = ? AND id2 = ? AND id3 = ? AND id4 = ? AND kind = ?"
        current = number(self._db, f"SELECT sum(current) FROM statement WHERE {whole}", *identity)
        if tied and current:
            self._db.execute(f"UPDATE statement SET current = 0, conflict = 0 WHERE {whole}", identity)
            self._db.execute("UPDATE kind SET identities = identities - 1 WHERE id = ?", identity[-1:])
        elif not tied and not current:
            self._decide_again(identity)


def _time(column: str) -> str:
    return f"iif({column} < 0, NULL, {column})"


def _merged(
    ledger: _Candidate | None, biz_id: str, reported: int | None, sent_at: Instant | None, out_id: str
) -> _Candidate:
    """What a receipt tells of a send, completed by what the ledger knows. The provider's own time counts first."""
    if ledger:
        if sent_at is None:
            return ledger._replace(out_id=out_id or ledger.out_id)
        return _Candidate(biz_id, beijing_day(sent_at), sent_at, out_id or ledger.out_id)
    when = sent_at if sent_at is not None else reported
    return _Candidate(biz_id, _NOWHEN if when is None else beijing_day(Instant(when)), sent_at, out_id)
