"""Run the jobs of a plan: several threads query the provider, this one commits their answers in groups."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from smsreceipt.codes import api
from smsreceipt.errors import AuthError, ProviderError, SmsReceiptError
from smsreceipt.ingest import LockRetry, take
from smsreceipt.model import Tally
from smsreceipt.reconcile.ask import JobResult, unasked
from smsreceipt.reconcile.classes import Finding
from smsreceipt.reconcile.plan import Job
from smsreceipt.sources.query.rate import Rate
from smsreceipt.sources.query.workers import LAST_CALLS, QueryWorkers
from smsreceipt.store import Store

_GATHER = 0.05  # seconds that answers wait for others to be committed with them
_LOOK = 0.5  # seconds between two checks for a stop
_GROUP = 500  # jobs of one commit
_AHEAD = 256  # jobs that wait for a worker or for their commit, beside those that are being done
_REFUSALS = 50  # refusals in a row after which single numbers are not to blame


class Run:
    """Asks about all that is planned. Answers that came before it ended are stored, however it ended."""

    def __init__(
        self,
        store: Store,
        do_job: Callable[[Job], JobResult],
        rate: Rate,
        *,
        workers: int,
        lock_retry: LockRetry | None = None,
        on_findings: Callable[[Sequence[Finding]], None] = lambda _: None,
        last_calls: float = LAST_CALLS,
    ) -> None:
        """*on_findings* gets every send once, after its answer is committed, in the thread that calls go().

        *last_calls*: seconds that calls under way get after a stop.
        """
        self.tally = Tally()
        self.unstable = 0  #: answers whose pages contradicted each other in every reading
        self.failures: list[BaseException] = []  #: why it stopped early, each kind once
        self.refused = 0  #: jobs whose number or send the provider refused
        self._store, self._do_job, self._rate, self._workers = store, do_job, rate, workers
        self._lock_retry = lock_retry or LockRetry()
        self._on_findings = on_findings
        self._last_calls = last_calls
        self._halted = threading.Event()
        self._halted_at = 0.0
        self._under_way: dict[int, Job] = {}  # by the identity of the job
        self._refusals = 0  # in a row

    def stop(self) -> None:
        """Begin no more jobs, and give the calls under way some seconds. From any thread, and from signal handlers."""
        if not self._halted.is_set():
            self._halted_at = time.monotonic()
            self._halted.set()
            self._rate.halt()
            self._lock_retry.stop()

    def go(self, jobs: Iterable[Job]) -> None:
        """Do the jobs in about this order. Raises only bugs: see failures."""
        rest = iter(jobs)
        pool = QueryWorkers(self._work, self._workers)
        try:
            while self._feed(rest, pool):
                self._commit(self._gather(pool))
        except BaseException:
            self.stop()
            raise
        finally:
            pool.close(self._time_left())
        self._give_up(self._under_way.values())
        self._give_up(rest)

    def _time_left(self) -> float:
        """Seconds that the calls under way still get: all of them before a stop."""
        since = time.monotonic() - self._halted_at if self._halted.is_set() else 0.0
        return self._last_calls - since

    def _feed(self, rest: Iterator[Job], pool: QueryWorkers[Job, JobResult]) -> bool:
        """Hand out as many jobs as may be under way; False: there is nothing left to wait for."""
        while len(self._under_way) < _AHEAD + self._workers and not self._halted.is_set():
            job = next(rest, None)
            if job is None:
                break
            self._under_way[id(job)] = job
            pool.put(job)
        late = self._halted.is_set() and self._time_left() < 0
        return bool(self._under_way) and not (late and pool.empty())

    def _work(self, job: Job) -> JobResult:
        """Do one job, in the thread of a worker."""
        if self._halted.is_set():
            return JobResult(job, halted=True)
        result = self._do_job(job)
        if result.failure is not None and not about_one_number(result.failure):
            self.stop()  # at once: the provider would refuse the other workers too
        return result

    def _gather(self, pool: QueryWorkers[Job, JobResult]) -> list[JobResult]:
        """Wait for a result, and return it with those that follow at once."""
        found: list[JobResult] = []
        deadline = time.monotonic() + _LOOK
        while len(found) < _GROUP:
            try:
                result = pool.get(deadline - time.monotonic())
            except queue.Empty:
                break
            if not found:
                deadline = time.monotonic() + _GATHER
            found.append(result)
            if len(found) == len(self._under_way):
                break
        return found

    def _commit(self, group: Sequence[JobResult]) -> None:
        """Commit the answers of a group together with the notes of what was asked, then report the findings."""
        for result in group:
            del self._under_way[id(result.job)]
            self._judge(result)
        decoded = [each for result in group for each in result.decoded]
        asked = [note for result in group for note in result.asked]
        if decoded or asked:
            try:
                kept = self._lock_retry.call(partial(take, decoded, self._store, asked=asked))
            except SmsReceiptError as exc:
                self._fail(exc)
                self._give_up(result.job for result in group)
                return
            self.tally += kept.tally
        self.unstable += sum(result.unstable for result in group)
        for result in group:
            self._on_findings(result.findings or unasked(result.job.sends))

    def _judge(self, result: JobResult) -> None:
        """Count a refusal of one number, and stop for any other failure."""
        failure = result.failure
        if failure is None:
            self._refusals = 0 if not result.halted else self._refusals
        elif about_one_number(failure) and self._refusals < _REFUSALS:
            self._refusals += 1
            self.refused += 1
        else:
            self._fail(failure)

    def _fail(self, failure: Exception) -> None:
        """Stop for this reason. Workers that fail together have one reason: of each kind, the first is kept."""
        if type(failure) not in map(type, self.failures):
            self.failures.append(failure)
        self.stop()

    def _give_up(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self._on_findings(unasked(job.sends))


def about_one_number(failure: Exception) -> bool:
    """Whether the provider refused the number or send that was asked about; it may answer about others."""
    if isinstance(failure, AuthError) or not isinstance(failure, ProviderError):
        return False
    explained = api(str(getattr(failure, "code", "")))
    return explained is not None and explained.category == "fix-request"
