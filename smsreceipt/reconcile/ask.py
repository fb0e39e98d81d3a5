"""Do one job: query the provider, and work out from its rows what became of each send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smsreceipt.decode import decode, of_send
from smsreceipt.errors import SmsReceiptError
from smsreceipt.language import N_
from smsreceipt.matching import SEND_DETAIL, SMS_REPORT, ties
from smsreceipt.model import (
    Answer,
    Asked,
    Claim,
    Decoded,
    Delivery,
    Instant,
    Kind,
    Outcome,
    Receipt,
    Send,
    Source,
    date_of,
)
from smsreceipt.reconcile.calendar import Calendar, is_final_no_record
from smsreceipt.reconcile.classes import Class, Finding
from smsreceipt.reconcile.plan import Job
from smsreceipt.sources.query import messages
from smsreceipt.sources.query.client import ORIGIN, Halted, Question, Rows


class Client(Protocol):
    """Queries the provider: sources.query.client.QueryClient."""

    def ask(self, question: Question) -> Rows:
        """Return all rows that match *question*. Raises AuthError, ApiError, ProviderError and Halted."""


@dataclass(slots=True)
class JobResult:
    """What came of a job. All of it is to be stored in one commit."""

    job: Job
    decoded: list[Decoded] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)  #: one for each send of the job
    unstable: int = 0  #: answers whose pages contradicted each other in every reading
    failure: Exception | None = None  #: why the job was not finished
    halted: bool = False


class _TooLate(Exception):
    """The provider no longer answers about the day, so an empty answer means nothing."""


def do_job(job: Job, client: Client, now: Callable[[], Instant]) -> JobResult:
    """Do the job. Raises only bugs: a job that fails has a result too, with the answers that came and every send."""
    work = _Work(job, client, now)
    result = work.result
    note = ""
    try:
        work.run()
    except _TooLate:
        note = N_("meanwhile its day can no longer be asked about")
    except Halted:
        result.halted = True
    except SmsReceiptError as exc:
        result.failure = exc
        note = str(getattr(exc, "code", ""))
    settled = {finding.send.biz_id for finding in result.findings}
    result.findings += unasked((send for send in job.sends if send.biz_id not in settled), note)
    return result


def unasked(sends: Iterable[Send], note: str = "") -> list[Finding]:
    """The findings about sends that were not asked about; *note* says why."""
    return [Finding(send, Class.UNASKED, note=note) for send in sends]


class _Work:
    """The calls of one job, one after the other."""

    def __init__(self, job: Job, client: Client, now: Callable[[], Instant]) -> None:
        self.result = JobResult(job)
        self._job, self._client, self._now = job, client, now
        self._at = now()
        self._unassigned: list[Receipt] = []  # rows that are not known to belong to a send
        self._matched: dict[str, Receipt] = {}  # of these, by BizId: its row, unless a call by BizId disproves it
        self._no_record: set[tuple[str, int]] = set()  # BizIds and days without a record

    def run(self) -> None:
        """Ask about every send of the job."""
        try:
            for send in self._by_number() if self._job.by_number else self._job.sends:
                self._by_biz_id(send)
            self._conclude()
        finally:
            self._keep(self._unassigned, SEND_DETAIL)  # to be attributed later

    def _by_number(self) -> list[Send]:
        """Ask by number alone; return the sends that must be asked about by BizId.

        A send without a row may have a record all the same: if the times of the ledger are late, its row may have been
        taken for another send's.
        """
        answer, decoded = self._ask(self._job.day, SEND_DETAIL)
        rows = [row for row in decoded.receipts if row.phone == self._job.phone]
        if decoded.rejects:
            self.result.decoded.append(Decoded(decoded.delivery, (), decoded.rejects))
        candidates = (*self._job.sends, *self._job.others)
        self._unassigned = [*decoded.receipts]
        self._matched = {candidates[index].biz_id: rows[row] for row, index in ties(rows, candidates).items()}
        unmatched = [send for send in self._job.sends if send.biz_id not in self._matched]
        if decoded.rejects or not answer.stable or len(self._matched) < len(self._unassigned):
            return unmatched
        return [send for send in unmatched if not self._beyond_midnight(send)]

    def _conclude(self) -> None:
        """Assign rows to the sends that they match, except rows that calls by BizId have shown to be others'."""
        mine = {send.biz_id: send for send in self._job.sends}
        while disproved := self._matched.keys() - self._still_matched():
            for biz_id in sorted(disproved):
                del self._matched[biz_id]
                if biz_id in mine:
                    self._by_biz_id(mine[biz_id])
        for biz_id, row in self._matched.items():
            self._keep([of_send(row, biz_id)], SMS_REPORT, biz_id)
            if biz_id in mine:
                self._settle(mine[biz_id], [row])
        self._assign(self._matched.values())

    def _still_matched(self) -> set[str]:
        """The BizIds whose rows were not returned for another BizId."""
        unassigned = set(map(id, self._unassigned))
        return {biz_id for biz_id, row in self._matched.items() if id(row) in unassigned}

    def _by_biz_id(self, send: Send) -> None:
        """Ask about this send alone: on its own day, and near midnight on the other day too if that has no record."""
        if self._on_day(send, self._job.day) or self._beyond_midnight(send):
            return
        other = Calendar(self._at).neighbour(send)
        final = is_final_no_record(max(send.day, other or 0), Answer.NO_RECORD, self._at)
        self._note(send, Answer.NO_RECORD, Finding(send, Class.NO_RECORD, final_no_record=final))

    def _beyond_midnight(self, send: Send) -> bool:
        """Whether the send is near midnight, and the other day has a record of it."""
        other = Calendar(self._at).neighbour(send)
        return other is not None and self._on_day(send, other)

    def _on_day(self, send: Send, day: int) -> bool:
        """Ask about this send on this day, unless that was done, and keep the answer; False: there is no record."""
        if (send.biz_id, day) in self._no_record:
            return False
        answer, decoded = self._ask(day, SMS_REPORT, send.biz_id)
        if answer.rows:
            self.result.decoded.append(decoded)
            self._assign(decoded.receipts)
        mine = [one for one in decoded.receipts if (one.phone, one.biz_id) == (send.phone, send.biz_id)]
        if mine:
            self._settle(send, mine)
        elif answer.refused:
            self.result.findings.append(Finding(send, Class.UNASKED, note=answer.refused))
        elif answer.rows or not answer.stable:  # there is an answer, which cannot be read or is not complete
            self.result.findings.append(Finding(send, Class.UNASKED, note=N_("the answer cannot be relied on")))
        else:
            self._no_record.add((send.biz_id, day))
        return (send.biz_id, day) not in self._no_record

    def _ask(self, day: int, kind: Kind, biz_id: str = "") -> tuple[Rows, Decoded]:
        """The answer, and its rows decoded."""
        if not Calendar(self._now()).askable(day):
            raise _TooLate
        answer = self._client.ask(Question(self._job.phone, date_of(day), biz_id))
        self._at = self._now()
        self.result.unstable += not answer.stable
        if not answer.rows and not Calendar(self._at).askable(day):
            raise _TooLate
        if answer.origin == messages.ORIGIN:
            return answer, decode(self._delivery(answer.rows, messages.KIND, "", answer.origin))
        return answer, decode(self._delivery(answer.rows, kind, biz_id))

    def _settle(self, send: Send, receipts: Sequence[Receipt]) -> None:
        """Classify a send by its rows; of several, by the one that would be its state in the store."""
        claims = [Claim(each.outcome, each.code, True, each.reported_at, each.detail) for each in receipts]
        best = max(claims, key=Claim.rank)
        if best.outcome is Outcome.DELIVERED:
            found = Class.DELIVERED
        else:
            found = Class.FAILED if best.settled else Class.STILL_WAITING
        finding = Finding(send, found, best.outcome, best.code)
        self._note(send, Answer.ANSWERED if best.settled else Answer.WAITING, finding)

    def _note(self, send: Send, answer: Answer, finding: Finding) -> None:
        self.result.asked.append(Asked(send.biz_id, send.phone, self._at, answer))
        self.result.findings.append(finding)

    def _keep(self, receipts: Sequence[Receipt], kind: Kind, biz_id: str = "") -> None:
        if receipts:
            delivery = self._delivery([receipt.body for receipt in receipts], kind, biz_id)
            self.result.decoded.append(Decoded(delivery, tuple(receipts), ()))

    def _delivery(self, frames: Sequence[bytes], kind: Kind, biz_id: str, origin: str = ORIGIN) -> Delivery:
        return Delivery(tuple(frames), kind, Source.QUERY, origin, self._at, biz_id=biz_id)

    def _assign(self, rows: Iterable[Receipt]) -> None:
        """Remove rows with these bodies, each once, from the unassigned ones."""
        assigned = Counter(row.body for row in rows)
        rest = []
        for row in self._unassigned:
            if assigned[row.body]:
                assigned[row.body] -= 1
            else:
                rest.append(row)
        self._unassigned = rest
