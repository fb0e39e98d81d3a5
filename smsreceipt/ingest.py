"""The one road: every delivery, whatever its source, is decoded, kept, and only then acked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from smsreceipt.decode import decode
from smsreceipt.errors import SmsReceiptError, StoreLocked
from smsreceipt.model import Delivery, Tally
from smsreceipt.store import Kept, Store

T = TypeVar("T")

COMMIT_FRAMES = 4_000  #: a commit takes what waits, up to about this many frames
LOCK_BUDGET = 30.0  #: seconds that a locked store is waited for before giving up; each attempt waits itself


def take(deliveries: Sequence[Delivery], store: Store, *, resolves: Collection[str] = ()) -> Kept:
    """Keep deliveries in one commit, with it drop the rejects they resolve, then ack them.

    A crash leaves each of them stored or unacked. Raises what the store raises; nothing is acked then.
    """
    decoded = [decode(delivery) for delivery in deliveries]
    kept = store.keep(decoded, resolves=resolves)
    expected = sum(len(item.receipts) + len(item.rejects) for item in decoded)
    if kept.tally.received != expected or not kept.tally.balanced:
        raise AssertionError("the books do not balance")
    for delivery in deliveries:
        delivery.ack()
    return kept


class Patience:
    """Waits for a store that another process has locked, as long as the budget lasts. One for a whole run."""

    def __init__(self, say: Callable[[str], None] = lambda _: None, *, budget: float = LOCK_BUDGET) -> None:
        """*say* is told what is waited for; it may be called from the thread that waits."""
        self._say = say
        self._budget = budget
        self._over = False

    def end(self) -> None:
        """Wait for nothing any more: the attempt under way is the last. From any thread."""
        self._over = True

    def until_unlocked(self, work: Callable[[], T]) -> T:
        """What *work* returns once the store is free. Raises StoreLocked when the budget is spent."""
        began = time.monotonic()
        while True:
            try:
                return work()
            except StoreLocked as exc:
                waited = time.monotonic() - began
                if waited > self._budget or self._over:
                    raise
                self._say(f"{exc}; waiting, {waited:.0f} s so far")


class Committer:
    """One thread that owns the store and takes whatever waits: many receivers share each fsync.

    The queue in front of it has no bound of its own: each source bounds what it has in flight.
    """

    def __init__(
        self,
        store: Store,
        *,
        patience: Patience | None = None,
        on_kept: Callable[[Kept], None] = lambda _: None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """The callbacks come from its thread: after a commit and its acks, and when it gives up."""
        self.tally = Tally()
        self.failure: BaseException | None = None  #: why it gave up; nothing was acked that is not stored
        self._store = store
        self._patience = patience or Patience()
        self._on_kept = on_kept
        self._on_failure = on_failure
        self._waiting: deque[Delivery] = deque()
        self._bell = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def put(self, delivery: Delivery) -> None:
        """Queue a delivery; its ack tells when it is safe. After a failure it is dropped, unacked."""
        with self._bell:
            self._waiting.append(delivery)
            self._bell.notify()

    def close(self, timeout: float | None = None) -> bool:
        """Commit what waits, then stop; idempotent. False: it has not come to an end in *timeout* seconds.

        Raises nothing: see failure.
        """
        with self._bell:
            self._closing = True
            self._bell.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while batch := self._next():
                kept = self._patience.until_unlocked(partial(take, batch, self._store))
                self.tally += kept.tally
                self._on_kept(kept)
        except BaseException as exc:  # noqa: BLE001 - kept for the thread that waits for us, which raises it
            self.failure = exc
            self._on_failure()

    def _next(self) -> list[Delivery]:
        """What waits, once something does; nothing when it is all done."""
        batch: list[Delivery] = []
        frames = 0
        with self._bell:
            while not self._waiting and not self._closing:
                self._bell.wait()
            while self._waiting and frames < COMMIT_FRAMES:
                delivery = self._waiting.popleft()
                frames += len(delivery.frames)
                batch.append(delivery)
        return batch


def worst(failures: Sequence[BaseException]) -> BaseException | None:
    """Of several failures, the one whose exit code stands for all: 7, 6, 4, 8, 5; a bug of ours before them."""
    order = {7: 1, 6: 2, 4: 3, 8: 4, 5: 5}

    def rank(exc: BaseException) -> int:
        return order.get(exc.exit_code, 9) if isinstance(exc, SmsReceiptError) else 0

    return min(failures, key=rank, default=None)
