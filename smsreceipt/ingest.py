"""The one road: every delivery, whatever its source, is decoded, kept, and only then acked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from smsreceipt.decode import decode
from smsreceipt.errors import SmsReceiptError, StoreLocked
from smsreceipt.model import Delivery, Tally
from smsreceipt.store import Kept, Store

_T = TypeVar("_T")

COMMIT_FRAMES = 4_000  #: a commit takes what waits, up to about this many frames
LOCK_BUDGET = 30.0  #: seconds that a locked store is waited for before giving up; each attempt waits itself


def take(deliveries: Sequence[Delivery], store: Store) -> Kept:
    """Keep deliveries in one commit, then ack them. A crash leaves each of them stored or unacked.

    Raises what the store raises; nothing is acked then.
    """
    decoded = [decode(delivery) for delivery in deliveries]
    kept = store.keep(decoded)
    expected = sum(len(item.receipts) + len(item.rejects) for item in decoded)
    if kept.tally.received != expected or not kept.tally.balanced:
        raise AssertionError("the books do not balance")
    for delivery in deliveries:
        delivery.ack()
    return kept


class Committer:
    """One thread that owns the store and takes whatever waits: many receivers share each fsync.

    The queue in front of it has no bound of its own: each source bounds what it has in flight.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_kept: Callable[[Kept], None] = lambda _: None,
        on_failure: Callable[[], None] = lambda: None,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        """The callbacks come from its thread: after a commit and its acks, on giving up, while waiting for a lock."""
        self.tally = Tally()
        self.failure: BaseException | None = None  #: why it gave up; nothing was acked that is not stored
        self._store = store
        self._on_kept = on_kept
        self._on_failure = on_failure
        self._on_wait = on_wait
        self._waiting: deque[Delivery] = deque()
        self._errands: deque[Callable[[], None]] = deque()
        self._bell = threading.Condition()
        self._closing = False
        self._over = False  # nobody looks at errands any more
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def put(self, delivery: Delivery) -> None:
        """Queue a delivery; its ack tells when it is safe. After a failure it is dropped, unacked."""
        with self._bell:
            self._waiting.append(delivery)
            self._bell.notify()

    def ask(self, errand: Callable[[Store], _T]) -> Future[_T]:
        """Have the thread that owns the store do something with it, between commits."""
        answer: Future[_T] = Future()

        def run() -> None:
            try:
                answer.set_result(errand(self._store))
            except BaseException as exc:  # noqa: BLE001 - handed to whoever asked
                answer.set_exception(exc)

        with self._bell:
            if self.failure or self._over:
                answer.set_exception(self.failure or RuntimeError("the committer is closed"))
                return answer
            self._errands.append(run)
            self._bell.notify()
        return answer

    def close(self, timeout: float | None = None) -> None:
        """Commit what waits, then stop; idempotent. Raises nothing: see failure."""
        with self._bell:
            self._closing = True
            self._bell.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while self._wait():
                self._do_errands()
                batch = self._next()
                if batch:
                    kept = self._take(batch)
                    self.tally += kept.tally
                    self._on_kept(kept)
        except BaseException as exc:  # noqa: BLE001 - kept for the thread that waits for us, which raises it
            with self._bell:  # whoever asks now is told; whoever asked before is answered
                self.failure = exc
            self._do_errands()
            self._on_failure()

    def _wait(self) -> bool:
        """Until there is something to do; False when it is all done."""
        with self._bell:
            while not (self._waiting or self._errands or self._closing):
                self._bell.wait()
            self._over = not (self._waiting or self._errands)
            return not self._over

    def _do_errands(self) -> None:
        while self._errands:
            self._errands.popleft()()

    def _next(self) -> list[Delivery]:
        batch: list[Delivery] = []
        frames = 0
        while self._waiting and frames < COMMIT_FRAMES:
            delivery = self._waiting.popleft()
            frames += len(delivery.frames)
            batch.append(delivery)
        return batch

    def _take(self, batch: list[Delivery]) -> Kept:
        """Keep and ack, waiting for a locked store as long as its budget lasts."""
        began = time.monotonic()
        while True:
            try:
                return take(batch, self._store)
            except StoreLocked as exc:
                waited = time.monotonic() - began
                if waited > LOCK_BUDGET or self._closing:
                    raise
                self._on_wait(f"{exc}; waiting, {waited:.0f} s so far")


def worst(failures: Sequence[BaseException]) -> BaseException | None:
    """Of several failures, the one whose exit code stands for all: 7, 6, 4, 8, 5; a bug of ours before them."""
    order = {7: 1, 6: 2, 4: 3, 8: 4, 5: 5}

    def rank(exc: BaseException) -> int:
        return order.get(exc.exit_code, 9) if isinstance(exc, SmsReceiptError) else 0

    return min(failures, key=rank, default=None)
