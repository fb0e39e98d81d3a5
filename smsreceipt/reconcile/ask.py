"""One job, asked: what the provider's rows say of each send, ready to be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smsreceipt.decode import decode, of_send
from smsreceipt.errors import SmsReceiptError
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
from smsreceipt.reconcile.calendar import Calendar, last_word
from smsreceipt.reconcile.classes import Class, Learnt
from smsreceipt.reconcile.plan import Job
from smsreceipt.sources.query.client import ORIGIN, Halted, Question, Rows


class Asks(Protocol):
    """Who asks the provider: sources.query.QueryClient."""

    def ask(self, question: Question) -> Rows:
        """All rows about *question*. Raises AuthError, ApiError, ProviderError and Halted."""


@dataclass(slots=True)
class Done:
    """What came of a job: to be kept in one commit."""

    job: Job
    decoded: list[Decoded] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    learnt: list[Learnt] = field(default_factory=list)  #: each send of the job, once
    unstable: int = 0  #: answers whose pages contradicted each other to the end
    failure: Exception | None = None  #: why the rest was not asked
    halted: bool = False


class _Late(Exception):
    """Meanwhile the day is beyond what the provider tells about: its silence says nothing."""


def inquire(job: Job, asker: Asks, now: Callable[[], Instant]) -> Done:
    """Do the job. Whatever goes wrong, what was answered is in what it returns, and every send has its class."""
    inquiry = _Inquiry(job, asker, now)
    done = inquiry.done
    note = ""
    try:
        inquiry.run()
    except _Late:
        note = "meanwhile its day can no longer be asked about"
    except Halted:
        done.halted = True
    except SmsReceiptError as exc:
        done.failure = exc
        note = str(getattr(exc, "code", ""))
    settled = {learnt.send.biz_id for learnt in done.learnt}
    done.learnt += unasked((send for send in job.sends if send.biz_id not in settled), note)
    return done


def unasked(sends: Iterable[Send], note: str = "") -> list[Learnt]:
    """The word on sends that nobody was asked about."""
    return [Learnt(send, Class.UNASKED, note=note) for send in sends]


class _Inquiry:
    """The calls of one job, one after the other."""

    def __init__(self, job: Job, asker: Asks, now: Callable[[], Instant]) -> None:
        self.done = Done(job)
        self._job, self._asker, self._now = job, asker, now
        self._at = now()
        self._loose: list[Receipt] = []  # rows of which nobody can say yet to what they belong
        self._tied: dict[str, Receipt] = {}  # of them, by BizId, what its row is unless a call by BizId says otherwise
        self._nothing: set[tuple[str, int]] = set()  # BizIds and days of which there is no record

    def run(self) -> None:
        try:
            for send in self._by_number() if self._job.wide else self._job.sends:
                self._by_biz_id(send)
            self._conclude()
        finally:
            self._keep_loose()

    def _by_number(self) -> list[Send]:
        """Ask by number alone; return the sends that have no row, or none that is theirs for sure.

        That they have no record is not concluded from it: a ledger whose times are late lets one send's row pass for
        another's.
        """
        answer, said = self._ask(self._job.day, SEND_DETAIL)
        rows = [row for row in said.receipts if row.phone == self._job.phone]
        if said.rejects:
            self.done.decoded.append(Decoded(said.delivery, (), said.rejects))
        candidates = (*self._job.sends, *self._job.others)
        self._loose = [*said.receipts]
        self._tied = {candidates[index].biz_id: rows[row] for row, index in ties(rows, candidates).items()}
        untied = [send for send in self._job.sends if send.biz_id not in self._tied]
        if said.rejects or not answer.stable or len(self._tied) < len(self._loose):
            return untied
        return [send for send in untied if not self._beyond_midnight(send)]

    def _conclude(self) -> None:
        """Take rows for the sends that they fit, but for those that calls by BizId have shown to be others'."""
        mine = {send.biz_id: send for send in self._job.sends}
        while taken := self._tied.keys() - self._fitting():
            for biz_id in sorted(taken):
                del self._tied[biz_id]
                if biz_id in mine:
                    self._by_biz_id(mine[biz_id])
        for biz_id, row in self._tied.items():
            self._keep([of_send(row, biz_id)], SMS_REPORT, biz_id)
            if biz_id in mine:
                self._settle(mine[biz_id], [row])
        self._forget_loose(self._tied.values())

    def _fitting(self) -> set[str]:
        """The BizIds whose rows nobody else has claimed."""
        loose = set(map(id, self._loose))
        return {biz_id for biz_id, row in self._tied.items() if id(row) in loose}

    def _by_biz_id(self, send: Send) -> None:
        """Ask about this send alone."""
        if not self._about(send, self._job.day):
            self._elsewhere(send)

    def _elsewhere(self, send: Send) -> None:
        """Its day has no record of it: near midnight the other day may have."""
        if not self._beyond_midnight(send):
            other = Calendar(self._at).neighbour(send)
            word = last_word(max(send.day, other or 0), Answer.NO_RECORD, self._at)
            self._note(send, Answer.NO_RECORD, Learnt(send, Class.NO_RECORD, last_word=word))

    def _beyond_midnight(self, send: Send) -> bool:
        """Whether the send is near midnight, and the other day has a record of it."""
        other = Calendar(self._at).neighbour(send)
        return other is not None and self._about(send, other)

    def _about(self, send: Send, day: int) -> bool:
        """Ask about this send on this day, unless that was done, and keep what is said; False: there is no record."""
        if (send.biz_id, day) in self._nothing:
            return False
        answer, said = self._ask(day, SMS_REPORT, send.biz_id)
        if answer.rows:
            self.done.decoded.append(said)
            self._forget_loose(said.receipts)
        mine = [receipt for receipt in said.receipts if receipt.phone == send.phone]
        if mine:
            self._settle(send, mine)
        elif answer.rows or not answer.stable:  # something was said that cannot be read, or not to the end
            self.done.learnt.append(Learnt(send, Class.UNASKED, note="the answer cannot be relied on"))
        else:
            self._nothing.add((send.biz_id, day))
        return (send.biz_id, day) not in self._nothing

    def _ask(self, day: int, kind: Kind, biz_id: str = "") -> tuple[Rows, Decoded]:
        """The answer, and what its rows say."""
        if not Calendar(self._now()).askable(day):
            raise _Late
        answer = self._asker.ask(Question(self._job.phone, date_of(day), biz_id))
        self._at = self._now()
        self.done.unstable += not answer.stable
        if not answer.rows and not Calendar(self._at).askable(day):
            raise _Late
        return answer, decode(self._delivery(answer.rows, kind, biz_id))

    def _settle(self, send: Send, receipts: Sequence[Receipt]) -> None:
        """The provider's word on a send; of several rows, the one that would be its state."""
        claims = [Claim(each.outcome, each.code, True, each.reported_at, each.detail) for each in receipts]
        best = max(claims, key=Claim.rank)
        if best.outcome is Outcome.DELIVERED:
            found = Class.DELIVERED
        else:
            found = Class.FAILED if best.settled else Class.STILL_WAITING
        learnt = Learnt(send, found, best.outcome, best.code)
        self._note(send, Answer.ANSWERED if best.settled else Answer.WAITING, learnt)

    def _note(self, send: Send, answer: Answer, learnt: Learnt) -> None:
        self.done.asked.append(Asked(send.biz_id, send.phone, self._at, answer))
        self.done.learnt.append(learnt)

    def _keep(self, receipts: Sequence[Receipt], kind: Kind, biz_id: str = "") -> None:
        if receipts:
            delivery = self._delivery([receipt.body for receipt in receipts], kind, biz_id)
            self.done.decoded.append(Decoded(delivery, tuple(receipts), ()))

    def _delivery(self, frames: Sequence[bytes], kind: Kind, biz_id: str) -> Delivery:
        return Delivery(tuple(frames), kind, Source.QUERY, ORIGIN, self._at, biz_id=biz_id)

    def _forget_loose(self, rows: Iterable[Receipt]) -> None:
        """These are known now."""
        known = Counter(row.body for row in rows)
        rest = []
        for row in self._loose:
            if known[row.body]:
                known[row.body] -= 1
            else:
                rest.append(row)
        self._loose = rest

    def _keep_loose(self) -> None:
        """Nothing is thrown away: what belongs to no send that we know of is kept as it is, to be tied later."""
        self._keep(self._loose, SEND_DETAIL)
