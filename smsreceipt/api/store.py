"""A store as programs see it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from datetime import date, datetime
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from smsreceipt.api.app import app_of
from smsreceipt.api.values import Found, Receipt, Send, instant, line_of, receipt_of, send_of, stored_sends
from smsreceipt.decode import known_kind
from smsreceipt.errors import UsageError
from smsreceipt.ingest import LockRetry
from smsreceipt.language import N_, _
from smsreceipt.model import Outcome, Source, StoredReceipt, normalise_phone
from smsreceipt.runs.lookup import find
from smsreceipt.runs.unguarded import say_unguarded
from smsreceipt.store import Imported, Query
from smsreceipt.store import Store as Engine

_AT_ONCE = 5_000  # sends in one commit
E = TypeVar("E", Outcome, Source)
Words = str | Collection[str] | None


class Store:
    """A store, which is opened when it is first used; close it, or use it in a with statement.

    Use one instance from one thread at a time, and in the process that made it. Any number of processes may use the
    same store. Raises StoreUnavailable where it is locked, full or cannot be reached, and StoreDamaged.
    """

    def __init__(self, url: str | os.PathLike[str] | None = None) -> None:
        """*url*: a file, or postgresql://…; None: as the program does without --store."""
        self._app = app_of(url)
        self._stack = ExitStack()
        self._reader: Engine | None = None
        self._writer: Engine | None = None
        self._pid = os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release it; idempotent."""
        if self._pid == os.getpid():  # what was opened before a fork belongs to the other process
            self._stack.close()
        self._reader = self._writer = None

    def receipts(
        self,
        *,
        kind: Words = None,
        phone: Words = None,
        biz_id: Words = None,
        out_id: Words = None,
        call_id: Words = None,
        outcome: Words = None,
        code: Words = None,
        source: Words = None,
        since: datetime | date | None = None,
        until: datetime | date | None = None,
        after: int = 0,
        history: bool = False,
        limit: int | None = None,
    ) -> Iterator[Receipt]:
        """Yield receipts in ascending seq: the state of each message, call and review, as `list` prints them.

        Several values of one filter are alternatives, and an empty collection finds nothing; different filters must
        all hold. *since* (inclusive) and *until* (exclusive) are compared with sent_at, else reported_at, else
        received_at; without a zone they are Beijing time.
        *after*: only seq > after. *history*: every statement, not only the states.
        Raises UsageError for an outcome or a source that does not exist, and for an empty number or id.
        """
        query = Query(
            kinds=[known_kind(each) for each in _words(kind)],
            phones=[normalise_phone(each) for each in _ids(phone, "phone")],
            biz_ids=_ids(biz_id, "biz_id"),
            out_ids=_ids(out_id, "out_id"),
            call_ids=_ids(call_id, "call_id"),
            outcomes=[_member(Outcome, each, N_("{word!r} is no outcome")) for each in _words(outcome)],
            codes=_ids(code, "code"),
            sources=[_member(Source, each, N_("{word!r} is no source")) for each in _words(source)],
            since=instant(since),
            until=instant(until),
            after=after,
            history=history,
            limit=limit,
        )
        given = (kind, phone, biz_id, out_id, call_id, outcome, code, source)
        if any(each is not None and not isinstance(each, str) and not each for each in given):
            return iter(())  # a filter without a value holds for nothing
        return self._yielded(self._reading().list(query))

    def show(self, word: str) -> Found:
        """Everything about a number or an id: BizId, OutId or CallId. Nothing found is a false value."""
        found = find(self._reading(), _ids([word], "word"))
        return Found(tuple(map(receipt_of, found.in_time_order)), tuple(send_of(stored.send) for stored in found.sends))

    def add_sends(self, sends: Iterable[Send]) -> int:
        """Add what was sent; return how many sends were not known before. Known ones get the values they lack.

        When this returns they are on the disk. Sends that are not younger than the forgetting of their number are left
        out; where the key of forgotten numbers is not on this machine, they are added, and the log says so. Raises
        UsageError for one that cannot be a send, before any is added.
        """
        wanted = [send for each in sends for send in stored_sends(line_of(each))]
        writer, retry = self._writing(), LockRetry(self._app.say)
        pieces = [wanted[begin : begin + _AT_ONCE] for begin in range(0, len(wanted), _AT_ONCE)]
        added = sum((retry.call(partial(writer.add_sends, piece)) for piece in pieces), Imported())
        if added.unguarded:
            say_unguarded(self._app)
        return added.new

    def _yielded(self, found: Iterator[StoredReceipt]) -> Iterator[Receipt]:
        """What was found, as values; keeps this store, and so its connection, while it is read."""
        yield from map(receipt_of, found)

    def _reading(self) -> Engine:
        self._refuse_fork()
        if self._writer is not None:
            return self._writer
        if self._reader is not None and not self._reader.facts().exists:
            self._stack.close()  # there may be a store now
            self._reader = None
        if self._reader is None:
            self._reader = self._stack.enter_context(self._app.open_store(readonly=True))
        return self._reader

    def _writing(self) -> Engine:
        self._refuse_fork()
        if self._writer is None:
            self._writer = self._stack.enter_context(self._app.open_store(readonly=False, backfill=False))
        return self._writer

    def _refuse_fork(self) -> None:
        if self._pid != os.getpid():
            raise UsageError(_("this store was opened before a fork"), hint=_("Open it in the process that uses it."))


def open(url: str | os.PathLike[str] | None = None) -> Store:  # noqa: A001 - smsreceipt.open, as gzip.open
    """The store at *url*: a file, or postgresql://…; None: as the program does without --store.

    A store that does not exist is empty for readers, and is created by the first method that writes.
    """
    return Store(url)


def _words(given: Words) -> list[str]:
    if given is None:
        return []
    return [given] if isinstance(given, str) else list(given)


def _ids(given: Words, name: str) -> list[str]:
    """Numbers or ids. Raises UsageError for an empty one, which would match all rows without a value."""
    words = _words(given)
    if not all(word.strip() for word in words):
        raise UsageError(_("{option}: empty number or id", option=name))
    return words


def _member(kind: type[E], word: str, message: str) -> E:
    try:
        return kind(word)
    except ValueError:
        raise UsageError(_(message, word=word), hint=_("One of {words}.", words=", ".join(kind))) from None
