"""The ingest pipeline: a delivery from any source is decoded, committed, and only then acknowledged."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Generic, TypeVar

from smsreceipt.errors import StoreFull, StoreLocked, StoreUnavailable
from smsreceipt.language import _
from smsreceipt.model import Asked, Decoded, Delivery, Tally
from smsreceipt.store import Kept, Store

T = TypeVar("T")

COMMIT_FRAMES = 4_000  #: about as many frames are committed together at most
COMMIT_BYTES = 1 << 20  #: and about as many bytes: a frame may hold one receipt or two thousand
LOCK_BUDGET = 30.0  #: seconds of retries on a locked store; each attempt waits inside the store as well
_IDLE = 1.0  # seconds without a commit after which the store is consolidated
_REPORT_EVERY = 5.0  # seconds between two messages about the same lock


def take(
    decoded: Sequence[Decoded], store: Store, *, resolves: Collection[str] = (), asked: Collection[Asked] = ()
) -> Kept:
    """Store *decoded* in one commit, then acknowledge its deliveries.

    The same commit deletes the rejects *resolves*, by their ids, and records *asked*: the sends that the provider was
    asked about. After a crash each delivery is stored or unacknowledged. Raises what Store.keep raises; nothing is
    acknowledged then.
    """
    kept = store.keep(decoded, resolves=resolves, asked=asked)
    expected = sum(len(item.receipts) + len(item.rejects) for item in decoded)
    if kept.tally.received != expected or not kept.tally.balanced:
        raise AssertionError(f"the counters of a commit do not add up: {expected} were decoded, {kept.tally}")
    for item in decoded:
        item.delivery.ack()
    return kept


class LockRetry:
    """Repeats work on a store that another process has locked, as long as a budget lasts. One for a whole run."""

    def __init__(self, say: Callable[[str], None] = lambda _: None, *, budget: float = LOCK_BUDGET) -> None:
        """*budget* is in seconds, for each call. *say* gets a line while a call waits, in the thread that waits."""
        self._say = say
        self._budget = budget
        self._stopped = False

    def stop(self) -> None:
        """Stop waiting: an attempt under way is the last one. From any thread."""
        self._stopped = True

    def call(self, work: Callable[[], T]) -> T:
        """Return what *work* returns once the store is not locked. Raises StoreLocked when the budget is spent."""
        began, reported = time.monotonic(), -_REPORT_EVERY
        while True:
            try:
                return work()
            except StoreLocked as exc:
                waited = time.monotonic() - began
                if waited > self._budget or self._stopped:
                    raise
                if waited >= reported + _REPORT_EVERY:
                    reported = waited
                    self._say(_("{error}; waiting, {seconds:.0f} s so far", error=exc, seconds=waited))


class _Commits(Generic[T]):
    """What waits for its commit, and the commits. Subclasses say in which thread they are made."""

    def __init__(
        self,
        store: Store,
        decode: Callable[[T], Decoded],
        *,
        lock_retry: LockRetry | None = None,
        on_kept: Callable[[Kept], None] = lambda _: None,
        on_failure: Callable[[], None] = lambda: None,
        on_full: Callable[[Sequence[Delivery]], None] | None = None,
    ) -> None:
        """All callbacks are called in the thread of the commit. *decode* never raises, and is called once an item.

        *on_kept* is called after a commit and its acknowledgements, *on_failure* when no more commits are made. With
        *on_full*, a full disk is no failure: *on_full* gets the deliveries that could not be stored, unacknowledged,
        and the next commit is tried as usual.
        """
        self.tally = Tally()
        self.attempts = 0  #: to commit that ended, also those that failed
        self.failure: BaseException | None = None  #: why it gave up; all that it acknowledged is stored
        self._store = store
        self._decode = decode
        self._lock_retry = lock_retry or LockRetry()
        self._on_kept = on_kept
        self._on_failure = on_failure
        self._on_full = on_full
        self._waiting: deque[T] = deque()
        self._consolidated = True  # since the last commit
        self._start()

    @property
    def idle(self) -> bool:
        """Whether nothing waits for a commit and none is being made; False for about a second after each."""
        return self._consolidated and not self._waiting

    def _start(self) -> None:
        """Make what a subclass has beside this."""

    def _fail(self, exc: BaseException) -> None:
        self.failure = exc
        self._on_failure()

    def _commit(self, batch: Sequence[Decoded]) -> None:
        self._consolidated = False
        try:
            kept = self._lock_retry.call(partial(self._attempt, batch))
        except StoreFull:
            if self._on_full is None:
                raise
            self._on_full([item.delivery for item in batch])
            return
        self.tally += kept.tally
        self._on_kept(kept)

    def _attempt(self, batch: Sequence[Decoded]) -> Kept:
        try:
            return take(batch, self._store)
        finally:
            self.attempts += 1

    def _consolidate(self) -> None:
        self._consolidated = True
        with contextlib.suppress(StoreUnavailable):  # the next commit tells what is wrong
            self._store.consolidate()

    def _decoded(self) -> list[Decoded]:
        """Decode the deliveries of the next commit."""
        batch: list[Decoded] = []
        frames = size = 0
        for _each in range(len(self._waiting)):  # not those that arrive meanwhile: they would delay these
            batch.append(self._decode(self._waiting.popleft()))
            received = batch[-1].delivery.frames
            frames += len(received)
            size += sum(map(len, received))
            if frames >= COMMIT_FRAMES or size >= COMMIT_BYTES:
                break
        return batch


class Committer(_Commits[T]):
    """One thread that owns the store and commits whatever waits in its queue: many receivers share each fsync.

    The queue has no bound of its own: each source bounds the deliveries that it has in flight.
    """

    def _start(self) -> None:
        self._not_empty = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Queue a delivery and return at once. It is acknowledged once it is stored, and never after a failure."""
        with self._not_empty:
            self._waiting.append(item)
            self._not_empty.notify()

    def close(self, timeout: float | None = None) -> bool:
        """Commit what waits, then stop; idempotent. Returns False if that takes longer than *timeout* seconds.

        Raises nothing: see failure.
        """
        with self._not_empty:
            self._closing = True
            self._not_empty.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while batch := self._next():
                self._commit(batch)
        except BaseException as exc:  # noqa: BLE001 - kept for the thread that closes the committer, which raises it
            self._fail(exc)

    def _something_waits(self) -> bool:
        """Wait for a delivery or the end; False if neither came for a second and the store is to be consolidated."""
        with self._not_empty:
            while not self._waiting and not self._closing:
                if not self._not_empty.wait(None if self._consolidated else _IDLE):
                    return False
        return True

    def _next(self) -> list[Decoded]:
        """Wait for deliveries, and decode those of the next commit; an empty list after the last one."""
        while not self._something_waits():
            self._consolidate()
        return self._decoded()


