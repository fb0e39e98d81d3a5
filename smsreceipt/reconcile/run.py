"""Many askers, one keeper: jobs are done by several threads, their answers committed in groups by this one."""

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
from smsreceipt.reconcile.ask import Done, unasked
from smsreceipt.reconcile.classes import Learnt
from smsreceipt.reconcile.plan import Job
from smsreceipt.sources.query.rate import Rate
from smsreceipt.store import Store

_GATHER = 0.05  # seconds that answers wait for others to be committed with
_GROUP = 500  # jobs of one commit
_AHEAD = 256  # jobs handed out and not yet committed, beside those that are being done
_LAST = 5.0  # seconds for the calls under way after a stop
_REFUSALS = 50  # refusals in a row that are no matter of single numbers any more


class Run:
    """Asks about everything that is planned. What was answered when it ends is kept, however it ends."""

    def __init__(
        self,
        store: Store,
        inquire: Callable[[Job], Done],
        rate: Rate,
        *,
        workers: int,
        lock_retry: LockRetry | None = None,
        on_learnt: Callable[[Sequence[Learnt]], None] = lambda _: None,
    ) -> None:
        """*on_learnt* is told of every send once, after its answer is committed, in the thread that runs."""
        self.tally = Tally()
        self.unstable = 0  #: answers whose pages contradicted each other to the end
        self.failures: list[BaseException] = []  #: why it stopped before the end; a line each
        self.refused = 0  #: jobs that the provider refused for their own sake
        self._store, self._inquire, self._rate, self._workers = store, inquire, rate, workers
        self._lock_retry = lock_retry or LockRetry()
        self._on_learnt = on_learnt
        self._halted = threading.Event()
        self._halted_at = 0.0
        self._todo: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
        self._under_way: dict[int, Job] = {}  # by the identity of the job
        self._in_a_row = 0

    def stop(self) -> None:
        """Begin nothing more; what is under way is waited for a little. From any thread, also a signal's handler."""
        if not self._halted.is_set():
            self._halted_at = time.monotonic()
            self._halted.set()
            self._rate.halt()
            self._lock_retry.stop()

    def go(self, jobs: Iterable[Job]) -> None:
        """Do the jobs in about this order. Raises nothing but bugs: see failures."""
        threads = [threading.Thread(target=self._work, name=f"asker-{n}", daemon=True) for n in range(self._workers)]
        for thread in threads:
            thread.start()
        rest = iter(jobs)
        while self._feed(rest):
            self._take_in(self._gather())
        for _ in threads:
            self._todo.put(None)
        self._give_up(self._under_way.values())
        self._give_up(rest)

    def _feed(self, rest: Iterator[Job]) -> bool:
        """Hand out as many jobs as may be under way; False: there is nothing left to wait for."""
        while len(self._under_way) < _AHEAD + self._workers and not self._halted.is_set():
            job = next(rest, None)
            if job is None:
                break
            self._under_way[id(job)] = job
            self._todo.put(job)
        late = self._halted.is_set() and time.monotonic() - self._halted_at > _LAST
        return bool(self._under_way) and not (late and self._done.empty())

    def _work(self) -> None:
        while (job := self._todo.get()) is not None:
            try:
                done = Done(job, halted=True) if self._halted.is_set() else self._inquire(job)
                if done.failure is not None and not about_one_number(done.failure):
                    self.stop()  # at once: the others would only be refused too
                self._done.put(done)
            except BaseException as exc:  # noqa: BLE001 - a bug of ours: raised in the thread that runs
                self._done.put(exc)
                return

    def _gather(self) -> list[Done]:
        """What has been done, once something is; more of it if that comes at once."""
        found: list[Done] = []
        deadline = time.monotonic() + 0.5
        while len(found) < _GROUP:
            try:
                done = self._done.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                break
            if isinstance(done, BaseException):
                raise done
            if not found:
                deadline = time.monotonic() + _GATHER
            found.append(done)
            if len(found) == len(self._under_way):
                break
        return found

    def _take_in(self, group: Sequence[Done]) -> None:
        """Commit the answers of a group, with the notes that they were asked for; then tell of them."""
        for done in group:
            del self._under_way[id(done.job)]
            self._judge(done)
        decoded = [each for done in group for each in done.decoded]
        asked = [note for done in group for note in done.asked]
        if decoded or asked:
            try:
                kept = self._lock_retry.call(partial(take, decoded, self._store, asked=asked))
            except SmsReceiptError as exc:
                self._fail(exc)
                self._give_up(done.job for done in group)
                return
            self.tally += kept.tally
        self.unstable += sum(done.unstable for done in group)
        for done in group:
            self._on_learnt(done.learnt or unasked(done.job.sends))

    def _judge(self, done: Done) -> None:
        """Whether what went wrong with one job is the end of all."""
        failure = done.failure
        if failure is None:
            self._in_a_row = 0 if not done.halted else self._in_a_row
        elif about_one_number(failure) and self._in_a_row < _REFUSALS:
            self._in_a_row += 1
            self.refused += 1
        else:
            self._fail(failure)

    def _fail(self, failure: Exception) -> None:
        """Stop for this reason. Askers that fail together fail for one: of the same kind, the first is enough."""
        if type(failure) not in map(type, self.failures):
            self.failures.append(failure)
        self.stop()

    def _give_up(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self._on_learnt(unasked(job.sends))


def about_one_number(failure: Exception) -> bool:
    """Whether the provider refuses what was asked, not us: other numbers may well be answered."""
    if isinstance(failure, AuthError) or not isinstance(failure, ProviderError):
        return False
    explained = api(str(getattr(failure, "code", "")))
    return explained is not None and explained.category == "fix-request"
