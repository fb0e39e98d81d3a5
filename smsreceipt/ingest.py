"""The one road: every delivery, whatever its source, is decoded, kept, and only then acked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from smsreceipt.decode import decode
from smsreceipt.errors import StoreFull, StoreLocked
from smsreceipt.model import Asked, Decoded, Delivery, Tally
from smsreceipt.store import Kept, Store

T = TypeVar("T")

COMMIT_FRAMES = 4_000  #: a commit takes what waits, up to about this many frames
COMMIT_BYTES = 1 << 20  #: and about this many bytes: a frame may hold one receipt or two thousand
LOCK_BUDGET = 30.0  #: seconds that a locked store is waited for before giving up; each attempt waits itself
_WORD_EVERY = 5.0  # seconds between two words about the same wait


def take(
    deliveries: Sequence[Delivery | Decoded],
    store: Store,
    *,
    resolves: Collection[str] = (),
    asked: Collection[Asked] = (),
) -> Kept:
    """Keep deliveries in one commit, with it drop the rejects they resolve and note what was asked; then ack them.

    What is decoded already is kept as it is. A crash leaves each of them stored or unacked. Raises what the store
    raises; nothing is acked then.
    """
    decoded = [each if isinstance(each, Decoded) else decode(each) for each in deliveries]
    kept = store.keep(decoded, resolves=resolves, asked=asked)
    expected = sum(len(item.receipts) + len(item.rejects) for item in decoded)
    if kept.tally.received != expected or not kept.tally.balanced:
        raise AssertionError("the books do not balance")
    for item in decoded:
        item.delivery.ack()
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
        began, told = time.monotonic(), -_WORD_EVERY
        while True:
            try:
                return work()
            except StoreLocked as exc:
                waited = time.monotonic() - began
                if waited > self._budget or self._over:
                    raise
                if waited >= told + _WORD_EVERY:
                    told = waited
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
        on_full: Callable[[Sequence[Delivery]], None] | None = None,
    ) -> None:
        """The callbacks come from its thread: after a commit and its acks, and when it gives up.

        With *on_full*, a full disk is no reason to give up: what found no room goes back there, unacked, to whoever
        can have it sent again, and the next commit tries anew.
        """
        self.tally = Tally()
        self.failure: BaseException | None = None  #: why it gave up; nothing was acked that is not stored
        self._store = store
        self._patience = patience or Patience()
        self._on_kept = on_kept
        self._on_failure = on_failure
        self._on_full = on_full
        self._waiting: deque[Delivery | Decoded] = deque()
        self._bell = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def put(self, delivery: Delivery | Decoded) -> None:
        """Queue a delivery, decoded or not; its ack tells when it is safe. After a failure it is dropped, unacked."""
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
                self._commit(batch)
        except BaseException as exc:  # noqa: BLE001 - kept for the thread that waits for us, which raises it
            self.failure = exc
            self._on_failure()

    def _commit(self, batch: Sequence[Delivery | Decoded]) -> None:
        try:
            kept = self._patience.until_unlocked(partial(take, batch, self._store))
        except StoreFull:
            if self._on_full is None:
                raise
            self._on_full([_delivery(each) for each in batch])
            return
        self.tally += kept.tally
        self._on_kept(kept)

    def _next(self) -> list[Delivery | Decoded]:
        """What waits, once something does; nothing when it is all done."""
        batch: list[Delivery | Decoded] = []
        frames = size = 0
        with self._bell:
            while not self._waiting and not self._closing:
                self._bell.wait()
            while self._waiting and frames < COMMIT_FRAMES and size < COMMIT_BYTES:
                batch.append(self._waiting.popleft())
                delivery = _delivery(batch[-1])
                frames += len(delivery.frames)
                size += sum(map(len, delivery.frames))
        return batch


def _delivery(item: Delivery | Decoded) -> Delivery:
    return item.delivery if isinstance(item, Decoded) else item