class TurnCommitter(_Commits[T]):
    """Commits in the thread of its caller, one commit at a time: no thread has to be woken for it.

    Only one thread at a time may call put and next_commit. What they return may be called in any thread.
    """

    def _start(self) -> None:
        self._free = threading.Lock()  # held during a commit
        self._committed_at = 0.0

    def put(self, item: T) -> None:
        """Queue a delivery. It is acknowledged once it is stored, and never after a failure."""
        self._waiting.append(item)

    def next_commit(self) -> Callable[[], None] | None:
        """A function that commits what waits now, or consolidates an idle store; it raises nothing: see failure.

        None while the last one has not returned, and when there is nothing to do.
        """
        if not self._waiting and (self._consolidated or time.monotonic() < self._committed_at + _IDLE):
            return None
        if self.failure is not None or not self._free.acquire(blocking=False):
            return None
        return self._commit_waiting

    def close(self, timeout: float | None = None) -> bool:
        """Commit what waits; idempotent. Returns False if that takes longer than *timeout* seconds.

        Raises nothing: see failure.
        """
        last = threading.Thread(target=self._commit_rest, name="committer", daemon=True)
        last.start()
        last.join(timeout)
        return not last.is_alive()

    def _commit_rest(self) -> None:
        with self._free:
            while self._waiting and self.failure is None:
                self._commit_some()

    def _commit_waiting(self) -> None:
        try:
            if self._waiting:
                self._commit_some()
            else:
                self._consolidate()
        finally:
            self._free.release()

    def _commit_some(self) -> None:
        try:
            self._commit(self._decoded())
        except BaseException as exc:  # noqa: BLE001 - kept for whoever closes the committer, who raises it
            self._fail(exc)
        self._committed_at = time.monotonic()
