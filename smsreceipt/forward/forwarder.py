"""Hands on what the store holds, in the order of seq: reads a batch, hands it on, moves the cursor, again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import cast

from smsreceipt.errors import ProviderError
from smsreceipt.forward.batch import Batch, NotTaken, Receiver, Refused
from smsreceipt.forward.cursor import Cursor, Parked
from smsreceipt.language import _, n_
from smsreceipt.model import StoredReceipt
from smsreceipt.output import reasons
from smsreceipt.output.mask import mask_numbers
from smsreceipt.store import Query, Store

FIRST_PAUSE = 1.0  #: seconds before the second attempt; each further pause is twice as long
LONGEST_PAUSE = 300.0  #: seconds; only a Retry-After is longer
POLL = 0.5  #: seconds between two looks at a store that has nothing new
_BATCH_BYTES = 1 << 20  # of bodies; a batch of long receipts has fewer of them
_MARK_EVERY = 5.0  # seconds between two moves of the cursor past statements that the filters leave out
_TELL_EVERY = 60.0  # seconds between two lines about a receiver that does not answer


class NotReached(ProviderError):
    """The receiver did not confirm a batch for as long as it is tried."""


class Stop(Exception):
    """It is time to stop; the cursor stands where it was moved last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to hand on, and how."""

    query: Query  #: its filters
    batch: int = 100  #: statements in a batch at most
    rate: float | None = None  #: batches a second at most
    park: bool = False  #: go on after a refused statement
    retry_for: float | None = None  #: seconds for which a batch is tried; None: for ever


@dataclass(slots=True)
class Counts:
    """What became of the statements of a run."""

    sent: int = 0  #: confirmed
    refused: int = 0
    parked: int = 0


@dataclass(slots=True)
class _Attempts:
    """The failures since a batch was last confirmed."""

    failures: int = 0
    began: float = 0.0
    told: float = field(default=-_TELL_EVERY)

    def pause(self, least: float) -> float:
        """Seconds before the next attempt."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.failures - 1, 20))
        return max(random.uniform(longest / 2, longest), least)  # noqa: S311 - spreads retries, guards nothing


