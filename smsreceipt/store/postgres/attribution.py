"""Which answers of QuerySendDetails are which sends; the rule itself is in matching.

A SendDetail has no BizId. Once the ledger or a receipt shows that it can be one send only, an SmsReport statement about
that send says the same, and the SendDetail has no state of its own. This is a function of all details, sends and
receipts of a number, in any order. So a change of any of them retracts what was attributed for its number, is written,
and everything is attributed again, while no other writer is at work. The table `tie` holds the attributions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from smsreceipt.matching import SEND_DETAIL, SMS_REPORT, Candidate, Reported, attributed, candidates
from smsreceipt.model import Decoded, Instant
from smsreceipt.store.postgres.arrays import booleans, int8s, uuids
from smsreceipt.store.postgres.batch import Key, columns
from smsreceipt.store.postgres.columns import ident_of, phone_place
from smsreceipt.store.postgres.identities import Counts, Identities, RowTypes, Statement
from smsreceipt.store.postgres.keep import Numbers, count
from smsreceipt.store.postgres.session import Db
from smsreceipt.store.postgres.writer import Begun, NeedsAloneError

_Said = tuple[Key, bytes]  # a statement: its identity, and what it says


def brings_details(decoded: Sequence[Decoded]) -> bool:
    """Whether one of these receipts may be attributed."""
    return any(receipt.kind == SEND_DETAIL for item in decoded for receipt in item.receipts)


def phones_of(decoded: Sequence[Decoded]) -> set[str]:
    """The numbers about which these receipts change what is attributed."""
    kinds = {SMS_REPORT, SEND_DETAIL}
    return {receipt.phone for item in decoded for receipt in item.receipts if receipt.kind in kinds}


class Attribution:
    """Attributes inside one transaction: first retract(), then its caller writes what changes, then attribute()."""

    def __init__(self, db: Db, types: RowTypes, numbers: Numbers) -> None:
        self._db = db
        self._types = types
        self._detail = numbers.kind(db, SEND_DETAIL)
        self._report = numbers.kind(db, SMS_REPORT)
        self._retracted: dict[_Said, int] = {}

    @contextmanager
    def around(self, begun: Begun, phones: Collection[str], *, brings: bool) -> Iterator[None]:
        """To be held while receipts or sends of these numbers are written."""
        concerned = self.concerns(begun, phones, brings=brings)
        if concerned:
            self.retract(phones)
        yield
        if concerned:
            self.attribute(phones)

    def with_details(self, begun: Begun, phones: Collection[str]) -> list[str]:
        """Those of these numbers about which there are details."""
        if not begun.has_details or not phones:
            return []
        about = "SELECT phone FROM smsreceipt.statement WHERE place = ANY(%s) AND kind = %s AND"
        values = (int8s([phone_place(phone) for phone in phones]), self._detail)
        found = self._db.execute(f"{about} current UNION {about} NOT current", values * 2).fetchall()
        return sorted({phone for (phone,) in found}.intersection(phones))

    def again(self, phones: Collection[str]) -> None:
        """Attribute everything about these numbers anew, while no other writer is at work."""
        self.retract(phones)
        self.attribute(phones)

    def concerns(self, begun: Begun, phones: Collection[str], *, brings: bool = False) -> bool:
        """Whether any detail is, or will be, about one of these numbers.

        Raises NeedsAloneError if so while others may write.
        """
        if not brings:
            if not begun.has_details or not phones:
                return False
            about = "EXISTS (SELECT FROM smsreceipt.statement WHERE place = ANY(%s) AND kind = %s AND {} current)"
            values = (int8s([phone_place(phone) for phone in phones]), self._detail)
            found = self._db.execute(f"SELECT {about.format('')} OR {about.format('NOT')}", values * 2).fetchone()
            if found == (False,):
                return False
        if not begun.alone:
            raise NeedsAloneError
        return True

    def retract(self, phones: Iterable[str]) -> None:
        """Undo every attribution of these numbers; a statement that was made for one goes."""
        places = int8s(sorted({phone_place(phone) for phone in phones}))
        found = self._db.execute(
            "DELETE FROM smsreceipt.tie WHERE place = ANY(%s) RETURNING detail, report, made, signed",
            (places,), binary=True,
        ).fetchall()  # fmt: skip
        if not found:
            return
        identities = self._read_seqs([seq for detail, report, *_ in found for seq in (detail, report)])
        of_seq = {each.seq: each for statements in identities.known.values() for each in statements.values()}
        statements: Counter[int] = Counter()
        for _, seq, made, signed in found:
            report = of_seq[seq]
            if made:
                identities.drop(report)
                self._retracted[report.key, report.said] = seq
                statements[report.key.kind] -= 1
            else:
                report.signed = report.signed and not signed
                report.times_seen -= 1
        identities.decide()
        self._count(identities.write(), statements)

    def _read_seqs(self, seqs: Sequence[int]) -> Identities:
        keys = self._db.execute(
            "SELECT place, uuid_send(ident), kind FROM smsreceipt.statement WHERE seq = ANY(%s)",
            (int8s(seqs),), binary=True,
        ).fetchall()  # fmt: skip
        identities = Identities(self._db, self._types)
        identities.read([Key(*key) for key in keys])
        return identities

    def attribute(self, phones: Iterable[str]) -> None:
        """Attribute the details of these numbers. A statement that is made again gets the seq that it had."""
        places = int8s(sorted({phone_place(phone) for phone in phones}))
        identities = Identities(self._db, self._types)
        about = "SELECT place, uuid_send(ident), kind FROM smsreceipt.statement WHERE place = ANY(%s) AND kind = %s AND"
        keys = self._db.execute(
            f"{about} current UNION {about} NOT current", (places, self._detail) * 2, binary=True
        ).fetchall()
        identities.read([Key(*key) for key in keys])
        tied = self._tied(identities, places)
        reports = {key: Key(key.place, ident_of(biz_id, phone), self._report) for key, (biz_id, phone) in tied.items()}
        identities.read(reports.values())
        ties: list[tuple[int, int, int, bool, bool]] = []
        made: list[Statement] = []
        for key, (biz_id, _) in tied.items():
            of_report = identities.known[reports[key]]
            for detail in sorted(identities.known[key].values(), key=lambda each: each.seq):
                report, signature = of_report.get(detail.said), detail.signed
                if report is None:
                    report = of_report[detail.said] = _copied(detail, reports[key], biz_id)
                    report.seq = self._retracted.pop((report.key, report.said), 0)
                    made.append(report)
                else:
                    signature = detail.signed and not report.signed
                    report.signed = report.signed or detail.signed
                    report.times_seen += 1
                ties.append((key.place, detail.seq, report.seq, not report.was, signature))
        self._number(made, ties)
        identities.decide(stateless=tied.keys())
        self._count(identities.write(), Counter({self._report: len(made)}), made)
        if ties:
            place, detail_seqs, report_seqs, whether_made, signed = columns(ties, 5)
            self._db.execute(
                "INSERT INTO smsreceipt.tie (place, detail, report, made, signed)"
                " SELECT * FROM unnest(%s::int8[], %s::int8[], %s::int8[], %s::bool[], %s::bool[])",
                (int8s(place), int8s(detail_seqs), int8s(report_seqs), booleans(whether_made), booleans(signed)),
            )
        self._unsettle()

    def _number(self, made: list[Statement], ties: list[tuple[int, int, int, bool, bool]]) -> None:
        """Give new seqs to the statements that were made and have none, in the statements and in their ties."""
        without = [each for each in made if not each.seq]
        if without:
            found = self._db.execute("SELECT nextval('smsreceipt.seq') FROM generate_series(1, %s)", (len(without),))
            for statement, (seq,) in zip(without, found.fetchall(), strict=True):
                statement.seq = seq
        of_detail = {each.copy_of: each.seq for each in made}
        ties[:] = [
            (place, detail, of_detail.get(detail, report), is_made, signed)
            for place, detail, report, is_made, signed in ties
        ]

    def _tied(self, identities: Identities, places: object) -> dict[Key, tuple[str, str]]:
        """The BizId and the phone of the send that each detail is, by the detail's identity."""
        ledger: dict[str, list[Candidate]] = defaultdict(list)
        reports: dict[str, list[Reported]] = defaultdict(list)
        for phone, biz_id, day, sent_at, out_id in self._db.execute(
            "SELECT phone, biz_id, day, sent_at, out_id FROM smsreceipt.send WHERE place = ANY(%s)", (places,)
        ):
            ledger[phone].append(Candidate(biz_id, day, _time(sent_at), out_id))
        told = (
            "SELECT phone, biz_id, sent_at, reported_at, out_id FROM smsreceipt.statement"
            " WHERE place = ANY(%s) AND kind = %s AND identity = '' AND NOT test AND"
        )
        for phone, biz_id, sent_at, reported_at, out_id in self._db.execute(
            f"{told} current UNION ALL {told} NOT current", (places, self._report) * 2
        ):
            reports[phone].append(Reported(biz_id, _time(sent_at), _time(reported_at), out_id))
        details: dict[str, dict[Key, _Detail]] = defaultdict(dict)
        for key, statements in identities.known.items():
            for detail in statements.values():
                details[detail.phone][key] = _Detail(detail)
        tied: dict[Key, tuple[str, str]] = {}
        for phone, rows in details.items():
            sends = candidates(ledger[phone], reports[phone])
            tied |= {key: (biz_id, phone) for key, biz_id in attributed(rows, sends).items()}
        return tied

    def _count(self, identities: Counts, statements: Counter[int], made: Sequence[Statement] = ()) -> None:
        """Change the counters of kinds. One that was never received has the times of what it was made of."""
        kinds = sorted({kind for (kind, _), more in identities.items() if more} | set(+statements) | set(-statements))
        times = [each.received_at for each in made]
        spans: dict[int, tuple[int | None, int | None]] = dict.fromkeys(kinds, (None, None))
        known = {
            kind
            for (kind,) in self._db.execute(
                "SELECT DISTINCT kind FROM smsreceipt.tally WHERE last_received IS NOT NULL"
            )
        }
        if times and self._report not in known:
            spans[self._report] = min(times), max(times)
        count(self._db, identities, statements, spans)

    def _unsettle(self) -> None:
        """A statement that was not made again may have settled its send."""
        if self._retracted:
            places, idents = columns([(key.place, key.ident) for key, _ in self._retracted], 2)
            self._db.execute(
                "UPDATE smsreceipt.send SET settled = false FROM unnest(%s::int8[], %s::uuid[]) AS gone (place, ident)"
                " WHERE send.place = gone.place AND send.ident = gone.ident",
                (int8s(places), uuids(idents)),
            )


class _Detail:
    """What the rule compares of a detail."""

    def __init__(self, statement: Statement) -> None:
        self.sent_at = _time(statement.sent_at)
        self.out_id = statement.out_id


def _copied(detail: Statement, key: Key, biz_id: str) -> Statement:
    """The statement about a send that says what a detail says."""
    return Statement(
        key, 0, detail.said, detail.outcome, detail.code, detail.detail, detail.reported_at, detail.numbers, 1,
        detail.signed, False, False, False, False, detail.digest, detail.sent_at, detail.out_id, detail.phone,
        detail.received_at, copy_of=detail.seq, biz_id=biz_id,
    )  # fmt: skip


def _time(stored: int) -> Instant | None:
    return None if stored < 0 else Instant(stored)