class Forwarder:
    """Hands on statements from a store to one receiver, at least once each, and moves the cursor after them."""

    def __init__(
        self,
        store: Store,
        cursor: Cursor,
        receiver: Receiver,
        options: Options,
        *,
        wait: Callable[[float], bool],
        tell: Callable[[str, int], None],
    ) -> None:
        """*wait* sleeps, and returns True when it is time to stop. *tell* gets a line and its verbosity."""
        self.counts = Counts()
        self.refusal: tuple[int, str] | None = None  #: the seq of the statement that stopped the run, and why
        self._store, self._cursor, self._receiver, self._options = store, cursor, receiver, options
        self._wait, self._tell = wait, tell
        self._position = cursor.seq  # read up to here; the cursor may be behind, past what the filters leave out
        self._attempts = _Attempts()
        self._next_at = self._marked = 0.0

    def drain(self) -> None:
        """Hand on what the store holds now. Raises Stop, NotReached, StoreUnavailable and CursorInUse."""
        newest = newest_seq(self._store)
        self._repeat()
        while self._position < newest:
            self._step()
        self._mark()

    def follow(self) -> None:
        """Hand on what the store holds and what comes, until it is time to stop."""
        while True:
            self._repeat()
            if not self._step() and self._wait(POLL):
                raise Stop

    def _step(self) -> bool:
        """Hand on the next batch; False if there is none."""
        self._position = max(self._position, self._cursor.seq)
        found, upto = self._read()
        if found:
            self._hand_on(Batch(self._cursor.id, found))
        self._position = upto
        if self._position > self._cursor.seq and time.monotonic() >= self._marked:
            self._mark()
        return bool(found)

    def _mark(self) -> None:
        """Move the cursor past what the filters leave out."""
        self._marked = time.monotonic() + _MARK_EVERY
        if self._position > self._cursor.seq:
            self._cursor.move(self._position)

    def _read(self) -> tuple[list[StoredReceipt], int]:
        """The next statements, and the seq up to which nothing else is to be handed on."""
        asked = replace(self._options.query, after=self._position, history=True, limit=self._options.batch)
        with self._store.snapshot():
            newest = newest_seq(self._store)
            if newest <= self._position:
                return [], self._position
            found, whole = self._fitting(asked)
        return found, max(newest, self._position) if whole else cast("int", found[-1].seq)

    def _fitting(self, asked: Query) -> tuple[list[StoredReceipt], bool]:
        """The statements of the query that go into one batch, and whether that is all of them."""
        found: list[StoredReceipt] = []
        size = 0
        with closing(_rows(self._store, asked)) as rows:
            for each in rows:
                size += len(each.receipt.body)
                differs = self._receiver.one_kind and found and each.receipt.kind != found[0].receipt.kind
                if found and (size > _BATCH_BYTES or differs):
                    return found, False
                found.append(each)
        return found, len(found) < self._options.batch

    def _hand_on(self, batch: Batch) -> None:
        """Hand on a batch, and move the cursor; a refused batch in halves, until what is refused is one statement."""
        pieces = [batch]
        while pieces:
            piece = pieces.pop()
            refusal = self._offer(piece)
            if refusal is None:
                self.counts.sent += len(piece.receipts)
            elif len(piece.receipts) > 1:
                pieces += piece.halves()[::-1]
                continue
            else:
                self._refuse(piece.last, refusal)
            self._cursor.move(piece.last)

    def _refuse(self, seq: int, refusal: Refused) -> None:
        """Park a statement, or stop before it."""
        self.counts.refused += 1
        if not self._options.park:
            self.refusal = (seq, str(refusal))
            raise Stop
        self._cursor.park(seq, str(refusal))
        self.counts.parked += 1
        self._tell(_("seq {seq} is parked: {reason}", seq=seq, reason=_quoted(refusal)), 0)

    def _repeat(self) -> None:
        """Hand on once more what `forward parked retry` named."""
        for each in self._cursor.again():
            found = list(self._store.list(Query(after=each.seq - 1, history=True, limit=1)))
            if not found or found[0].seq != each.seq:
                self._tell(_("seq {seq} is not in the store any more", seq=each.seq), 0)
                self._cursor.repark(each, reasons.GONE)
                continue
            self._hand_on_again(each, Batch(self._cursor.id, found))

    def _hand_on_again(self, each: Parked, batch: Batch) -> None:
        refusal = self._offer(batch)
        if refusal is None:
            self.counts.sent += 1
            self._cursor.unpark(each)
            return
        self.counts.refused += 1
        self.counts.parked += 1
        self._cursor.repark(each, str(refusal))
        self._tell(_("seq {seq} is parked again: {reason}", seq=each.seq, reason=_quoted(refusal)), 0)

    def _offer(self, batch: Batch) -> Refused | None:
        """Hand a batch on, however often that takes; the refusal if it is refused. Raises Stop and NotReached."""
        while True:
            if self._wait(max(self._next_at - time.monotonic(), 0.0)):
                raise Stop
            self._next_at = time.monotonic() + (1 / self._options.rate if self._options.rate else 0.0)
            try:
                self._receiver.hand_on(batch)
            except NotTaken as exc:
                self._postpone(exc)
                continue
            except Refused as exc:
                self._answered()
                return exc
            self._answered()
            return None

    def _answered(self) -> None:
        if self._attempts.failures > 1:
            self._tell(_("{receiver} answers again", receiver=_(self._receiver.name)), 0)
        self._attempts = _Attempts()

    def _postpone(self, exc: NotTaken) -> None:
        """Wait before the next attempt. Raises NotReached if that is too late."""
        attempts, now = self._attempts, time.monotonic()
        attempts.failures += 1
        attempts.began = attempts.began or now
        pause, limit = attempts.pause(exc.pause), self._options.retry_for
        if limit is not None and now + pause > attempts.began + limit:
            raise NotReached(
                n_(
                    "{receiver}: {reason}; given up after {n} attempt",
                    "{receiver}: {reason}; given up after {n} attempts",
                    attempts.failures,
                    receiver=_(self._receiver.name),
                    reason=exc,
                ),
                hint=_("Nothing is lost: the cursor stands before it. Run the same command again."),
            )
        # A connection that lay idle may be gone: the first failure is no news.
        due = attempts.failures > 1 and now >= attempts.told + _TELL_EVERY
        if due:
            attempts.told = now
        receiver = _(self._receiver.name)
        said = _("{receiver}: {reason}; again in {seconds:.0f} s", receiver=receiver, reason=exc, seconds=pause)
        self._tell(said, 0 if due else 1)
        if self._wait(pause):
            raise Stop


def newest_seq(store: Store) -> int:
    """The largest seq that readers are shown; 0 in an empty store."""
    newest = list(store.list(Query(history=True, newest=True, limit=1)))
    return newest[0].seq or 0 if newest else 0


def _rows(store: Store, query: Query) -> Generator[StoredReceipt, None, None]:
    """What the store lists, to be closed before the last of it is read."""
    yield from store.list(query)


def _quoted(refusal: Refused) -> str:
    reason, answer = reasons.in_words(str(refusal)), mask_numbers(refusal.answer.strip())
    return _("{what}: {reason}", what=reason, reason=answer) if answer else reason
